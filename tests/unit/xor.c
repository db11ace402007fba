/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/xor.h"

#include "lib/base/file.h"
#include "lib/tsdb/chunk.h"
#include "tests/support/hex.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#define T0 1700000000000

/* Chunks that Prometheus' own appenders wrote, and what its iterators read from them. */
static const struct {
	uint8_t encoding;
	const char *hex;
	size_t n;
	struct {
		int64_t t;
		uint64_t v;
	} want[9];
} vectors[] = {
	{ CHUNK_XOR, "000180a0abfef9624014000000000000", 1, { { T0, 0x4014000000000000 } } },
	{ CHUNK_XOR, "000580a0abfef9627ff00000000000029875c5eff084000000000040", 5,
		{ { T0, STALE_NAN_BITS }, { T0 + 15000, 0x4074200000000000 },
			{ T0 + 30000, 0x4074200000000000 }, { T0 + 45000, 0x4074200000000000 },
			{ T0 + 60000, 0x4074200000000000 } } },
	{ CHUNK_XOR, "000380a0abfef9627ff00000000000029875c5effe00000000000060013083", 3,
		{ { T0, STALE_NAN_BITS }, { T0 + 15000, 0x4000000000000000 }, { T0 + 30004, 0 } } },
	{ CHUNK_XOR,
		"000980a0abfef9623ff0000000000000987536038003c07fffdbffac005ffd000000000000c001b8b5a4201cfe43"
		"c8"
		"800759ded29708071f90f22001d6711ffc00000000000000", /* times off the grid, a gap, NaN,
								       infinity */
		9,
		{ { T0, 0x3ff0000000000000 }, { T0 + 15000, 0x3ff0000000000000 },
			{ T0 + 30000, 0x3ff8000000000000 }, { T0 + 45003, 0xc002000000000000 },
			{ T0 + 60000, 0x7ff8000000000001 }, { T0 + 75000, 0x7ff8000000000001 },
			{ T0 + 276000, 0x7e37e43c8800759c }, { T0 + 291000, 0x7ff0000000000000 },
			{ T0 + 306000, 0x4008000000000000 } } },
	{ CHUNK_XOR2,
		"000683ff9fabfef962405d800000000000a0920b9475ca279b800911200bef43123b7e0ea62b4783f07530", 6,
		{ { -T0, 0x405d800000000000 }, { -T0 + 14996, 0x4064200000000000 },
			{ -T0 + 29996, 0x406ca00000000000 }, { -T0 + 44996, 0x406ce00000000000 },
			{ -T0 + 59996, 0x4071400000000000 }, { -T0 + 74996, 0x4075500000000000 } } },
	{ CHUNK_XOR2,
		"000580ff9fabfef9623fa3582ef48e0ce0b492049575f800783fffa6e53c1967ddf59ff9795cafb5637a37ffb8",
		5,
		{ { -T0, 0x3fa3582ef48e0ce0 }, { -T0 + 14997, STALE_NAN_BITS },
			{ -T0 + 29997, 0x4005bd12ede9d115 }, { -T0 + 44997, 0x3fe05860533c5cfd },
			{ -T0 + 59995, STALE_NAN_BITS } } },
};

static void encode(const struct float_columns *c, size_t from, size_t to, struct buf *out)
{
	struct xor_encoder x;
	xor_encoder_init(&x, out);
	for (size_t i = from; i < to; i++)
		xor_encoder_add(&x, c->t[i], c->v[i]);
	xor_encoder_finish(&x);
}

static void add(struct float_columns *c, int64_t t, uint64_t v)
{
	float_columns_reserve(c, 1);
	c->t[c->len] = t;
	c->v[c->len++] = v;
}

/* Prometheus up to 2.x leaves a byte of zeros where the bits end with a byte. */
static bool is_same_chunk(const struct buf *ours, const uint8_t *theirs, size_t n)
{
	if (n == ours->len + 1 && theirs[n - 1] == 0)
		n--;
	return n == ours->len && !memcmp(ours->data, theirs, n);
}

static bool is_equal(const struct float_columns *a, const struct float_columns *b)
{
	return a->len == b->len && !memcmp(a->t, b->t, a->len * sizeof *a->t) &&
	       !memcmp(a->v, b->v, a->len * sizeof *a->v);
}

/* Decodes from an allocation of just that size, so that a sanitizer sees reads past it. */
static int decode(uint8_t encoding, const uint8_t *data, size_t n, struct float_columns *out, struct err *e)
{
	auto_free uint8_t *exact = xmalloc(n ? n : 1);
	memcpy(exact, data, n);
	return float_chunk_decode(encoding, exact, n, out, e);
}

