/* SPDX-License-Identifier: Apache-2.0 */
/* Many small pieces of work that wait more than they compute, done by several threads at once. */
#ifndef STORE_PARALLEL_H
#define STORE_PARALLEL_H

#include <stddef.h>

#define PARALLEL_MAX_THREADS 128

/*
 * Calls fn(arg, i) once for each i below n, in any order, and returns when all are done. Uses `threads` threads, the
 * caller's among them (0 is as good as 1), or fewer where the system has no more.
 */
void parallel_each(size_t n, size_t threads, void (*fn)(void *arg, size_t i), void *arg);

#endif
