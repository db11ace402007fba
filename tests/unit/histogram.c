/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/histogram.h"

#include "lib/tsdb/chunk.h"
#include "tests/support/hex.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

/*
 * Chunks that Prometheus' own appenders wrote, and what its iterators read from them: time, then in
 * hexadecimal sum, count, zero count and the buckets' counts, doubles by their bits.
 */
static const struct {
	uint8_t encoding;
	const char *hex;
	const char *want;
} vectors[] = {
	/* Nothing but a stale marker, from Prometheus 2.42. */
	{ CHUNK_HISTOGRAM, "000100001fc00034409bbc36e3ff80000000000010",
		"1795377979831 7ff0000000000002 0 0\n" },
	{ CHUNK_HISTOGRAM,
		"0003c000ee5ca79389220703126e56041891080a817c80000003f800062f3f95a002313fe35f3147218f580f83"
		"a98fc0459ce60e6017a686b4605e74e6dfe022be0fefdd3d5bf7dd802e583f8049c2383b7bdbd386f811b3fdf7"
		"3d27fc08b08a",
		"1700000000000 3fe35f3147218f58 1 1 0 0 0 0\n"
		"1700000015000 bfbdc52b96a0f6d8 459cf 1 4 df 458a0 4b\n"
		"1700000030000 3ff40713addb2d0a 13a8 3 e 1377 20 0\n" },
	{ CHUNK_HISTOGRAM,
		"00048074bce3bc8e1548c76bfdfffce860353001f35df123fe069cbc4228b2ae52fcd6d5c7e0ea631ed9a6617b"
		"04d70e19e3f6263a387dffd28852e37077fecf84d1725db33ba95dae68e07f4e4744",
		"-1700000000000 3fe069cbc4228b2a 1aef8 2 a5 1ae50 1\n"
		"-1699999985000 3fecab3dcd8c9719 1af07 2 b4 1ae50 1\n"
		"-1699999970000 4005ef14bc34ace5 1af24 3 b6 1ae69 2\n"
		"-1699999955000 400e4649125c4c9b 1afd8 4 bc 1af14 4\n" },
	{ CHUNK_HISTOGRAM,
		"0004c0ff3f50624dd2f1a9fc9d23b094538d252c327fc0003179fcad001f068e83ff54492dd17fc179fc1a35fd"
		"e5c9231f83a98f81b706bd6e1c81c22d5e37f08629f72a5bf04f8d8e5df79a18af9ae109e7e705f6f621f1433f"
		"f0318ff794c179befc23630c689a6774c4bbe1028bef2e1bee5b4fe1773a3bc0",
		"1700000000000 3ff54492dd17fc17 3474 0 3 346e 0 0 1 2\n"
		"1700000015000 3fe24ad23c01530c 4fe4 0 4317 caf 7 15 1 1\n"
		"1700000030000 3ff587a2b8f2a08e 3860 0 13b 19f 3584 0 0 2\n"
		"1700000045000 3ff69d84212f91a0 1169 1 1 2b7 dfc b4 0 0\n" },
	{ CHUNK_FLOAT_HISTOGRAM,
		"0006c000ee5ce78c8e16544881c0c49b9581062440e0624dcac08312fefffe74301a9800410e95cd555555553f"
		"d5555555555555bfe074e3b65592e600000000000000003fe5555555555555407070000000000040b85b000000"
		"00004031555555555555410dca2aaaaaaaabf83a98cfcfc5d8355555555756d2aaaaaaaaaaaae1fbff250d2426"
		"b3d0d62fbfe5555555555555c29c0707d3bcdef4aaaaaaaabd1c6a87aaaaaaaaaae74a9dc1616607ff1f88afff"
		"07f7fe9aa8e6507d1fc000",
		"-1700000000000 bfe074e3b65592e6 410e95cd55555555 3fd5555555555555 0 3fe5555555555555 "
		"4070700000000000 40b85b0000000000 4031555555555555 410dca2aaaaaaaab\n"
		"-1699999985000 c004d5473283e8fc 40ffe3c000000000 3ff0000000000000 0 0 0 40f5b44aaaaaaaab "
		"40e45a0000000000 40432aaaaaaaaaab\n"
		"-1699999970000 7ff0000000000002 0 0\n"
		"-1699999955000 7ff0000000000002 0 0\n"
		"-1699999940000 7ff0000000000002 0 0\n"
		"-1699999925000 7ff0000000000002 0 0\n" },
	{ CHUNK_FLOAT_HISTOGRAM,
		"00050000ee5ca738d115ff80000000000007f7fff3a180d4c0020479800000000001ff2aaaaaaaaaaaadfe2821"
		"20f036b49800000000000000000000000000000002024155555555555a046d400000000007c1d4c6b234f583d3"
		"be37ceaf08898df61fe024555555555555b597e6db08add99fffffffffffffbf1cb65af8e07620049400000000"
		"001a8af2f6e74555555555555a8dcd7e1ffffd555555555555e0fa0035c994f6dffcfc26c02e01e31d55555555"
		"565f4ef82555555555555ab6ccc8d96b53b855003ffe0000000000d0658280",
		"-1700000000000 bfc504241e06d693 408f300000000000 3fe5555555555555 0 0 40482aaaaaaaaaab "
		"408da80000000000\n"
		"-1699999985000 bfa678ceee8e4e4c 4095500000000000 3ff5555555555555 0 4048aaaaaaaaaaab "
		"40482aaaaaaaaaab 4093c40000000000\n"
		"-1699999970000 bfd841a25b7f8ea0 409f800000000000 3ffaaaaaaaaaaaab 0 406c0aaaaaaaaaab "
		"40749aaaaaaaaaab 4096d15555555555\n"
		"-1699999955000 3fd533c766c8719c 40acde0000000000 4000000000000000 402c000000000000 "
		"409d840000000000 40749aaaaaaaaaab 4096d15555555555\n"
		"-1699999940001 3fe601f13c1c9f89 40cc4b5555555555 4000000000000000 402c000000000000 "
		"40a27a0000000000 40c4caaaaaaaaaab 4096d15555555555\n" },
	{ CHUNK_HISTOGRAM_ST,
		"c00300fe94658c8c70bfc0003179fcad001a695ff85380013d145c63318f83a9ed4b567cdb27ee88653f79b08f"
		"f00000064e55c697c555e4756bcd0006e172dcdf8aa87fb55ad0",
		"1700000000000 bff0a700027a28b8 26 2 c 18 0\n"
		"1700000015006 bfc9114fdf6ae2c0 f 2 8 4 1\n"
		"1703385536014 bff0b14f0344b95a aab4 3 aa8b 24 2\n" },
	{ CHUNK_HISTOGRAM_ST,
		"c00580019a53dd1fc0003179fcad001595ffc8e1852605c114af7aeac0af83a98b30ffffcddbacab6202c6d231"
		"328007b6a3337768c6d2b16dad0003f808d79cc747de48a46001d01d6af68c8134de5c",
		"1700000000000 bff91c30a4c0b822 5 2 2 1 0\n"
		"1700000015000 c00a6adb8e183893 3 2 0 1 0\n"
		"1700000030000 c005079de8f6e91e a 4 2 2 2\n"
		"1700000045000 c006ff953f6a2e59 7 4 0 1 2\n"
		"1700000060000 c0087f7e68de4a50 8 5 2 0 1\n" },
	{ CHUNK_FLOAT_HISTOGRAM_ST,
		"c0050000ee5c98b9e1511feaaaaaaaaaaaaaff7fff3a180d4c00206bdff5555555559ff2aaaaaaaaaaaa9ffa06"
		"42bef8797f00000000000000002067e44000000000205fb700000000007c1d4c6a4a9075d60f5eb2779ecfd45f"
		"b1c2dc0fd6f1d3bdcddd555555555d66431b4efc422eaaaaaaaaf0ffffd555555555555756dcd3a154968357c0"
		"1c13c70ff024c55555555555741bf75614e047dd00000000000000030fd00bf71646c26af880",
		"-1700000000000 3ff40c857df0f2fe 40d7bfeaaaaaaaab 3fe5555555555555 0 40cfc88000000000 "
		"40bf6e0000000000\n"
		"-1699999985000 3fe67b1bb224ad4f 40feb8baaaaaaaab 3ff5555555555555 40fd6f1000000000 "
		"4093155555555555 40afa80000000000\n"
		"-1699999970000 3fdfdc591b09abe0 408fb00000000000 4000000000000000 408d200000000000 0 "
		"4054000000000000\n"
		"-1699999955000 7ff0000000000002 0 0\n"
		"-1699999940000 7ff0000000000002 0 0\n" },
	{ CHUNK_FLOAT_HISTOGRAM_ST,
		"c00380fede4a7b58ce4a469fc0003179fcad000808155555555555600000000000000018001b14aa06a10b8800"
		"555555555555680695555555555567fe00000000000008042aaaaaaaaaaaa7fcaaaaaaaaaaaabe92009f07531a"
		"8ac2f17dff2aaaaaaaaaaaaeecaa509bce4abf3c3fc002aaaaaaaaaaabc3fc034aaaaaaaaaaabc26ffcf4ef37d"
		"5555555555717dff2aaaaaaaaaaaab471eea55555555557002aaaaaaaaaaaabb34f4b9421f2c375a0398800000"
		"000002807c5f400000000000",
		"1700000000000 c000d8a55035085c 4040aaaaaaaaaaab 0 4002aaaaaaaaaaab 4034aaaaaaaaaaab "
		"3ff0000000000000 4021555555555555 3fe5555555555555\n"
		"1700000015000 c0027dacecd1a3af 40701aaaaaaaaaab 3fe5555555555555 0 0 403c000000000000 "
		"406ca00000000000 0\n"
		"1700000030000 c00d3638cd2360da 4087480000000000 3ff0000000000000 4073100000000000 0 0 "
		"407b700000000000 0\n" },
};

