/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper of descriptors at the other end of a link: the supervisor, for its workers. */
#ifndef FS_FD_KEEPER_LINK_H
#define FS_FD_KEEPER_LINK_H

#include "fs/fd_keeper.h"

struct fd_keeper_link {
	struct fd_keeper base;
	int link; /* borrowed */
};

void fd_keeper_link_init(struct fd_keeper_link *k, int link);

#endif