TEST(chunks_that_prometheus_wrote_are_read)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		auto_buf struct buf data = { 0 };
		struct float_columns got = { 0 };
		struct err e;
		hex_add(&data, vectors[i].hex);
		CHECK_OK(decode(vectors[i].encoding, data.data, data.len, &got, &e), &e);
		CHECK_INT(got.len, vectors[i].n);
		for (size_t k = 0; k < got.len; k++) {
			CHECK_INT(got.t[k], vectors[i].want[k].t);
			CHECK_INT(got.v[k], vectors[i].want[k].v);
		}
		float_columns_fini(&got);
	}
}

static const char xor2_with_starts[] =
	"00070280a0abfef96200000000000000009875c22bffa12bfff83a97aa173f0753113f73cb35824f"
	"f0000c5e7f31f6c548feffbfff9d0c065cc240";
static const int64_t starts_of_it[] = { 0, 0, T0 + 1, T0 + 1, T0 + 40000, 0, T0 + 89999 };

/* 130 samples that count from the same time; the last three have it written once more. */
static const char xor2_with_one_start[] =
	"0082ff80a0abfef9623ff0000000000000904e987500000000000000000000000000000001f839d4b0f83a987c1d4c00";

TEST(start_times_are_read_where_they_are_wanted)
{
	auto_buf struct buf many = { 0 }, one = { 0 }, none = { 0 };
	struct err e;
	hex_add(&many, xor2_with_starts);
	hex_add(&one, xor2_with_one_start);
	hex_add(&none, vectors[0].hex);
	struct float_columns got = { .start = xcalloc(1, sizeof(int64_t)), .cap = 0 };
	CHECK(float_chunk_has_starts(CHUNK_XOR2, many.data, many.len));
	CHECK(!float_chunk_has_starts(CHUNK_XOR, many.data, many.len));
	CHECK_OK(decode(CHUNK_XOR2, many.data, many.len, &got, &e), &e);
	CHECK_OK(decode(CHUNK_XOR, none.data, none.len, &got, &e), &e);
	CHECK_OK(decode(CHUNK_XOR2, one.data, one.len, &got, &e), &e);
	CHECK_INT(got.len, 7 + 1 + 130);
	for (size_t i = 0; i < 7; i++) {
		CHECK_INT(got.t[i], T0 + (int64_t)i * 15000);
		CHECK_INT(got.start[i], starts_of_it[i]);
	}
	CHECK_INT(got.start[7], 0);
	for (size_t i = 8; i < got.len; i++)
		CHECK_INT(got.start[i], T0 - 5000);
	float_columns_fini(&got);
	/* Of the chunks above: known from the first sample on, once until it changes. */
	got = (struct float_columns){ .start = xcalloc(1, sizeof(int64_t)) };
	for (size_t i = 4; i < 6; i++) {
		auto_buf struct buf data = { 0 };
		hex_add(&data, vectors[i].hex);
		CHECK_OK(decode(CHUNK_XOR2, data.data, data.len, &got, &e), &e);
	}
	CHECK_INT(got.len, 6 + 5);
	for (size_t i = 0; i < got.len; i++)
		CHECK_INT(got.start[i], i < 3 ? -1700000091280 : i < 6 ? -1699999957912 : -1700000033946);
	float_columns_fini(&got);
}

TEST(samples_encode_to_the_bytes_that_prometheus_wrote)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		if (vectors[i].encoding != CHUNK_XOR)
			continue;
		auto_buf struct buf want = { 0 }, got = { 0 };
		struct xor_encoder x;
		hex_add(&want, vectors[i].hex);
		xor_encoder_init(&x, &got);
		for (size_t k = 0; k < vectors[i].n; k++)
			xor_encoder_add(&x, vectors[i].want[k].t, vectors[i].want[k].v);
		xor_encoder_finish(&x);
		CHECK(is_same_chunk(&got, want.data, want.len));
	}
}

TEST(a_chunk_that_ends_early_is_refused_and_leaves_the_columns_alone)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		auto_buf struct buf data = { 0 };
		struct float_columns got = { 0 };
		hex_add(&data, vectors[i].hex);
		add(&got, 1, 2);
		/* The last byte may be one that only old versions write. */
		for (size_t n = 0; n + 1 < data.len; n++) {
			struct err e;
			CHECK_INT(decode(vectors[i].encoding, data.data, n, &got, &e), -EBADMSG);
			CHECK_HAS(e.msg, "float chunk");
			CHECK_INT(got.len, 1);
		}
		float_columns_fini(&got);
	}
}

TEST(a_count_that_the_bytes_cannot_hold_is_refused_before_memory_is_sized_by_it)
{
	auto_buf struct buf data = { 0 };
	struct float_columns got = { 0 };
	struct err e;
	hex_add(&data, "ffff80a0abfef962401400000000000098750000");
	CHECK_INT(decode(CHUNK_XOR, data.data, data.len, &got, &e), -EBADMSG);
	CHECK_HAS(e.msg, "claims 65535 samples");
	CHECK_INT(got.cap, 0);
	float_columns_fini(&got);
}

