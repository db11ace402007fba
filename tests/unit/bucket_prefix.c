/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bucket_prefix.h"

#include "store/bucket_fs.h"
#include "tests/support/bucket_contract.h"
#include "tests/support/bucket_memory.h"

#include <errno.h>

static struct bucket *prefixed(struct bucket *inner, const char *prefix)
{
	struct err e;
	struct bucket *b = NULL;
	CHECK_OK(bucket_prefix_new(inner, prefix, &b, &e), &e);
	return b;
}

/* Neighbours whose names begin alike must stay out of sight. */
static struct bucket *new_over(struct bucket *inner)
{
	bucket_put_text(inner, "tenant-a/blocks2/object", "other");
	bucket_put_text(inner, "tenant-a/object", "other");
	return prefixed(inner, "tenant-a/blocks");
}

static struct bucket *new_over_memory(void)
{
	return new_over(bucket_memory_new(true));
}

static struct bucket *new_over_fs(void)
{
	struct err e;
	struct bucket *inner = NULL;
	CHECK_OK(bucket_fs_new(test_dir(), &inner, &e), &e);
	return new_over(inner);
}

BUCKET_CONTRACT(prefix_over_memory, new_over_memory)
BUCKET_CONTRACT(prefix_over_filesystem, new_over_fs)

TEST(objects_stand_below_the_prefix_in_the_inner_bucket)
{
	struct err e;
	struct object_info o;
	struct bucket *inner = bucket_memory_new(false);
	auto_of(bucket) struct bucket *b = prefixed(inner, "/x/y/");
	bucket_put_text(b, "a/b", "1");

	CHECK_OK(bucket_stat(inner, "x/y/a/b", &o, &e), &e);
}

TEST(a_prefix_of_slashes_is_no_layer)
{
	struct bucket *inner = bucket_memory_new(false);
	auto_of(bucket) struct bucket *b = prefixed(inner, "//");
	CHECK(b == inner);
}

TEST(a_prefix_that_leaves_the_bucket_is_refused)
{
	static const char *const bad[] = { "..", "a/../b", "a//b", "./a" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e;
		struct bucket *b = NULL;
		CHECK_INT(bucket_prefix_new(bucket_memory_new(false), bad[i], &b, &e), -EINVAL);
		CHECK_HAS(e.msg, bad[i]);
	}
}

TEST(errors_name_the_prefix)
{
	struct err e;
	struct object_info o;
	auto_of(bucket) struct bucket *b = prefixed(bucket_memory_new(false), "x/y");
	CHECK_INT(bucket_stat(b, "a", &o, &e), -ENOENT);
	CHECK_HAS(e.msg, "x/y/a");
	CHECK_HAS(b->name, "x/y");
}

TEST_MAIN()
