/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/window.h"

#include "lib/base/file.h"
#include "tests/support/index_fixture.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

#define MAX_BLOCKS 16

static struct index_fixture fixtures[MAX_BLOCKS];
static struct catalogue_block *blocks[MAX_BLOCKS];
static size_t n_blocks;
static const char *const labels_a[] = { "replica" };
static const char *const labels_b[] = { "rep", "replica" };
static const struct dedup_settings settings = { DEDUP_COMPLETE, labels_a, 1 };

/* Blocks are numbered from 1 in the order they are added. */
static void block(int64_t min_time, int64_t max_time, const char *labels)
{
	struct index_fixture *f = &fixtures[n_blocks];
	index_fixture_init(f, (unsigned)n_blocks + 1, 1);
	f->meta.min_time = min_time;
	f->meta.max_time = max_time;
	fixture_labels(&f->meta.thanos.labels, labels);
	blocks[n_blocks++] = &f->block;
}

static struct windows form(const struct dedup_settings *s, const struct slot_overrides *o)
{
	struct err e;
	struct windows w = { 0 };
	CHECK_OK(windows_of(blocks, n_blocks, s, o, &w, &e), &e);
	return w;
}

static void tear_down(struct windows *w)
{
	windows_fini(w);
	for (size_t i = 0; i < n_blocks; i++)
		index_fixture_fini(&fixtures[i]);
	n_blocks = 0;
}

/* "1,3 2": the numbers of each window's blocks. */
static void check_windows(const struct windows *w, const char *want)
{
	char got[256] = "";
	size_t at = 0;
	for (size_t i = 0; i < w->len; i++)
		for (size_t k = 0; k < w->data[i].n; k++)
			at += (size_t)snprintf(got + at, sizeof got - at, "%s%d",
				k   ? ","
				: i ? " "
				    : "",
				w->data[i].sources[k].block->meta->ulid.bytes[15]);
	CHECK_STR(got, want);
}

TEST(blocks_that_overlap_form_one_window)
{
	static const struct {
		int64_t times[4][2];
		size_t n;
		const char *want;
	} cases[] = {
		{ { { 0, 10 }, { 0, 10 } }, 2, "1,2" },
		{ { { 0, 10 }, { 10, 20 } }, 2, "1 2" }, /* they touch */
		{ { { 0, 10 }, { 9, 20 }, { 19, 30 } }, 3, "1,2,3" },
		{ { { 20, 30 }, { 0, 10 }, { 5, 6 } }, 3, "2,3 1" },
		{ { { 0, 100 }, { 5, 6 }, { 99, 200 }, { 200, 201 } }, 4, "1,2,3 4" },
		{ { { 0, 0 }, { 0, 10 } }, 2, "1 2" },
		{ { { 0, 0 } }, 0, "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t k = 0; k < cases[i].n; k++)
			block(cases[i].times[k][0], cases[i].times[k][1], "a=1");
		struct windows w = form(&settings, NULL);
		check_windows(&w, cases[i].want);
		for (size_t k = 1; k < w.len; k++)
			CHECK(w.data[k].min_time >= w.data[k - 1].max_time);
		tear_down(&w);
	}
}

TEST(a_name_depends_on_sources_and_settings_and_not_on_their_order)
{
	struct err e;
	block(0, 10, "a=1,replica=x");
	block(0, 10, "a=1,replica=y");
	block(5, 20, "a=1,replica=x");
	struct windows w = form(&settings, NULL);
	struct ulid name = w.data[0].ulid;
	CHECK_INT(ulid_time_ms(&name), 20);
	windows_fini(&w);

	struct catalogue_block *reversed[] = { blocks[2], blocks[1], blocks[0] };
	CHECK_OK(windows_of(reversed, 3, &settings, NULL, &w, &e), &e);
	CHECK_INT(ulid_cmp(&w.data[0].ulid, &name), 0);
	windows_fini(&w);

	const struct dedup_settings others[] = { { DEDUP_PENALTY, labels_a, 1 }, { DEDUP_CHAIN, labels_a, 1 },
		{ DEDUP_COMPLETE, labels_b, 2 }, { DEDUP_COMPLETE, labels_b, 1 },
		{ DEDUP_COMPLETE, NULL, 0 } };
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		w = form(&others[i], NULL);
		CHECK(ulid_cmp(&w.data[0].ulid, &name) != 0);
		windows_fini(&w);
	}
	CHECK_OK(windows_of(blocks, 2, &settings, NULL, &w, &e), &e);
	CHECK(ulid_cmp(&w.data[0].ulid, &name) != 0);
	tear_down(&w);
}

