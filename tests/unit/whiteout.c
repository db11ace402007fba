/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/whiteout.h"

#include "lib/base/file.h"
#include "tests/support/test.h"

#include <stdio.h>

static struct ulid block(char last)
{
	char s[ULID_CHARS + 1] = "01HQZZZZZZ0000000000000000";
	struct ulid u;
	s[ULID_CHARS - 1] = last;
	CHECK(ulid_parse(s, &u));
	return u;
}

static struct whiteouts *open_at(const char *path)
{
	struct err e = { .msg = "" };
	struct whiteouts *w = NULL;
	CHECK_OK(whiteouts_open(path, &w, &e), &e);
	return w;
}

static const char *file(void)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/whiteouts", test_dir());
	return path;
}

TEST(a_block_goes_from_present_over_pending_to_gone)
{
	struct ulid a = block('A'), b = block('B');
	struct whiteouts *w = open_at(file());
	CHECK_INT(whiteouts_state(w, &a), WHITEOUT_NONE);
	CHECK_INT(whiteouts_set_pending(w, &a), 0);
	CHECK_INT(whiteouts_state(w, &a), WHITEOUT_PENDING);
	CHECK_INT(whiteouts_state(w, &b), WHITEOUT_NONE);
	CHECK_INT(whiteouts_set_gone(w, &a), 0);
	CHECK_INT(whiteouts_state(w, &a), WHITEOUT_GONE);
	CHECK_INT(whiteouts_hidden(w), 1);
	whiteouts_close(w);
}

TEST(removed_files_are_remembered_one_by_one)
{
	struct ulid a = block('A');
	struct whiteouts *w = open_at(file());
	CHECK_INT(whiteouts_remove_place(w, &a, 3), 0);
	CHECK(whiteouts_has_removed(w, &a, 3));
	CHECK(!whiteouts_has_removed(w, &a, 2));
	CHECK_INT(whiteouts_state(w, &a), WHITEOUT_NONE);
	CHECK_INT(whiteouts_set_gone(w, &a), 0);
	CHECK(whiteouts_has_removed(w, &a, 2));
	whiteouts_close(w);
}

TEST(everything_is_there_again_after_a_restart)
{
	struct ulid a = block('A'), b = block('B'), c = block('C');
	struct whiteouts *w = open_at(file());
	whiteouts_set_pending(w, &b);
	whiteouts_remove_place(w, &b, 9);
	whiteouts_set_gone(w, &a);
	whiteouts_remove_place(w, &c, 1);
	whiteouts_close(w);

	for (int i = 0; i < 2; i++) { /* the second time from the file that the first has written anew */
		w = open_at(file());
		CHECK_INT(whiteouts_state(w, &a), WHITEOUT_GONE);
		CHECK_INT(whiteouts_state(w, &b), WHITEOUT_PENDING);
		CHECK(whiteouts_has_removed(w, &b, 9));
		CHECK(!whiteouts_has_removed(w, &b, 8));
		CHECK_INT(whiteouts_state(w, &c), WHITEOUT_NONE);
		CHECK(whiteouts_has_removed(w, &c, 1));
		whiteouts_close(w);
	}
}

static bool is_a(void *arg, const struct ulid *u)
{
	struct ulid a = block('A');
	(void)arg;
	return !ulid_cmp(&a, u);
}

TEST(whiteouts_end_with_the_blocks_they_hide_and_stay_ended)
{
	struct ulid a = block('A'), b = block('B');
	struct whiteouts *w = open_at(file());
	whiteouts_set_gone(w, &a);
	whiteouts_set_gone(w, &b);
	whiteouts_retain(w, is_a, NULL);
	CHECK_INT(whiteouts_state(w, &a), WHITEOUT_GONE);
	CHECK_INT(whiteouts_state(w, &b), WHITEOUT_NONE);
	whiteouts_close(w);
	w = open_at(file());
	CHECK_INT(whiteouts_state(w, &a), WHITEOUT_GONE);
	CHECK_INT(whiteouts_state(w, &b), WHITEOUT_NONE);
	whiteouts_close(w);
}

TEST(a_torn_or_foreign_line_costs_only_itself)
{
	static const char *const bad[] = {
		"gone 01HQZZZZZZ000000000000000", /* torn: no newline either */
		"gone\n", "gone 01HQZZZZZZ000000000000000B x\n", "went 01HQZZZZZZ000000000000000B\n",
		"gone 01HQZZZZZZ00000000000000!!\n", "removed 01HQZZZZZZ000000000000000B\n",
		"removed 01HQZZZZZZ000000000000000B 99999\n", "removed 01HQZZZZZZ000000000000000B -1\n",
		"\n\n\n",
		"pending 01HQZZZZZZ000000000000000B", /* whole, but nobody has said so: torn before its newline */
	};
	struct ulid a = block('A'), b = block('B');
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[256];
		struct err e = { .msg = "" };
		snprintf(text, sizeof text, "pending 01HQZZZZZZ000000000000000A\n%s", bad[i]);
		CHECK_OK(file_mkdirs(test_dir(), 0700, &e), &e);
		CHECK_OK(file_replace(file(), text, strlen(text), &e), &e);
		struct whiteouts *w = open_at(file());
		CHECK_INT(whiteouts_state(w, &a), WHITEOUT_PENDING);
		CHECK_INT(whiteouts_state(w, &b), WHITEOUT_NONE);
		CHECK(!whiteouts_has_removed(w, &b, 0));
		/* The next line must not be swallowed by what was there. */
		CHECK_INT(whiteouts_set_gone(w, &b), 0);
		whiteouts_close(w);
		w = open_at(file());
		CHECK_INT(whiteouts_state(w, &b), WHITEOUT_GONE);
		whiteouts_close(w);
	}
}

TEST(a_file_that_cannot_be_written_is_an_error_that_names_it)
{
	struct err e = { .msg = "" };
	struct whiteouts *w = NULL;
	CHECK(whiteouts_open("/nonexistent/dir/whiteouts", &w, &e) < 0);
	CHECK_HAS(e.msg, "/nonexistent/dir/whiteouts");
}

TEST_MAIN()
