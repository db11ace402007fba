/* SPDX-License-Identifier: Apache-2.0 */
/* A view over a bucket in this test's directory, and the merged blocks it publishes read as Prometheus would. */
#ifndef TESTS_VIEW_FIXTURE_H
#define TESTS_VIEW_FIXTURE_H

#include "dedup/view.h"
#include "tests/support/block_sketch.h"
#include "tests/support/bucket_fault.h"

#define VIEW_NOW_MS 1700100000000

struct view_fixture {
	char bucket_dir[160];  /* a bucket that is a directory */
	char data_dir[160];    /* the view's own */
	struct bucket *bucket; /* a fault layer over it */
	struct catalogue *catalogue;
	struct view *view;
	uint64_t cache_max_bytes;
	int64_t read_deadline_ms;
	enum dedup_func func;
};

/* The same fixture each time: nothing is open yet. The replica label is "replica". */
struct view_fixture *view_fixture_new(void);

/* Opens catalogue and view, or opens them anew, as the next process would. */
void view_fixture_open(struct view_fixture *f);
void view_fixture_close(struct view_fixture *f);
void view_fixture_free(struct view_fixture *f);
void view_fixture_sync(struct view_fixture *f); /* opens it first, if need be */

/* The published block of this number, a reference. Checks that there are `n` of them. */
struct merged_block *view_fixture_block(struct view_fixture *f, size_t i, size_t n);

/* The number of the file ("index", "chunks/000001"), and its size. */
size_t merged_file_number(struct merged_block *b, const char *name, uint64_t *size);

/* Appends the whole file; true where all of it could be had. */
bool merged_file_read(struct merged_block *b, const char *name, struct buf *out);

/* What reading one series gave. */
struct merged_series {
	struct sample_list samples;
	unsigned chunks, zeros; /* zeros: chunks whose bytes are zeros */
	bool incomplete;        /* some bytes could not be had now */
	uint8_t encodings[64];  /* of the chunks */
};

/* Ends the test where a chunk is neither whole nor zeros, or holds samples outside its times, or out of order. */
void merged_series_read(struct merged_block *b, const char *words, struct merged_series *out);
void merged_series_fini(struct merged_series *s);

uint64_t metric_value(const char *name);

#endif
