/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/made_slots.h"

#include "lib/base/file.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES 1000000
#define FIRST 70
#define SLOTS 100

static const char *path(const char *end)
{
	static char p[2][128];
	static unsigned which;
	char *out = p[which++ % 2];
	snprintf(out, sizeof p[0], "%s/segment-0%s", test_dir(), end);
	return out;
}

static struct made_slots *open_slots(void)
{
	struct err e;
	struct made_slots *m;
	CHECK_OK(made_slots_open(path(""), BYTES, FIRST, SLOTS, &m, &e), &e);
	return m;
}

static void put(struct made_slots *m, uint64_t slot, const char *text)
{
	struct err e;
	CHECK_OK(made_slots_put(m, slot, 1000 * (slot - FIRST + 1), text, strlen(text), &e), &e);
}

static bool holds(const struct made_slots *m, uint64_t slot, const char *text)
{
	char got[16] = "";
	CHECK_INT(file_pread_all(made_slots_fd(m), got, strlen(text), 1000 * (slot - FIRST + 1)), 0);
	return !strcmp(got, text);
}

TEST(what_stands_in_for_a_segment_is_empty_and_keeps_nothing)
{
	struct err e;
	struct stat st;
	uint8_t header[8];
	struct made_slots *m, *real = open_slots();
	CHECK_INT(made_slots_stands_in_us(real), -1);
	made_slots_unref(real);
	unlink(path(""));
	CHECK_OK(made_slots_stand_in(path(""), BYTES, FIRST, SLOTS, &m, &e), &e);
	CHECK(made_slots_stands_in_us(m) >= 0);
	CHECK_INT(fstat(made_slots_fd(m), &st), 0);
	CHECK_INT(st.st_size, BYTES);
	CHECK_INT(file_pread_all(made_slots_fd(m), header, 8, 0), 0);
	CHECK(!memcmp(header, "\x85\xbd\x40\xdd\x01\0\0\0", 8));
	CHECK_INT(made_slots_put(m, FIRST, 1000, "slot", 4, &e), -ENOSPC);
	CHECK_HAS(e.msg, path(""));
	CHECK(!made_slots_has(m, FIRST));
	CHECK_OK(made_slots_save(m, &e), &e);
	made_slots_unref(m);
	CHECK_INT(access(path(""), F_OK), -1);
}

TEST(a_new_segment_has_a_header_its_size_and_no_slots)
{
	struct stat st;
	uint8_t header[8];
	struct made_slots *m = open_slots();
	CHECK_INT(fstat(made_slots_fd(m), &st), 0);
	CHECK_INT(st.st_size, BYTES);
	CHECK(st.st_blocks * 512 < BYTES / 2);
	CHECK_INT(file_pread_all(made_slots_fd(m), header, 8, 0), 0);
	CHECK(!memcmp(header, "\x85\xbd\x40\xdd\x01\0\0\0", 8));
	for (uint64_t i = 0; i < FIRST + SLOTS + 100; i++)
		CHECK(!made_slots_has(m, i));
	made_slots_unref(m);
}

TEST(slots_are_kept_with_their_bytes)
{
	struct made_slots *m = open_slots();
	put(m, FIRST, "first");
	put(m, FIRST + 63, "middle");
	put(m, FIRST + SLOTS - 1, "last");
	put(m, FIRST + 5, "");
	for (int i = 0; i < 2; i++) {
		CHECK(made_slots_has(m, FIRST));
		CHECK(made_slots_has(m, FIRST + 5));
		CHECK(made_slots_has(m, FIRST + 63));
		CHECK(made_slots_has(m, FIRST + SLOTS - 1));
		CHECK(!made_slots_has(m, FIRST + 64));
		CHECK(!made_slots_has(m, FIRST - 1));
		CHECK(holds(m, FIRST, "first"));
		CHECK(holds(m, FIRST + 63, "middle"));
		made_slots_unref(m);
		m = open_slots();
	}
	made_slots_unref(m);
}

TEST(a_slot_of_another_segment_is_refused)
{
	struct err e;
	struct made_slots *m = open_slots();
	CHECK_INT(made_slots_put(m, FIRST - 1, 0, "x", 1, &e), -EINVAL);
	CHECK_INT(made_slots_put(m, FIRST + SLOTS, 0, "x", 1, &e), -EINVAL);
	made_slots_unref(m);
}

