/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/slot_merge.h"

#include "dedup/timeline.h"
#include "lib/tsdb/histogram.h"
#include "lib/tsdb/xor.h"
#include "lib/tsdb/xor_lanes.h"
#include "tests/support/block_sketch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

#define MAX_SOURCES 4
#define S           1000 /* ms */

/* A slot under construction, its sources and what was made of it. Values are source * 1000000 + t / 1000. */
struct bench {
	struct slot_reader reader;
	struct slot_merger *merger;
	struct slot slot;
	struct slot_source sources[MAX_SOURCES];
	struct buf data[MAX_SOURCES];
	uint8_t encodings[MAX_SOURCES];
	int fails[MAX_SOURCES]; /* -errno */
	unsigned fetched[MAX_SOURCES], corrupt;
	struct tombstone deleted;
	struct tombstones tombstones;
	struct buf out;
	struct slot_result result;
	struct sample_list got;
	uint8_t encoding;
};

static struct bench b;

static int chunk_of(struct slot_reader *r, const struct slot_source *s, struct chunk *out)
{
	(void)r;
	b.fetched[s->source]++;
	if (b.fails[s->source])
		return b.fails[s->source];
	*out = (struct chunk){ b.encodings[s->source], b.data[s->source].data, b.data[s->source].len };
	return 0;
}

static void note_corrupt(struct slot_reader *r, const struct slot_source *s, const char *why)
{
	(void)r;
	(void)s;
	CHECK(*why);
	b.corrupt++;
}

static const struct tombstones *deleted_from(struct slot_reader *r, uint16_t source)
{
	(void)r;
	CHECK_INT(source, 0);
	return &b.tombstones;
}

static void set_up(enum dedup_func func, int64_t from, int64_t to)
{
	memset(&b, 0, sizeof b);
	b.reader = (struct slot_reader){ chunk_of, note_corrupt, deleted_from };
	b.merger = slot_merger_new(func);
	b.slot = (struct slot){ .from = from,
		.to = to,
		.left = INT64_MIN,
		.right = INT64_MAX,
		.capacity = 4000,
		.sources = b.sources };
}

static void tear_down(void)
{
	slot_merger_free(b.merger);
	for (size_t i = 0; i < MAX_SOURCES; i++)
		buf_fini(&b.data[i]);
	buf_fini(&b.out);
	vec_fini(&b.got.list);
}

static uint64_t value(unsigned source, int64_t t)
{
	return bits_of((double)source * 1000000 + (double)t / 1000);
}

static struct slot_source *add_source(uint16_t rank, enum slot_role role)
{
	uint32_t i = b.slot.n_sources++;
	b.encodings[i] = CHUNK_XOR;
	b.sources[i] = (struct slot_source){
		.ref = i, .frame_bytes = 100, .source = (uint16_t)i, .rank = rank, .role = role
	};
	return &b.sources[i];
}

/* Float samples every 10 s from first to last, in seconds, without those between hole and end of it. */
static struct slot_source *add_floats(
	uint16_t rank, enum slot_role role, int first, int last, int hole, int hole_end)
{
	struct slot_source *s = add_source(rank, role);
	struct xor_encoder x;
	xor_encoder_init(&x, &b.data[s->source]);
	for (int t = first; t <= last; t += 10)
		if (t < hole || t >= hole_end)
			xor_encoder_add(&x, (int64_t)t * S, value(s->source, (int64_t)t * S));
	xor_encoder_finish(&x);
	return s;
}

static void add_histograms(
	uint16_t rank, uint8_t encoding, uint8_t header, int first, size_t n, uint64_t count)
{
	struct slot_source *s = add_source(rank, SLOT_MEMBER);
	b.encodings[s->source] = encoding;
	auto_of(histogram_chunk) struct histogram_chunk *c =
		sketch_histogram_chunk(encoding == CHUNK_FLOAT_HISTOGRAM, header, first * S, 10 * S, n, count,
			1, (double)s->source * 1000000);
	struct histogram_pick picks[200];
	for (size_t i = 0; i < n; i++)
		picks[i] = (struct histogram_pick){ c, (uint32_t)i };
	CHECK_INT(histogram_chunk_encode(picks, n, header, &b.data[s->source]), n);
}

