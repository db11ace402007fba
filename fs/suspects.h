/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that workers died over. Who serves a request notes it, in memory that outlives it; when it dies by a fault of its own,
 * the supervisor counts a death against every request that was being served:
 *
 *	0..1 deaths	it is served as any other
 *	one less than SUSPECTS_LIMIT	it is served alone, so that what it does is counted against no other
 *	SUSPECTS_LIMIT	it is given up: answered without being served
 *
 * A request that is answered is forgotten. Requests are known by the kernel's number without bit 63.
 */
#ifndef FS_SUSPECTS_H
#define FS_SUSPECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUSPECTS_LIMIT 3u

struct suspects;

/* The size of the memory, which is zero at first and is kept as it is from process to process. */
size_t suspects_bytes(void);
struct suspects *suspects_attach(void *region); /* borrows it; there is nothing to free */

/* A worker's part. The thread of this slot serves the request from now on; or it has ended it, which is forgotten then. */
void suspects_begin(struct suspects *s, unsigned slot, uint64_t unique);
void suspects_end(struct suspects *s, unsigned slot);
unsigned suspects_deaths(const struct suspects *s, uint64_t unique);
uint64_t suspects_gave_up(struct suspects *s); /* one more: how many there were */
uint64_t suspects_given_up(const struct suspects *s);

/* The supervisor's part: the request that is served in a slot, or 0; and, once no worker lives, that one has died. */
uint64_t suspects_served(const struct suspects *s, unsigned slot);
void suspects_worker_died(struct suspects *s, bool is_own_fault);

/* Of a process with this status, as wait(2) gives it: that it broke down, and was not killed from outside. */
bool suspects_is_crash(int status);

#endif