TEST(a_window_wider_than_a_value_is_refused)
{
	/* Second value: 11, 31 leading zeros, 34 bits. */
	auto_buf struct buf data = { 0 };
	struct float_columns got = { 0 };
	struct err e;
	hex_add(&data, "000280a0abfef96240140000000000009875");
	hex_add(&data, "ff"
		       "10"
		       "0000000000000000");
	CHECK_INT(decode(CHUNK_XOR, data.data, data.len, &got, &e), -EBADMSG);
	CHECK_HAS(e.msg, "garbled");
	float_columns_fini(&got);
}

TEST(other_encodings_are_named)
{
	struct float_columns got = { 0 };
	struct err e;
	static const uint8_t data[32];
	CHECK_INT(float_chunk_decode(CHUNK_HISTOGRAM, data, sizeof data, &got, &e), -EBADMSG);
	CHECK_HAS(e.msg, "encoding 2");
	CHECK_INT(float_chunk_decode(255, data, sizeof data, &got, &e), -EBADMSG);
	CHECK_HAS(e.msg, "encoding 255");
	CHECK_OK(float_chunk_decode(CHUNK_XOR, data, 2, &got, &e), &e);
	CHECK_INT(got.len, 0);
	CHECK_INT(chunk_sample_count(data, 1), -EBADMSG);
}

TEST(times_at_the_edges_of_every_field_come_back)
{
	struct float_columns in = { 0 }, out = { 0 };
	auto_buf struct buf chunk = { 0 };
	struct err e;
	int64_t t = INT64_MIN;
	uint64_t delta = 0;
	add(&in, t, 1);
	add(&in, t += 5, 1);
	delta = 5;
	for (unsigned bits = 1; bits < 64; bits++) {
		for (int off = -2; off <= 2; off++) {
			for (int sign = -1; sign <= 1; sign += 2) {
				delta += (uint64_t)sign * ((1ull << bits) + (uint64_t)off);
				t = (int64_t)((uint64_t)t + delta);
				add(&in, t, (uint64_t)bits % 3);
			}
		}
	}
	encode(&in, 0, in.len, &chunk);
	CHECK_OK(decode(CHUNK_XOR, chunk.data, chunk.len, &out, &e), &e);
	CHECK(is_equal(&in, &out));
	float_columns_fini(&in);
	float_columns_fini(&out);
}

/* Values that change seldom, a little, or in all bits, by a mode that itself changes. */
static uint64_t next_value(uint64_t v, uint64_t *seed)
{
	uint64_t r = test_random(seed);
	switch (r >> 8 & 7) {
	case 0: return test_random(seed);
	case 1: return v ^ 1ull << (r >> 16 & 63);
	case 2: return STALE_NAN_BITS;
	case 3: return v + (r >> 48);
	default: return v;
	}
}

TEST(random_chunks_come_back_with_and_without_switches)
{
	uint64_t seed = 42;
	for (unsigned round = 0; round < 3000; round++) {
		struct float_columns in = { 0 }, out = { 0 };
		auto_buf struct buf chunk = { 0 };
		struct err e;
		size_t n = test_random(&seed) % 200;
		unsigned switches = round & 1 ? 8 : 0;
		int64_t t = (int64_t)test_random(&seed) >> 20;
		uint64_t v = test_random(&seed);
		struct xor_encoder x;
		buf_add_u8(&chunk, 99);
		xor_encoder_init(&x, &chunk);
		for (size_t i = 0; i < n; i++) {
			if (switches && test_random(&seed) % 32 < switches)
				xor_encoder_switch(&x);
			add(&in, t, v);
			xor_encoder_add(&x, t, v);
			t += 15000 + (test_random(&seed) % 4 ? 0 : (int64_t)(test_random(&seed) % 1000));
			v = next_value(v, &seed);
		}
		xor_encoder_finish(&x);
		CHECK_INT(chunk.data[0], 99);
		CHECK_INT(chunk_sample_count(chunk.data + 1, chunk.len - 1), n);
		CHECK_OK(decode(CHUNK_XOR, chunk.data + 1, chunk.len - 1, &out, &e), &e);
		CHECK(in.len == 0 || is_equal(&in, &out));
		float_columns_fini(&in);
		float_columns_fini(&out);
	}
}

TEST(the_most_samples_a_chunk_can_count_come_back)
{
	struct float_columns in = { 0 }, out = { 0 };
	auto_buf struct buf chunk = { 0 };
	struct err e;
	for (size_t i = 0; i < XOR_CHUNK_MAX_SAMPLES; i++)
		add(&in, (int64_t)i * 15000, i / 100);
	encode(&in, 0, in.len, &chunk);
	CHECK_OK(decode(CHUNK_XOR, chunk.data, chunk.len, &out, &e), &e);
	CHECK(is_equal(&in, &out));
	float_columns_fini(&in);
	float_columns_fini(&out);
}

