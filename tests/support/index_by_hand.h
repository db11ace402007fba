/* SPDX-License-Identifier: Apache-2.0 */
/* A whole index of any version made in memory, so that it can be wrong in any way. Without chunks' bytes. */
#ifndef TESTS_INDEX_BY_HAND_H
#define TESTS_INDEX_BY_HAND_H

#include "lib/base/buf.h"

#include <stdint.h>

struct index_by_hand {
	struct buf bytes;
	uint32_t refs[16]; /* of its series, as postings name them */
	uint64_t symbols_at, series_at, postings_at, table_at;
};

/*
 * Series as words, "a=1,b=2", sorted, each with one chunk of the time [100 * i, 100 * i + 50] in ms; NULL ends them. In version 1 the
 * table of postings comes in an order of its own, as hash tables wrote it.
 */
void index_by_hand(struct index_by_hand *h, uint8_t version, const char *const *series);

/* Puts all checksums right that can be found. */
void index_right_checksums(uint8_t *p, size_t n);

#endif