static void decode_hex(uint8_t encoding, const char *hex, struct histogram_chunk **out)
{
	auto_buf struct buf data = { 0 };
	struct err e;
	hex_add(&data, hex);
	CHECK_OK(histogram_chunk_decode(encoding, data.data, data.len, out, &e), &e);
}

static size_t width_of(const struct histogram_chunk *c)
{
	return (size_t)c->layout.positive_buckets + c->layout.negative_buckets;
}

static void print_samples(const struct histogram_chunk *c, struct buf *out)
{
	for (size_t i = 0; i < c->n; i++) {
		buf_printf(out, "%lld %llx %llx %llx", (long long)c->t[i], (unsigned long long)c->sum[i],
			(unsigned long long)c->count[i], (unsigned long long)c->zero_count[i]);
		for (size_t k = 0; c->sum[i] != STALE_NAN_BITS && k < width_of(c); k++)
			buf_printf(out, " %llx", (unsigned long long)c->buckets[i * width_of(c) + k]);
		buf_add_u8(out, '\n');
	}
}

static struct histogram_pick *all_of(const struct histogram_chunk *c)
{
	struct histogram_pick *picks = xcalloc(c->n, sizeof *picks);
	for (size_t i = 0; i < c->n; i++)
		picks[i] = (struct histogram_pick){ .from = c, .index = (uint32_t)i };
	return picks;
}

