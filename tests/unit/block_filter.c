/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block_filter.h"

#include "store/block_scan.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

#define HOUR_MS 3600000

static struct catalogue_options defaults(void)
{
	return (struct catalogue_options){ .min_time_ms = INT64_MIN,
		.max_time_ms = INT64_MAX,
		.ignore_deletion_marks_delay_ms = 24 * HOUR_MS };
}

TEST(a_block_that_touches_the_time_limits_is_kept_as_in_thanos)
{
	static const struct {
		int64_t block_min, block_max, min, max;
		bool is_kept;
	} cases[] = {
		{ 10, 20, INT64_MIN, INT64_MAX, true },
		{ 10, 20, 15, 16, true },
		{ 10, 20, 0, 100, true },
		{ 10, 20, 20, 100, true },
		{ 10, 20, 21, 100, false },
		{ 10, 20, 0, 10, true },
		{ 10, 20, 0, 9, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct catalogue_options o = defaults();
		struct block_meta m = { .min_time = cases[i].block_min, .max_time = cases[i].block_max };
		o.min_time_ms = cases[i].min;
		o.max_time_ms = cases[i].max;
		if (block_filter_time_range(&o, &m) != cases[i].is_kept)
			test_fail(__FILE__, __LINE__, "case %zu is judged wrongly", i);
	}
}

TEST(a_mark_counts_once_it_is_older_than_the_delay)
{
	struct catalogue_options o = defaults();
	const int64_t now = 1700000000000;
	CHECK(!block_filter_is_deleted(&o, now, now));
	CHECK(!block_filter_is_deleted(&o, now - 24 * HOUR_MS, now));
	CHECK(block_filter_is_deleted(&o, now - 24 * HOUR_MS - 1, now));
	CHECK(!block_filter_is_deleted(&o, now + HOUR_MS, now));
	CHECK(block_filter_is_deleted(&o, INT64_MIN, now));
	CHECK(!block_filter_is_deleted(&o, INT64_MAX, now));
	o.ignore_deletion_marks_delay_ms = 0;
	CHECK(block_filter_is_deleted(&o, now - 1, now));
}

TEST(freshness_goes_by_the_upload_time_and_else_by_the_ulid)
{
	static char sidecar[] = "sidecar", compactor[] = "compactor", repair[] = "compactor.repair";
	static char bucket_repair[] = "bucket.repair", ruler[] = "ruler";
	const int64_t now = 1700000000000;
	const struct {
		char *source;
		int64_t ulid_age_ms, upload_age_ms; /* upload -1: no upload time */
		bool is_too_fresh;
	} cases[] = {
		{ sidecar, 5 * HOUR_MS, HOUR_MS - 1, true },
		{ sidecar, 5 * HOUR_MS, HOUR_MS, false },
		{ sidecar, 0, 2 * HOUR_MS, false },
		{ sidecar, HOUR_MS - 1, -1, true },
		{ sidecar, HOUR_MS, -1, false },
		{ NULL, 0, -1, true },
		{ ruler, 0, -1, true },
		{ compactor, 0, -1, false },
		{ compactor, 0, 0, false },
		{ repair, 0, -1, false },
		{ bucket_repair, 0, -1, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const uint8_t rest[10];
		struct catalogue_options o = defaults();
		struct block_meta m = { .ulid = ulid_make(now - cases[i].ulid_age_ms, rest) };
		o.consistency_delay_ms = HOUR_MS;
		m.thanos.source = cases[i].source;
		m.thanos.upload_time_ms = cases[i].upload_age_ms < 0 ? 0 : now - cases[i].upload_age_ms;
		if (block_filter_is_too_fresh(&o, &m, now) != cases[i].is_too_fresh)
			test_fail(__FILE__, __LINE__, "case %zu is judged wrongly", i);
	}
}

TEST(without_a_delay_nothing_is_too_fresh)
{
	struct catalogue_options o = defaults();
	struct block_meta m = { .ulid = ulid_random(1700000000000) };
	CHECK(!block_filter_is_too_fresh(&o, &m, 1700000000000));
}

TEST(the_selector_sees_external_labels_and_the_block_id)
{
	static const struct {
		const char *yaml;
		bool is_kept;
	} cases[] = {
		{ "- {action: keep, source_labels: [cluster], regex: eu}", true },
		{ "- {action: keep, source_labels: [cluster], regex: us}", false },
		{ "- {action: drop, source_labels: [cluster, replica], separator: /, regex: eu/a}", false },
		{ "- {action: keep, source_labels: [__block_id], regex: 01ARZ.*}", true },
		{ "- {action: drop, source_labels: [__block_id], regex: 01ARZ.*}", false },
		{ "- {action: keep, source_labels: [absent], regex: .+}", false },
	};
	struct block_meta m = { .min_time = 0 };
	CHECK(ulid_parse("01ARZ3NDEKTSV4RRFFQ69G5FAV", &m.ulid));
	labels_set(&m.thanos.labels, "cluster", "eu");
	labels_set(&m.thanos.labels, "replica", "a");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		auto_of(relabel) struct relabel_configs *selector = NULL;
		struct catalogue_options o = defaults();
		CHECK_OK(relabel_parse("x", cases[i].yaml, strlen(cases[i].yaml), &selector, &e), &e);
		o.selector = selector;
		if (block_filter_selector(&o, &m) != cases[i].is_kept)
			test_fail(__FILE__, __LINE__, "%s is judged wrongly", cases[i].yaml);
		CHECK_INT(m.thanos.labels.len, 2);
	}
	labels_fini(&m.thanos.labels);
}

/* A block written as "name cluster replica sources", one letter a source. */
struct sketch {
	char name;
	const char *cluster, *replica, *sources;
};

static struct ulid ulid_of_letter(char letter)
{
	uint8_t rest[10] = { 0 };
	return ulid_make(letter, rest);
}

static void sketch_meta(const struct sketch *s, struct block_meta *m)
{
	memset(m, 0, sizeof *m);
	m->ulid = ulid_of_letter(s->name);
	labels_set(&m->thanos.labels, "cluster", s->cluster);
	labels_set(&m->thanos.labels, "replica", s->replica);
	for (const char *c = s->sources; *c; c++)
		vec_push(&m->compaction.sources, ulid_of_letter(*c));
}

#define MOST_SKETCHES 6

TEST(a_block_whose_sources_are_among_anothers_is_a_duplicate)
{
	static const struct {
		struct sketch blocks[MOST_SKETCHES];
		const char *want; /* what covers each; '-': kept */
	} cases[] = {
		{ { { 'a', "eu", "1", "a" }, { 'b', "eu", "1", "b" } }, "--" },
		/* a compacted block and what went into it */
		{ { { 'a', "eu", "1", "a" }, { 'b', "eu", "1", "b" }, { 'c', "eu", "1", "ab" } }, "cc-" },
		{ { { 'a', "eu", "1", "a" }, { 'c', "eu", "1", "ab" }, { 'd', "eu", "1", "cab" } }, "dd-" },
		/* the same sources: the lower ULID stays */
		{ { { 'd', "eu", "1", "ab" }, { 'c', "eu", "1", "ba" } }, "c-" },
		/* the order of the sources doesn't matter, nor does one that is there twice */
		{ { { 'c', "eu", "1", "bb" }, { 'd', "eu", "1", "cba" } }, "d-" },
		/* overlapping isn't covering */
		{ { { 'c', "eu", "1", "ab" }, { 'd', "eu", "1", "be" } }, "--" },
		/* other labels: another group */
		{ { { 'a', "eu", "1", "a" }, { 'c', "us", "1", "ab" } }, "--" },
		/* replica labels don't count, as vertical compaction takes them away */
		{ { { 'a', "eu", "1", "a" }, { 'b', "eu", "2", "b" }, { 'c', "eu", "", "ab" } }, "cc-" },
		/* a block without sources is its own */
		{ { { 'a', "eu", "1", "" }, { 'b', "eu", "1", "" }, { 'c', "eu", "1", "ax" } }, "c--" },
	};
	static const char *const replica_labels[] = { "replica" };
	struct catalogue_options o = defaults();
	o.replica_labels = replica_labels;
	o.n_replica_labels = 1;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct block_meta metas[MOST_SKETCHES];
		const struct block_meta *pointers[MOST_SKETCHES];
		ssize_t covered_by[MOST_SKETCHES];
		char got[MOST_SKETCHES + 1] = "";
		size_t n = strlen(cases[i].want);
		for (size_t k = 0; k < n; k++) {
			sketch_meta(&cases[i].blocks[k], &metas[k]);
			pointers[k] = &metas[k];
		}
		block_filter_duplicates(&o, pointers, n, covered_by);
		for (size_t k = 0; k < n; k++) {
			got[k] = covered_by[k] < 0 ? '-' : cases[i].blocks[covered_by[k]].name;
			labels_fini(&metas[k].thanos.labels);
			vec_fini(&metas[k].compaction.sources);
		}
		CHECK_STR(got, cases[i].want);
	}
}

