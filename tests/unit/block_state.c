/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/block_state.h"

#include "tests/support/index_fixture.h"
#include "tests/support/test.h"

#include <errno.h>

static struct index_fixture fixtures[2];
static struct catalogue_block *sources[2];

static void set_up(struct block_state *s, struct buf *text)
{
	for (unsigned i = 0; i < 2; i++) {
		index_fixture_init(&fixtures[i], i + 1, i + 1);
		sources[i] = &fixtures[i].block;
	}
	fixtures[1].block.has_tombstones = true;
	*s = (struct block_state){ .merge = { .series = 1,
					   .merged_series = 2,
					   .passed_series = 3,
					   .chunks = 4,
					   .slots = 5,
					   .input_series = 6,
					   .index_bytes = 1ull << 40 },
		.overrides = 8 };
	vec_push(&s->merge.segments, (struct merged_segment_ref){ false, 1, 1 });
	vec_push(&s->merge.segments, (struct merged_segment_ref){ true, 0, 2 });
	vec_push(&s->merge.segments, (struct merged_segment_ref){ false, 0, 0 });
	block_state_write(s, sources, 2, text);
}

static void tear_down(struct block_state *s)
{
	block_state_fini(s);
	for (unsigned i = 0; i < 2; i++)
		index_fixture_fini(&fixtures[i]);
}

TEST(what_is_written_is_read_back)
{
	struct err e;
	struct block_state s, got;
	struct source_list list = { 0 };
	auto_buf struct buf text = { 0 };
	set_up(&s, &text);
	CHECK_OK(block_state_parse("block.json", text.data, text.len, sources, 2, &got, &e), &e);
	CHECK_INT(got.merge.series, 1);
	CHECK_INT(got.merge.merged_series, 2);
	CHECK_INT(got.merge.passed_series, 3);
	CHECK_INT(got.merge.chunks, 4);
	CHECK_INT(got.merge.slots, 5);
	CHECK_INT(got.merge.input_series, 6);
	CHECK_INT(got.merge.index_bytes, 1ull << 40);
	CHECK_INT(got.overrides, 8);
	CHECK_INT(got.merge.segments.len, 3);
	CHECK(!got.merge.segments.data[0].is_synthetic);
	CHECK_INT(got.merge.segments.data[0].source, 1);
	CHECK_INT(got.merge.segments.data[0].segment, 1);
	CHECK(got.merge.segments.data[1].is_synthetic);
	CHECK_INT(got.merge.segments.data[1].segment, 2);
	CHECK_OK(block_state_sources("block.json", text.data, text.len, &list, &e), &e);
	CHECK_INT(list.blocks.len, 2);
	for (size_t i = 0; i < 2; i++) {
		CHECK_STR(list.blocks.data[i]->ulid, sources[i]->ulid);
		CHECK_INT(list.blocks.data[i]->n_segments, i + 1);
		CHECK_INT(list.blocks.data[i]->segment_bytes[i], sources[i]->segment_bytes[i]);
		CHECK_INT(list.blocks.data[i]->has_tombstones, i);
	}
	source_list_fini(&list);
	block_state_fini(&got);
	tear_down(&s);
}

TEST(every_changed_byte_is_noticed)
{
	struct err e;
	struct block_state s, got;
	struct source_list list = { 0 };
	auto_buf struct buf text = { 0 };
	set_up(&s, &text);
	for (size_t i = 0; i < text.len; i++) {
		text.data[i] ^= 1;
		CHECK_INT(
			block_state_parse("block.json", text.data, text.len, sources, 2, &got, &e), -EBADMSG);
		CHECK_HAS(e.msg, "block.json");
		CHECK_INT(block_state_sources("block.json", text.data, text.len, &list, &e), -EBADMSG);
		text.data[i] ^= 1;
		CHECK_INT(block_state_parse("block.json", text.data, i, sources, 2, &got, &e), -EBADMSG);
	}
	tear_down(&s);
}

TEST(a_state_that_does_not_fit_the_sources_is_refused)
{
	struct err e;
	struct block_state s, got;
	auto_buf struct buf text = { 0 };
	set_up(&s, &text);
	CHECK_INT(block_state_parse("block.json", text.data, text.len, sources, 1, &got, &e), -EBADMSG);
	fixtures[1].block.n_segments = 1;
	CHECK_INT(block_state_parse("block.json", text.data, text.len, sources, 2, &got, &e), -EBADMSG);
	CHECK_HAS(e.msg, "segment");
	tear_down(&s);
}

TEST_MAIN()