TEST(chunks_that_prometheus_wrote_are_read)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		auto_of(histogram_chunk) struct histogram_chunk *c = NULL;
		auto_buf struct buf got = { 0 };
		decode_hex(vectors[i].encoding, vectors[i].hex, &c);
		print_samples(c, &got);
		CHECK_STR(buf_str(&got), vectors[i].want);
	}
}

TEST(samples_encode_to_the_bytes_that_prometheus_wrote)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		if (vectors[i].encoding > CHUNK_FLOAT_HISTOGRAM)
			continue;
		auto_of(histogram_chunk) struct histogram_chunk *c = NULL;
		auto_buf struct buf got = { 0 }, want = { 0 };
		decode_hex(vectors[i].encoding, vectors[i].hex, &c);
		hex_add(&want, vectors[i].hex);
		auto_free struct histogram_pick *picks = all_of(c);
		CHECK_INT(histogram_chunk_encode(picks, c->n, c->header, &got), c->n);
		CHECK_INT(got.len, want.len);
		CHECK(!memcmp(got.data, want.data, got.len));
	}
}

/* The same start times for integers and for floats; and where the first sample's is the only one. */
TEST(start_times_are_read)
{
	static const int64_t want[] = { 0, 0, 1700000000000 + 1, 1700000000000 + 1, 1700000000000 + 40000, 0,
		1700000000000 + 89999 };
	const struct {
		uint8_t encoding;
		const char *hex;
		int64_t all; /* 0: as in want */
	} table[] = {
		{ CHUNK_HISTOGRAM_ST,
			"000702ff3f50624dd2f1a9fc4627f0000c5e7f2b4004e200000000000000012f83a988b115ffc461"
			"2fffbe0ea5c6c06f83a981ac2df73cb236837f0000c5e7f31f6c0d816fefffe74301973090",
			0 },
		{ CHUNK_FLOAT_HISTOGRAM_ST,
			"000702ff3f50624dd2f1a9fc4627f0000c5e7f2b40020040000000000001ff800000000000000000"
			"0000000000020000000000000007c1d4c6b0b622bffd80db41b097fff585fc1d4bb605b603da0fe0"
			"ea612d617b02fee7965a84f6d073fc0003179fcc7db0dc0db02f509ffdfffce86032e612",
			0 },
		{ CHUNK_HISTOGRAM_ST, vectors[7].hex, 1699999915241 },
		{ CHUNK_FLOAT_HISTOGRAM_ST, vectors[9].hex, 1699999966150 },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_of(histogram_chunk) struct histogram_chunk *c = NULL;
		decode_hex(table[i].encoding, table[i].hex, &c);
		CHECK(c->start && c->n);
		for (size_t k = 0; k < c->n; k++)
			CHECK_INT(c->start[k], table[i].all ? table[i].all : want[k]);
	}
	auto_of(histogram_chunk) struct histogram_chunk *none = NULL;
	decode_hex(vectors[6].encoding, vectors[6].hex, &none);
	CHECK(!none->start);
}

