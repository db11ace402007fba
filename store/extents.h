/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extents: a cache on disk of byte ranges of remote objects, in a directory of its own that one process at a time uses
 * and that any later one may take over, whatever ended the one before. Reads go through it with store/bucket_extents.h.
 *
 * What a reader gets is what the store sent: blocks are checked against their checksum when they are first used after
 * a restart, and an object is cached for one version (ETag) only. A directory that fails or is full costs speed, never
 * a read. doc/extents.md says how it works and where the figures come from.
 */
#ifndef STORE_EXTENTS_H
#define STORE_EXTENTS_H

#include "lib/base/err.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"

#include <stdint.h>

#define EXTENTS_MIN_BLOCK_BYTES (16u << 10)
#define EXTENTS_MAX_THREADS     256

struct extents;

struct extents_options {
	const char *dir;      /* made where it isn't there */
	uint64_t max_bytes;   /* of blocks kept; what doesn't fit evicts what was used longest ago */
	unsigned threads;     /* that fetch; started when needed. 0: only readers fetch, nothing is ahead */
	uint32_t block_bytes; /* what is present or not; a power of two from 16 KiB to 1 MiB */
	uint32_t part_bytes;  /* the longest range of one request; at most 64 blocks */
	uint32_t gap_bytes;   /* bytes fetched needlessly rather than starting another request */
	uint32_t readahead_bytes; /* the most that is fetched ahead of a sequential reader; 0: nothing */
	uint64_t
		min_object_bytes; /* smaller objects go past the cache: metadata and marks, which may change */
	unsigned max_queued;      /* announced parts that wait to be fetched; then the oldest are dropped */
	unsigned max_fds;         /* descriptors of cached files kept open */
	int64_t save_ms;          /* how often it is written down what is there */
	int64_t retry_ms;         /* how long a directory that fails is left alone */
	int64_t (*now_us)(void *arg); /* NULL: the monotonic clock */
	void *arg;
};

#define EXTENTS_DEFAULTS                                                                                   \
	{                                                                                                  \
		.max_bytes = 10ull << 30, .threads = 64, .block_bytes = 64u << 10, .part_bytes = 1u << 20, \
		.gap_bytes = 128u << 10, .readahead_bytes = 8u << 20, .min_object_bytes = 64u << 10,       \
		.max_queued = 1024, .max_fds = 256, .save_ms = 5000, .retry_ms = 5000                      \
	}

/* Takes over what a former process left, and throws away what can't be trusted. -errno where `dir` can't be used. */
int extents_open(const struct extents_options *o, struct extents **out, struct err *e);

/* After the last bucket over it is freed. Saves. NULL is fine. */
void extents_close(struct extents *x);
DEFINE_AUTO(extents, struct extents *, extents_close)

uint64_t extents_bytes(struct extents *x); /* of blocks present */

/* A lower limit holds soon, not at once; extents_trim is for who wants to wait. */
void extents_set_max(struct extents *x, uint64_t max_bytes);

/* Evicts until at most `bytes` are left. -EBUSY: more than that is being read, or held by its descriptor. */
int extents_trim(struct extents *x, uint64_t bytes, struct err *e);

/* Writes down now what is there. A failure shows in the metrics and the log. */
void extents_save(struct extents *x);

struct extents_stats {
	uint64_t bytes, max_bytes, held_bytes; /* held: of complete objects whose descriptor somebody has */
	uint64_t objects, loaded_objects, fds;
	uint64_t queued_reads, queued_prefetches, fetching, threads;
	int failing; /* 0, or the errno that keeps blocks from being stored */
};

void extents_stats(struct extents *x, struct extents_stats *out);

/* The same as an object's members. */
void extents_write_json(struct extents *x, struct json_writer *w);

#endif
