/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What store/bucket.h promises, as one suite for every kind of bucket. A test file names its kind and the
 * function that makes an empty one; each clause becomes a test of its own:
 *
 *	BUCKET_CONTRACT(memory, new_memory_bucket)
 *	BUCKET_CONTRACT_REMOTE(s3, new_s3_bucket)
 */
#ifndef TESTS_BUCKET_CONTRACT_H
#define TESTS_BUCKET_CONTRACT_H

#include "store/bucket.h"
#include "tests/support/test.h"

#define BUCKET_CONTRACT_CLAUSES(X, kind, make)                                \
	X(kind, make, what_was_put_reads_back_in_any_range)                   \
	X(kind, make, an_empty_object_is_an_object)                           \
	X(kind, make, an_object_larger_than_any_buffer_survives)              \
	X(kind, make, a_put_replaces_the_whole_object)                        \
	X(kind, make, a_put_whose_content_fails_leaves_no_trace)              \
	X(kind, make, what_is_not_there_is_enoent)                            \
	X(kind, make, a_directory_is_not_an_object)                           \
	X(kind, make, invalid_names_are_refused_everywhere)                   \
	X(kind, make, stat_tells_size_and_time)                               \
	X(kind, make, a_listing_shows_objects_and_directories_one_level_down) \
	X(kind, make, a_recursive_listing_shows_every_object)                 \
	X(kind, make, a_prefix_with_nothing_below_lists_nothing)              \
	X(kind, make, a_callback_can_end_the_listing)                         \
	X(kind, make, a_directory_goes_with_its_last_object)                  \
	X(kind, make, get_refuses_what_is_too_large)

/* Of stores that keep what is open, as a filesystem does ... */
#define BUCKET_CONTRACT_KEEPING(X, kind, make)             \
	X(kind, make, an_open_object_outlives_its_removal) \
	X(kind, make, writers_and_readers_at_once_see_whole_objects)

/* ... and of those that ask the store at each read: then it is gone, or another, and never a mixture. */
#define BUCKET_CONTRACT_ASKING(X, kind, make)                           \
	X(kind, make, an_open_object_that_is_removed_reads_as_enoent)   \
	X(kind, make, an_open_object_that_is_replaced_reads_as_ebadmsg) \
	X(kind, make, writers_and_readers_at_once_see_whole_objects_or_that_they_changed)

#define BUCKET_CONTRACT_DECLARE(kind, make, clause) void bucket_contract_##clause(struct bucket *b);
BUCKET_CONTRACT_CLAUSES(BUCKET_CONTRACT_DECLARE, , )
BUCKET_CONTRACT_KEEPING(BUCKET_CONTRACT_DECLARE, , )
BUCKET_CONTRACT_ASKING(BUCKET_CONTRACT_DECLARE, , )
#undef BUCKET_CONTRACT_DECLARE

#define BUCKET_CONTRACT_TEST(kind, make, clause)           \
	TEST(kind##_bucket_##clause)                       \
	{                                                  \
		auto_of(bucket) struct bucket *b = make(); \
		bucket_contract_##clause(b);               \
	}
#define BUCKET_CONTRACT(kind, make)                               \
	BUCKET_CONTRACT_CLAUSES(BUCKET_CONTRACT_TEST, kind, make) \
	BUCKET_CONTRACT_KEEPING(BUCKET_CONTRACT_TEST, kind, make)
#define BUCKET_CONTRACT_REMOTE(kind, make)                        \
	BUCKET_CONTRACT_CLAUSES(BUCKET_CONTRACT_TEST, kind, make) \
	BUCKET_CONTRACT_ASKING(BUCKET_CONTRACT_TEST, kind, make)

#endif
