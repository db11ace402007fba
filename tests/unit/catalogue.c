/* SPDX-License-Identifier: Apache-2.0 */
#include "store/catalogue.h"

#include "lib/base/file.h"
#include "lib/base/metrics.h"
#include "store/bucket_fs.h"
#include "tests/support/bucket_fault.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS  1700000000000
#define HOUR_MS 3600000
#define A       "01ARZ3NDEKTSV4RRFFQ69G5FA0"
#define B       "01ARZ3NDEKTSV4RRFFQ69G5FB0"
#define C       "01ARZ3NDEKTSV4RRFFQ69G5FC0"

/* Where the tests' blocks stand: a fault layer over a bucket in memory, or a directory. */
struct fixture {
	struct bucket *b;
	struct catalogue_options options;
	struct catalogue *c;
	struct catalogue_listing listing;
	char dir[128];
};

static struct fixture *set_up_over(struct bucket *inner)
{
	static struct fixture f;
	f.b = bucket_fault_new(inner);
	f.options = (struct catalogue_options){ .min_time_ms = INT64_MIN,
		.max_time_ms = INT64_MAX,
		.ignore_deletion_marks_delay_ms = 24 * HOUR_MS };
	snprintf(f.dir, sizeof f.dir, "%s/catalogue", test_dir());
	return &f;
}

static struct fixture *set_up(bool flat)
{
	return set_up_over(bucket_memory_new(flat));
}

static void open_catalogue(struct fixture *f)
{
	struct err e;
	CHECK_OK(catalogue_open(f->dir, f->b, &f->options, &f->c, &e), &e);
}

static void sync_at(struct fixture *f, int64_t now_ms)
{
	struct err e;
	if (!f->c)
		open_catalogue(f);
	catalogue_listing_fini(&f->listing);
	CHECK_OK(catalogue_sync(f->c, now_ms, &f->listing, &e), &e);
}

static void reopen(struct fixture *f)
{
	catalogue_close(f->c);
	f->c = NULL;
	open_catalogue(f);
}

static void tear_down(struct fixture *f)
{
	catalogue_listing_fini(&f->listing);
	catalogue_close(f->c);
	bucket_free(f->b);
}

/* The last letters but one of the blocks shown. */
static void check_shown(struct fixture *f, const char *want)
{
	char got[64] = "";
	CHECK(f->listing.blocks.len < sizeof got);
	for (size_t i = 0; i < f->listing.blocks.len; i++)
		got[i] = f->listing.blocks.data[i]->ulid[ULID_CHARS - 2];
	CHECK_STR(got, want);
}

struct skips {
	struct buf text;
};

static void note_skipped(void *arg, const struct ulid *block, const char *reason, const char *detail)
{
	char id[ULID_CHARS + 1];
	ulid_format(block, id);
	CHECK(*detail);
	buf_printf(arg, "%c:%s ", id[ULID_CHARS - 2], reason);
}

static void check_skipped(struct fixture *f, const char *want)
{
	auto_buf struct buf got = { 0 };
	catalogue_skipped(f->c, note_skipped, &got);
	CHECK_STR(buf_str(&got), want);
}

struct sketch {
	const char *id, *labels, *sources, *source, *files;
	int64_t min_time, max_time, resolution_ms, upload_age_ms;
	int segments;
};

static void put(struct fixture *f, const char *id, const char *file, const char *text)
{
	auto_free char *name = xasprintf("%s/%s", id, file);
	bucket_put_text(f->b, name, text);
}

static void put_meta(struct fixture *f, const struct sketch *s)
{
	auto_free char *json =
		xasprintf("{\"ulid\":\"%s\",\"version\":1,\"minTime\":%lld,\"maxTime\":%lld,\"stats\":{"
			  "\"numChunks\":1},"
			  "\"compaction\":{\"level\":1,\"sources\":[%s]},\"thanos\":{\"labels\":{%s},"
			  "\"downsample\":{\"resolution\":%lld},\"source\":\"%s\",\"files\":[%s]}}",
			s->id, (long long)s->min_time, (long long)s->max_time, s->sources ? s->sources : "",
			s->labels ? s->labels : "\"cluster\":\"eu\"", (long long)s->resolution_ms,
			s->source ? s->source : "sidecar", s->files ? s->files : "");
	put(f, s->id, "meta.json", json);
}

