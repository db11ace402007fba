/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who keeps descriptors of files that have lost their last name while somebody has them open: all there is of such a file
 * is a descriptor, so it must be where it outlives the process that serves the file. Any thread may call, several at once.
 */
#ifndef FS_FD_KEEPER_H
#define FS_FD_KEEPER_H

#include <stdint.h>

struct fd_keeper {
	/*
	 * Keeps a copy of `fd`, in the place of an earlier one of the same node: 0, or -errno. When it returns, the copy is
	 * where it is to be.
	 */
	int (*keep)(struct fd_keeper *k, uint64_t node, int fd);
	int (*fetch)(struct fd_keeper *k,
		uint64_t node); /* a copy, owned by the caller; or -errno, -ENOENT: none */
	void (*drop)(struct fd_keeper *k, uint64_t node); /* of a node that has none it does nothing */
};

/* One that keeps them in this process: for a mount that has no other, and for tests. */
struct fd_keeper *fd_keeper_local_new(void);
void fd_keeper_local_free(struct fd_keeper *k); /* NULL is fine */

#endif
