/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a whole block: series in order, each with its samples, to chunk segments, index and, last,
 * meta.json. The block grows in PARENT/<ULID>.tmp and gets its name when it is complete.
 */
#ifndef TSDB_BLOCK_WRITE_H
#define TSDB_BLOCK_WRITE_H

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/histogram.h"
#include "lib/tsdb/labels.h"
#include "lib/tsdb/meta.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_SEGMENT_BYTES     (512u << 20) /* as Prometheus cuts segments */
#define BLOCK_SAMPLES_PER_CHUNK 120

struct block_writer;

struct block_writer_options {
	bool is_relaxed;    /* nothing is fsynced: for what can be made again */
	const char *parent; /* a directory that exists */
	struct ulid ulid;
	uint32_t samples_per_chunk; /* 0: BLOCK_SAMPLES_PER_CHUNK */
	uint64_t segment_bytes;     /* 0: BLOCK_SEGMENT_BYTES; below 4 GiB */
};

/* An unfinished block of that name is removed first. */
int block_writer_open(const struct block_writer_options *options, struct block_writer **out, struct err *e);

/* Symbols as index_writer_symbol wants them: all of them, before the first series. */
int block_writer_symbol(struct block_writer *w, const char *text, size_t len, struct err *e);

/* Or else: makes the symbols from all label sets there will be, which may stand in any order. */
int block_writer_label_sets(
	struct block_writer *w, const struct labels *const *sets, size_t n, struct err *e);

/* Starts a series; series strictly rise by labels. One that gets no samples is left out. */
int block_writer_series(struct block_writer *w, const uint32_t *pairs, uint32_t n_labels, struct err *e);
int block_writer_labels(
	struct block_writer *w, const struct labels *l, struct err *e); /* after _label_sets */

/* Samples of the series; times strictly rise, from call to call too. Each call starts a chunk. */
int block_writer_floats(struct block_writer *w, const int64_t *t, const uint64_t *v, size_t n, struct err *e);
int block_writer_histograms(
	struct block_writer *w, const struct histogram_pick *picks, size_t n, uint8_t header, struct err *e);

/* A chunk that is encoded already. */
int block_writer_chunk(struct block_writer *w, const struct chunk *c, int64_t mint, int64_t maxt,
	uint64_t samples, struct err *e);

/*
 * Completes the block. Fills in meta's ulid and stats, and where they are empty the times, level and sources
 * (level 1, itself) and, in a Thanos section, the files; then writes it.
 */
int block_writer_finish(struct block_writer *w, struct block_meta *meta, struct err *e);

/* NULL is fine. What isn't finished is removed. */
void block_writer_close(struct block_writer *w);
DEFINE_AUTO(block_writer, struct block_writer *, block_writer_close)

#endif