static void put_block(struct fixture *f, const struct sketch *s)
{
	put(f, s->id, "index", "12345");
	put(f, s->id, "chunks/000001", "123");
	if (s->segments > 1)
		put(f, s->id, "chunks/000002", "1234");
	put_meta(f, s);
}

static void put_plain_block(struct fixture *f, const char *id)
{
	put_block(f, &(struct sketch){ .id = id, .min_time = 0, .max_time = 100 });
}

static void put_mark(struct fixture *f, const char *id, int64_t time_s)
{
	auto_free char *json =
		xasprintf("{\"id\":\"%s\",\"version\":1,\"deletion_time\":%lld}", id, (long long)time_s);
	put(f, id, "deletion-mark.json", json);
}

static void remove_file(struct fixture *f, const char *id, const char *file)
{
	struct err e;
	auto_free char *name = xasprintf("%s/%s", id, file);
	CHECK_OK(bucket_remove(f->b, name, &e), &e);
}

static unsigned requests(struct fixture *f)
{
	unsigned n = 0;
	for (int op = 0; op < FAULT_OPS; op++)
		n += bucket_fault_count(f->b, (enum fault_op)op);
	return n;
}

static void check_counted(const char *reason, int want)
{
	auto_buf struct buf text = { 0 };
	auto_free char *series = xasprintf("thanosfs_blocks_skipped_total{reason=\"%s\"} ", reason);
	metrics_render(&text);
	const char *at = strstr(buf_str(&text), series);
	CHECK_INT(at ? atoi(at + strlen(series)) : 0, want);
}

TEST(complete_blocks_are_shown_in_order_with_the_sizes_of_their_files)
{
	for (int flat = 0; flat < 2; flat++) {
		struct fixture *f = set_up(flat);
		put_block(f, &(struct sketch){ .id = B, .max_time = 100, .segments = 2 });
		put_plain_block(f, A);
		put(f, A, "tombstones", "x");
		bucket_put_text(f->b, "debug/metas/" C ".json", "ignored");
		bucket_put_text(f->b, "thanos.shipper.json", "ignored");

		sync_at(f, NOW_MS);

		check_shown(f, "AB");
		check_skipped(f, "");
		CHECK_INT(f->listing.seen, 2);
		const struct catalogue_block *b = f->listing.blocks.data[1];
		CHECK_STR(b->ulid, B);
		CHECK_INT(b->index_bytes, 5);
		CHECK_INT(b->n_segments, 2);
		CHECK_INT(b->segment_bytes[0], 3);
		CHECK_INT(b->segment_bytes[1], 4);
		CHECK_STR(labels_get(&b->meta->thanos.labels, "cluster"), "eu");
		CHECK(!b->has_tombstones);
		CHECK(f->listing.blocks.data[0]->has_tombstones);
		tear_down(f);
		struct err e;
		CHECK_OK(file_remove_tree(f->dir, &e), &e);
		memset(f, 0, sizeof *f);
	}
}

TEST(a_block_appears_when_its_meta_json_does)
{
	struct fixture *f = set_up(false);
	put(f, A, "chunks/000001", "123");
	put(f, A, "index", "12345");
	sync_at(f, NOW_MS);
	check_shown(f, "");
	check_skipped(f, "A:partial ");

	put_meta(f, &(struct sketch){ .id = A, .max_time = 1 });
	sync_at(f, NOW_MS);

	check_shown(f, "A");
	check_skipped(f, "");
	check_counted("partial", 1);
	tear_down(f);
}

TEST(a_block_that_leaves_the_bucket_leaves_the_listing_and_lives_on_with_its_holders)
{
	struct fixture *f = set_up(false);
	put_plain_block(f, A);
	put_plain_block(f, B);
	sync_at(f, NOW_MS);
	struct catalogue_block *held = catalogue_block_ref(f->listing.blocks.data[0]);

	remove_file(f, A, "meta.json");
	sync_at(f, NOW_MS);
	check_shown(f, "B");
	check_skipped(f, "A:partial ");
	remove_file(f, A, "index");
	remove_file(f, A, "chunks/000001");
	sync_at(f, NOW_MS);

	check_shown(f, "B");
	check_skipped(f, "");
	CHECK_INT(f->listing.seen, 1);
	CHECK_STR(held->ulid, A);
	CHECK_INT(held->meta->max_time, 100);
	catalogue_block_unref(held);
	tear_down(f);
}

