/* SPDX-License-Identifier: Apache-2.0 */
#include "store/readahead.h"

#include "tests/support/test.h"

#define KIB  1024ull
#define MIB  (1024 * KIB)
#define SIZE (100 * MIB)
#define MOST (8u << 20)

static uint64_t from, to;

static bool note(struct readahead *ra, uint64_t at, size_t n)
{
	return readahead_note(ra, at, n, SIZE, MOST, &from, &to);
}

TEST(one_read_is_no_sequence_but_at_the_beginning)
{
	struct readahead ra = { 0 };
	CHECK(!note(&ra, 10 * MIB, 4096));
	CHECK(note(&ra, 0, 4096));
	CHECK_INT(from, 4096);
	CHECK_INT(to, 4096 + 128 * KIB);
}

TEST(the_window_grows_and_nothing_is_announced_twice)
{
	struct readahead ra = { 0 };
	uint64_t until = 128 * KIB, largest = 0, first = 0;
	for (uint64_t at = 0; at < SIZE; at += 128 * KIB) {
		if (!note(&ra, at, 128 * KIB))
			continue;
		CHECK_INT(from, until);
		first = first ? first : to - from;
		largest = to - (at + 128 * KIB) > largest ? to - (at + 128 * KIB) : largest;
		CHECK(to > from && to <= SIZE);
		until = to;
	}
	CHECK_INT(first, 128 * KIB);
	CHECK_INT(largest, MOST);
	CHECK_INT(until, SIZE);
}

TEST(small_steps_announce_no_more_than_was_read)
{
	struct readahead ra = { 0 };
	uint64_t announced = 0;
	for (uint64_t at = 10 * MIB; at < 12 * MIB; at += 4 * KIB)
		if (note(&ra, at, 1024))
			announced = to - 10 * MIB;
	CHECK(announced > 3 * MIB && announced <= 4 * MIB);
}

TEST(random_reads_announce_nothing)
{
	struct readahead ra = { 0 };
	for (uint64_t i = 1; i < 1000; i++)
		CHECK(!note(&ra, i * 7919 % 99 * MIB + 3, 4096) || i > 99);
}

TEST(reads_that_overtake_each_other_are_one_stream)
{
	struct readahead ra = { 0 };
	uint64_t announced = 0;
	for (uint64_t at = 0; at < 32 * MIB; at += 256 * KIB) {
		if (note(&ra, at + 128 * KIB, 128 * KIB))
			announced += to - from;
		if (note(&ra, at, 128 * KIB))
			announced += to - from;
	}
	CHECK(announced >= 31 * MIB);
	CHECK(announced <= 41 * MIB);
}

TEST(several_streams_are_followed_at_once)
{
	struct readahead ra = { 0 };
	unsigned announcements = 0;
	for (uint64_t step = 0; step < 64; step++)
		for (uint64_t stream = 0; stream < READAHEAD_STREAMS; stream++)
			announcements += note(&ra, stream * 20 * MIB + step * 128 * KIB, 128 * KIB);
	CHECK(announcements >= READAHEAD_STREAMS * 5);
}

TEST_MAIN()