TEST(bits_that_are_lost_cost_only_making_slots_again)
{
	struct made_slots *m = open_slots();
	put(m, FIRST, "first");
	made_slots_unref(m);
	CHECK_INT(unlink(path(".made")), 0);
	m = open_slots();
	CHECK(!made_slots_has(m, FIRST));
	made_slots_unref(m);
}

TEST(bits_that_do_not_match_their_checksum_count_as_none)
{
	for (off_t at = 0; at < 28; at++) {
		struct made_slots *m = open_slots();
		put(m, FIRST + 1, "x");
		made_slots_unref(m);
		int fd = open(path(".made"), O_RDWR);
		uint8_t byte;
		CHECK(fd >= 0);
		CHECK_INT(pread(fd, &byte, 1, at), 1);
		byte ^= 4;
		CHECK_INT(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		m = open_slots();
		for (uint64_t i = FIRST; i < FIRST + SLOTS; i++)
			CHECK(!made_slots_has(m, i));
		made_slots_unref(m);
		unlink(path(""));
		unlink(path(".made"));
	}
}

TEST(bits_do_not_vouch_for_a_segment_that_was_started_anew)
{
	static const off_t sizes[] = { 0, 7, BYTES - 1, BYTES + 1 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct made_slots *m = open_slots();
		put(m, FIRST, "first");
		made_slots_unref(m);
		CHECK_INT(truncate(path(""), sizes[i]), 0);
		for (int times = 0; times < 2; times++) {
			m = open_slots();
			CHECK(!made_slots_has(m, FIRST));
			CHECK(holds(m, FIRST, ""));
			made_slots_unref(m);
		}
	}
}

TEST(bits_do_not_vouch_for_another_file_of_the_same_size)
{
	struct made_slots *m = open_slots();
	put(m, FIRST, "first");
	made_slots_unref(m);
	CHECK_INT(rename(path(""), path(".kept")), 0); /* so that its inode stays taken */
	m = open_slots();
	made_slots_unref(m);
	m = open_slots();
	CHECK(!made_slots_has(m, FIRST));
	made_slots_unref(m);
}

TEST(who_holds_a_discarded_segment_reads_on_and_writes_nothing_into_the_next)
{
	struct made_slots *m = open_slots();
	struct err e;
	put(m, FIRST, "first");
	CHECK_OK(made_slots_save(m, &e), &e);
	made_slots_ref(m);
	made_slots_discard(m);
	made_slots_unref(m);
	CHECK(holds(m, FIRST, "first"));
	struct made_slots *next = open_slots();
	CHECK(!made_slots_has(next, FIRST));
	put(m, FIRST + 1, "late");
	CHECK_OK(made_slots_save(m, &e), &e);
	made_slots_unref(m);
	CHECK(holds(next, FIRST + 1, ""));
	made_slots_unref(next);
	next = open_slots();
	CHECK(!made_slots_has(next, FIRST));
	CHECK(!made_slots_has(next, FIRST + 1));
	made_slots_unref(next);
}

TEST(two_that_have_the_segment_open_lose_bits_but_no_bytes)
{
	struct err e;
	struct made_slots *a = open_slots(), *b = open_slots();
	put(a, FIRST, "first");
	made_slots_unref(a);
	made_slots_clear(path(""));
	struct made_slots *fresh = open_slots();
	put(b, FIRST + 1, "second"); /* into the file that is gone */
	CHECK_OK(made_slots_save(b, &e), &e);
	made_slots_unref(fresh);
	fresh = open_slots();
	CHECK(!made_slots_has(fresh, FIRST + 1));
	made_slots_unref(fresh);
	made_slots_unref(b);
}

TEST(clearing_what_is_not_open_frees_its_space)
{
	struct stat st;
	struct made_slots *m = open_slots();
	put(m, FIRST, "first");
	made_slots_unref(m);
	made_slots_clear(path(""));
	CHECK_INT(stat(path(""), &st), 0);
	CHECK_INT(st.st_blocks, 0);
	CHECK(!file_exists(path(".made")));
}

TEST(a_directory_that_is_gone_is_an_error_that_names_the_file)
{
	struct err e;
	struct made_slots *m;
	CHECK_INT(made_slots_open("/nowhere/segment-0", BYTES, 0, 1, &m, &e), -ENOENT);
	CHECK_HAS(e.msg, "/nowhere/segment-0");
}

TEST_MAIN()
