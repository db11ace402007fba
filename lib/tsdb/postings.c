/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where two lists are about equally long they are gone through side by side; where one is much shorter, its refs are sought in the
 * other by galloping: steps of 1, 2, 4 ... from where the last one was found, then a binary search in the last step.
 *
 * Many lists are united in a bitmap over the refs from the least to the greatest: refs are places of series in units of 16 bytes, so a
 * bitmap has a few bits a series, and the lists of one label's values together have about one ref a series. Few refs that lie far apart
 * are gathered and sorted instead.
 */
#include "lib/tsdb/postings.h"

#include "lib/base/mem.h"

#include <errno.h>

#define MUCH_LONGER      16
#define BITMAP_MAX_BYTES 64 /* a ref that is united; sorting costs more than that */

static inline void put(uint8_t *out, size_t i, uint32_t ref)
{
	ref = htobe32(ref);
	memcpy(out + i * POSTING_BYTES, &ref, sizeof ref);
}

size_t postings_seek(struct postings l, size_t from, uint32_t ref)
{
	if (from >= l.n || postings_at(l, from) >= ref)
		return from < l.n ? from : l.n;
	size_t low = from, step = 1; /* the ref at low is less */
	while (step < l.n - low && postings_at(l, low + step) < ref) {
		low += step;
		step *= 2;
	}
	size_t high = step < l.n - low ? low + step : l.n;
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (postings_at(l, mid) < ref)
			low = mid;
		else
			high = mid;
	}
	return high;
}

/* The short list `a` in the long list `b`. */
static size_t intersect_galloping(struct postings a, struct postings b, uint8_t *out)
{
	size_t n = 0;
	for (size_t i = 0, k = 0; i < a.n; i++) {
		uint32_t ref = postings_at(a, i);
		k = postings_seek(b, k, ref);
		if (k == b.n)
			break;
		if (postings_at(b, k) == ref)
			put(out, n++, ref);
	}
	return n;
}

/* Without a branch for which list goes on, since nobody could foretell it. */
static size_t intersect_side_by_side(struct postings a, struct postings b, uint8_t *out)
{
	size_t n = 0;
	for (size_t i = 0, k = 0; i < a.n && k < b.n;) {
		uint32_t x = postings_at(a, i), y = postings_at(b, k);
		if (x == y)
			put(out, n++, x);
		i += x <= y;
		k += y <= x;
	}
	return n;
}

size_t postings_intersect(struct postings a, struct postings b, uint8_t *out)
{
	if (a.n > MUCH_LONGER * b.n)
		return intersect_galloping(b, a, out);
	if (b.n > MUCH_LONGER * a.n)
		return intersect_galloping(a, b, out);
	return intersect_side_by_side(a, b, out);
}

/* What stays between two refs of `b` moves as one piece. */
static size_t subtract_galloping(struct postings a, struct postings b, uint8_t *out)
{
	size_t n = 0, i = 0;
	for (size_t k = 0; k < b.n && i < a.n; k++) {
		uint32_t ref = postings_at(b, k);
		size_t to = postings_seek(a, i, ref);
		memmove(out + n * POSTING_BYTES, a.p + i * POSTING_BYTES, (to - i) * POSTING_BYTES);
		n += to - i;
		i = to + (to < a.n && postings_at(a, to) == ref);
	}
	if (i < a.n)
		memmove(out + n * POSTING_BYTES, a.p + i * POSTING_BYTES, (a.n - i) * POSTING_BYTES);
	return n + (a.n - i);
}

size_t postings_subtract(struct postings a, struct postings b, uint8_t *out)
{
	if (a.n > MUCH_LONGER * b.n)
		return subtract_galloping(a, b, out);
	size_t n = 0;
	for (size_t i = 0, k = 0; i < a.n; i++) {
		uint32_t ref = postings_at(a, i);
		k = postings_seek(b, k, ref);
		if (k == b.n || postings_at(b, k) != ref)
			put(out, n++, ref);
	}
	return n;
}

bool postings_meet(struct postings a, struct postings b)
{
	for (size_t i = 0, k = 0; i < a.n; i++) {
		uint32_t ref = postings_at(a, i);
		k = postings_seek(b, k, ref);
		if (k == b.n)
			return false;
		uint32_t next = postings_at(b, k);
		if (next == ref)
			return true;
		i = postings_seek(a, i, next) - 1;
	}
	return false;
}

static int by_bitmap(
	const struct postings *lists, size_t n, uint32_t least, uint32_t span, uint8_t *out, size_t *n_out)
{
	size_t words = (size_t)span / 64 + 1, total = 0;
	auto_free uint64_t *bits = xcalloc(words, sizeof *bits);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < lists[i].n; k++) {
			uint32_t at = postings_at(lists[i], k) - least;
			if (at > span)
				return -EBADMSG;
			bits[at / 64] |= 1ull << at % 64;
		}
	}
	for (size_t w = 0; w < words; w++)
		for (uint64_t left = bits[w]; left; left &= left - 1)
			put(out, total++, least + (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(left));
	*n_out = total;
	return 0;
}

/* In this form the bytes have the order of the refs. */
static int by_ref(const void *a, const void *b)
{
	return memcmp(a, b, POSTING_BYTES);
}

static void by_sorting(const struct postings *lists, size_t n, uint8_t *out, size_t *n_out)
{
	size_t total = 0, kept = 0;
	for (size_t i = 0; i < n; i++) {
		memcpy(out + total * POSTING_BYTES, lists[i].p, lists[i].n * POSTING_BYTES);
		total += lists[i].n;
	}
	qsort(out, total, POSTING_BYTES, by_ref);
	struct postings all = { out, total };
	for (size_t i = 0; i < total; i++) {
		uint32_t ref = postings_at(all, i);
		if (!kept || postings_at(all, kept - 1) != ref)
			put(out, kept++, ref);
	}
	*n_out = kept;
}

int postings_unite(const struct postings *lists, size_t n, size_t max_refs, uint8_t **out, size_t *n_out)
{
	size_t total = 0;
	uint32_t least = UINT32_MAX, greatest = 0;
	for (size_t i = 0; i < n; i++) {
		if (!lists[i].n)
			continue;
		if (lists[i].n > max_refs - total)
			return -EBADMSG;
		total += lists[i].n;
		uint32_t first = postings_at(lists[i], 0), last = postings_at(lists[i], lists[i].n - 1);
		least = MIN_OF(least, first);
		greatest = MAX_OF(greatest, last);
	}
	*n_out = 0;
	*out = NULL;
	if (!total)
		return 0;
	if (least > greatest)
		return -EBADMSG;
	auto_free uint8_t *refs = xmalloc(total * POSTING_BYTES);
	uint32_t span = greatest - least;
	int r = 0;
	if (span / 8 / BITMAP_MAX_BYTES <= total)
		r = by_bitmap(lists, n, least, span, refs, n_out);
	else
		by_sorting(lists, n, refs, n_out);
	if (r == 0)
		*out = take(refs);
	return r;
}
