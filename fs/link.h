/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor and a worker say to each other: messages of one size over a SEQPACKET socket, some with a descriptor.
 * A message that was sent is there even if its sender dies at once.
 */
#ifndef FS_LINK_H
#define FS_LINK_H

#include <stdint.h>

enum link_kind {
	/* to a worker */
	LINK_HELLO = 1, /* with the memory they share */
	LINK_START,     /* build what is to be served; flags: LINK_REPLAY, LINK_TAKES_OVER */
	LINK_SERVE,     /* with the descriptor to serve */
	LINK_STOP,      /* finish the requests at hand, and end */
	LINK_RETIRE,    /* likewise, and as fast as possible: another one waits to take over */
	/* to the supervisor */
	LINK_READY,   /* LINK_START, whenever */
	LINK_BUILT,   /* LINK_SERVE, please */
	LINK_SERVING, /* requests are being answered */
	LINK_DROP_PAGES,
	LINK_DROP_NAME, /* in the root */
	LINK_DROP_NODE,
	LINK_KEEP,  /* with a descriptor and a socket to answer on */
	LINK_FETCH, /* with a socket to answer on */
	LINK_FORGET,
	/* on such a socket */
	LINK_ANSWER, /* bytes: -errno or 0; maybe with a descriptor */
	LINK_KINDS
};

#define LINK_REPLAY     1u /* requests that stand in the slots are to be served (again) */
#define LINK_TAKES_OVER 2u /* there was a worker before */

#define LINK_NAME_BYTES 48
#define LINK_FDS        2u

struct link_message {
	uint32_t kind, flags;
	uint64_t node, at, bytes;
	char name[LINK_NAME_BYTES]; /* ends with a NUL */
};

/* A pair of ends, close-on-exec. 0 or -errno. */
int link_pair(int ends[2]);

/* `n` of `fds` go along. 0, or -errno; -EPIPE where nobody is at the other end. */
int link_send(int fd, const struct link_message *m, const int *fds, unsigned n);

/*
 * Waits for a message, unless `flags` is MSG_DONTWAIT. 1: there is one, and fds (LINK_FDS of them, -1: none) are the
 * caller's; 0: the other end is gone; -EAGAIN; -EBADMSG: not a message of ours, and nothing else of it is kept.
 */
int link_receive(int fd, struct link_message *m, int *fds, int flags);

#endif
