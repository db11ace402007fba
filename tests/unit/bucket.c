/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bucket.h"

#include "tests/support/bucket_contract.h"
#include "tests/support/bucket_fault.h"
#include "tests/support/bucket_memory.h"

#include <errno.h>

static struct bucket *new_memory(void)
{
	return bucket_memory_new(false);
}

static struct bucket *new_fault(void)
{
	return bucket_fault_new(bucket_memory_new(true));
}

BUCKET_CONTRACT(memory, new_memory)
BUCKET_CONTRACT(fault, new_fault)

TEST(names_are_relative_paths_without_empty_or_dotted_parts)
{
	static const struct {
		const char *name;
		bool is_valid;
	} cases[] = {
		{ "a", true },
		{ "a/b", true },
		{ ".hidden", true },
		{ "...", true },
		{ "..a/b..", true },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/000001", true },
		{ "", false },
		{ "/", false },
		{ "/a", false },
		{ "a/", false },
		{ "a//b", false },
		{ ".", false },
		{ "..", false },
		{ "a/.", false },
		{ "a/..", false },
		{ "../a", false },
		{ "a/../b", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (bucket_name_is_valid(cases[i].name) != cases[i].is_valid)
			test_fail(__FILE__, __LINE__, "\"%s\" is judged wrongly", cases[i].name);
}

TEST(a_name_may_have_1024_bytes_and_no_more)
{
	char name[BUCKET_NAME_MAX + 2];
	memset(name, 'a', sizeof name);
	name[BUCKET_NAME_MAX] = 0;
	CHECK(bucket_name_is_valid(name));
	name[BUCKET_NAME_MAX] = 'a';
	name[BUCKET_NAME_MAX + 1] = 0;
	CHECK(!bucket_name_is_valid(name));
}

TEST(an_injected_fault_hits_its_operation_and_name_as_often_as_asked)
{
	struct err e;
	struct object_info o;
	auto_of(bucket) struct bucket *b = new_fault();
	bucket_put_text(b, "a", "1");
	bucket_put_text(b, "b", "1");
	bucket_fault_set(b, FAULT_STAT, "a", -ETIMEDOUT, 2);

	CHECK_INT(bucket_stat(b, "b", &o, &e), 0);
	CHECK_INT(bucket_stat(b, "a", &o, &e), -ETIMEDOUT);
	CHECK_INT(bucket_stat(b, "a", &o, &e), -ETIMEDOUT);
	CHECK_INT(bucket_stat(b, "a", &o, &e), 0);
	CHECK_INT(bucket_fault_count(b, FAULT_STAT), 4);
	CHECK_INT(bucket_fault_count(b, FAULT_PUT), 2);
}

TEST(a_fault_after_the_operation_leaves_its_effect)
{
	struct err e;
	struct object_info o;
	auto_of(bucket) struct bucket *b = new_fault();
	auto_of(blob) struct blob *content = blob_of_memory("text", "x", 1);
	bucket_fault_set_after(b, FAULT_PUT, "a", -ECONNRESET, 1);

	CHECK_INT(bucket_put(b, "a", content, &e), -ECONNRESET);
	CHECK_INT(bucket_stat(b, "a", &o, &e), 0);
}

TEST_MAIN()