TEST(start_times_are_dropped_when_samples_are_encoded)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		if (vectors[i].encoding <= CHUNK_FLOAT_HISTOGRAM)
			continue;
		auto_of(histogram_chunk) struct histogram_chunk *c = NULL, *again = NULL;
		auto_buf struct buf data = { 0 }, got = { 0 };
		struct err e;
		decode_hex(vectors[i].encoding, vectors[i].hex, &c);
		auto_free struct histogram_pick *picks = all_of(c);
		CHECK_INT(histogram_chunk_encode(picks, c->n, c->header, &data), c->n);
		CHECK_OK(histogram_chunk_decode(vectors[i].encoding == CHUNK_HISTOGRAM_ST
							? CHUNK_HISTOGRAM
							: CHUNK_FLOAT_HISTOGRAM,
				 data.data, data.len, &again, &e),
			&e);
		CHECK_INT(again->header, c->header);
		print_samples(again, &got);
		CHECK_STR(buf_str(&got), vectors[i].want);
	}
}

TEST(a_chunk_that_ends_early_is_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		auto_buf struct buf data = { 0 };
		hex_add(&data, vectors[i].hex);
		for (size_t n = 0; n < data.len; n++) {
			struct histogram_chunk *c = NULL;
			struct err e;
			auto_free uint8_t *exact = xmalloc(n + 1);
			memcpy(exact + 1, data.data, n);
			CHECK_INT(
				histogram_chunk_decode(vectors[i].encoding, exact + 1, n, &c, &e), -EBADMSG);
			CHECK_HAS(e.msg, "histogram");
			CHECK(!c);
		}
	}
}

/* A chunk of one layout made by hand; samples are added to it. Both sides start at bucket `first`. */
static struct histogram_chunk *chunk_new(bool is_float, int32_t first, uint32_t positive, uint32_t negative)
{
	struct histogram_chunk *c = xcalloc(1, sizeof *c);
	c->is_float = is_float;
	c->layout = (struct histogram_layout){
		.positive = xcalloc(1, sizeof(struct histogram_span)),
		.negative = xcalloc(1, sizeof(struct histogram_span)),
		.n_positive = 1,
		.n_negative = 1,
		.positive_buckets = positive,
		.negative_buckets = negative,
	};
	c->layout.positive[0] = (struct histogram_span){ .offset = first, .length = positive };
	c->layout.negative[0] = (struct histogram_span){ .offset = first, .length = negative };
	size_t most = 8;
	uint64_t *cells = xcalloc(most * (4 + positive + negative), sizeof *cells);
	c->t = (int64_t *)cells;
	c->sum = cells + most;
	c->count = cells + 2 * most;
	c->zero_count = cells + 3 * most;
	c->buckets = cells + 4 * most;
	return c;
}