TEST(damaged_blocks_are_left_out_with_their_reason_and_the_rest_works)
{
	static const struct {
		const char *reason, *file, *text; /* text NULL: the file is removed */
	} cases[] = {
		{ "corrupt-meta", "meta.json", "" },
		{ "corrupt-meta", "meta.json", "{\"ulid\":" },
		{ "corrupt-meta", "meta.json", "[1, 2]" },
		{ "corrupt-meta", "meta.json",
			"{\"ulid\":\"" A "\",\"version\":2,\"minTime\":0,\"maxTime\":1}" },
		{ "corrupt-meta", "meta.json",
			"{\"ulid\":\"" B "\",\"version\":1,\"minTime\":0,\"maxTime\":1}" },
		{ "partial", "meta.json", NULL },
		{ "missing-index", "index", NULL },
		{ "missing-segment", "chunks/000001", NULL },
		{ "missing-segment", "chunks/000003", "there is no second" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int flat = 0; flat < 2; flat++) {
			struct fixture *f = set_up(flat);
			put_plain_block(f, A);
			put_plain_block(f, C);
			if (cases[i].text)
				put(f, A, cases[i].file, cases[i].text);
			else
				remove_file(f, A, cases[i].file);

			sync_at(f, NOW_MS);
			sync_at(f, NOW_MS);

			auto_free char *want = xasprintf("A:%s ", cases[i].reason);
			check_shown(f, "C");
			check_skipped(f, want);
			CHECK_INT(f->listing.seen, 2);
			tear_down(f);
			struct err e;
			CHECK_OK(file_remove_tree(f->dir, &e), &e);
			memset(f, 0, sizeof *f);
		}
	}
	check_counted("corrupt-meta", 10);
	check_counted("missing-segment", 4);
}

TEST(files_that_meta_json_lists_must_be_there_in_full)
{
	static const struct {
		const char *files, *want;
	} cases[] = {
		{ "{\"rel_path\":\"index\",\"size_bytes\":5},{\"rel_path\":\"chunks/"
		  "000001\",\"size_bytes\":3},"
		  "{\"rel_path\":\"meta.json\"}",
			"" },
		{ "{\"rel_path\":\"index\",\"size_bytes\":6}", "A:missing-index " },
		{ "{\"rel_path\":\"chunks/000001\",\"size_bytes\":4}", "A:missing-segment " },
		{ "{\"rel_path\":\"chunks/000002\",\"size_bytes\":1}", "A:missing-segment " },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *f = set_up(true);
		put_block(f, &(struct sketch){ .id = A, .max_time = 1, .files = cases[i].files });
		sync_at(f, NOW_MS);
		check_skipped(f, cases[i].want);
		tear_down(f);
		struct err e;
		CHECK_OK(file_remove_tree(f->dir, &e), &e);
		memset(f, 0, sizeof *f);
	}
}

TEST(a_block_that_is_repaired_in_place_appears)
{
	struct fixture *f = set_up(false);
	put_plain_block(f, A);
	put(f, A, "chunks/000003", "x");
	sync_at(f, NOW_MS);
	check_skipped(f, "A:missing-segment ");

	put(f, A, "chunks/000002", "x");
	sync_at(f, NOW_MS);

	check_shown(f, "A");
	CHECK_INT(f->listing.blocks.data[0]->n_segments, 3);
	tear_down(f);
}

