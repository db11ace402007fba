/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/label_set.h"

#include "tests/support/test.h"

#define SET(...)                                                         \
	((struct label_set){ (const struct label_pair[]){ __VA_ARGS__ }, \
		sizeof((const struct label_pair[]){ __VA_ARGS__ }) / sizeof(struct label_pair) })
#define PAIR(n, v)               \
	{                        \
		TEXT(n), TEXT(v) \
	}

static const char *printed(const struct label_set *s)
{
	static struct buf out;
	buf_reset(&out);
	label_set_print(s, &out);
	return buf_str(&out);
}

TEST(sets_are_compared_label_by_label)
{
	struct label_set a = SET(PAIR("a", "1"), PAIR("b", "2")),
			 longer = SET(PAIR("a", "1"), PAIR("b", "2"), PAIR("c", "")),
			 other = SET(PAIR("a", "1"), PAIR("b", "3")), none = { NULL, 0 };
	CHECK(label_set_cmp(&a, &a) == 0);
	CHECK(label_set_cmp(&a, &longer) < 0);
	CHECK(label_set_cmp(&other, &a) > 0);
	CHECK(label_set_cmp(&none, &a) < 0);
	CHECK(label_set_is(&a, &a) && !label_set_is(&a, &other));
	CHECK(label_set_hash(&a) != label_set_hash(&other));
}

TEST(labels_are_chosen_by_name)
{
	auto_of(arena) struct arena *m = arena_new(NULL);
	struct label_set s = SET(PAIR("__name__", "up"), PAIR("a", "1"), PAIR("b", "2"), PAIR("c", "3"));
	struct text names[] = { TEXT("a"), TEXT("bb"), TEXT("c") };
	struct label_set with = label_set_with(m, &s, names, 3),
			 without = label_set_without(m, &s, names, 3, false),
			 nameless = label_set_without(m, &s, names, 3, true);
	CHECK_STR(printed(&with), "{a=\"1\", c=\"3\"}");
	CHECK_STR(printed(&without), "{__name__=\"up\", b=\"2\"}");
	CHECK_STR(printed(&nameless), "{b=\"2\"}");
}

TEST(a_label_is_put_in_its_place_and_taken_out_by_an_empty_value)
{
	auto_of(arena) struct arena *m = arena_new(NULL);
	struct label_set s = SET(PAIR("b", "2"), PAIR("d", "4"));
	struct label_set first = label_set_put(m, &s, TEXT("a"), TEXT("1"));
	CHECK_STR(printed(&first), "{a=\"1\", b=\"2\", d=\"4\"}");
	struct label_set last = label_set_put(m, &s, TEXT("e"), TEXT("5"));
	CHECK_STR(printed(&last), "{b=\"2\", d=\"4\", e=\"5\"}");
	struct label_set changed = label_set_put(m, &s, TEXT("d"), TEXT("x"));
	CHECK_STR(printed(&changed), "{b=\"2\", d=\"x\"}");
	struct label_set gone = label_set_put(m, &s, TEXT("b"), TEXT(""));
	CHECK_STR(printed(&gone), "{d=\"4\"}");
	struct label_set same = label_set_put(m, &s, TEXT("c"), TEXT(""));
	CHECK(label_set_is(&same, &s));
}

TEST(a_copy_has_bytes_of_its_own)
{
	auto_of(arena) struct arena *m = arena_new(NULL);
	char value[] = "1";
	struct label_pair pair = { TEXT("a"), { value, 1 } };
	struct label_set s = { &pair, 1 }, copy = label_set_copy(m, &s);
	value[0] = '2';
	CHECK_STR(printed(&copy), "{a=\"1\"}");
	CHECK(label_set_get(&s, TEXT("a")).p == value);
	CHECK(label_set_get(&s, TEXT("b")).p == NULL);
}

TEST(what_is_printed_is_quoted_as_go_does)
{
	struct label_set s = SET(PAIR("a.b", "x\"y\\z\n\x01"), PAIR("c", "\xff\xc3\xa9"));
	CHECK_STR(printed(&s), "{\"a.b\"=\"x\\\"y\\\\z\\n\\x01\", c=\"\\xff\xc3\xa9\"}");
	struct label_set none = { NULL, 0 };
	CHECK_STR(printed(&none), "{}");
}

TEST_MAIN()
