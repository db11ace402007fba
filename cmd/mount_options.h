/* SPDX-License-Identifier: Apache-2.0 */
/* The options of -o: what thanosfs acts on, what goes to the kernel, and what any line of fstab(5) may carry and means nothing here. */
#ifndef CMD_MOUNT_OPTIONS_H
#define CMD_MOUNT_OPTIONS_H

#include "cmd/mount_flags.h"

/* Sorts f->fuse_options into the fields they set; those for libfuse stay. -EINVAL names an option that nobody knows. */
int mount_options_sort(struct mount_flags *f, struct err *e);

bool mount_option_is_known(const char *option);

#endif
