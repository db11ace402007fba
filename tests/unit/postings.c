/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/postings.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>

#define MAX_REFS 600

/* A set of refs twice: as a list at an odd address, and as flags, which are the truth. */
struct both {
	uint8_t bytes[MAX_REFS * POSTING_BYTES + 1];
	struct postings list;
	bool has[MAX_REFS];
};

static void make(struct both *b, uint64_t *seed, unsigned one_in)
{
	*b = (struct both){ 0 };
	b->list.p = b->bytes + 1;
	for (uint32_t ref = 0; ref < MAX_REFS; ref++) {
		if (test_random(seed) % one_in)
			continue;
		uint32_t be = htobe32(ref);
		memcpy(b->bytes + 1 + b->list.n++ * POSTING_BYTES, &be, sizeof be);
		b->has[ref] = true;
	}
}

static void check(const uint8_t *out, size_t n, const bool *want)
{
	struct postings got = { out, n };
	size_t i = 0;
	for (uint32_t ref = 0; ref < MAX_REFS; ref++) {
		if (!want[ref])
			continue;
		CHECK(i < n);
		CHECK_INT(postings_at(got, i++), ref);
	}
	CHECK_INT(n, i);
}

static const unsigned densities[] = { 1, 2, 7, 100, 100000 };

TEST(two_lists_give_what_sets_give)
{
	uint64_t seed = 1;
	for (unsigned round = 0; round < 400; round++) {
		static struct both a, b;
		bool both[MAX_REFS], only[MAX_REFS], any = false;
		make(&a, &seed, densities[test_random(&seed) % ARRAY_LEN(densities)]);
		make(&b, &seed, densities[test_random(&seed) % ARRAY_LEN(densities)]);
		for (int i = 0; i < MAX_REFS; i++) {
			both[i] = a.has[i] && b.has[i];
			only[i] = a.has[i] && !b.has[i];
			any |= both[i];
		}
		auto_free uint8_t *out = xmalloc(a.list.n * POSTING_BYTES + 1);
		CHECK(postings_meet(a.list, b.list) == any);
		check(out, postings_subtract(a.list, b.list, out), only);
		auto_free uint8_t *fewer = xmalloc(MIN_OF(a.list.n, b.list.n) * POSTING_BYTES + 1);
		check(fewer, postings_intersect(a.list, b.list, fewer), both);
		/* In place. */
		static struct both again;
		again = a;
		again.list.p = again.bytes + 1;
		check(again.bytes + 1, postings_intersect(again.list, b.list, again.bytes + 1), both);
		again = a;
		again.list.p = again.bytes + 1;
		check(again.bytes + 1, postings_subtract(again.list, b.list, again.bytes + 1), only);
	}
}

TEST(a_ref_is_found_from_any_place)
{
	uint64_t seed = 2;
	for (unsigned round = 0; round < 50; round++) {
		static struct both a;
		make(&a, &seed, densities[round % ARRAY_LEN(densities)]);
		for (int i = 0; i < 100; i++) {
			size_t from = test_random(&seed) % (a.list.n + 2), want = from;
			uint32_t ref = (uint32_t)(test_random(&seed) % (MAX_REFS + 10));
			while (want < a.list.n && postings_at(a.list, want) < ref)
				want++;
			CHECK_INT(postings_seek(a.list, from, ref), MIN_OF(want, a.list.n));
		}
	}
}

TEST(many_lists_are_united_whether_they_are_dense_or_not)
{
	uint64_t seed = 3;
	for (unsigned round = 0; round < 100; round++) {
		static struct both sets[9];
		struct postings lists[9];
		size_t n = test_random(&seed) % 9 + 1, total = 0, n_out;
		bool any[MAX_REFS] = { 0 };
		for (size_t i = 0; i < n; i++) {
			make(&sets[i], &seed, densities[test_random(&seed) % ARRAY_LEN(densities)]);
			lists[i] = sets[i].list;
			total += lists[i].n;
			for (int k = 0; k < MAX_REFS; k++)
				any[k] |= sets[i].has[k];
		}
		auto_free uint8_t *out = NULL;
		CHECK_INT(postings_unite(lists, n, total, &out, &n_out), 0);
		check(out, n_out, any);
		if (total) {
			uint8_t *none;
			CHECK_INT(postings_unite(lists, n, total - 1, &none, &n_out), -EBADMSG);
		}
	}
}

static struct postings list_of(const uint32_t *refs, size_t n, uint8_t *bytes)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t be = htobe32(refs[i]);
		memcpy(bytes + i * POSTING_BYTES, &be, sizeof be);
	}
	return (struct postings){ bytes, n };
}

TEST(refs_that_lie_far_apart_are_united_without_a_bitmap_of_all_between)
{
	uint8_t x[8], y[12];
	struct postings lists[] = { list_of((const uint32_t[]){ 5, 0xfffffff0 }, 2, x),
		list_of((const uint32_t[]){ 1, 5, 0x80000000 }, 3, y) };
	size_t n;
	auto_free uint8_t *out = NULL;
	CHECK_INT(postings_unite(lists, 2, 5, &out, &n), 0);
	CHECK_INT(n, 4);
	static const uint32_t want[] = { 1, 5, 0x80000000, 0xfffffff0 };
	for (size_t i = 0; i < n; i++)
		CHECK_INT(postings_at((struct postings){ out, n }, i), want[i]);
}

TEST(lists_that_do_not_rise_are_refused_or_answered_without_harm)
{
	uint8_t x[12], y[12], out[12], *united = NULL;
	struct postings falling = list_of((const uint32_t[]){ 9, 3, 7 }, 3, x),
			rising = list_of((const uint32_t[]){ 3, 7, 9 }, 3, y);
	size_t n;
	CHECK(postings_intersect(falling, rising, out) <= 3);
	CHECK(postings_subtract(falling, rising, out) <= 3);
	postings_meet(falling, rising);
	postings_meet(rising, falling);
	CHECK_INT(postings_unite(&falling, 1, 3, &united, &n), -EBADMSG);
	x[0] = x[1] = x[2] = 0, x[3] = 5; /* 5, 3, 7: the ends rise */
	CHECK_INT(postings_unite(&falling, 1, 3, &united, &n), -EBADMSG);
	CHECK(united == NULL);
}

TEST_MAIN()