static uint64_t number(const struct histogram_chunk *c, uint64_t v)
{
	double d = (double)v;
	if (c->is_float)
		memcpy(&v, &d, sizeof v);
	return v;
}

/* A sample whose buckets all count `each`, but for the one numbered `odd`, which counts `odd_count`. */
static void add_sample(struct histogram_chunk *c, uint64_t each, size_t odd, uint64_t odd_count)
{
	size_t i = c->n++, width = width_of(c);
	uint64_t total = 0;
	for (size_t k = 0; k < width; k++) {
		uint64_t v = k == odd ? odd_count : each;
		c->buckets[i * width + k] = number(c, v);
		total += v;
	}
	c->t[i] = 15000 * (int64_t)(i + 1);
	c->sum[i] = number(c, 1);
	c->count[i] = number(c, total);
}

static size_t encode_two(const struct histogram_chunk *a, uint32_t i, const struct histogram_chunk *b,
	uint32_t k, uint8_t header, struct buf *out)
{
	const struct histogram_pick picks[] = { { a, i }, { b, k } };
	return histogram_chunk_encode(picks, 2, header, out);
}

TEST(a_fall_ends_a_counter_chunk_and_nothing_in_a_gauge_chunk)
{
	for (int is_float = 0; is_float < 2; is_float++) {
		auto_of(histogram_chunk) struct histogram_chunk *c = chunk_new(is_float, 0, 3, 2);
		auto_buf struct buf out = { 0 };
		add_sample(c, 10, 0, 10);
		add_sample(c, 12, 4, 9); /* the last negative bucket fell, the count rose */
		add_sample(c, 12, 4, 9);
		add_sample(c, 12, 4, 9);
		c->count[3] = number(c, 1);
		c->zero_count[2] = number(c, 1);
		CHECK_INT(encode_two(c, 0, c, 1, HISTOGRAM_NOT_RESET, &out), 1);
		CHECK_INT(encode_two(c, 0, c, 1, HISTOGRAM_GAUGE, &out), 2);
		CHECK_INT(encode_two(c, 1, c, 2, HISTOGRAM_UNKNOWN_RESET, &out), 2);
		CHECK_INT(encode_two(c, 2, c, 1, HISTOGRAM_UNKNOWN_RESET, &out), 1); /* zero count */
		CHECK_INT(encode_two(c, 1, c, 3, HISTOGRAM_RESET, &out), 1);         /* count */
		CHECK_INT(encode_two(c, 1, c, 3, HISTOGRAM_GAUGE, &out), 2);
	}
}

TEST(layouts_that_differ_become_their_union)
{
	for (int is_float = 0; is_float < 2; is_float++) {
		auto_of(histogram_chunk) struct histogram_chunk *a = chunk_new(is_float, 0, 2, 1);
		auto_of(histogram_chunk) struct histogram_chunk *b = chunk_new(is_float, 4, 2, 1),
								*got = NULL;
		auto_buf struct buf out = { 0 };
		struct err e;
		add_sample(a, 5, 0, 6);
		add_sample(b, 7, 0, 8);
		/* What was counted in a's buckets is gone in b: a fall for counters. */
		CHECK_INT(encode_two(a, 0, b, 0, HISTOGRAM_NOT_RESET, &out), 1);
		buf_reset(&out);
		CHECK_INT(encode_two(a, 0, b, 0, HISTOGRAM_GAUGE, &out), 2);
		CHECK_OK(histogram_chunk_decode(is_float ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM, out.data,
				 out.len, &got, &e),
			&e);
		CHECK_INT(got->layout.n_positive, 2);
		CHECK_INT(got->layout.positive[1].offset, 2);
		CHECK_INT(got->layout.n_negative, 2);
		CHECK_INT(got->layout.negative[1].offset, 3);
		const uint64_t want[] = { 6, 5, 0, 0, 5, 0, 0, 0, 8, 7, 0, 7 };
		for (size_t k = 0; k < ARRAY_LEN(want); k++)
			CHECK_INT(got->buckets[k], number(got, want[k]));
	}
}

