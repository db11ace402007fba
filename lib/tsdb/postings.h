/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings lists as they stand in an index: series refs that rise, 4 bytes each, big-endian, at any address. What comes out of the
 * operations has the same form, so that a list in a file and a computed one are the same thing; nothing is converted before it is
 * asked for, and nothing is allocated an element.
 *
 * A list whose refs don't rise gives a wrong answer, never an access outside of it.
 */
#ifndef TSDB_POSTINGS_H
#define TSDB_POSTINGS_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define POSTING_BYTES 4

struct postings {
	const uint8_t *p; /* borrowed */
	size_t n;
};

static inline uint32_t postings_at(struct postings l, size_t i)
{
	uint32_t ref;
	memcpy(&ref, l.p + i * POSTING_BYTES, sizeof ref);
	return be32toh(ref);
}

/* The first place from `from` on whose ref is `ref` or greater; l.n: none. Near places are found fast, far ones in logarithmic time. */
size_t postings_seek(struct postings l, size_t from, uint32_t ref);

/* The refs in both, in rising order; `out` has room for the shorter one, and may be where `a` lies. Returns how many. */
size_t postings_intersect(struct postings a, struct postings b, uint8_t *out);

/* Those of `a` that aren't in `b`; `out` has room for `a`, and may be where it lies. */
size_t postings_subtract(struct postings a, struct postings b, uint8_t *out);

/* Whether some ref is in both. */
bool postings_meet(struct postings a, struct postings b);

/*
 * The refs that are in any of the lists: *out is one allocation, or NULL. `max_refs` bounds the lists' lengths taken together;
 * -EBADMSG past it, and where a list doesn't rise.
 */
int postings_unite(const struct postings *lists, size_t n, size_t max_refs, uint8_t **out, size_t *n_out);

#endif