TEST(the_filters_leave_blocks_out_in_their_order)
{
	struct err e;
	static const char selector_yaml[] = "- {action: drop, source_labels: [cluster], regex: us}";
	auto_of(relabel) struct relabel_configs *selector = NULL;
	CHECK_OK(relabel_parse("x", selector_yaml, sizeof selector_yaml - 1, &selector, &e), &e);
	struct fixture *f = set_up(true);
	f->options.min_time_ms = 1000;
	f->options.selector = selector;
	f->options.consistency_delay_ms = INT64_MAX / 2;
	static const char compactor[] = "compactor";
	/* Everything is wrong with the first, and one thing less with each after it. */
	static const struct sketch blocks[] = {
		{ "01ARZ3NDEKTSV4RRFFQ69G5FA0", "\"cluster\":\"us\"", NULL, NULL, NULL, 0, 999, 300000, 0,
			1 },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FB0", "\"cluster\":\"us\"", NULL, NULL, NULL, 0, 1000, 300000, 0,
			1 },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FC0", "\"cluster\":\"eu\"", NULL, NULL, NULL, 0, 1000, 300000, 0,
			1 },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FD0", "\"cluster\":\"eu\"", NULL, NULL, NULL, 0, 1000, 300000, 0,
			1 },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FE0", "\"cluster\":\"eu\"", NULL, compactor, NULL, 0, 1000, 300000,
			0, 1 },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FF0", "\"cluster\":\"eu\"", "\"" A "\"", compactor, NULL, 0, 1000,
			0, 0, 1 },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FG0", "\"cluster\":\"eu\"", "\"" A "\",\"" B "\"", compactor, NULL,
			0, 1000, 0, 0, 1 },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FH0", "\"cluster\":\"fr\"", "\"" A "\"", compactor, NULL, 0, 1000,
			0, 0, 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		put_block(f, &blocks[i]);
		if (i < 3)
			put_mark(f, blocks[i].id, 1);
	}

	sync_at(f, NOW_MS);
	sync_at(f, NOW_MS);

	check_shown(f, "GH");
	check_skipped(
		f, "A:time-range B:selector C:marked-for-deletion D:too-fresh E:downsampled F:duplicate ");
	CHECK_INT(f->listing.seen, 8);
	static const char *const reasons[] = { "time-range", "selector", "marked-for-deletion", "too-fresh",
		"downsampled", "duplicate" };
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		check_counted(reasons[i], 1);
	tear_down(f);
}

TEST(the_time_range_can_move)
{
	struct fixture *f = set_up(true);
	put_block(f, &(struct sketch){ .id = A, .min_time = 0, .max_time = 100 });
	sync_at(f, NOW_MS);
	check_shown(f, "A");

	catalogue_set_time_range(f->c, 101, INT64_MAX);
	sync_at(f, NOW_MS);

	check_skipped(f, "A:time-range ");
	tear_down(f);
}

TEST(a_block_without_a_thanos_section_is_shown)
{
	struct fixture *f = set_up(false);
	put(f, A, "index", "12345");
	put(f, A, "chunks/000001", "123");
	put(f, A, "meta.json", "{\"ulid\":\"" A "\",\"version\":1,\"minTime\":0,\"maxTime\":1}");
	sync_at(f, NOW_MS);

	check_shown(f, "A");
	CHECK_INT(f->listing.blocks.data[0]->meta->thanos.labels.len, 0);
	tear_down(f);
}

TEST(a_deletion_mark_hides_a_block_once_it_is_old_enough)
{
	for (int flat = 0; flat < 2; flat++) {
		struct fixture *f = set_up(flat);
		put_plain_block(f, A);
		sync_at(f, NOW_MS);
		put_mark(f, A, NOW_MS / 1000);

		sync_at(f, NOW_MS + 24 * HOUR_MS);
		check_shown(f, "A");
		sync_at(f, NOW_MS + 24 * HOUR_MS + 1);
		check_shown(f, "");
		check_skipped(f, "A:marked-for-deletion ");
		remove_file(f, A, "deletion-mark.json");
		sync_at(f, NOW_MS + 24 * HOUR_MS + 1);
		check_shown(f, "A");
		tear_down(f);
		struct err e;
		CHECK_OK(file_remove_tree(f->dir, &e), &e);
		memset(f, 0, sizeof *f);
	}
}

TEST(a_malformed_mark_counts_as_none_until_it_is_whole)
{
	struct fixture *f = set_up(false);
	put_plain_block(f, A);
	put(f, A, "deletion-mark.json", "{\"id\":\"" A "\",\"vers");
	sync_at(f, NOW_MS);
	check_shown(f, "A");

	put_mark(f, A, 1);
	sync_at(f, NOW_MS);

	check_shown(f, "");
	tear_down(f);
}

TEST(a_known_block_of_a_directory_costs_one_listing_and_a_flat_bucket_one_in_all)
{
	for (int flat = 0; flat < 2; flat++) {
		struct fixture *f = set_up(flat);
		put_plain_block(f, A);
		put_plain_block(f, B);
		put_plain_block(f, C);
		sync_at(f, NOW_MS);
		requests(f);

		sync_at(f, NOW_MS);
		CHECK_INT(requests(f), flat ? 1 : 4);
		reopen(f);
		CHECK_INT(requests(f), 0);
		sync_at(f, NOW_MS);
		CHECK_INT(requests(f), flat ? 1 : 4);
		check_shown(f, "ABC");
		tear_down(f);
		struct err e;
		CHECK_OK(file_remove_tree(f->dir, &e), &e);
		memset(f, 0, sizeof *f);
	}
}