TEST(a_replica_label_that_is_not_configured_tells_groups_apart)
{
	static const struct sketch blocks[] = { { 'a', "eu", "1", "a" }, { 'c', "eu", "2", "ab" } };
	struct block_meta metas[2];
	const struct block_meta *pointers[] = { &metas[0], &metas[1] };
	ssize_t covered_by[2];
	struct catalogue_options o = defaults();
	for (int i = 0; i < 2; i++)
		sketch_meta(&blocks[i], &metas[i]);
	block_filter_duplicates(&o, pointers, 2, covered_by);
	CHECK_INT(covered_by[0], -1);
	CHECK_INT(covered_by[1], -1);
	for (int i = 0; i < 2; i++) {
		labels_fini(&metas[i].thanos.labels);
		vec_fini(&metas[i].compaction.sources);
	}
}

/* Thanos' rule, word for word: in rank order, each against all that were kept. */
static void naive_duplicates(const struct block_meta *const *metas, size_t n, bool *is_covered)
{
	for (size_t i = 0; i < n; i++) {
		is_covered[i] = false;
		for (size_t k = 0; k < n && !is_covered[i]; k++) {
			const struct block_meta *child = metas[i], *parent = metas[k];
			size_t nc = child->compaction.sources.len, np = parent->compaction.sources.len;
			bool is_ranked_before =
				np > nc || (np == nc && ulid_cmp(&parent->ulid, &child->ulid) < 0);
			if (k == i || !is_ranked_before ||
				labels_cmp(&child->thanos.labels, &parent->thanos.labels) != 0)
				continue;
			bool has_all = true;
			vec_each (source, &child->compaction.sources) {
				bool has = false;
				vec_each (other, &parent->compaction.sources)
					has |= !ulid_cmp(source, other);
				has_all &= has;
			}
			is_covered[i] = has_all;
		}
	}
}

