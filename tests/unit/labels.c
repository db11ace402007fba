/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/labels.h"
#include "tests/support/test.h"

/* "a=1,b=2" */
static struct labels labels_of(const char *text)
{
	struct labels l = { 0 };
	char *copy = xstrdup(text), *save = NULL;
	for (char *pair = strtok_r(copy, ",", &save); pair; pair = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(pair, '=');
		*eq = 0;
		labels_set(&l, pair, eq + 1);
	}
	free(copy);
	return l;
}

TEST(labels_stay_sorted_in_whatever_order_they_are_set)
{
	struct labels l = labels_of("m=1,a=2,z=3,b=4");
	static const char *const names[] = { "a", "b", "m", "z" };
	CHECK_INT(l.len, 4);
	for (size_t i = 0; i < l.len; i++)
		CHECK_STR(l.data[i].name, names[i]);
	labels_fini(&l);
	CHECK_INT(l.len, 0);
}

TEST(setting_a_name_again_replaces_its_value)
{
	struct labels l = labels_of("a=1,b=2");
	labels_set(&l, "a", "3");
	CHECK_INT(l.len, 2);
	CHECK_STR(labels_get(&l, "a"), "3");
	labels_set(&l, "b", labels_get(&l, "b"));
	CHECK_STR(labels_get(&l, "b"), "2");
	labels_fini(&l);
}

TEST(an_empty_value_removes_the_label)
{
	struct labels l = labels_of("a=1,b=2,c=3");
	labels_set(&l, "b", "");
	labels_set(&l, "never", "");
	CHECK_INT(l.len, 2);
	CHECK(!labels_get(&l, "b"));
	CHECK_STR(labels_get(&l, "c"), "3");
	labels_remove(&l, "a");
	labels_remove(&l, "a");
	CHECK_INT(l.len, 1);
	labels_fini(&l);
}

TEST(a_copy_shares_nothing)
{
	struct labels a = labels_of("a=1,b=2"), b = labels_of("z=9");
	labels_copy(&b, &a);
	labels_copy(&b, &b);
	labels_set(&a, "a", "changed");
	CHECK_INT(b.len, 2);
	CHECK_STR(labels_get(&b, "a"), "1");
	labels_fini(&a);
	CHECK_STR(labels_get(&b, "b"), "2");
	labels_fini(&b);
}

TEST(label_sets_compare_label_by_label_name_first)
{
	static const struct {
		const char *less, *more;
	} cases[] = {
		{ "", "a=1" }, { "a=1", "a=1,b=1" }, { "a=1,b=1", "a=2" }, { "a=1", "b=0" },
		{ "a=1,b=1", "a=1,c=0" }, { "a=1", "a=10" }, { "a=z", "a=\xc3\xa9" }, /* bytes, unsigned */
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct labels a = labels_of(cases[i].less), b = labels_of(cases[i].more);
		CHECK(labels_cmp(&a, &b) < 0);
		CHECK(labels_cmp(&b, &a) > 0);
		CHECK_INT(labels_cmp(&a, &a), 0);
		labels_fini(&a);
		labels_fini(&b);
	}
}

TEST_MAIN()
