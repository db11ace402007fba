/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block_list.h"

#include "lib/base/deadline.h"
#include "store/catalogue.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define NOW_MS 1700000000000
#define A      "01ARZ3NDEKTSV4RRFFQ69G5FA0"
#define B      "01ARZ3NDEKTSV4RRFFQ69G5FB0"
#define C      "01ARZ3NDEKTSV4RRFFQ69G5FC0"

/* A flat bucket over one in memory, that lists what it is told to, in that order. */
struct told_bucket {
	struct bucket base;
	struct bucket *inner;
	const char *const *names; /* what a listing shows; NULL: everything */
	size_t n_names;
	size_t fails_after; /* names ... */
	int error;          /* ... with this */
	unsigned times;
	const char *awaited; /* the listing ends only once this was opened; NULL: at once */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_opened;
	unsigned opens;
};

static void wait_for_awaited(struct told_bucket *t)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	pthread_mutex_lock(&t->lock);
	while (t->awaited && !t->is_opened)
		CHECK_INT(pthread_cond_timedwait(&t->changed, &t->lock, &until), 0);
	pthread_mutex_unlock(&t->lock);
}

static int told_list(struct bucket *b, const char *prefix, bool recursive, bool want_info, bucket_list_fn *fn,
	void *arg, struct err *e)
{
	struct told_bucket *t = (struct told_bucket *)b;
	if (!t->names) {
		int r = bucket_list(t->inner, prefix, recursive, want_info, fn, arg, e);
		wait_for_awaited(t);
		return r;
	}
	for (size_t i = 0; i < t->n_names; i++) {
		struct object_info o;
		if (t->times > 0 && i == t->fails_after) {
			wait_for_awaited(t);
			t->times--;
			return err_set(e, t->error, "the listing breaks off");
		}
		CHECK_OK(bucket_stat(t->inner, t->names[i], &o, e), e);
		int r = fn(arg, &o);
		if (r != 0)
			return r;
	}
	wait_for_awaited(t);
	return 0;
}

static int told_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	struct told_bucket *t = (struct told_bucket *)b;
	pthread_mutex_lock(&t->lock);
	t->opens++;
	t->is_opened |= t->awaited && !strcmp(name, t->awaited);
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	return bucket_open_sized(t->inner, name, known_bytes, out, e);
}

