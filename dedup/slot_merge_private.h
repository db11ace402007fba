/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merger's state, shared by the steps of a slot: slot_merge.c decides which sources count, slot_lines.c decodes them and joins
 * a replica's chunks to a line, slot_encode.c writes what the merge of the lines picked.
 */
#ifndef DEDUP_SLOT_MERGE_PRIVATE_H
#define DEDUP_SLOT_MERGE_PRIVATE_H

#include "dedup/slot_bases.h"
#include "dedup/slot_merge.h"
#include "dedup/timeline.h"
#include "lib/base/vec.h"
#include "lib/tsdb/histogram.h"
#include "lib/tsdb/xor.h"

enum sample_kind { KIND_FLOAT, KIND_HISTOGRAM };

/* A decoded source chunk. */
struct decoded_chunk {
	const struct slot_source *source;
	enum sample_kind kind;
	size_t first, n; /* floats: where its samples stand in the merger's columns; both: how many */
	struct histogram_chunk *histogram;
	bool is_restored; /* its times did not rise */
};

/* A sample of a line that is joined. */
struct line_entry {
	int64_t t;
	uint32_t chunk, index; /* of the decoded chunk, and the sample in it */
	uint8_t stale;
};

/* A replica's samples: one decoded chunk's as they are, or entries[first .. first + n). */
struct sample_line {
	uint32_t chunk;
	bool is_joined; /* from several chunks, or without some of its samples: then by entries */
	size_t first, n;
};

struct slot_merger {
	enum dedup_func func;
	struct float_columns floats;
	VEC(struct decoded_chunk) decoded;
	VEC(struct line_entry) entries;
	VEC(struct sample_line) lines;
	VEC(int64_t) times;
	VEC(uint8_t) flags;
	VEC(struct timeline) timelines;
	VEC(struct histogram_pick) histogram_picks;
	struct timeline_scratch scratch;
	struct picks picks;
	struct buf data; /* of the chunk that is being encoded */
	struct buf base; /* the base's frame, for when the merge doesn't fit */
	struct slot_bases expected;
};

static inline bool is_histogram_encoding(uint8_t encoding)
{
	return encoding == CHUNK_HISTOGRAM || encoding == CHUNK_FLOAT_HISTOGRAM ||
	       encoding == CHUNK_HISTOGRAM_ST || encoding == CHUNK_FLOAT_HISTOGRAM_ST;
}

static inline const int64_t *times_of(const struct slot_merger *m, const struct decoded_chunk *d)
{
	return d->kind == KIND_FLOAT ? m->floats.t + d->first : d->histogram->t;
}

static inline uint64_t mark_of(const struct slot_merger *m, const struct decoded_chunk *d, size_t i)
{
	return d->kind == KIND_FLOAT ? m->floats.v[d->first + i] : d->histogram->sum[i];
}

/* Decodes a chunk into m->decoded; -EBADMSG where it is no use, which the reader is told. */
int slot_decode(struct slot_merger *m, const struct slot_source *s, const struct chunk *c,
	struct slot_reader *reader);

/* Makes one line of each rank's decoded chunks, which stand in the order of their ranks, and a timeline of each line. */
void slot_build_lines(struct slot_merger *m, struct slot_reader *reader);

/*
 * Appends the frame of what was picked. Where that is more than one chunk, or than the slot holds, the frame is the base's, or
 * what one line has of it, and the result says what parts it takes.
 */
void slot_encode(struct slot_merger *m, const struct slot *slot, struct buf *out, struct slot_result *result);

#endif