/* A slot whose base was expected, `times` over, comes out the same. */
static void merge_expected(unsigned times)
{
	auto_buf struct buf out = { 0 };
	struct slot_result result;
	struct bench before = b;
	slot_merger_expect_none(b.merger);
	for (unsigned i = 0; i < times; i++)
		CHECK(slot_merger_expect(b.merger, &b.slot, &b.reader) == (i < XOR_LANES));
	slot_merger_expect_end(b.merger);
	slot_merge(b.merger, &b.slot, &b.reader, &out, &result);
	slot_merger_expect_none(b.merger);
	CHECK_INT(out.len, b.out.len);
	CHECK(!out.len || !memcmp(out.data, b.out.data, out.len));
	CHECK_INT(result.unavailable, b.result.unavailable);
	CHECK_INT(result.no_data, b.result.no_data);
	CHECK_INT(result.input_samples, b.result.input_samples);
	CHECK_INT(result.output_samples, b.result.output_samples);
	CHECK_INT(result.n_parts, b.result.n_parts);
	memcpy(b.fetched, before.fetched, sizeof b.fetched);
	b.corrupt = before.corrupt;
}

static void merge(void)
{
	struct err e;
	struct chunk c;
	size_t need;
	buf_reset(&b.out);
	b.got.list.len = 0;
	slot_merge(b.merger, &b.slot, &b.reader, &b.out, &b.result);
	CHECK(b.out.len <= b.slot.capacity);
	if (b.slot.n_sources) {
		merge_expected(1);
		merge_expected(XOR_LANES + 1);
	}
	if (b.result.no_data) {
		CHECK_INT(b.out.len, 0);
		return;
	}
	CHECK_INT(chunk_frame_read(b.out.data, b.out.len, &c, &need, &e), b.out.len);
	b.encoding = c.encoding;
	if (c.encoding == CHUNK_XOR) {
		struct float_columns f = { 0 };
		CHECK_OK(float_chunk_decode(c.encoding, c.data, c.size, &f, &e), &e);
		for (size_t i = 0; i < f.len; i++)
			vec_push(&b.got.list, (struct sample){ f.t[i], f.v[i] });
		float_columns_fini(&f);
	} else {
		auto_of(histogram_chunk) struct histogram_chunk *h = NULL;
		CHECK_OK(histogram_chunk_decode(c.encoding, c.data, c.size, &h, &e), &e);
		for (size_t i = 0; i < h->n; i++)
			vec_push(&b.got.list, (struct sample){ h->t[i], h->sum[i] });
	}
	for (size_t i = 1; i < b.got.list.len; i++)
		CHECK(b.got.list.data[i].t > b.got.list.data[i - 1].t);
}

/* How many samples are this source's. */
static size_t of(unsigned source)
{
	size_t n = 0;
	vec_each (s, &b.got.list)
		n += s->v == value(source, s->t);
	return n;
}

static bool is_frame_of(unsigned source)
{
	auto_buf struct buf frame = { 0 };
	chunk_frame_write(&frame, b.encodings[source], b.data[source].data, b.data[source].len);
	return frame.len == b.out.len && !memcmp(frame.data, b.out.data, frame.len);
}

/* Two replicas, each with all samples of a slot in the middle of a window. */
static void set_up_without_gaps(void)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
	b.slot.left = 990 * S;
	b.slot.right = 2000 * S;
	add_floats(0, SLOT_MEMBER, 1000, 1990, 0, 0);
	add_floats(1, SLOT_MEMBER, 1003, 1993, 0, 0);
}

TEST(a_base_without_a_gap_is_the_slot_and_the_others_are_not_fetched)
{
	set_up_without_gaps();
	merge();
	CHECK(is_frame_of(0));
	CHECK_INT(b.fetched[1], 0);
	CHECK_INT(b.result.output_samples, 100);
	tear_down();
}

TEST(a_base_at_a_windows_edge_is_the_slot_where_the_others_begin_and_end_with_it)
{
	set_up(DEDUP_COMPLETE, INT64_MIN, INT64_MAX);
	add_floats(0, SLOT_MEMBER, 1000, 1990, 0, 0);
	add_floats(1, SLOT_MEMBER, 996, 1994, 0, 0);
	merge();
	CHECK(is_frame_of(0));
	CHECK_INT(b.fetched[1], 1);
	CHECK_INT(b.result.output_samples, 100);
	tear_down();
	set_up(DEDUP_COMPLETE, INT64_MIN, INT64_MAX);
	add_floats(0, SLOT_MEMBER, 1000, 1990, 0, 0);
	add_floats(1, SLOT_MEMBER, 995, 1995, 0, 0);
	merge();
	CHECK_INT(of(0), 100);
	CHECK_INT(of(1), 2);
	tear_down();
}

