/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that do one thing at a time together, for as long as one query runs. */
#ifndef PROMQL_THREAD_POOL_H
#define PROMQL_THREAD_POOL_H

struct thread_pool;

/* `threads` with the caller's, >= 1. Where the system gives fewer, there are fewer. */
struct thread_pool *thread_pool_new(unsigned threads);
void thread_pool_free(struct thread_pool *p); /* NULL is fine */

/* Calls fn once on each thread, with numbers 0 (the caller's) and up, and returns when all have come back. One caller at a time. */
void thread_pool_run(struct thread_pool *p, void (*fn)(void *arg, unsigned number), void *arg);

#endif