TEST(an_empty_bucket_may_go_from_a_counter_chunk)
{
	auto_of(histogram_chunk) struct histogram_chunk *a = chunk_new(false, 0, 3, 0),
							*b = chunk_new(false, 1, 2, 0);
	auto_of(histogram_chunk) struct histogram_chunk *got = NULL;
	auto_buf struct buf out = { 0 };
	struct err e;
	add_sample(a, 5, 0, 0);
	add_sample(b, 7, 0, 7);
	CHECK_INT(encode_two(a, 0, b, 0, HISTOGRAM_NOT_RESET, &out), 2);
	CHECK_OK(histogram_chunk_decode(CHUNK_HISTOGRAM, out.data, out.len, &got, &e), &e);
	CHECK_INT(width_of(got), 3);
	CHECK_INT(got->buckets[3], 0);
	CHECK_INT(got->buckets[4], 7);
}

TEST(prometheus_joins_the_same_samples_to_the_same_bytes)
{
	static const char *const samples[] = {
		"0001000099fc0001d1a94a95301fefb5d813742b7a80",
		"000100009c628c6dfc0001d1a94b0a601ff48630affd9ab800",
		"000100009c628c6dfc0001d1a94b7f91189ff9a6fe369efc9b00",
	};
	struct histogram_chunk *c[3];
	struct histogram_pick picks[3];
	auto_buf struct buf got = { 0 }, want = { 0 };
	for (size_t i = 0; i < 3; i++) {
		decode_hex(CHUNK_HISTOGRAM, samples[i], &c[i]);
		picks[i] = (struct histogram_pick){ .from = c[i] };
	}
	hex_add(&want,
		"000300009c628c6dfc0001d1a94a95301fefb5d813742b7a9f075306adb667d179136385118cd20ce996366230");
	CHECK_INT(histogram_chunk_encode(picks, 3, HISTOGRAM_UNKNOWN_RESET, &got), 3);
	CHECK_INT(got.len, want.len);
	CHECK(!memcmp(got.data, want.data, got.len));
	for (size_t i = 0; i < 3; i++)
		histogram_chunk_free(c[i]);
}

TEST(only_stale_samples_follow_a_stale_one)
{
	for (int is_float = 0; is_float < 2; is_float++) {
		auto_of(histogram_chunk) struct histogram_chunk *c = chunk_new(is_float, 0, 2, 2),
								*got = NULL;
		auto_buf struct buf out = { 0 };
		struct err e;
		for (int i = 0; i < 4; i++)
			add_sample(c, 5, 0, 5);
		c->sum[1] = c->sum[2] = STALE_NAN_BITS;
		auto_free struct histogram_pick *picks = all_of(c);
		uint8_t encoding = is_float ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM;
		CHECK_INT(histogram_chunk_encode(picks, 4, HISTOGRAM_UNKNOWN_RESET, &out), 3);
		CHECK_OK(histogram_chunk_decode(encoding, out.data, out.len, &got, &e), &e);
		CHECK_INT(got->sum[2], STALE_NAN_BITS);
		CHECK_INT(got->t[2], 45000);
		CHECK_INT(got->count[2], 0);
		histogram_chunk_free(take(got));

		/* A chunk that starts stale has the layout of an empty histogram. */
		buf_reset(&out);
		CHECK_INT(histogram_chunk_encode(picks + 1, 3, HISTOGRAM_UNKNOWN_RESET, &out), 2);
		CHECK_OK(histogram_chunk_decode(encoding, out.data, out.len, &got, &e), &e);
		CHECK_INT(width_of(got), 0);
		CHECK_INT(got->n, 2);
	}
}