/* A replica that may miss scrapes, come late, and end with a marker, as one chunk and as a timeline. */
static void add_random(uint16_t rank, uint64_t *seed, int64_t *t, uint8_t *flags, struct timeline *line)
{
	struct slot_source *s = add_source(rank, SLOT_MEMBER);
	struct xor_encoder x;
	xor_encoder_init(&x, &b.data[s->source]);
	size_t n = 0, wanted = 5 + test_random(seed) % 20;
	int64_t at = 1000 * S + (int64_t)(test_random(seed) % 12000);
	bool ends = test_random(seed) % 4 == 0, misses = test_random(seed) % 4 == 0;
	for (; n < wanted; at += 10 * S + (int64_t)(test_random(seed) % 40)) {
		if (misses && test_random(seed) % 10 == 0)
			continue;
		flags[n] = ends && n + 1 == wanted ? TIMELINE_STALE : 0;
		xor_encoder_add(&x, at, flags[n] ? STALE_NAN_BITS : value(s->source, at));
		t[n++] = at;
	}
	xor_encoder_finish(&x);
	*line = (struct timeline){ t, flags, n };
}

TEST(any_slot_at_a_windows_edge_has_the_samples_that_the_timelines_give)
{
	enum { LINES = 3, MOST = 32 };
	uint64_t seed = 11;
	unsigned bases = 0, merges = 0;
	for (unsigned round = 0; round < 20000; round++) {
		int64_t t[LINES][MOST];
		uint8_t flags[LINES][MOST];
		struct timeline lines[LINES];
		struct timeline_scratch scratch = { 0 };
		struct picks want = { 0 };
		uint32_t n = 2 + (uint32_t)(test_random(&seed) % 2);
		set_up(DEDUP_COMPLETE, INT64_MIN, INT64_MAX);
		for (uint32_t i = 0; i < n; i++)
			add_random((uint16_t)i, &seed, t[i], flags[i], &lines[i]);
		int64_t last = t[0][lines[0].n - 1];
		if (test_random(&seed) % 3 == 0)
			b.slot.left = (b.slot.from = t[0][0]) - 10 * S;
		else if (test_random(&seed) % 2)
			b.slot.right = b.slot.to = last + 10 * S;
		merge();
		timeline_merge(DEDUP_COMPLETE, lines, n, b.slot.from, b.slot.to, b.slot.left, b.slot.right,
			&scratch, &want);
		CHECK_INT(b.got.list.len, want.len);
		for (size_t i = 0; i < want.len; i++) {
			const struct pick *p = &want.data[i];
			CHECK_INT(b.got.list.data[i].t, p->t);
			CHECK(b.got.list.data[i].v ==
				(lines[p->line].flags[p->index] ? STALE_NAN_BITS : value(p->line, p->t)));
		}
		is_frame_of(0) ? bases++ : merges++;
		vec_fini(&want);
		timeline_scratch_fini(&scratch);
		tear_down();
	}
	CHECK(bases > 1000);
	CHECK(merges > 1000);
}

TEST(a_gap_inside_before_and_behind_the_base_is_filled)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
	add_floats(0, SLOT_MEMBER, 1200, 1800, 1400, 1500);
	add_floats(1, SLOT_MEMBER, 1003, 1993, 0, 0);
	merge();
	CHECK_INT(of(0), 51);
	CHECK_INT(of(1), 20 + 10 + 19);
	CHECK_INT(b.got.list.len, of(0) + of(1));
	CHECK_INT(b.result.n_parts, 0);
	CHECK_INT(b.result.input_samples, 51 + 100);
	tear_down();
}

TEST(samples_outside_the_slot_are_left_to_other_slots)
{
	set_up(DEDUP_COMPLETE, 1500 * S, 1600 * S);
	add_floats(0, SLOT_MEMBER, 1000, 2000, 1530, 1560);
	add_floats(1, SLOT_MEMBER, 1003, 1993, 0, 0);
	merge();
	CHECK_INT(of(0), 7);
	CHECK_INT(of(1), 3);
	CHECK_INT(b.got.list.data[0].t, 1500 * S);
	CHECK_INT(b.got.list.data[9].t, 1590 * S);
	tear_down();
}

TEST(chunks_of_one_replica_that_overlap_are_one_line_and_the_first_wins)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 3000 * S);
	add_floats(0, SLOT_MEMBER, 1000, 1500, 0, 0);
	add_floats(0, SLOT_MEMBER, 1400, 2000, 0, 0);
	merge();
	CHECK_INT(of(0), 51);
	CHECK_INT(of(1), 50);
	CHECK_INT(b.got.list.len, 101);
	tear_down();
}

