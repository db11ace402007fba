/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of the FUSE protocol, for the few messages that are written by hand: INIT and notifications. Numbers that
 * the installed header is too old for are given here, as Linux' include/uapi/linux/fuse.h has them.
 */
#ifndef FS_FUSE_KERNEL_H
#define FS_FUSE_KERNEL_H

#include <linux/fuse.h>
#include <stdint.h>

/* From bit 32 on, flags stand in flags2; FUSE_INIT_EXT says that there is such a field. */
#define FUSE_KERNEL_INIT_EXT   (1ull << 30)
#define FUSE_KERNEL_HAS_RESEND (1ull << 39) /* 7.40, Linux 6.9 */

/* Gives who reads next all requests again that were read and not answered, their unique with bit 63 set. */
#define FUSE_KERNEL_NOTIFY_RESEND 7

/* An INIT request as it is read: newer kernels may send more. */
struct fuse_kernel_init {
	struct fuse_in_header head;
	struct fuse_init_in in;
};

#endif
