/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that take requests from the kernel and serve them. */
#ifndef FS_LOOP_H
#define FS_LOOP_H

#include "lib/base/err.h"

#include <stddef.h>

struct fuse_session;
struct loop;

/*
 * `idle` threads wait for requests at least; when all are busy another is started, so that slow reads don't
 * hold up what is quick. A request has at most request_max_bytes.
 */
int loop_start(
	struct fuse_session *se, unsigned idle, size_t request_max_bytes, struct loop **out, struct err *e);

/* 0 once all threads have ended, which they do with the connection; -ETIMEDOUT where that takes longer. */
int loop_wait_ms(struct loop *l, unsigned ms);

void loop_end(struct loop *l); /* the threads finish what they serve, and end */

void loop_free(struct loop *l); /* after they ended; NULL is fine */

#endif
