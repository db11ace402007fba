/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/matcher.h"

#include "tests/support/test.h"

#include <errno.h>

static bool accepts(enum matcher_kind kind, const char *value, const char *text)
{
	struct err e;
	struct matcher m;
	CHECK_OK(matcher_init(&m, kind, TEXT("a"), text_of(value), &e), &e);
	bool r = matcher_accepts(&m, text_of(text));
	matcher_fini(&m);
	return r;
}

TEST(each_kind_accepts_what_it_says)
{
	CHECK(accepts(MATCH_EQUAL, "x", "x") && !accepts(MATCH_EQUAL, "x", "xx"));
	CHECK(!accepts(MATCH_NOT_EQUAL, "x", "x") && accepts(MATCH_NOT_EQUAL, "x", ""));
	CHECK(accepts(MATCH_REGEX, "x|y.", "yz") && !accepts(MATCH_REGEX, "x|y.", "xyz"));
	CHECK(!accepts(MATCH_NOT_REGEX, "x|y.", "yz") && accepts(MATCH_NOT_REGEX, "x|y.", "xyz"));
}

TEST(a_label_that_is_not_there_is_empty)
{
	struct err e;
	struct matcher m[2];
	struct label_pair pair = { TEXT("a"), TEXT("1") };
	struct label_set s = { &pair, 1 };
	CHECK_OK(matcher_init(&m[0], MATCH_EQUAL, TEXT("a"), TEXT("1"), &e), &e);
	CHECK_OK(matcher_init(&m[1], MATCH_REGEX, TEXT("b"), TEXT(".*"), &e), &e);
	CHECK(matchers_accept(m, 2, &s));
	matcher_fini(&m[1]);
	CHECK_OK(matcher_init(&m[1], MATCH_REGEX, TEXT("b"), TEXT(".+"), &e), &e);
	CHECK(!matchers_accept(m, 2, &s));
	matcher_fini(&m[1]);
}

TEST(a_wrong_expression_is_refused)
{
	struct err e;
	struct matcher m;
	CHECK_INT(matcher_init(&m, MATCH_REGEX, TEXT("a"), TEXT("x("), &e), -EINVAL);
	matcher_fini(&m);
}

TEST_MAIN()
