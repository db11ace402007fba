/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One series of one block on its way into the merged index: its labels in merged symbol numbers, edited, and
 * its chunks. Flat and without pointers, so that it can be sorted, spilled and read back as it is.
 */
#ifndef DEDUP_SERIES_RECORD_H
#define DEDUP_SERIES_RECORD_H

#include "dedup/layout.h"

#define SERIES_RECORD_MAX_BYTES (128u << 20)

struct series_record {
	uint32_t bytes; /* of all of it: a multiple of 8 */
	uint32_t n_labels;
	uint32_t n_identity; /* 0, or one word a replica label: what stood in the series itself, 0 for nothing
			      */
	uint32_t n_chunks;
	uint32_t words[]; /* name, value, name, value ...; then the identity; then, 8-aligned, the chunks */
};

/* What a record with this much in it takes; the chunks go last, so fewer of them only shorten it. */
static inline size_t series_record_bytes(size_t n_labels, size_t n_identity, size_t n_chunks)
{
	size_t words = (2 * n_labels + n_identity + 1) & ~(size_t)1;
	return sizeof(struct series_record) + words * sizeof(uint32_t) +
	       n_chunks * sizeof(struct layout_input);
}

static inline const uint32_t *series_record_identity(const struct series_record *r)
{
	return r->words + 2 * (size_t)r->n_labels;
}

static inline struct layout_input *series_record_chunks(const struct series_record *r)
{
	return (struct layout_input *)((char *)r + series_record_bytes(r->n_labels, r->n_identity, 0));
}

/*
 * Prometheus' order of label sets: label by label, name before value; a prefix is less. Numbers rise as texts
 * do.
 */
static inline int series_labels_cmp(const uint32_t *a, uint32_t n_a, const uint32_t *b, uint32_t n_b)
{
	size_t words = 2 * (size_t)MIN_OF(n_a, n_b);
	for (size_t i = 0; i < words; i += 2) {
		uint64_t x, y;
		memcpy(&x, a + i, sizeof x);
		memcpy(&y, b + i, sizeof y);
		if (x == y)
			continue;
		size_t at = i + (a[i] == b[i]);
		return a[at] < b[at] ? -1 : 1;
	}
	return (n_a > n_b) - (n_a < n_b);
}

static inline int series_record_cmp(const struct series_record *a, const struct series_record *b)
{
	return series_labels_cmp(a->words, a->n_labels, b->words, b->n_labels);
}

#endif
