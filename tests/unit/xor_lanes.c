/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks that are decoded side by side against the same chunks decoded one by one. */
#include "lib/tsdb/xor_lanes.h"

#include "lib/base/avx512.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/xor.h"
#include "lib/tsdb/xor_lanes_avx512.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

#define T0          1700000000000
#define MAX_SAMPLES 160
#define GAP         3 /* samples' places between two lanes', which nobody may touch */
#define UNTOUCHED   0x5555555555555555

/* How the samples of a chunk come. */
enum manner {
	CONSTANT,    /* on time, never changing */
	REGULAR,     /* on time, counting up */
	JITTERING,   /* some ms off, in a value's last bits */
	INTERRUPTED, /* with gaps of any length */
	RANDOM,      /* bits of values at random, so that windows are wide */
	MANNERS
};

static void make_chunk(struct buf *out, enum manner manner, size_t n, uint64_t *seed)
{
	struct xor_encoder x;
	int64_t t = T0 + (int64_t)(test_random(seed) % 100000);
	double v = (double)(test_random(seed) % 1000000);
	xor_encoder_init(&x, out);
	for (size_t i = 0; i < n; i++) {
		uint64_t r = test_random(seed), bits;
		t += 15000;
		if (manner >= JITTERING && r % 4)
			t += (int64_t)(r >> 8 & 15);
		if (manner == INTERRUPTED && r % 16 == 0)
			t += (int64_t)(test_random(seed) >> (24 + (r >> 32) % 40));
		if (manner != CONSTANT && r % 3)
			v += (double)(r >> 40 & 0xff) / 100;
		memcpy(&bits, &v, sizeof bits);
		if (manner == RANDOM)
			bits = r % 5 ? test_random(seed) : STALE_NAN_BITS;
		xor_encoder_add(&x, t, bits);
	}
	xor_encoder_finish(&x);
}

struct chunks {
	struct xor_lanes lanes;
	struct buf data[XOR_LANES];
	size_t n, places;
};

static void chunks_fini(struct chunks *c)
{
	for (size_t i = 0; i < c->n; i++)
		buf_fini(&c->data[i]);
	free(c);
}

/* Adds data[n], which is made by then. */
static void add_lane(struct chunks *c)
{
	const struct buf *b = &c->data[c->n++];
	CHECK(xor_lanes_add(&c->lanes, b->data, b->len, c->places));
	c->places += (size_t)chunk_sample_count(b->data, b->len) + GAP;
}

static void check_lanes(const struct chunks *c, const int64_t *t, const uint64_t *v)
{
	for (size_t i = 0; i < c->n; i++) {
		struct float_columns want = { 0 };
		struct err e;
		size_t at = c->lanes.lane[i].place;
		CHECK_OK(float_chunk_decode(CHUNK_XOR, c->data[i].data, c->data[i].len, &want, &e), &e);
		CHECK(!memcmp(want.t, t + at, want.len * sizeof *t));
		CHECK(!memcmp(want.v, v + at, want.len * sizeof *v));
		for (size_t k = 0; k < GAP; k++) {
			CHECK_INT(t[at + want.len + k], UNTOUCHED);
			CHECK_INT(v[at + want.len + k], UNTOUCHED);
		}
		float_columns_fini(&want);
	}
}

struct columns {
	int64_t t[XOR_LANES * (MAX_SAMPLES + GAP)];
	uint64_t v[XOR_LANES * (MAX_SAMPLES + GAP)];
};

static struct columns *untouched(void)
{
	struct columns *c = xcalloc(1, sizeof *c);
	memset(c, UNTOUCHED & 0xff, sizeof *c);
	return c;
}

TEST(lanes_give_what_one_chunk_after_another_gives)
{
	uint64_t seed = 11;
	for (unsigned round = 0; round < 3000; round++) {
		struct chunks *c = xcalloc(1, sizeof *c);
		struct columns *got = untouched();
		size_t n = 1 + test_random(&seed) % XOR_LANES, bad;
		enum manner manner = round % (MANNERS + 1);
		bool is_even = test_random(&seed) % 2;
		for (size_t i = 0; i < n; i++) {
			make_chunk(&c->data[i], manner < MANNERS ? manner : test_random(&seed) % MANNERS,
				is_even ? 120 : 1 + test_random(&seed) % MAX_SAMPLES, &seed);
			add_lane(c);
		}
		CHECK(xor_lanes_are_full(&c->lanes) == (n == XOR_LANES));
		CHECK_INT(xor_lanes_decode(&c->lanes, got->t, got->v, &bad), 0);
		check_lanes(c, got->t, got->v);
		chunks_fini(c);
		free(got);
	}
}

