/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock in memory that several processes map, each of which may be killed while it holds it. Who gets it then gets it as
 * if nothing had happened: what the lock protects must be right, or say how to make it right, after every store.
 */
#ifndef FS_SHARED_LOCK_H
#define FS_SHARED_LOCK_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static inline void shared_lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

static inline void shared_lock(pthread_mutex_t *lock)
{
	int r = pthread_mutex_lock(lock);
	if (r == EOWNERDEAD)
		r = pthread_mutex_consistent(lock);
	if (r != 0)
		abort(); /* the memory is not what it was */
}

static inline void shared_unlock(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
}

/*
 * Takes up memory that the lock protects. It begins with `magic`, which is 0 in memory that nobody has used, and stands there
 * once the lock can be taken; it changes with the layout. False: it is another's, and nothing was touched. The first to
 * take it up is alone.
 */
static inline bool shared_lock_take_up(_Atomic uint64_t *magic, uint64_t mine, pthread_mutex_t *lock)
{
	uint64_t is = atomic_load(magic);
	if (is == 0) {
		shared_lock_init(lock);
		atomic_store(magic, mine);
	}
	return is == 0 || is == mine;
}

#endif