TEST(a_base_that_can_not_be_had_is_replaced_for_now_or_for_good)
{
	static const struct {
		int r;
		bool unavailable;
	} cases[] = { { -EIO, true }, { -ETIMEDOUT, true }, { -EBADMSG, false } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
		add_floats(0, SLOT_MEMBER, 1000, 1990, 0, 0);
		add_floats(1, SLOT_MEMBER, 1003, 1993, 0, 0);
		b.fails[0] = cases[i].r;
		merge();
		CHECK_INT(of(1), 100);
		CHECK_INT(b.result.unavailable, cases[i].unavailable);
		CHECK(!b.result.no_data);
		b.fails[1] = cases[i].r;
		merge();
		CHECK(b.result.no_data);
		CHECK_INT(b.result.unavailable, cases[i].unavailable);
		tear_down();
	}
}

TEST(a_chunk_that_does_not_decode_is_reported_and_replaced)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
	add_floats(0, SLOT_MEMBER, 1000, 1990, 0, 0);
	add_floats(1, SLOT_MEMBER, 1003, 1993, 0, 0);
	b.data[0].len = 20;
	merge();
	CHECK_INT(b.corrupt, 1);
	CHECK_INT(of(1), 100);
	b.data[0].len = 0;
	b.data[1].len = 1;
	merge();
	CHECK(b.result.no_data);
	CHECK(!b.result.unavailable);
	tear_down();
}

TEST(an_encoding_that_nobody_knows_is_no_data)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
	add_floats(0, SLOT_MEMBER, 1000, 1990, 0, 0);
	b.encodings[0] = 0xff;
	merge();
	CHECK(b.result.no_data);
	CHECK_INT(b.corrupt, 1);
	tear_down();
}

TEST(a_chunk_whose_times_do_not_rise_is_put_in_order)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
	add_source(0, SLOT_MEMBER);
	struct xor_encoder x;
	xor_encoder_init(&x, &b.data[0]);
	static const int times[] = { 1000, 1010, 1030, 1020, 1040, 1040, 1050, 1060, 1070 };
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		xor_encoder_add(&x, times[i] * S, value(0, times[i] * S));
	xor_encoder_finish(&x);
	add_floats(1, SLOT_MEMBER, 1500, 1510, 0, 0);
	merge();
	CHECK_INT(of(0), 8);
	CHECK_INT(of(1), 2);
	tear_down();
}

TEST(an_alone_chunk_is_copied_as_it_is)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 1991 * S);
	add_floats(0, SLOT_MEMBER, 1000, 1990, 1300, 1700);
	merge();
	CHECK(is_frame_of(0));
	CHECK_INT(b.result.input_samples, 0);
	tear_down();
}

TEST(deleted_samples_are_filled_by_the_other_replica)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
	add_floats(0, SLOT_MEMBER, 1000, 1990, 0, 0)->tombstoned_series = 16;
	b.deleted = (struct tombstone){ 16, { 1500 * S, 1599 * S } };
	b.tombstones = (struct tombstones){ &b.deleted, 1 };
	merge();
	CHECK_INT(of(0), 90);
	CHECK_INT(b.got.list.len, 90);
	add_floats(1, SLOT_MEMBER, 1003, 1993, 0, 0);
	merge();
	CHECK_INT(of(0), 90);
	CHECK_INT(of(1), 10);
	tear_down();
}

TEST(histograms_of_both_kinds_merge_as_whole_samples)
{
	static const uint8_t encodings[] = { CHUNK_HISTOGRAM, CHUNK_FLOAT_HISTOGRAM };
	for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
		set_up(DEDUP_COMPLETE, 1000 * S, 3000 * S);
		add_histograms(0, encodings[i], HISTOGRAM_UNKNOWN_RESET, 1000, 50, 10);
		add_histograms(1, encodings[i], HISTOGRAM_UNKNOWN_RESET, 1003, 100, 10);
		merge();
		CHECK_INT(of(0), 50);
		CHECK_INT(of(1), 50);
		CHECK_INT(b.encoding, encodings[i]);
		CHECK_INT(b.result.n_parts, 0);
		tear_down();
	}
}

