/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/slot_record.h"

#include "tests/support/test.h"

#define MAX_SOURCES 12

/* A block of slots, written down and read again. */
struct block {
	struct slot slots[SLOT_BLOCK_RECORDS];
	struct slot_source sources[SLOT_BLOCK_RECORDS][MAX_SOURCES];
	unsigned n;
};

static uint64_t seed;

static uint64_t upto(uint64_t n)
{
	return test_random(&seed) % n;
}

static void check_slot(const struct slot *got, const struct slot_source *sources, const struct slot *want)
{
	CHECK_INT(got->from, want->from);
	CHECK_INT(got->to, want->to);
	CHECK_INT(got->left, want->left);
	CHECK_INT(got->right, want->right);
	CHECK_INT(got->capacity, want->capacity);
	CHECK_INT(got->n_sources, want->n_sources);
	for (uint32_t i = 0; i < want->n_sources; i++) {
		CHECK_INT(sources[i].ref, want->sources[i].ref);
		CHECK_INT(sources[i].tombstoned_series, want->sources[i].tombstoned_series);
		CHECK_INT(sources[i].frame_bytes, want->sources[i].frame_bytes);
		CHECK_INT(sources[i].source, want->sources[i].source);
		CHECK_INT(sources[i].rank, want->sources[i].rank);
		CHECK_INT(sources[i].role, want->sources[i].role);
	}
}

static void write_block(struct slot_encoder *x, const struct block *b, struct buf *out)
{
	slot_encoder_start(x);
	for (unsigned i = 0; i < b->n; i++)
		slot_encoder_add(x, &b->slots[i], out);
}

static void read_block(struct slot_decoder *x, const struct buf *in, const struct block *want)
{
	struct dec d = dec_over(in->data, in->len);
	struct slot_sources sources = { 0 };
	slot_decoder_start(x);
	for (unsigned i = 0; i < want->n; i++) {
		struct slot got = { 0 };
		sources.len = 0;
		slot_decoder_next(x, &d, &got, &sources);
		CHECK_INT(d.err, 0);
		CHECK_INT(sources.len, want->slots[i].n_sources);
		check_slot(&got, sources.data, &want->slots[i]);
	}
	CHECK_INT(dec_left(&d), 0);
	vec_fini(&sources);
}

static void check_round_trip(struct slot_encoder *x, struct slot_decoder *y, const struct block *b)
{
	auto_buf struct buf out = { 0 };
	write_block(x, b, &out);
	read_block(y, &out, b);
}

static struct slot *add_slot(struct block *b, uint32_t n_sources)
{
	struct slot *s = &b->slots[b->n];
	s->sources = b->sources[b->n++];
	s->n_sources = n_sources;
	return s;
}

/* As a merge of two replicas plans the slots of series after series. */
static void add_pairs(struct block *b, unsigned series, unsigned chunks)
{
	uint64_t ref[2] = { 8, 1ull << 32 | 8 };
	for (unsigned i = 0; i < series; i++) {
		for (unsigned k = 0; k < chunks; k++) {
			int64_t t = 1600000000000 + 1800000 * (int64_t)k + i;
			struct slot *s = add_slot(b, 2);
			s->from = t;
			s->to = k + 1 < chunks ? t + 1800000 : INT64_MAX;
			s->left = k ? t - 15000 : INT64_MIN;
			s->right = s->to;
			s->capacity = 400 + i;
			for (uint16_t r = 0; r < 2; r++) {
				b->sources[b->n - 1][r] = (struct slot_source){
					.ref = ref[r], .frame_bytes = 300 + k, .source = r, .rank = r
				};
				ref[r] += 300 + k;
			}
		}
	}
}

static int64_t random_time(void)
{
	static const int64_t times[] = { INT64_MIN, INT64_MAX, INT64_MIN + 1, INT64_MAX - 1, 0, -1, 1800000 };
	return upto(4) ? 1600000000000 + (int64_t)upto(7200000) : times[upto(ARRAY_LEN(times))];
}

static void add_random(struct block *b)
{
	unsigned last = b->n - 1;
	struct slot *s = add_slot(b, (uint32_t)upto(MAX_SOURCES + 1));
	s->from = b->n > 1 && upto(2) ? b->slots[last].to : random_time();
	s->to = random_time();
	s->left = random_time();
	s->right = upto(2) ? s->to : random_time();
	s->capacity = (uint32_t)upto(1ull << (4 + upto(29)));
	for (uint32_t i = 0; i < s->n_sources; i++) {
		struct slot_source *c = &b->sources[b->n - 1][i];
		*c = (struct slot_source){
			.ref = upto(8) ? upto(4) : test_random(&seed),
			.tombstoned_series = upto(16) ? 0 : test_random(&seed),
			.frame_bytes = (uint32_t)(upto(8) ? upto(3) : upto(1ull << 32)),
			.source = (uint16_t)(upto(8) ? upto(2) : DEDUP_MAX_SOURCES - 1 - upto(2)),
			.rank = (uint16_t)(upto(8) ? upto(2) : UINT16_MAX),
			.role = (uint8_t)upto(SLOT_AFTER + 1),
		};
	}
}

TEST(slots_of_series_that_are_alike_take_few_bytes)
{
	struct slot_encoder *x = slot_encoder_new();
	struct slot_decoder y = { 0 };
	auto_buf struct buf out = { 0 };
	static struct block b;
	add_pairs(&b, 16, 4);

	write_block(x, &b, &out);

	read_block(&y, &out, &b);
	CHECK(out.len < 64 * 13);
	slot_encoder_free(x);
	slot_decoder_fini(&y);
}

TEST(any_slots_come_back_as_they_were)
{
	struct slot_encoder *x = slot_encoder_new();
	struct slot_decoder y = { 0 };
	static struct block b;
	for (seed = 1; seed < 20000; seed++) {
		b.n = 0;
		for (uint64_t n = 1 + upto(SLOT_BLOCK_RECORDS); n; n--)
			add_random(&b);
		check_round_trip(x, &y, &b);
	}
	slot_encoder_free(x);
	slot_decoder_fini(&y);
}

TEST(a_block_does_not_depend_on_the_one_before_it)
{
	struct slot_encoder *x = slot_encoder_new();
	auto_buf struct buf first = { 0 }, second = { 0 };
	static struct block b;
	add_pairs(&b, 8, 3);

	write_block(x, &b, &first);
	write_block(x, &b, &second);

	CHECK_INT(first.len, second.len);
	CHECK(memcmp(first.data, second.data, first.len) == 0);
	slot_encoder_free(x);
}

TEST(bytes_that_make_no_record_are_refused)
{
	static const struct {
		uint8_t bytes[8];
		size_t n;
	} cases[] = {
		{ { 0 }, 0 }, { { 1 }, 1 },                 /* a shape that is not there */
		{ { 0, 0x1f, 200 }, 3 },                    /* more sources than bytes */
		{ { 0, 0x1d, 1, 0x80, 0x20, 0, 1, 1 }, 8 }, /* source 4096 */
		{ { 0, 0x1d, 1, 0, 3 << 2, 1, 1, 1 }, 8 },  /* role 3 */
		{ { 0, 0x1d, 1, 0, 1, 5 }, 6 },             /* ends before the source's frame */
	};
	struct slot_decoder x = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dec d = dec_over(cases[i].bytes, cases[i].n);
		struct slot_sources sources = { 0 };
		struct slot s = { 0 };
		slot_decoder_start(&x);
		slot_decoder_next(&x, &d, &s, &sources);
		CHECK(d.err < 0);
		vec_fini(&sources);
	}
	slot_decoder_fini(&x);
}

TEST_MAIN()
