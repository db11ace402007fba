/* SPDX-License-Identifier: Apache-2.0 */
/* A series_source whose series lie in memory, as tests put them there. Nothing may be added while it is read. */
#ifndef TESTS_MEMORY_SOURCE_H
#define TESTS_MEMORY_SOURCE_H

#include "lib/tsdb/series_source.h"

struct memory_source;

struct memory_source *memory_source_new(void);
void memory_source_free(struct memory_source *m); /* NULL is fine */
DEFINE_AUTO(memory_source, struct memory_source *, memory_source_free)

/* Borrowed: lives as long as m. Its free() does nothing. */
struct series_source *memory_source_of(struct memory_source *m);

/* The series with these labels, written as {a="b", __name__="up"} or up{a="b"}: no escapes. Made where there is none yet. */
size_t memory_source_series(struct memory_source *m, const char *labels);
size_t memory_source_series_of(struct memory_source *m, const struct label_set *labels);

/* The time of its last sample; INT64_MIN: it has none. */
int64_t memory_source_last(const struct memory_source *m, size_t series);

/* Times must rise. */
void memory_source_add(struct memory_source *m, size_t series, int64_t t, double v);
void memory_source_add_histogram(
	struct memory_source *m, size_t series, int64_t t, const struct float_histogram *h); /* takes h */

/* From when the last sample that was added counts. */
void memory_source_set_start(struct memory_source *m, size_t series, int64_t start);

/* n values from t on, one every step; those that are NAN with the payload STALE_NAN_BITS are stale markers. */
void memory_source_add_values(
	struct memory_source *m, size_t series, int64_t t, int64_t step, const double *v, size_t n);

/* Reading series that match fails with this; NULL: never. */
void memory_source_fail(struct memory_source *m, const char *words);

/* How often samples were read, over all series, and how often series were selected. */
uint64_t memory_source_reads(struct memory_source *m);
uint64_t memory_source_selects(struct memory_source *m);

#endif
