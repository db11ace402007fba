/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which buckets one side of a histogram has: spans, as chunks write them, and the same as a sorted
 * list of numbers.
 */
#ifndef TSDB_BUCKET_SET_H
#define TSDB_BUCKET_SET_H

#include "lib/tsdb/histogram.h"

/*
 * A bucket's number may have this size at most, either way: far past what a double can need, and no distance
 * of two overflows a span's offset.
 */
#define BUCKET_NUMBER_MAX (1 << 30)

/* Owns both arrays. Zero-initialise it (the empty set), bucket_set_fini it. */
struct bucket_set {
	struct histogram_span *spans;
	uint32_t n_spans;
	int32_t *number; /* strictly rising */
	uint32_t n;
};

void bucket_set_fini(struct bucket_set *s);

/* False where a bucket's number is out of bounds or they don't rise. Makes no list. */
bool bucket_spans_are_valid(const struct histogram_span *spans, uint32_t n_spans);

/* Sets *s, whatever it held, to these valid spans, which have n buckets. */
void bucket_set_assign(
	struct bucket_set *s, const struct histogram_span *spans, uint32_t n_spans, uint32_t n);

/*
 * Widens *s to the union. Where one of the two holds the other its spans are kept as they are, however they
 * were cut, as Prometheus does.
 */
void bucket_set_join(struct bucket_set *s, const struct bucket_set *other);

/* Fills place[k] with where bucket k of `part` stands in `whole`, which holds it. */
void bucket_set_places(const struct bucket_set *whole, const struct bucket_set *part, uint32_t *place);

#endif
