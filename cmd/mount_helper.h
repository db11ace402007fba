/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program under the name mount.thanosfs or mount.fuse.thanosfs: what mount(8) calls for a line of fstab(5) of the type
 * thanosfs or fuse.thanosfs, with the arguments that util-linux' mount(8) gives to helpers ("External helpers").
 */
#ifndef CMD_MOUNT_HELPER_H
#define CMD_MOUNT_HELPER_H

#include "lib/base/err.h"
#include "lib/base/flags.h"

#include <stdbool.h>

#define MOUNT_HELPER_DATA_PARENT \
	"/var/lib/thanosfs" /* where data directories are unless the options say so */

/* Whether the program was called as a helper. */
bool mount_helper_is_name(const char *argv0);

/*
 * Turns the arguments of a helper (SOURCE DIRECTORY [-sfnv] [-N NAMESPACE] [-t TYPE] [-o OPTIONS]) into those of `thanosfs mount`:
 * an option that is a flag's name becomes that flag, the others go to -o. `out` gets strings of its own, the first "mount";
 * *is_fake: -f was given, nothing is to be mounted. -EINVAL names the argument. The strings are the caller's to free.
 */
int mount_helper_arguments(
	int argc, char *const *argv, struct flag_strings *out, bool *is_fake, struct err *e);

/* Mounts; returns an exit status of mount(8): 0, 1 (called wrongly) or 32 (the mount failed). */
int mount_helper_run(int argc, char **argv);

#endif