/* Merges each part as the slot it will be, and counts the samples. */
static size_t merge_parts(uint8_t *encodings)
{
	struct slot_result whole = b.result;
	struct slot slot = b.slot;
	size_t n = 0;
	for (unsigned i = 0; i < whole.n_parts; i++) {
		b.slot = slot;
		b.slot.capacity = whole.parts[i].bytes;
		b.slot.from = i ? whole.parts[i].mint : slot.from;
		b.slot.to = i + 1 < whole.n_parts ? whole.parts[i + 1].mint : slot.to;
		merge();
		CHECK_INT(b.result.n_parts, 0);
		CHECK_INT(b.out.len, whole.parts[i].bytes);
		CHECK_INT(b.got.list.data[0].t, whole.parts[i].mint);
		CHECK_INT(b.got.list.data[b.got.list.len - 1].t, whole.parts[i].maxt);
		encodings[i] = b.encoding;
		n += b.got.list.len;
	}
	return n;
}

TEST(floats_and_histograms_never_stand_in_one_chunk)
{
	uint8_t encodings[SLOT_OVERRIDE_MAX_PARTS];
	set_up(DEDUP_COMPLETE, 1000 * S, 3000 * S);
	add_floats(0, SLOT_MEMBER, 1000, 1990, 1300, 1500);
	add_histograms(1, CHUNK_HISTOGRAM, HISTOGRAM_UNKNOWN_RESET, 1203, 40, 1);
	merge();
	CHECK_INT(b.result.n_parts, 3);
	CHECK_INT(of(0), 80); /* the base's alone, for now */
	CHECK_INT(b.got.list.len, 80);
	CHECK_INT(merge_parts(encodings), 100);
	CHECK_INT(encodings[0], CHUNK_XOR);
	CHECK_INT(encodings[1], CHUNK_HISTOGRAM);
	CHECK_INT(encodings[2], CHUNK_XOR);
	tear_down();
}

TEST(kinds_of_histograms_and_counter_resets_start_chunks)
{
	uint8_t encodings[SLOT_OVERRIDE_MAX_PARTS];
	set_up(DEDUP_COMPLETE, 1000 * S, 9000 * S);
	add_histograms(0, CHUNK_HISTOGRAM, HISTOGRAM_UNKNOWN_RESET, 1000, 50, 1000);
	add_histograms(1, CHUNK_HISTOGRAM, HISTOGRAM_UNKNOWN_RESET, 1505, 20, 5); /* fell */
	add_histograms(2, CHUNK_FLOAT_HISTOGRAM, HISTOGRAM_UNKNOWN_RESET, 1707, 20, 5);
	add_histograms(3, CHUNK_FLOAT_HISTOGRAM, HISTOGRAM_GAUGE, 1909, 20, 5);
	merge();
	CHECK_INT(b.result.n_parts, 4);
	CHECK_INT(of(0), 50);
	CHECK_INT(merge_parts(encodings), 110);
	CHECK_INT(encodings[1], CHUNK_HISTOGRAM);
	CHECK_INT(encodings[2], CHUNK_FLOAT_HISTOGRAM);
	CHECK_INT(encodings[3], CHUNK_FLOAT_HISTOGRAM);
	tear_down();
}

TEST(what_does_not_fit_serves_the_base_and_says_what_it_takes)
{
	uint8_t encodings[SLOT_OVERRIDE_MAX_PARTS];
	set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
	add_floats(0, SLOT_MEMBER, 1000, 1990, 1300, 1500);
	add_floats(1, SLOT_MEMBER, 1003, 1993, 0, 0);
	b.slot.capacity = (uint32_t)chunk_frame_bytes(b.data[0].len);
	merge();
	CHECK_INT(b.result.n_parts, 1);
	CHECK(b.result.parts[0].bytes > b.slot.capacity);
	CHECK(is_frame_of(0));
	CHECK_INT(merge_parts(encodings), 100);
	/* Not even the base fits: an empty chunk. */
	b.slot.capacity = 16;
	b.slot.from = 1000 * S;
	b.slot.to = 2000 * S;
	merge();
	CHECK_INT(b.got.list.len, 0);
	CHECK_INT(b.result.n_parts, 1);
	tear_down();
}

