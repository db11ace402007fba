/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for which no signals are: the program's own thread handles them. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/*
 * Starts fn(arg) in a thread that blocks every signal but `signal` (0: all of them) and those of its own faults, which a fault_guard
 * may be there for. stack_bytes 0: the system's default.
 * 0 or -errno.
 */
int thread_start(pthread_t *out, size_t stack_bytes, int signal, void *(*fn)(void *arg), void *arg);

#endif