TEST(a_mark_that_was_read_is_not_read_again)
{
	struct fixture *f = set_up(true);
	put_plain_block(f, A);
	put_mark(f, A, NOW_MS / 1000);
	sync_at(f, NOW_MS);
	requests(f);

	sync_at(f, NOW_MS);

	CHECK_INT(requests(f), 1);
	tear_down(f);
}

TEST(what_was_known_before_a_restart_is_known_after_it)
{
	struct fixture *f = set_up(false);
	put_block(f, &(struct sketch){ .id = A,
			     .min_time = -5,
			     .max_time = 100,
			     .segments = 2,
			     .labels = "\"cluster\":\"eu\",\"replica\":\"a\"",
			     .sources = "\"" B "\",\"" C "\"" });
	put(f, A, "tombstones", "x");
	sync_at(f, NOW_MS);
	reopen(f);
	sync_at(f, NOW_MS);

	const struct catalogue_block *b = f->listing.blocks.data[0];
	CHECK_STR(b->ulid, A);
	CHECK_INT(b->meta->min_time, -5);
	CHECK_INT(b->meta->stats.chunks, 1);
	CHECK_INT(b->meta->compaction.sources.len, 2);
	CHECK_STR(labels_get(&b->meta->thanos.labels, "replica"), "a");
	CHECK_STR(b->meta->thanos.source, "sidecar");
	CHECK_INT(b->index_bytes, 5);
	CHECK_INT(b->n_segments, 2);
	CHECK_INT(b->segment_bytes[1], 4);
	CHECK(b->has_tombstones);
	tear_down(f);
}

static off_t file_bytes(const struct fixture *f)
{
	struct stat st;
	auto_free char *path = xasprintf("%s/blocks", f->dir);
	CHECK_INT(stat(path, &st), 0);
	return st.st_size;
}

static void cut_file(const struct fixture *f, off_t bytes)
{
	auto_free char *path = xasprintf("%s/blocks", f->dir);
	CHECK_INT(truncate(path, bytes), 0);
}

TEST(a_file_that_was_cut_anywhere_costs_only_what_it_lost)
{
	struct fixture *f = set_up(false);
	put_plain_block(f, A);
	sync_at(f, NOW_MS);
	off_t with_one = file_bytes(f);
	put_plain_block(f, B);
	sync_at(f, NOW_MS);
	off_t with_two = file_bytes(f);
	for (off_t cut = 0; cut < with_two; cut += cut < 16 ? 1 : 7) {
		cut_file(f, cut);
		reopen(f);
		requests(f);
		sync_at(f, NOW_MS);
		check_shown(f, "AB");
		CHECK_INT(bucket_fault_count(f->b, FAULT_OPEN), cut < with_one ? 2 : 1);
		CHECK_INT(file_bytes(f), with_two);
	}
	tear_down(f);
}

TEST(a_flipped_byte_anywhere_in_the_file_is_noticed)
{
	struct fixture *f = set_up(false);
	put_plain_block(f, A);
	put_plain_block(f, B);
	sync_at(f, NOW_MS);
	auto_free char *path = xasprintf("%s/blocks", f->dir);
	off_t bytes = file_bytes(f);
	for (off_t at = 0; at < bytes; at += 5) {
		char c;
		auto_close_fd int fd = open(path, O_RDWR | O_CLOEXEC);
		CHECK_INT(pread(fd, &c, 1, at), 1);
		c ^= 0x10;
		CHECK_INT(pwrite(fd, &c, 1, at), 1);

		reopen(f);
		requests(f);
		sync_at(f, NOW_MS);
		check_shown(f, "AB");
		CHECK(bucket_fault_count(f->b, FAULT_OPEN) >= 1);
		CHECK_INT(f->listing.blocks.data[0]->meta->max_time, 100);
	}
	tear_down(f);
}