static void told_free(struct bucket *b)
{
	struct told_bucket *t = (struct told_bucket *)b;
	bucket_free(t->inner);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct told_bucket *told_new(void)
{
	static const struct bucket_ops ops = { .list = told_list, .open = told_open, .free = told_free };
	struct told_bucket *t = xcalloc(1, sizeof *t);
	t->base = (struct bucket){ .ops = &ops, .name = xstrdup("told bucket"), .flat_listing = true };
	t->inner = bucket_memory_new(true);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	return t;
}

static void tell(struct told_bucket *t, const char *const *names, size_t n)
{
	t->names = names;
	t->n_names = n;
}

static void put(struct told_bucket *t, const char *id, const char *file, const char *text)
{
	auto_free char *name = xasprintf("%s/%s", id, file);
	bucket_put_text(t->inner, name, text);
}

static void put_block(struct told_bucket *t, const char *id)
{
	auto_free char *json = xasprintf(
		"{\"ulid\":\"%s\",\"version\":1,\"minTime\":0,\"maxTime\":100,\"stats\":{\"numChunks\":1},"
		"\"compaction\":{\"level\":1},\"thanos\":{\"labels\":{\"cluster\":\"eu\"},\"source\":"
		"\"sidecar\"}}",
		id);
	put(t, id, "index", "12345");
	put(t, id, "chunks/000001", "123");
	put(t, id, "meta.json", json);
}

struct fixture {
	struct told_bucket *t;
	struct catalogue *c;
	struct catalogue_listing listing;
	char dir[128];
};

static struct fixture *set_up(void)
{
	static struct fixture f;
	struct catalogue_options o = { .min_time_ms = INT64_MIN, .max_time_ms = INT64_MAX };
	struct err e;
	f.t = told_new();
	snprintf(f.dir, sizeof f.dir, "%s/catalogue", test_dir());
	CHECK_OK(catalogue_open(f.dir, &f.t->base, &o, &f.c, &e), &e);
	return &f;
}

static int sync_now(struct fixture *f, struct err *e)
{
	catalogue_listing_fini(&f->listing);
	return catalogue_sync(f->c, NOW_MS, &f->listing, e);
}

static void note_skipped(void *arg, const struct ulid *block, const char *reason, const char *detail)
{
	char id[ULID_CHARS + 1];
	ulid_format(block, id);
	buf_printf(arg, "%c:%s:%s ", id[ULID_CHARS - 2], reason, detail);
}

/* The last letters but one of the blocks shown, and those left out. */
static void check_found(struct fixture *f, const char *shown, const char *skipped)
{
	char got[16] = "";
	auto_buf struct buf text = { 0 };
	CHECK(f->listing.blocks.len < sizeof got);
	for (size_t i = 0; i < f->listing.blocks.len; i++) {
		got[i] = f->listing.blocks.data[i]->ulid[ULID_CHARS - 2];
		CHECK_INT(f->listing.blocks.data[i]->index_bytes, 5);
		CHECK_INT(f->listing.blocks.data[i]->n_segments, 1);
	}
	CHECK_STR(got, shown);
	catalogue_skipped(f->c, note_skipped, &text);
	CHECK_STR(buf_str(&text), skipped);
}

static void tear_down(struct fixture *f)
{
	catalogue_listing_fini(&f->listing);
	catalogue_close(f->c);
	bucket_free(&f->t->base);
}

/* Of the blocks whose last letter but one is in `known` all is known. */
static const struct block_known *known_of(void *arg, const struct ulid *ulid)
{
	static struct block_known whole = { .block = (struct catalogue_block *)1 };
	const char *known = arg;
	char id[ULID_CHARS + 1];
	ulid_format(ulid, id);
	return strchr(known, id[ULID_CHARS - 2]) ? &whole : NULL;
}

TEST(of_a_flat_bucket_what_is_new_is_looked_at_and_the_rest_only_listed)
{
	static const char *const names[] = { C "/index", A "/chunks/000001", A "/index", A "/meta.json",
		B "/chunks/000001", B "/index", B "/meta.json", C "/chunks/000001", "other", C "/meta.json" };
	struct told_bucket *t = told_new();
	struct block_list list = { 0 };
	struct err e;
	put_block(t, A);
	put_block(t, B);
	put_block(t, C);
	bucket_put_text(t->inner, "other", "x");

	tell(t, names + 1, ARRAY_LEN(names) - 1);
	CHECK_OK(block_list(&t->base, known_of, (void *)"A", &list, &e), &e);
	CHECK_INT(list.blocks.len, 3);
	/* A is known, and nothing comes behind C. */
	CHECK(!list.blocks.data[0].look.is_done && !list.blocks.data[2].look.is_done);
	CHECK(list.blocks.data[1].look.is_done && list.blocks.data[1].known.block);
	CHECK_INT(list.blocks.data[0].look.scan.index_bytes, 5);
	CHECK_INT(t->opens, 1);
	block_list_fini(&list);

	/* Out of order from the second block on. */
	tell(t, names, ARRAY_LEN(names));
	CHECK_OK(block_list(&t->base, known_of, (void *)"", &list, &e), &e);
	CHECK_INT(list.blocks.len, 3);
	for (size_t i = 0; i < 3; i++) {
		char id[ULID_CHARS + 1];
		CHECK(!list.blocks.data[i].look.is_done && !list.blocks.data[i].known.block);
		ulid_format(&list.blocks.data[i].look.scan.ulid, id);
		CHECK_INT(id[ULID_CHARS - 2], "ABC"[i]);
		CHECK_INT(list.blocks.data[i].look.scan.index_bytes, 5);
		CHECK_INT(list.blocks.data[i].look.scan.segments.len, 1);
	}
	CHECK_INT(t->opens, 1);
	block_list_fini(&list);
	bucket_free(&t->base);
}

TEST(a_sync_looks_at_blocks_while_the_listing_goes_on)
{
	struct err e;
	struct fixture *f = set_up();
	put_block(f->t, A);
	put_block(f->t, B);
	f->t->awaited = A "/meta.json";

	CHECK_OK(sync_now(f, &e), &e);

	check_found(f, "AB", "");
	CHECK_INT(f->t->opens, 2);
	CHECK_OK(sync_now(f, &e), &e);
	check_found(f, "AB", "");
	CHECK_INT(f->t->opens, 2); /* those that are known need none */
	tear_down(f);
}

TEST(a_block_whose_files_are_listed_in_several_places_is_whole)
{
	/* By the time that B is come to A has no index, though it is looked at; C goes before A. */
	static const char *const names[] = { A "/meta.json", B "/chunks/000001", B "/index", B "/meta.json",
		A "/index", C "/meta.json", A "/chunks/000001", C "/index", C "/chunks/000001" };
	struct err e;
	struct fixture *f = set_up();
	put_block(f->t, A);
	put_block(f->t, B);
	put_block(f->t, C);
	f->t->awaited = A "/meta.json";
	tell(f->t, names, ARRAY_LEN(names));

	CHECK_OK(sync_now(f, &e), &e);

	check_found(f, "ABC", "");
	tear_down(f);
}

TEST(a_listing_from_the_last_block_to_the_first_is_as_good)
{
	static const char *const names[] = { C "/meta.json", C "/index", C "/chunks/000001", B "/meta.json",
		A "/chunks/000001", A "/index", A "/meta.json" };
	struct err e;
	struct fixture *f = set_up();
	put_block(f->t, A);
	put_block(f->t, B);
	put_block(f->t, C);
	tell(f->t, names, ARRAY_LEN(names));

	CHECK_OK(sync_now(f, &e), &e);

	check_found(f, "AC", "B:missing-index:index is missing ");
	CHECK_INT(f->t->opens, 3);
	tear_down(f);
}

static const char *const in_order[] = { A "/chunks/000001", A "/index", A "/meta.json", B "/chunks/000001",
	B "/index", B "/meta.json" };

TEST(what_was_begun_by_a_listing_that_breaks_off_does_not_count)
{
	struct err e;
	struct fixture *f = set_up();
	put_block(f->t, A);
	put_block(f->t, B);
	f->t->awaited = A "/meta.json";
	tell(f->t, in_order, ARRAY_LEN(in_order));
	f->t->fails_after = 4;
	f->t->error = -ECONNRESET;
	f->t->times = 2;

	CHECK_OK(sync_now(f, &e), &e);

	check_found(f, "AB", "");
	tear_down(f);
}

TEST(a_listing_that_fails_midway_fails_the_sync_and_leaves_what_is_known)
{
	struct err e;
	struct fixture *f = set_up();
	put_block(f->t, A);
	put_block(f->t, B);
	tell(f->t, in_order, 3);
	CHECK_OK(sync_now(f, &e), &e);
	tell(f->t, in_order, ARRAY_LEN(in_order));
	f->t->fails_after = 5;
	f->t->error = -EACCES;
	f->t->times = 1;
	struct catalogue_listing other = { 0 };

	CHECK_INT(catalogue_sync(f->c, NOW_MS, &other, &e), -EACCES);
	check_found(f, "A", "");
	CHECK_OK(sync_now(f, &e), &e);

	check_found(f, "AB", "");
	CHECK_INT(f->t->opens, 2);
	tear_down(f);
}

TEST(marks_of_new_blocks_are_read_ahead_too)
{
	struct err e;
	struct fixture *f = set_up();
	put_block(f->t, A);
	put(f->t, A, "deletion-mark.json", "{\"id\":\"" A "\",\"version\":1,\"deletion_time\":1}");
	put_block(f->t, B);
	put_block(f->t, C);
	put(f->t, C, "deletion-mark.json", "{\"id\":\"" C "\",\"vers");
	f->t->awaited = A "/deletion-mark.json";

	CHECK_OK(sync_now(f, &e), &e);

	CHECK_INT(f->listing.blocks.len, 2);
	CHECK_STR(f->listing.blocks.data[0]->ulid, B);
	tear_down(f);
}

TEST_MAIN()