TEST(what_scales_or_counts_differently_starts_a_chunk)
{
	auto_of(histogram_chunk) struct histogram_chunk *a = chunk_new(false, 0, 2, 0),
							*b = chunk_new(false, 0, 2, 0),
							*f = chunk_new(true, 0, 2, 0);
	auto_buf struct buf out = { 0 };
	add_sample(a, 5, 0, 5);
	add_sample(b, 5, 0, 5);
	add_sample(f, 5, 0, 5);
	CHECK_INT(encode_two(a, 0, b, 0, HISTOGRAM_GAUGE, &out), 2);
	CHECK_INT(encode_two(a, 0, f, 0, HISTOGRAM_GAUGE, &out), 1);
	b->layout.schema = 1;
	CHECK_INT(encode_two(a, 0, b, 0, HISTOGRAM_GAUGE, &out), 1);
	b->layout.schema = 0;
	b->layout.zero_threshold = 0.5;
	CHECK_INT(encode_two(a, 0, b, 0, HISTOGRAM_GAUGE, &out), 1);
	b->layout.zero_threshold = 0;
	a->layout.schema = b->layout.schema = -53;
	a->layout.custom = xcalloc(1, sizeof(double));
	b->layout.custom = xcalloc(1, sizeof(double));
	a->layout.n_custom = b->layout.n_custom = 1;
	CHECK_INT(encode_two(a, 0, b, 0, HISTOGRAM_GAUGE, &out), 2);
	b->layout.custom[0] = 0.25;
	CHECK_INT(encode_two(a, 0, b, 0, HISTOGRAM_GAUGE, &out), 1);
}

TEST(every_kind_of_zero_threshold_and_bound_comes_back)
{
	static const double values[] = { 0, 0.001, 1, 1024, 2048, 0x1p-128, 0x1p-243, 0x1p-244, 33554.43,
		33554.431, -1, 1e300, 1.0 / 3 };
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		auto_of(histogram_chunk) struct histogram_chunk *c = chunk_new(false, 0, 1, 0), *got = NULL;
		auto_buf struct buf out = { 0 };
		struct err e;
		add_sample(c, 5, 0, 5);
		c->layout.schema = -53;
		c->layout.zero_threshold = values[i];
		c->layout.custom = xcalloc(1, sizeof(double));
		c->layout.custom[0] = values[i];
		c->layout.n_custom = 1;
		const struct histogram_pick pick = { .from = c };
		CHECK_INT(histogram_chunk_encode(&pick, 1, HISTOGRAM_UNKNOWN_RESET, &out), 1);
		CHECK_OK(histogram_chunk_decode(CHUNK_HISTOGRAM, out.data, out.len, &got, &e), &e);
		CHECK(got->layout.zero_threshold == values[i]);
		CHECK(got->layout.custom[0] == values[i]);
	}
}

TEST(claims_that_the_bytes_cannot_hold_are_refused_by_name)
{
	static const struct {
		uint8_t encoding;
		const char *hex, *words;
	} cases[] = {
		{ CHUNK_XOR, "000100", "encoding 1 holds no histograms" },
		{ CHUNK_HISTOGRAM, "0001", "2 bytes" },
		/* threshold 0, schema 0, 2^56 - 1 spans */
		{ CHUNK_HISTOGRAM,
			"000100"
			"00"
			"7f7fffffffffffff80",
			"spans" },
		/* one span of 33554431 buckets */
		{ CHUNK_HISTOGRAM,
			"000100"
			"00"
			"47f7fffffc0000000000",
			"buckets" },
		/* schema 1000 */
		{ CHUNK_HISTOGRAM,
			"000100"
			"00"
			"f1f4000000000000000000000000",
			"schema 1000" },
		/* 65535 samples of an empty histogram in 20 bytes */
		{ CHUNK_HISTOGRAM,
			"ffff00"
			"00"
			"00000000000000000000000000000000",
			"65535 samples" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf data = { 0 };
		struct histogram_chunk *c = NULL;
		struct err e;
		hex_add(&data, cases[i].hex);
		CHECK_INT(histogram_chunk_decode(cases[i].encoding, data.data, data.len, &c, &e), -EBADMSG);
		CHECK_HAS(e.msg, cases[i].words);
	}
}

TEST_MAIN()
