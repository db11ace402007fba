/* SPDX-License-Identifier: Apache-2.0 */
/* What postings_gather.c collects and postings_write.c turns into lists; nobody else's business. */
#ifndef TSDB_POSTINGS_GATHER_H
#define TSDB_POSTINGS_GATHER_H

#include "lib/base/vec.h"
#include "lib/tsdb/postings_write.h"
#include "lib/tsdb/scratch_table.h"

#define RUNS_PER_BLOCK 4096

/* From series number `first` on a label name has this pair, until the name's next run. */
struct run {
	uint32_t first;
	uint32_t pair; /* a handle, or PAIR_NONE: the series lack the name */
};
#define PAIR_NONE UINT32_MAX

/* Runs of one name in the log. */
struct run_block {
	uint64_t at; /* in the log */
	uint32_t n;
};

struct posting_name {
	uint32_t symbol;
	uint32_t open, since; /* the run that goes on: its pair and first series */
	uint32_t n_pairs;
	struct run *runs; /* not yet in the log */
	uint32_t n_runs, cap_runs;
	VEC(struct run_block) blocks;
};

/*
 * A label pair. Its handle is the number of its value's symbol where that symbol is known under one name
 * only, as nearly all are; further pairs of a symbol get handles from n_symbols on, found through a hash.
 */
struct posting_pair {
	uint32_t name;  /* number of the name + 1; 0: no such pair. While lists are made: where in the window,
			   0: not there */
	uint32_t count; /* series */
};

/* One label of the last series. */
struct open_label {
	uint32_t name_symbol, value_symbol;
	uint32_t name; /* number */
};

struct postings_writer {
	uint32_t n_symbols, n_series;
	uint64_t n_pairs;
	VEC(struct open_label) open, next;
	VEC(struct posting_name) names;
	uint32_t *name_slots; /* hash: number of a name + 1, by its symbol */
	size_t n_name_slots;
	struct scratch_table pairs;      /* struct posting_pair, by handle */
	uint32_t n_more;                 /* handles from n_symbols on */
	struct scratch_table more;       /* uint32_t: their value symbols */
	struct scratch_table more_slots; /* hash: handle, 0 for none */
	size_t n_more_slots;
	struct append_file refs; /* of all series, big endian */
	struct append_file log;
	size_t run_bytes; /* in memory */
	/* Constants but for tests, which haven't the millions of series that would fill them. */
	size_t run_bytes_max; /* of all names' unfinished blocks */
	size_t window_bytes;  /* of lists that are made at a time */
};

static inline struct posting_pair *posting_pairs(const struct postings_writer *w)
{
	return w->pairs.data;
}

static inline uint32_t posting_value(const struct postings_writer *w, uint32_t handle)
{
	return handle < w->n_symbols ? handle : ((const uint32_t *)w->more.data)[handle - w->n_symbols];
}

/* Closes the runs that go on. */
void postings_gather_end(struct postings_writer *w);

#endif