TEST(many_resets_are_learned_64_parts_at_a_time)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 100000 * S);
	/* A float sample of one, a histogram of the other, in turn. */
	struct slot_source *s = add_source(0, SLOT_MEMBER);
	struct xor_encoder x;
	xor_encoder_init(&x, &b.data[s->source]);
	for (int i = 0; i < 100; i++)
		xor_encoder_add(&x, (1000 + 40 * i + (i % 2 ? 0 : 1)) * S, value(0, i));
	xor_encoder_finish(&x);
	s->tombstoned_series = 16;
	b.deleted = (struct tombstone){ 99, { 0, 1 } };
	b.tombstones = (struct tombstones){ &b.deleted, 1 };
	add_histograms(1, CHUNK_HISTOGRAM, HISTOGRAM_UNKNOWN_RESET, 1020, 1, 1);
	struct slot_source *h = &b.sources[1];
	buf_reset(&b.data[1]);
	auto_of(histogram_chunk) struct histogram_chunk *c =
		sketch_histogram_chunk(false, HISTOGRAM_UNKNOWN_RESET, 1020 * S, 40 * S, 100, 1, 1, 0);
	struct histogram_pick picks[100];
	for (size_t i = 0; i < 100; i++)
		picks[i] = (struct histogram_pick){ c, (uint32_t)i };
	CHECK_INT(histogram_chunk_encode(picks, 100, HISTOGRAM_UNKNOWN_RESET, &b.data[1]), 100);
	h->rank = 1;
	slot_merger_free(b.merger);
	b.merger = slot_merger_new(DEDUP_CHAIN);
	merge();
	CHECK_INT(b.result.n_parts, SLOT_OVERRIDE_MAX_PARTS);
	CHECK_INT(b.result.output_samples, 200);
	/* The last part holds the rest, and says so in turn. */
	b.slot.from = b.result.parts[SLOT_OVERRIDE_MAX_PARTS - 1].mint;
	merge();
	CHECK_INT(b.result.n_parts, SLOT_OVERRIDE_MAX_PARTS);
	CHECK_INT(b.result.output_samples, 200 - 63);
	tear_down();
}

TEST(markers_beyond_the_sides_decide_whether_a_gap_begins_there)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
	b.slot.right = 2000 * S;
	add_floats(0, SLOT_MEMBER, 1000, 1990, 0, 0);
	add_floats(1, SLOT_MEMBER, 1003, 1993, 0, 0);
	/* The next chunk of the base starts with a marker: it is no sample that closes the gap. */
	struct slot_source *after = add_source(0, SLOT_AFTER);
	struct xor_encoder x;
	xor_encoder_init(&x, &b.data[after->source]);
	xor_encoder_add(&x, 2000 * S, STALE_NAN_BITS);
	xor_encoder_add(&x, 2500 * S, value(2, 2500 * S));
	xor_encoder_finish(&x);
	merge();
	CHECK_INT(of(0), 100);
	CHECK_INT(of(1), 1); /* 1993 */
	tear_down();
}

TEST(the_same_merger_gives_the_same_bytes_again)
{
	auto_buf struct buf first = { 0 };
	for (int func = DEDUP_COMPLETE; func <= DEDUP_CHAIN; func++) {
		set_up((enum dedup_func)func, 1000 * S, 2000 * S);
		add_floats(0, SLOT_MEMBER, 1000, 1990, 1300, 1500);
		add_floats(1, SLOT_MEMBER, 1003, 1993, 0, 0);
		merge();
		buf_reset(&first);
		buf_add(&first, b.out.data, b.out.len);
		merge();
		CHECK_INT(b.out.len, first.len);
		CHECK(!memcmp(b.out.data, first.data, first.len));
		CHECK_INT(b.got.list.len, func == DEDUP_CHAIN ? 180 : b.got.list.len);
		tear_down();
	}
}

/* How often the base is fetched where it was expected when it could not be had. */
static void check_fetches_of_base(int at_first, unsigned want)
{
	set_up_without_gaps();
	CHECK(slot_decodes_base(&b.slot));
	b.fails[0] = at_first;
	slot_merger_expect_none(b.merger);
	CHECK(slot_merger_expect(b.merger, &b.slot, &b.reader));
	if (at_first < 0)
		slot_merger_unexpect(b.merger);
	slot_merger_expect_end(b.merger);
	b.fails[0] = 0;
	slot_merge(b.merger, &b.slot, &b.reader, &b.out, &b.result);
	CHECK(is_frame_of(0));
	CHECK_INT(b.fetched[0], want);
	tear_down();
}

TEST(a_base_that_was_expected_is_fetched_once_and_one_that_is_not_expected_after_all_again)
{
	check_fetches_of_base(0, 1);
	check_fetches_of_base(-EAGAIN, 2);
}

TEST(a_slot_without_members_is_no_data)
{
	set_up(DEDUP_COMPLETE, 1000 * S, 2000 * S);
	merge();
	CHECK(b.result.no_data);
	tear_down();
}

TEST_MAIN()