TEST(exact_slot_sizes_of_its_sources_give_a_window_another_name)
{
	struct err e;
	struct slot_overrides *o;
	auto_free char *path = xasprintf("%s/slot-overrides", test_dir());
	const struct slot_part part = { 1, 2, 3 };
	block(0, 10, "a=1");
	block(10, 20, "a=1");
	CHECK_OK(slot_overrides_open(path, &o, &e), &e);
	struct windows before = form(&settings, o);
	struct slot_key key = { .source = fixtures[0].meta.ulid, .ref = 8, .from = 0, .to = 9 };
	CHECK_INT(slot_overrides_add(o, &key, &part, 1, &e), 1);
	slot_overrides_activate(o);
	struct windows after = form(&settings, o);
	CHECK(ulid_cmp(&before.data[0].ulid, &after.data[0].ulid) != 0);
	CHECK_INT(ulid_cmp(&before.data[1].ulid, &after.data[1].ulid), 0);
	slot_overrides_close(o);
	windows_fini(&before);
	tear_down(&after);
}

TEST(replicas_are_numbered_by_the_names_of_their_identities)
{
	block(0, 10, "a=1,replica=z");
	block(0, 10, "a=1,replica=b");
	block(0, 10, "a=2,replica=z");
	block(0, 10, "a=2");
	struct windows w = form(&settings, NULL);
	static const unsigned want[] = { 2, 1, 2, 0 };
	for (size_t i = 0; i < 4; i++)
		CHECK_INT(w.data[0].sources[i].replica, want[i]);
	tear_down(&w);
}

TEST(chunks_pass_through_where_no_other_replica_covers_the_same_targets)
{
	static const struct {
		int64_t min_time, max_time;
		const char *labels;
		bool passthrough;
	} blocks_of[] = {
		{ 0, 100, "cluster=eu,replica=a", false }, /* has its twin */
		{ 0, 100, "cluster=eu,replica=b", false },
		{ 0, 100, "cluster=us,replica=a", true },  /* alone in its cluster */
		{ 0, 1000, "cluster=ap,replica=a", true }, /* its twin covers a little only */
		{ 0, 100, "cluster=ap,replica=b", false },
		{ 0, 100, "cluster=me", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(blocks_of); i++)
		block(blocks_of[i].min_time, blocks_of[i].max_time, blocks_of[i].labels);
	struct windows w = form(&settings, NULL);
	CHECK_INT(w.len, 1);
	for (size_t i = 0; i < ARRAY_LEN(blocks_of); i++)
		CHECK_INT(w.data[0].sources[i].passthrough, blocks_of[i].passthrough);
	tear_down(&w);
}

TEST(times_at_the_ends_of_their_range_do_not_overflow)
{
	block(INT64_MIN, INT64_MAX, "a=1,replica=a");
	block(INT64_MIN, INT64_MAX, "a=1,replica=b");
	block(-10, -5, "a=1,replica=c");
	struct windows w = form(&settings, NULL);
	check_windows(&w, "1,2,3");
	CHECK(!w.data[0].sources[0].passthrough);
	CHECK_INT(ulid_time_ms(&w.data[0].ulid), (1ll << 48) - 1);
	tear_down(&w);
	block(-10, -5, "a=1");
	w = form(&settings, NULL);
	CHECK_INT(ulid_time_ms(&w.data[0].ulid), 0);
	tear_down(&w);
}

TEST(more_blocks_than_a_window_holds_are_an_error)
{
	static struct catalogue_block *many[DEDUP_MAX_SOURCES + 1];
	struct err e;
	struct windows w = { 0 };
	block(0, 10, "a=1");
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = blocks[0];
	CHECK_INT(windows_of(many, ARRAY_LEN(many), &settings, NULL, &w, &e), -E2BIG);
	CHECK_HAS(e.msg, blocks[0]->ulid);
	tear_down(&w);
}

TEST_MAIN()
