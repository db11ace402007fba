/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount without a server yet: the descriptor that requests come from, and what was agreed with the kernel. libfuse would do
 * this too, but only for the process that serves; here another process can.
 */
#ifndef FS_MOUNT_POINT_H
#define FS_MOUNT_POINT_H

#include "fs/fuse_kernel.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Mounts on `path`, an absolute one. `options` is a comma list or NULL: ro, allow_other, allow_root, default_permissions,
 * max_read=, fsname=, subtype=, auto_unmount, and those of mount(8) that are flags. Without the right to mount it asks
 * fusermount3. *fd is what to serve; *helper is -1, or a socket that is to be kept while mounted (auto_unmount).
 */
int mount_point_open(const char *path, const char *options, int *fd, int *helper, struct err *e);

/*
 * Reads the kernel's INIT and answers it, with requests of at most request_max_bytes; the kernel may read and write files in our
 * place if `passthrough`, and if it can. *init is what the kernel sent, so that a
 * server can be made to believe that it just came; *can_resend: FUSE_KERNEL_NOTIFY_RESEND is understood.
 */
int mount_point_negotiate(int fd, size_t request_max_bytes, bool passthrough, struct fuse_kernel_init *init,
	bool *can_resend, struct err *e);

/*
 * Unmounts; lazily: the name goes and what is open stays. 0, or -errno: -EBUSY where files are open. Can wait for the server.
 * Does nothing that isn't allowed between fork and exec.
 */
int mount_point_unmount(const char *path, bool lazily);

bool mount_point_has_ended(int fd); /* nobody can send a request any more */

/* Asks for what was read and not answered to be given again. */
int mount_point_resend(int fd);

#endif
