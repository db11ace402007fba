/* SPDX-License-Identifier: Apache-2.0 */
/* A merged block's state, shared by what keeps it (merged_block.c) and what reads it (merged_read.c). */
#ifndef DEDUP_MERGED_PRIVATE_H
#define DEDUP_MERGED_PRIVATE_H

#include "dedup/block_state.h"
#include "dedup/made_slots.h"
#include "dedup/merged_block.h"
#include "dedup/metric_runs.h"
#include "dedup/slot_map.h"
#include "dedup/slot_merge.h"
#include "dedup/source_chunks.h"
#include "lib/base/clock.h"
#include "lib/base/deadline.h"

#include <pthread.h>

/* The numbers of the files. */
enum { FILE_META, FILE_TOMBSTONES, FILE_INDEX, FILE_SEGMENTS };
#define SEGMENT_NAME_BYTES 24

/* What makes slots, for one thread at a time. */
struct maker {
	struct slot_merger *merger;
	struct source_reader *reader;
	struct slot_cursor cursor;
	struct buf bytes; /* frames */
	VEC(struct loose_slot) loose;
	VEC(uint64_t) todo,
		late;         /* offsets of slots: to be made now, and after what they need was announced */
	uint64_t expected_to; /* the offset up to which bases of slots were fetched ahead */
	struct source_ranges announced, later;
	struct maker *next;
};

/* A slot that was made but isn't in the file. */
struct loose_slot {
	uint64_t offset;
	size_t at, len; /* in the maker's bytes */
};

struct holdings {
	struct blob *index;
	struct slot_map *map; /* NULL: no slots */
	struct source_chunks *chunks;
	struct made_slots **made; /* one a synthetic segment; NULL until used */
	uint32_t n_made;
	struct maker *idle;
	struct metric_runs *_Atomic runs; /* NULL until used, and where there are none */
	_Atomic bool runs_missing, heads_announced;
};

/* Immutable; one that was replaced stays with the block, as somebody may have borrowed it. */
struct source_set {
	struct source_set *before;
	bool is_listed; /* from the bucket's listing, not from block.json, which knows less */
	size_t n;
	struct catalogue_block *blocks[];
};

struct merged_block {
	_Atomic unsigned refs;
	const struct merged_block_env *env;
	char *dir;
	struct ulid ulid;
	int64_t min_time, max_time;

	pthread_mutex_t lock;
	/* under lock */
	struct source_set *sources; /* NULL: not yet read from block.json */
	bool is_known;              /* files and state */
	struct block_state state;
	struct merged_file *files;
	char (*segment_names)[SEGMENT_NAME_BYTES];
	size_t n_files;
	struct holdings *holdings;
	unsigned readers, opens;
	int64_t used_us;
};

/* The holdings, which stay until given back. */
int merged_block_acquire(struct merged_block *b, struct holdings **out, struct err *e);
void merged_block_give_back(struct merged_block *b);

/* What the calling thread does now may take as long as a read of the block. To be left with what this returns. */
static inline struct deadline merged_block_enter_deadline(const struct merged_block *b)
{
	struct deadline d = { 0 };
	if (b->env->read_deadline_ms)
		d.until_us = clock_monotonic_us() + b->env->read_deadline_ms * 1000;
	return deadline_enter(d);
}

/* Where its metrics lie, loaded at first use; NULL: not known. */
struct metric_runs *merged_block_runs(struct merged_block *b, struct holdings *h);

/* A file in the block's local directory; the caller frees it. */
char *merged_block_path(const struct merged_block *b, const char *name);

#endif
