/* SPDX-License-Identifier: Apache-2.0 */
#include "store/look_ahead.h"

#include "tests/support/bucket_fault.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/test.h"

static void put_meta(struct bucket *b, const char *id)
{
	auto_free char *name = xasprintf("%s/meta.json", id);
	auto_free char *json = xasprintf(
		"{\"ulid\":\"%s\",\"version\":1,\"minTime\":0,\"maxTime\":100,\"stats\":{\"numChunks\":1},"
		"\"compaction\":{\"level\":1}}",
		id);
	bucket_put_text(b, name, json);
}

/* The i-th of many. */
static void many_id(unsigned i, char id[ULID_CHARS + 1])
{
	uint8_t rest[10] = { 0 };
	struct ulid u = ulid_make(1600000000000 + i, rest);
	ulid_format(&u, id);
}

static struct block_scan scan_of(const char *id)
{
	struct block_scan scan = { 0 };
	CHECK(ulid_parse(id, &scan.ulid));
	block_scan_add(&scan, "chunks/000001", 3);
	block_scan_add(&scan, "index", 5);
	block_scan_add(&scan, "meta.json", 0);
	return scan;
}

TEST(every_block_is_looked_at_once_whatever_the_threads)
{
	static const size_t threads[] = { 0, 1, 3, 1000 };
	for (size_t k = 0; k < ARRAY_LEN(threads); k++) {
		struct bucket *b = bucket_fault_new(bucket_memory_new(true));
		struct look_ahead *a = look_ahead_new(b, threads[k]);
		char id[ULID_CHARS + 1];
		for (unsigned i = 0; i < 500; i++) {
			many_id(i, id);
			if (i % 5)
				put_meta(b, id);
			struct block_scan scan = scan_of(id);
			look_ahead_add(a, &scan, false);
			CHECK_INT(scan.segments.len, 0);
		}

		look_ahead_wait(a);

		CHECK_INT(look_ahead_count(a), 500);
		CHECK_INT(bucket_fault_count(b, FAULT_OPEN), 500);
		for (unsigned i = 0; i < 500; i++) {
			struct looked *l = look_ahead_get(a, i);
			many_id(i, id);
			CHECK_INT(l->look.skip, i % 5 ? BLOCK_KEPT : BLOCK_PARTIAL);
			CHECK(!l->known.block == !(i % 5));
			if (l->known.block)
				CHECK_STR(l->known.block->ulid, id);
		}
		look_ahead_free(a);
		bucket_free(b);
	}
}

TEST(what_nobody_waits_for_any_more_is_given_up)
{
	struct bucket *b = bucket_fault_new(bucket_memory_new(true));
	struct look_ahead *a = look_ahead_new(b, 0);
	char id[ULID_CHARS + 1];
	many_id(0, id);
	put_meta(b, id);
	struct block_scan scan = scan_of(id);
	look_ahead_add(a, &scan, false);

	look_ahead_free(a);

	CHECK_INT(bucket_fault_count(b, FAULT_OPEN), 0);
	bucket_free(b);
}

TEST_MAIN()