TEST(duplicates_are_those_of_the_plain_quadratic_rule)
{
	uint64_t seed = 7;
	struct catalogue_options o = defaults();
	for (int round = 0; round < 2000; round++) {
		struct block_meta metas[12];
		const struct block_meta *pointers[12];
		ssize_t covered_by[12];
		bool want[12];
		size_t n = 1 + test_random(&seed) % 12;
		for (size_t i = 0; i < n; i++) {
			char sources[5] = "";
			size_t n_sources = 1 + test_random(&seed) % 4;
			for (size_t k = 0; k < n_sources; k++)
				sources[k] = (char)('a' + test_random(&seed) % 5);
			struct sketch s = { (char)('A' + i), test_random(&seed) % 3 ? "eu" : "us", "",
				sources };
			sketch_meta(&s, &metas[i]);
			pointers[i] = &metas[i];
		}
		naive_duplicates(pointers, n, want);
		block_filter_duplicates(&o, pointers, n, covered_by);
		for (size_t i = 0; i < n; i++) {
			if ((covered_by[i] >= 0) != want[i])
				test_fail(__FILE__, __LINE__, "round %d: block %zu of %zu is judged wrongly",
					round, i, n);
			CHECK(covered_by[i] < 0 || covered_by[covered_by[i]] < 0);
			labels_fini(&metas[i].thanos.labels);
			vec_fini(&metas[i].compaction.sources);
		}
	}
}

TEST(only_canonical_ulids_are_directories_of_blocks)
{
	static const struct {
		const char *path, *rest;
	} cases[] = {
		{ "01ARZ3NDEKTSV4RRFFQ69G5FAV/", "" },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json", "meta.json" },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/000001", "chunks/000001" },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FAV", NULL },
		{ "01arz3ndektsv4rrffq69g5fav/", NULL },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FAV.tmp/", NULL },
		{ "81ARZ3NDEKTSV4RRFFQ69G5FAV/", NULL },
		{ "debug/metas/01ARZ3NDEKTSV4RRFFQ69G5FAV.json", NULL },
		{ "meta.json", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ulid ulid;
		const char *rest = NULL;
		bool is_block = block_scan_path(cases[i].path, &ulid, &rest);
		if (is_block != (cases[i].rest != NULL))
			test_fail(__FILE__, __LINE__, "\"%s\" is judged wrongly", cases[i].path);
		if (is_block)
			CHECK_STR(rest, cases[i].rest);
	}
}

TEST(segments_must_be_numbered_without_holes)
{
	static const struct {
		const char *files[4];
		const char *words; /* NULL: fine */
	} cases[] = {
		{ { "chunks/000001" }, NULL },
		{ { "chunks/000003", "chunks/000001", "chunks/000002" }, NULL },
		{ { "chunks/000001", "chunks/tmp", "chunks/0000002", "chunks/00000a" }, NULL },
		{ { "chunks/000001", "chunks/000003" }, "chunks/000002 is missing" },
		{ { "chunks/000002" }, "chunks/000001 is missing" },
		{ { "chunks/000001", "chunks/000001" }, "twice" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { .msg = "" };
		struct block_scan scan = { 0 };
		for (size_t k = 0; k < 4 && cases[i].files[k]; k++)
			block_scan_add(&scan, cases[i].files[k], k);
		int r = block_scan_check_segments(&scan, &e);
		CHECK_INT(r, cases[i].words ? -EBADMSG : 0);
		if (cases[i].words)
			CHECK_HAS(e.msg, cases[i].words);
		block_scan_fini(&scan);
	}
}

TEST_MAIN()