TEST(avx512_takes_any_number_of_lanes)
{
	uint64_t seed = 12;
	if (!avx512_is_there())
		test_skip("the processor has no AVX-512");
	for (size_t n = 1; n <= XOR_LANES; n++) {
		struct chunks *c = xcalloc(1, sizeof *c);
		struct columns *got = untouched();
		const struct xor_lane *which[XOR_LANES];
		for (size_t i = 0; i < n; i++) {
			make_chunk(&c->data[i], i % MANNERS, 1 + (i * 37) % MAX_SAMPLES, &seed);
			add_lane(c);
			which[i] = &c->lanes.lane[i];
		}
		CHECK(xor_avx512_decode(c->lanes.bytes, which, n, got->t, got->v));
		check_lanes(c, got->t, got->v);
		chunks_fini(c);
		free(got);
	}
}

TEST(the_first_lane_that_is_garbled_is_named)
{
	uint64_t seed = 13;
	for (unsigned round = 0; round < 500; round++) {
		struct chunks *c = xcalloc(1, sizeof *c);
		struct columns *got = untouched();
		size_t n = 5 + round % (XOR_LANES - 4), first = test_random(&seed) % n, bad = n;
		for (size_t i = 0; i < n; i++) {
			struct buf *b = &c->data[i];
			make_chunk(b, JITTERING, 120, &seed);
			if (i == first || (i > first && test_random(&seed) % 2))
				b->len -= 1 + test_random(&seed) % (b->len / 2);
			add_lane(c);
		}
		CHECK_INT(xor_lanes_decode(&c->lanes, got->t, got->v, &bad), -EBADMSG);
		CHECK_INT(bad, first);
		chunks_fini(c);
		free(got);
	}
}

/* Whatever a damaged chunk decodes to, and whether it does, is the same in company. */
TEST(damaged_chunks_decode_the_same_in_company_or_not_at_all)
{
	uint64_t seed = 14;
	unsigned n_failed = 0;
	for (unsigned round = 0; round < 3000; round++) {
		struct chunks *c = xcalloc(1, sizeof *c);
		struct columns *got = untouched();
		struct float_columns one = { 0 };
		size_t bad, first_bad = XOR_LANES;
		for (size_t i = 0; i < XOR_LANES; i++) {
			struct buf *b = &c->data[i];
			make_chunk(
				b, test_random(&seed) % MANNERS, 1 + test_random(&seed) % MAX_SAMPLES, &seed);
			if (test_random(&seed) % 16 == 0)
				b->data[2 + test_random(&seed) % (b->len - 2)] ^= (uint8_t)test_random(&seed);
			add_lane(c);
			one.len = 0;
			if (float_chunk_decode(CHUNK_XOR, b->data, b->len, &one, NULL) < 0)
				first_bad = MIN_OF(first_bad, i);
		}
		int r = xor_lanes_decode(&c->lanes, got->t, got->v, &bad);
		CHECK_INT(r, first_bad < XOR_LANES ? -EBADMSG : 0);
		if (r == 0)
			check_lanes(c, got->t, got->v);
		else
			CHECK_INT(bad, first_bad);
		n_failed += r < 0;
		float_columns_fini(&one);
		chunks_fini(c);
		free(got);
	}
	CHECK(n_failed > 100 && n_failed < 2900);
}

TEST(what_is_no_lane_is_refused)
{
	uint64_t seed = 15;
	auto_buf struct buf large = { 0 }, short_one = { 0 };
	struct xor_lanes *l = xcalloc(1, sizeof *l);
	make_chunk(&large, RANDOM, 240, &seed);
	CHECK(large.len > XOR_LANE_MAX_BYTES);
	CHECK(!xor_lanes_add(l, large.data, large.len, 0));
	make_chunk(&short_one, REGULAR, 100, &seed);
	CHECK(!xor_lanes_add(l, short_one.data, 20, 0)); /* it can't hold the samples that it claims */
	CHECK(!xor_lanes_add(l, short_one.data, 1, 0));
	CHECK(!xor_lanes_add(l, (const uint8_t *)"\0\0", 2, 0));
	CHECK_INT(l->n, 0);
	CHECK(xor_lanes_add(l, short_one.data, short_one.len, 0));
	CHECK_INT(l->n, 1);
	free(l);
}

TEST_MAIN()
