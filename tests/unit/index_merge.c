/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/index_merge.h"
#include "dedup/slot_map.h"
#include "lib/base/file.h"
#include "lib/tsdb/index_stream.h"
#include "tests/support/index_fixture.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

#define MAX_BLOCKS           64
#define REF(segment, offset) ((uint64_t)(segment) << 32 | (offset))

static const char *const replica_labels[] = { "replica" };

/* A window under construction, its merge and what came out. */
struct window {
	struct index_fixture blocks[MAX_BLOCKS];
	struct index_merge_input inputs[MAX_BLOCKS];
	size_t n;
	struct index_merge_result result;
	struct index_contents got;
	int bad;
	struct err e;
};

static struct window w;

static const char *in_dir(const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", test_dir(), name);
	return path;
}

static struct index_fixture *block(const char *external, unsigned replica)
{
	struct index_fixture *f = &w.blocks[w.n];
	index_fixture_init(f, (unsigned)w.n + 1, 3);
	fixture_labels(&f->meta.thanos.labels, external);
	w.inputs[w.n++].source =
		(struct dedup_source){ .block = &f->block, .replica = replica, .passthrough = true };
	return f;
}

static void series(struct index_fixture *f, const char *words, int64_t mint, int64_t maxt, uint64_t ref)
{
	fixture_chunk(index_fixture_add(f, words), mint, maxt, ref);
}

static int merge(void)
{
	for (size_t i = 0; i < w.n; i++) {
		char name[32];
		snprintf(name, sizeof name, "source%zu", i);
		if (!w.inputs[i].index) {
			index_fixture_write(&w.blocks[i], in_dir(name));
			w.inputs[i].index = w.blocks[i].index;
		}
	}
	static const struct dedup_settings settings = { .replica_labels = replica_labels,
		.n_replica_labels = 1 };
	return index_merge(test_dir(), w.inputs, w.n, &settings, NULL, &w.result, &w.bad, &w.e);
}

static void merge_ok(void)
{
	CHECK_OK(merge(), &w.e);
	CHECK_INT(w.bad, -1);
	index_contents_read(&w.got, in_dir("index"));
}

static void window_fini(void)
{
	for (size_t i = 0; i < w.n; i++)
		index_fixture_fini(&w.blocks[i]);
	index_merge_result_fini(&w.result);
	index_contents_fini(&w.got);
}

static const char *got_words(size_t i)
{
	CHECK(i < w.got.series.len);
	return fixture_words(&w.got.series.data[i].labels);
}

TEST(one_block_keeps_its_chunks_and_gains_its_external_labels)
{
	struct index_fixture *f = block("cluster=eu,replica=a", 0);
	struct fixture_series *s = index_fixture_add(f, "__name__=up,job=x");
	fixture_chunk(s, 0, 99, REF(1, 8));
	fixture_chunk(s, 100, 199, REF(1, 500));
	series(f, "__name__=down,zone=z", 5, 6, REF(0, 8));
	merge_ok();
	CHECK_INT(w.got.series.len, 2);
	CHECK_STR(got_words(0), "{__name__=down,cluster=eu,zone=z}");
	CHECK_STR(got_words(1), "{__name__=up,cluster=eu,job=x}");
	const struct chunk_meta *c = w.got.series.data[1].chunks.data;
	CHECK_INT(w.got.series.data[1].chunks.len, 2);
	CHECK_INT(c[0].mint, 0);
	CHECK_INT(c[0].maxt, 99);
	CHECK_INT(c[1].mint, 100);
	/* Segments are numbered as they are met, and those nobody refers to aren't listed. */
	CHECK_INT(w.got.series.data[0].chunks.data[0].ref, REF(0, 8));
	CHECK_INT(c[0].ref, REF(1, 8));
	CHECK_INT(c[1].ref, REF(1, 500));
	CHECK_INT(w.result.segments.len, 2);
	CHECK_INT(w.result.segments.data[0].segment, 0);
	CHECK_INT(w.result.segments.data[1].segment, 1);
	CHECK_INT(w.result.series, 2);
	CHECK_INT(w.result.passed_series, 2);
	CHECK_INT(w.result.merged_series, 0);
	CHECK_INT(w.result.chunks, 3);
	CHECK_INT(w.result.slots, 0);
	CHECK_INT(w.result.input_series, 2);
	CHECK(w.result.index_bytes > 100);
	window_fini();
}

