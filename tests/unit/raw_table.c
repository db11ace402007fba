/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/raw_table.h"

#include "lib/base/blob.h"
#include "lib/base/buf.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/test.h"

static char a[] = "a", b[] = "b";

TEST(a_name_is_known_by_its_id_as_it_was_found_last)
{
	struct raw *r = raw_new();
	auto_raw_info struct raw_info got = { 0 };
	CHECK(!raw_recall(r, 7, &got));
	CHECK(raw_remember(r, &(struct raw_info){ 7, a, false, 1, 2, 3 }));
	CHECK(raw_remember(r, &(struct raw_info){ 7, a, true, 4, 5, 6 }));
	CHECK(raw_recall(r, 7, &got));
	CHECK_STR(got.name, "a");
	CHECK(got.id == 7 && got.is_dir && got.size == 4 && got.mtime_ms == 5 && got.found_us == 6);
	raw_free(r);
}

TEST(of_two_names_with_one_id_the_first_is_shown)
{
	struct raw *r = raw_new();
	auto_raw_info struct raw_info got = { 0 };
	CHECK(raw_remember(r, &(struct raw_info){ 7, a, false, 1, 2, 3 }));
	CHECK(!raw_remember(r, &(struct raw_info){ 7, b, true, 4, 5, 6 }));
	CHECK(raw_recall(r, 7, &got));
	CHECK_STR(got.name, "a");
	CHECK(!got.is_dir && got.size == 1);
	raw_free(r);
}

static struct blob *open_blob(struct bucket *bucket)
{
	struct blob *blob;
	struct err e;
	CHECK_OK(bucket_open(bucket, "a", &blob, &e), &e);
	return blob;
}

TEST(a_file_that_is_open_keeps_its_blob_and_its_name)
{
	struct bucket *bucket = bucket_memory_new(true);
	struct raw *r = raw_new();
	auto_buf struct buf bytes = { 0 };
	struct raw_info got;
	struct err e;
	bucket_put_text(bucket, "a", "abc");
	CHECK(raw_remember(r, &(struct raw_info){ .id = 7, .name = a, .size = 3 }));
	CHECK(!raw_blob(r, 7));

	struct raw_blob *first = raw_blob_opened(r, 7, open_blob(bucket));
	struct raw_blob *second = raw_blob_opened(r, 7, open_blob(bucket)); /* by another thread */
	CHECK(first == second && first == raw_blob(r, 7));
	CHECK_INT(first->refs, 4);
	raw_forget(r, 7);
	CHECK(raw_recall(r, 7, &got));
	raw_info_fini(&got);

	raw_blob_closed(r, 7);
	CHECK(!raw_blob(r, 7));
	CHECK_OK(blob_read_buf(first->blob, &bytes, 3, 0, &e), &e);
	CHECK_STR(buf_str(&bytes), "abc"); /* whoever reads it still can */
	for (unsigned i = 0; i < 3; i++)
		raw_blob_unref(first);
	raw_forget(r, 7);
	CHECK(!raw_recall(r, 7, &got));
	raw_free(r);
	bucket_free(bucket);
}

TEST(a_blob_without_a_node_is_its_readers_alone)
{
	struct bucket *bucket = bucket_memory_new(true);
	struct raw *r = raw_new();
	bucket_put_text(bucket, "a", "abc");
	struct raw_blob *blob = raw_blob_opened(r, 7, open_blob(bucket));
	CHECK_INT(blob->refs, 1);
	CHECK(!raw_blob(r, 7));
	raw_blob_unref(blob);
	raw_free(r);
	bucket_free(bucket);
}

TEST_MAIN()
