/* SPDX-License-Identifier: Apache-2.0 */
/* What `thanosfs mount` does in the process that serves; mount.c decides which process that is. */
#ifndef CMD_MOUNT_WORKER_H
#define CMD_MOUNT_WORKER_H

#include "cmd/mount_flags.h"

/*
 * Serves until the mount ends; the exit status. `mountpoint` is absolute, or NULL for a supervisor's worker, which learns it; the
 * data directory is absolute, or relative to the working directory. `ready_fd` hears of readiness (background.h); -1: nobody.
 */
int mount_worker_run(const struct mount_flags *flags, const char *mountpoint, int ready_fd);

/* As far as this process may. Whoever keeps files that are open for others needs it too. */
void mount_raise_descriptor_limit(void);

/* mount.c: the options for the kernel, one string of the caller's; and whether an absolute path is `dir` or lies below it. */
char *mount_fuse_options(const struct mount_flags *f);
bool mount_path_is_below(const char *path, const char *dir);

#endif