TEST(replicas_of_a_series_become_one_with_slots)
{
	series(block("cluster=eu,replica=a", 0), "__name__=up", 0, 1000000, REF(0, 8));
	series(block("cluster=eu,replica=b", 1), "__name__=up", 10, 1000010, REF(0, 700));
	series(&w.blocks[1], "__name__=only_b", 0, 10, REF(2, 9));
	merge_ok();
	CHECK_INT(w.got.series.len, 2);
	CHECK_STR(got_words(0), "{__name__=only_b,cluster=eu}");
	CHECK_STR(got_words(1), "{__name__=up,cluster=eu}");
	CHECK_INT(w.result.merged_series, 1);
	CHECK_INT(w.result.passed_series, 1);
	CHECK(w.result.slots > 0);
	CHECK_INT(w.result.segments.len, 2);
	CHECK(!w.result.segments.data[0].is_synthetic);
	CHECK_INT(w.result.segments.data[0].source, 1);
	CHECK_INT(w.result.segments.data[0].segment, 2);
	CHECK(w.result.segments.data[1].is_synthetic);
	CHECK_INT(w.got.series.data[1].chunks.data[0].ref, REF(1, SLOT_FIRST_OFFSET));
	window_fini();
}

TEST(external_labels_overwrite_and_the_order_is_restored)
{
	struct index_fixture *f = block("cluster=eu", 0);
	series(f, "cluster=a,x=2", 0, 1, REF(0, 100));
	series(f, "cluster=b,x=1", 0, 1, REF(0, 200));
	series(f, "a=1", 0, 1, REF(0, 300));
	series(f, "a=1,b=1", 0, 1, REF(0, 400));
	merge_ok();
	CHECK_STR(got_words(0), "{a=1,b=1,cluster=eu}");
	CHECK_STR(got_words(1), "{a=1,cluster=eu}");
	CHECK_STR(got_words(2), "{cluster=eu,x=1}");
	CHECK_STR(got_words(3), "{cluster=eu,x=2}");
	CHECK_INT(w.got.series.len, 4);
	window_fini();
}

TEST(series_that_differ_only_in_a_replica_label_of_their_own_are_replicas)
{
	struct index_fixture *f = block("cluster=eu", 0);
	series(f, "__name__=up,replica=a", 0, 1000000, REF(0, 100));
	series(f, "__name__=up,replica=b", 0, 1000000, REF(0, 200));
	merge_ok();
	CHECK_INT(w.got.series.len, 1);
	CHECK_STR(got_words(0), "{__name__=up,cluster=eu}");
	CHECK_INT(w.result.merged_series, 1);
	CHECK_INT(w.result.input_series, 2);
	window_fini();
}

TEST(a_series_that_loses_all_its_labels_is_left_out)
{
	struct index_fixture *f = block("replica=a", 0);
	series(f, "replica=b", 0, 1, REF(0, 100));
	series(f, "x=1", 0, 1, REF(0, 200));
	merge_ok();
	CHECK_INT(w.got.series.len, 1);
	CHECK_STR(got_words(0), "{x=1}");
	window_fini();
}

TEST(deleted_chunks_and_series_are_left_out)
{
	struct index_fixture *f = block("cluster=eu", 0);
	struct fixture_series *s = index_fixture_add(f, "__name__=up");
	fixture_chunk(s, 0, 9, REF(0, 100));
	fixture_chunk(s, 10, 19, REF(0, 200));
	fixture_chunk(s, 20, 29, REF(0, 300));
	series(f, "__name__=zzz", 0, 9, REF(0, 400));
	index_fixture_write(f, in_dir("source0"));
	w.inputs[0].index = f->index;
	struct tombstone deleted[] = {
		{ f->series.data[0].ref, { -5, 9 } },
		{ f->series.data[0].ref, { 12, 13 } },
		{ f->series.data[1].ref, { 0, 9 } },
	};
	struct tombstones tombstones = { .data = deleted, .len = ARRAY_LEN(deleted) };
	w.inputs[0].tombstones = &tombstones;
	merge_ok();
	CHECK_INT(w.got.series.len, 1);
	CHECK_INT(w.got.series.data[0].chunks.len, 2);
	const struct chunk_meta *c = w.got.series.data[0].chunks.data;
	/* The chunk that lost samples is made anew, without them. */
	CHECK(w.result.segments.data[chunk_ref_segment(c[0].ref)].is_synthetic);
	CHECK(!w.result.segments.data[chunk_ref_segment(c[1].ref)].is_synthetic);
	CHECK_INT(chunk_ref_offset(c[1].ref), 300);
	window_fini();
}