TEST(the_file_does_not_grow_with_blocks_that_come_and_go)
{
	struct fixture *f = set_up(true);
	put_plain_block(f, A);
	put_plain_block(f, B);
	for (int i = 0; i < 1000; i++) {
		put_plain_block(f, C);
		sync_at(f, NOW_MS);
		remove_file(f, C, "meta.json");
		remove_file(f, C, "index");
		remove_file(f, C, "chunks/000001");
		sync_at(f, NOW_MS);
		CHECK(file_bytes(f) < 100 << 10);
	}
	reopen(f);
	requests(f);
	sync_at(f, NOW_MS);
	check_shown(f, "AB");
	CHECK_INT(requests(f), 1);
	tear_down(f);
}

TEST(a_listing_that_breaks_off_is_begun_anew)
{
	struct fixture *f = set_up(true);
	put_plain_block(f, A);
	put_plain_block(f, B);
	bucket_fault_set_after(f->b, FAULT_LIST, "", -ECONNRESET, 2);
	sync_at(f, NOW_MS);
	check_shown(f, "AB");
	tear_down(f);
}

TEST(a_bucket_that_cannot_be_listed_fails_the_sync_and_keeps_what_is_known)
{
	struct err e;
	struct fixture *f = set_up(false);
	put_plain_block(f, A);
	sync_at(f, NOW_MS);
	bucket_fault_set(f->b, FAULT_LIST, "", -ETIMEDOUT, 1);
	struct catalogue_listing other = { 0 };

	CHECK_INT(catalogue_sync(f->c, NOW_MS, &other, &e), -ETIMEDOUT);
	requests(f);
	sync_at(f, NOW_MS);

	check_shown(f, "A");
	CHECK_INT(requests(f), 2);
	tear_down(f);
}

TEST(a_block_that_cannot_be_read_is_left_out_until_it_can)
{
	struct fixture *f = set_up(false);
	put_plain_block(f, A);
	put_plain_block(f, B);
	bucket_fault_set(f->b, FAULT_OPEN, A "/meta.json", -EACCES, 1);
	sync_at(f, NOW_MS);
	check_shown(f, "B");
	check_skipped(f, "A:unreadable ");

	sync_at(f, NOW_MS);
	check_shown(f, "AB");
	/* A known block whose directory can't be listed for once is as it was. */
	bucket_fault_set(f->b, FAULT_LIST, A, -EIO, 1);
	sync_at(f, NOW_MS);
	check_shown(f, "AB");
	tear_down(f);
}

TEST(a_rejected_block_is_left_out_of_all_further_listings)
{
	struct fixture *f = set_up(false);
	put_plain_block(f, A);
	put_plain_block(f, B);
	sync_at(f, NOW_MS);
	struct ulid a = f->listing.blocks.data[0]->meta->ulid;

	catalogue_reject(f->c, &a, "corrupt-index", "symbol table claims 7 entries");
	catalogue_reject(f->c, &a, "corrupt-index", "again");

	check_skipped(f, "A:corrupt-index ");
	for (int i = 0; i < 2; i++) {
		sync_at(f, NOW_MS);
		check_shown(f, "B");
		check_skipped(f, "A:corrupt-index ");
	}
	check_counted("corrupt-index", 1);
	reopen(f);
	sync_at(f, NOW_MS);
	check_shown(f, "AB");
	tear_down(f);
}

static void check_trials(struct fixture *f, int left_out)
{
	for (int i = 0; i < left_out; i++) {
		sync_at(f, NOW_MS);
		check_shown(f, "B");
		check_skipped(f, "A:corrupt-index ");
	}
	sync_at(f, NOW_MS);
	check_shown(f, "AB");
}

TEST(a_rejected_block_is_tried_again_ever_more_seldom_until_it_passes)
{
	struct fixture *f = set_up(false);
	put_plain_block(f, A);
	put_plain_block(f, B);
	sync_at(f, NOW_MS);
	struct ulid a = f->listing.blocks.data[0]->meta->ulid;
	const int pauses[] = { 4, 8, 16, 32, 64, 64 };
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		catalogue_reject(f->c, &a, "corrupt-index", "symbol table claims 7 entries");
		check_skipped(f, "A:corrupt-index ");
		check_trials(f, pauses[i]);
		check_skipped(f, "");
	}
	check_counted("corrupt-index", 1);
	sync_at(f, NOW_MS);
	check_shown(f, "AB");
	catalogue_reject(f->c, &a, "corrupt-index", "symbol table claims 7 entries");
	check_counted("corrupt-index", 2);
	check_trials(f, 4);
	tear_down(f);
}

