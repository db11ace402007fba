/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads ahead of queries: who maps segments faults one chunk after the other, and each fault of bytes that are far away
 * would cost a round trip. Every read of chunks is told here first; what dedup/scan_policy.h makes of it is announced to the
 * bucket, and slots of runs that are scanned are made by several threads before anybody faults on them. Nothing here
 * changes what a read returns, and no read waits for any of it.
 */
#ifndef DEDUP_PREFETCH_H
#define DEDUP_PREFETCH_H

#include "dedup/merged_block.h"

struct holdings;
struct prefetch;

/* `threads` make slots; they and one that announces start at the first use. 0: nobody but prefetch_drain does. */
struct prefetch *prefetch_new(unsigned threads);

/* Instead of the monotonic one, in microseconds; before the first read. */
void prefetch_set_clock(struct prefetch *p, int64_t (*now_us)(void));

/* Ends what is under way. NULL is fine. No block that knows it must be read any more. */
void prefetch_free(struct prefetch *p);

/* The blocks there are now; takes a reference to each until the next call. NULL is fine. */
void prefetch_set_blocks(struct prefetch *p, struct merged_block *const *blocks, size_t n);

/* A read of a segment, numbered as the block's merge numbered it, is about to be served from these holdings. NULL is fine. */
void prefetch_read(struct prefetch *p, struct merged_block *b, struct holdings *h, uint32_t segment,
	uint64_t at, uint64_t n);

/* Does all that is queued, in the caller's thread. */
void prefetch_drain(struct prefetch *p);

#endif