TEST(frames_reach_to_the_next_chunk_of_the_segment)
{
	/* Two replicas with the same times, so that every chunk is the source of a slot. */
	for (unsigned i = 0; i < 2; i++) {
		struct index_fixture *f = block(i ? "replica=b" : "replica=a", i);
		struct fixture_series *s = index_fixture_add(f, "a=1");
		fixture_chunk(s, 0, 1000000, REF(0, 100));
		fixture_chunk(s, 2000000, 3000000, REF(0, 350));
		series(f, "b=1", 0, 1000000, REF(0, 1000));
		series(f, "c=1", 0, 1000000, REF(1, 8));      /* the last of segment 0 was b's */
		series(f, "d=1", 0, 1000000, REF(1, 200000)); /* too far from c's */
		series(f, "e=1", 0, 1000000, REF(1, 200));    /* behind d's */
		f->block.segment_bytes[0] = 1500;
		f->block.segment_bytes[1] = 200040;
	}
	static const struct {
		uint32_t offset, frame_bytes;
	} want[] = { { 100, 250 }, { 350, 650 }, { 1000, 500 }, { 8, 4096 }, { 200000, 4096 },
		{ 200, 4096 } };
	merge_ok();
	struct err e;
	auto_of(slot_map) struct slot_map *map = NULL;
	struct slot_cursor cursor = { 0 };
	CHECK_OK(slot_map_open(in_dir("slots"), &map, &e), &e);
	CHECK_INT(slot_map_slots(map), ARRAY_LEN(want));
	size_t checked = 0;
	int r = slot_map_seek(map, &cursor, 0, 0, &e);
	for (; r > 0; r = slot_map_next(map, &cursor, &e)) {
		const struct slot *s = &slot_cursor_get(&cursor)->slot;
		for (uint32_t i = 0; i < s->n_sources; i++) {
			for (size_t k = 0; k < ARRAY_LEN(want); k++) {
				if (chunk_ref_offset(s->sources[i].ref) != want[k].offset)
					continue;
				CHECK_INT(s->sources[i].frame_bytes, want[k].frame_bytes);
				checked++;
			}
		}
	}
	CHECK(checked >= 2 * ARRAY_LEN(want));
	CHECK_INT(r, 0);
	slot_cursor_fini(&cursor);
	window_fini();
}

TEST(many_blocks_merge_like_few)
{
	for (unsigned i = 0; i < MAX_BLOCKS; i++) {
		struct index_fixture *f =
			block(i % 2 ? "cluster=eu,replica=b" : "cluster=eu,replica=a", i % 2);
		char words[64];
		series(f, "__name__=all", 1000000 * i, 1000000 * i + 900000, REF(0, 8));
		snprintf(words, sizeof words, "__name__=own_%02u", MAX_BLOCKS - i);
		series(f, words, 0, 1, REF(0, 500));
	}
	merge_ok();
	CHECK_INT(w.got.series.len, MAX_BLOCKS + 1);
	CHECK_STR(got_words(0), "{__name__=all,cluster=eu}");
	CHECK_STR(got_words(1), "{__name__=own_01,cluster=eu}");
	CHECK_STR(got_words(MAX_BLOCKS), "{__name__=own_64,cluster=eu}");
	CHECK(w.got.series.data[0].chunks.len >= MAX_BLOCKS);
	window_fini();
}

static void check_refused(const char *words)
{
	int r = merge();
	CHECK(r < 0);
	CHECK_INT(r, -EBADMSG);
	CHECK_INT(w.bad, 1);
	CHECK_HAS(w.e.msg, w.blocks[1].block.ulid);
	CHECK_HAS(w.e.msg, words);
	CHECK(!file_exists(in_dir("index")));
	CHECK(!file_exists(in_dir("slots")));
	CHECK_INT(w.result.segments.len, 0);
	window_fini();
}

TEST(a_chunk_outside_the_segments_is_refused)
{
	static const struct {
		uint64_t ref;
		const char *words;
	} cases[] = {
		{ REF(3, 8), "segment 3" },
		{ REF(0, 0), "offset 0" },
		{ REF(2, 512u << 20), "offset 536870912" },
		{ UINT64_MAX, "18446744073709551615" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		memset(&w, 0, sizeof w);
		series(block("replica=a", 0), "a=1", 0, 1, REF(0, 8));
		series(block("replica=b", 1), "a=1", 0, 1, cases[i].ref);
		check_refused(cases[i].words);
	}
}

TEST(an_index_that_is_none_is_refused_and_named)
{
	series(block("replica=a", 0), "a=1", 0, 1, REF(0, 8));
	block("replica=b", 1);
	w.inputs[1].index = w.blocks[1].index = blob_of_memory("garbage", "this is not an index", 20);
	check_refused("garbage");
}

TEST(a_damaged_series_is_refused_and_named)
{
	static struct window saved;
	series(block("replica=a", 0), "aaa=1", 0, 1, REF(0, 8));
	series(block("replica=b", 1), "aaa=1,bbb=2", 0, 1, REF(0, 8));
	merge_ok();
	index_contents_fini(&w.got);
	index_merge_result_fini(&w.result);
	/* The same once more with each byte of the second block's index changed. */
	struct err e;
	auto_buf struct buf bytes = { 0 };
	CHECK_OK(blob_read_buf(w.inputs[1].index, &bytes, w.inputs[1].index->size, 0, &e), &e);
	saved = w;
	size_t refused = 0;
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] ^= 0x41;
		w.inputs[1].index = blob_of_memory("damaged", bytes.data, bytes.len);
		bytes.data[i] ^= 0x41;
		int r = merge();
		if (r < 0) {
			refused++;
			CHECK_INT(w.bad, 1);
			CHECK_HAS(w.e.msg, w.blocks[1].block.ulid);
		}
		index_merge_result_fini(&w.result);
		blob_close(w.inputs[1].index);
	}
	CHECK(refused > bytes.len / 4);
	w = saved;
	window_fini();
}