TEST(a_block_covered_by_another_is_listed_as_its_spare)
{
	struct fixture *f = set_up(true);
	put_block(f, &(struct sketch){ .id = A, .max_time = 10, .sources = "\"" A "\"" });
	put_block(f, &(struct sketch){ .id = C, .max_time = 10, .sources = "\"" A "\",\"" B "\"" });
	sync_at(f, NOW_MS);
	check_shown(f, "C");
	CHECK_INT(f->listing.spares.len, 1);
	CHECK_STR(f->listing.spares.data[0].block->ulid, A);
	CHECK_INT(ulid_cmp(&f->listing.spares.data[0].covered_by, &f->listing.blocks.data[0]->meta->ulid), 0);
	tear_down(f);
}

TEST(when_a_compacted_block_is_rejected_its_sources_come_back)
{
	struct fixture *f = set_up(true);
	put_block(f, &(struct sketch){ .id = A, .max_time = 10, .sources = "\"" A "\"" });
	put_block(f, &(struct sketch){ .id = B, .max_time = 10, .sources = "\"" B "\"" });
	put_block(f, &(struct sketch){ .id = C, .max_time = 10, .sources = "\"" A "\",\"" B "\"" });
	sync_at(f, NOW_MS);
	check_shown(f, "C");
	struct ulid compacted = f->listing.blocks.data[0]->meta->ulid;

	catalogue_reject(f->c, &compacted, "corrupt-index", "bad magic");
	sync_at(f, NOW_MS);

	check_shown(f, "AB");
	tear_down(f);
}

TEST(a_reason_counts_once_a_block_however_many_syncs)
{
	struct fixture *f = set_up(false);
	put(f, A, "index", "x");
	put(f, B, "index", "x");
	for (int i = 0; i < 5; i++)
		sync_at(f, NOW_MS);
	check_counted("partial", 2);
	tear_down(f);
}

TEST(an_empty_directory_is_no_block)
{
	struct err e;
	struct bucket *inner = NULL;
	auto_free char *root = xasprintf("%s/bucket", test_dir());
	auto_free char *empty = xasprintf("%s/" A, root);
	CHECK_OK(file_mkdirs(empty, 0755, &e), &e);
	CHECK_OK(bucket_fs_new(root, &inner, &e), &e);
	struct fixture *f = set_up_over(inner);
	put_plain_block(f, B);
	sync_at(f, NOW_MS);

	check_shown(f, "B");
	check_skipped(f, "");
	CHECK_INT(f->listing.seen, 1);
	tear_down(f);
}

TEST(a_local_directory_that_cannot_be_written_costs_only_the_memory)
{
	struct err e;
	struct fixture *f = set_up(false);
	auto_free char *in_the_way = xasprintf("%s/blocks", f->dir);
	CHECK_OK(file_mkdirs(in_the_way, 0755, &e), &e);
	CHECK_INT(catalogue_open(f->dir, f->b, &f->options, &f->c, &e), -EISDIR);
	CHECK_HAS(e.msg, in_the_way);
	tear_down(f);
}

static void *ask_and_reject(void *arg)
{
	struct fixture *f = arg;
	uint8_t rest[10] = { 0 };
	for (int i = 0; i < 200; i++) {
		auto_buf struct buf got = { 0 };
		struct ulid u = ulid_make(i % 50, rest);
		catalogue_skipped(f->c, note_skipped, &got);
		catalogue_reject(f->c, &u, "corrupt-index", "x");
	}
	return NULL;
}

TEST(others_may_ask_and_reject_while_a_sync_runs)
{
	struct fixture *f = set_up(true);
	for (int i = 0; i < 100; i++) {
		char id[ULID_CHARS + 1];
		uint8_t rest[10] = { 0 };
		struct ulid u = ulid_make(i, rest);
		ulid_format(&u, id);
		put_plain_block(f, id);
	}
	open_catalogue(f);
	pthread_t thread;
	CHECK_INT(pthread_create(&thread, NULL, ask_and_reject, f), 0);
	for (int i = 0; i < 20; i++)
		sync_at(f, NOW_MS);
	pthread_join(thread, NULL);
	sync_at(f, NOW_MS);

	CHECK(f->listing.blocks.len >= 50); /* and those that are on trial */
	tear_down(f);
}

TEST_MAIN()
