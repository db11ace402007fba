/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays Prometheus on the blocks of a view: segments are mapped, a query goes through its series in label order, each through
 * all blocks by time, each chunk by chunk; a page that isn't there yet is faulted in with 128 KiB around it.
 */
#ifndef TESTS_MAPPED_READER_H
#define TESTS_MAPPED_READER_H

#include "dedup/view.h"

struct mapped_reader;

/* Maps the blocks that are published now and reads their indexes. */
struct mapped_reader *mapped_reader_new(struct view *v);
void mapped_reader_free(struct mapped_reader *m);

/* Reads the header of every segment, as opening the blocks does. `after_read`, which may be NULL, is called after each
 * request of the kernel. */
void mapped_reader_open_segments(struct mapped_reader *m, void (*after_read)(void *arg), void *arg);

struct mapped_query {
	const char *metric;
	const char *with;   /* the series whose labels, as "{a=1,b=2}", have this in them; NULL: all */
	int64_t mint, maxt; /* chunks that have some of it */
};

struct mapped_result {
	uint64_t series, chunks, bytes; /* bytes: of the chunks' frames */
	uint64_t reads;                 /* requests of the kernel */
	uint64_t hash;                  /* of all frames */
};

/* `after_read` likewise. Checks each chunk's checksum. */
struct mapped_result mapped_reader_query(
	struct mapped_reader *m, const struct mapped_query *q, void (*after_read)(void *arg), void *arg);

#endif