TEST(series_out_of_order_are_refused)
{
	series(block("replica=a", 0), "a=1", 0, 1, REF(0, 8));
	struct index_fixture *f = block("replica=b", 1);
	series(f, "a=1", 0, 1, REF(0, 8));
	series(f, "a=2", 0, 1, REF(0, 100));
	merge_ok();
	index_contents_fini(&w.got);
	index_merge_result_fini(&w.result);
	/* The first series' entry, checksum included, is copied over the second's: the same labels twice. */
	struct err e;
	auto_buf struct buf bytes = { 0 };
	CHECK_OK(blob_read_buf(f->index, &bytes, f->index->size, 0, &e), &e);
	size_t first = f->series.data[0].ref * 16, second = f->series.data[1].ref * 16;
	memcpy(bytes.data + second, bytes.data + first, second - first);
	blob_close(f->index);
	w.inputs[1].index = f->index = blob_of_memory("disordered", bytes.data, bytes.len);
	check_refused("does not sort");
}

TEST(a_directory_that_is_not_there_is_our_own_fault)
{
	series(block("replica=a", 0), "a=1", 0, 1, REF(0, 8));
	index_fixture_write(&w.blocks[0], in_dir("source0"));
	w.inputs[0].index = w.blocks[0].index;
	static const struct dedup_settings settings = { 0 };
	int r = index_merge(in_dir("nowhere"), w.inputs, 1, &settings, NULL, &w.result, &w.bad, &w.e);
	CHECK_INT(r, -ENOENT);
	CHECK_INT(w.bad, -1);
	CHECK_HAS(w.e.msg, "nowhere");
	window_fini();
}

TEST(a_window_has_one_to_4096_blocks)
{
	static const struct dedup_settings settings = { 0 };
	CHECK_INT(index_merge(test_dir(), w.inputs, 0, &settings, NULL, &w.result, &w.bad, &w.e), -EINVAL);
	CHECK_INT(index_merge(test_dir(), w.inputs, 4097, &settings, NULL, &w.result, &w.bad, &w.e), -EINVAL);
	CHECK_HAS(w.e.msg, "4097");
}

TEST(the_same_sources_give_the_same_bytes)
{
	struct buf index[2] = { 0 }, slots[2] = { 0 };
	for (unsigned i = 0; i < 2; i++) {
		memset(&w, 0, sizeof w);
		for (unsigned k = 0; k < 6; k++) {
			struct index_fixture *f =
				block(k % 2 ? "cluster=eu,replica=b" : "cluster=eu,replica=a", k % 2);
			for (unsigned j = 0; j < 20; j++) {
				char words[64];
				snprintf(words, sizeof words, "__name__=m%02u,replica=r%u", j, k % 3);
				series(f, words, k * 1000 + j, k * 1000 + j + 60000, REF(0, 8 + 300 * j));
			}
		}
		struct err e;
		CHECK_OK(merge(), &w.e);
		CHECK_OK(file_read(in_dir("index"), 1 << 20, &index[i], &e), &e);
		CHECK_OK(file_read(in_dir("slots"), 1 << 20, &slots[i], &e), &e);
		window_fini();
	}
	CHECK_INT(index[0].len, index[1].len);
	CHECK(memcmp(index[0].data, index[1].data, index[0].len) == 0);
	CHECK_INT(slots[0].len, slots[1].len);
	CHECK(memcmp(slots[0].data, slots[1].data, slots[0].len) == 0);
	for (unsigned i = 0; i < 2; i++) {
		buf_fini(&index[i]);
		buf_fini(&slots[i]);
	}
}

TEST_MAIN()
