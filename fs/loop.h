/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that take requests from the kernel and serve them. */
#ifndef FS_LOOP_H
#define FS_LOOP_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuse_session;
struct fuse_in_header;
struct loop;
struct suspects;

/*
 * Where requests lie while they are served: `n` slots of `stride` bytes, whole pages. A slot whose request has a number (unique) is
 * being served, or was when its process died.
 */
struct loop_slots {
	void *base;
	size_t stride;
	unsigned n;
};

struct loop_options {
	struct fuse_session *se;
	int fd;        /* of /dev/fuse; borrowed */
	unsigned idle; /* threads that wait for requests at least; when all are busy another is started */
	struct loop_slots slots; /* as many threads at most. base NULL: memory of this process */
	bool replay;             /* serves what stands in the slots first; else it is forgotten */

	/* Requests that processes before this one died over; borrowed, may be NULL. One with too many deaths is given up. */
	struct suspects *suspects;
	void (*give_up)(
		void *arg, const struct fuse_in_header *in, size_t n, uint64_t number, unsigned deaths);
	void *arg;
};

int loop_start(const struct loop_options *options, struct loop **out, struct err *e);

/* 0 once all threads have ended, which they do with the connection; -ETIMEDOUT where that takes longer. */
int loop_wait_ms(struct loop *l, unsigned ms);

void loop_end(struct loop *l); /* the threads finish what they serve, and end */

/*
 * The number of the request that this thread serves, 0 outside of one. Bit 63 (LOOP_RESENT) is set where the request was
 * given before to a process that may have died of it, or with it.
 */
#define LOOP_RESENT (1ull << 63)
uint64_t loop_request_unique(void);
void loop_set_request_unique(uint64_t unique); /* for who serves requests without this loop */

void loop_free(struct loop *l); /* after they ended; NULL is fine */

#endif
