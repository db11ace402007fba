/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of the FUSE protocol, for the few messages that are written by hand: INIT and notifications. Numbers that
 * the installed header is too old for are given here, as Linux' include/uapi/linux/fuse.h has them.
 */
#ifndef FS_FUSE_KERNEL_H
#define FS_FUSE_KERNEL_H

#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* From bit 32 on, flags stand in flags2; FUSE_INIT_EXT says that there is such a field. */
#define FUSE_KERNEL_INIT_EXT    (1ull << 30)
#define FUSE_KERNEL_PASSTHROUGH (1ull << 37) /* 7.40, Linux 6.9, as the next */
#define FUSE_KERNEL_HAS_RESEND  (1ull << 39)

/* Gives who reads next all requests again that were read and not answered, their unique with bit 63 set. */
#define FUSE_KERNEL_NOTIFY_RESEND 7

/* An INIT request as it is read: newer kernels may send more. */
struct fuse_kernel_init {
	struct fuse_in_header head;
	struct fuse_init_in in;
};

/* What follows flags2 in the answer: how many filesystems may stand on each other with this one, at least 1 for passthrough. */
#define FUSE_KERNEL_STACK_DEPTH_AT (offsetof(struct fuse_init_out, flags2) + sizeof(uint32_t))

/* A file that the kernel is to read and write in place of a server. What opens it gives it a number above 0. */
struct fuse_kernel_backing {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define FUSE_KERNEL_BACKING_OPEN  _IOW(FUSE_DEV_IOC_MAGIC, 1, struct fuse_kernel_backing)
#define FUSE_KERNEL_BACKING_CLOSE _IOW(FUSE_DEV_IOC_MAGIC, 2, uint32_t)

/* The answer to an open of such a file; no other flag may stand beside this one. */
#define FUSE_KERNEL_OPEN_PASSTHROUGH (1u << 7)
struct fuse_kernel_open_out {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing;
};
_Static_assert(
	sizeof(struct fuse_kernel_open_out) == sizeof(struct fuse_open_out), "one message, two headers");

#endif