static uint64_t bits_of(double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}

TEST(taking_turns_between_two_sources_costs_about_what_the_sources_do)
{
	/* Two counters far apart in value; the samples of the merge are 60 of one, 60 of the other, ten
	 * times. */
	struct float_columns side[2] = { { 0 }, { 0 } };
	struct buf alone[2] = { { 0 }, { 0 } };
	auto_buf struct buf merged = { 0 }, unaware = { 0 };
	uint64_t seed = 7;
	for (int s = 0; s < 2; s++) {
		double v = s ? 1e9 : 12.5;
		for (int i = 0; i < 1200; i++, v += (double)(test_random(&seed) % 16))
			add(&side[s], T0 + i * 15000, bits_of(v));
		encode(&side[s], 0, side[s].len, &alone[s]);
	}
	struct xor_encoder with, without;
	xor_encoder_init(&with, &merged);
	xor_encoder_init(&without, &unaware);
	for (size_t i = 0; i < 1200; i++) {
		const struct float_columns *c = &side[i / 60 % 2];
		if (i && i % 60 == 0)
			xor_encoder_switch(&with);
		xor_encoder_add(&with, c->t[i], c->v[i]);
		xor_encoder_add(&without, c->t[i], c->v[i]);
	}
	xor_encoder_finish(&with);
	xor_encoder_finish(&without);
	size_t mean = (alone[0].len + alone[1].len) / 2;
	CHECK(merged.len < mean + mean / 4 + 19 * 24);
	CHECK(merged.len < unaware.len);
	for (int s = 0; s < 2; s++) {
		float_columns_fini(&side[s]);
		buf_fini(&alone[s]);
	}
}

/* Counters, gauges, missed scrapes and stale text, as promtool takes them. */
static void write_openmetrics(const char *path)
{
	FILE *f = fopen(path, "w");
	uint64_t seed = 3;
	CHECK(f);
	for (int series = 0; series < 40; series++) {
		double v = 0;
		fprintf(f, "# TYPE m%d gauge\n", series);
		for (int i = 0; i < 300; i++) {
			uint64_t r = test_random(&seed);
			v = series % 4 == 0   ? 7
			    : series % 4 == 1 ? v + (double)(r % 50)
			    : series % 4 == 2 ? (double)(r >> 11) / 1e12
					      : v + (r % 5 == 0);
			if (r >> 40 & 15)
				fprintf(f, "m%d %.17g %.3f\n", series, v,
					1.7e9 + i * 15 + (series & 8 ? (double)(r >> 50 & 7) / 1000 : 0));
		}
	}
	fputs("# EOF\n", f);
	CHECK_INT(fclose(f), 0);
}

static size_t check_segment(const char *path)
{
	auto_buf struct buf segment = { 0 };
	struct err e;
	size_t chunks = 0, need;
	CHECK_OK(file_read(path, 1u << 30, &segment, &e), &e);
	for (size_t at = SEGMENT_HEADER_BYTES; at < segment.len; chunks++) {
		struct chunk c;
		struct float_columns samples = { 0 };
		auto_buf struct buf again = { 0 };
		int n = chunk_frame_read(segment.data + at, segment.len - at, &c, &need, &e);
		CHECK_OK(n, &e);
		CHECK_OK(float_chunk_decode(c.encoding, c.data, c.size, &samples, &e), &e);
		encode(&samples, 0, samples.len, &again);
		CHECK(is_same_chunk(&again, c.data, c.size));
		float_columns_fini(&samples);
		at += (size_t)n;
	}
	return chunks;
}

TEST(every_chunk_of_a_block_that_promtool_made_encodes_to_its_own_bytes)
{
	if (system("command -v promtool >/dev/null") != 0)
		test_skip("promtool is not installed");
	auto_free char *text = xasprintf("%s/text", test_dir()), *blocks = xasprintf("%s/blocks", test_dir());
	auto_free char *command =
		xasprintf("promtool tsdb create-blocks-from openmetrics --quiet %s %s >&2", text, blocks);
	write_openmetrics(text);
	CHECK_INT(system(command), 0);
	DIR *d = opendir(blocks);
	CHECK(d);
	size_t chunks = 0;
	for (struct dirent *entry; (entry = readdir(d));) {
		auto_free char *segment = xasprintf("%s/%s/chunks/000001", blocks, entry->d_name);
		if (file_exists(segment))
			chunks += check_segment(segment);
	}
	closedir(d);
	CHECK(chunks >= 100);
}

TEST_MAIN()
