/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/label_groups.h"

#include "tests/support/test.h"

static struct label_set set_of(struct arena *a, unsigned x, unsigned y)
{
	struct label_set s = { NULL, 0 };
	s = label_set_put(a, &s, LABEL_NAME, TEXT("m"));
	s = label_set_put(a, &s, TEXT("x"), text_of(arena_printf(a, "%u", x)));
	return label_set_put(a, &s, TEXT("y"), text_of(arena_printf(a, "%u", y)));
}

TEST(equal_sets_have_the_same_number_and_others_have_others)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	struct label_groups g = { .arena = a };
	struct label_set first = set_of(a, 0, 0);
	CHECK_INT(label_groups_find(&g, &first), LABEL_GROUP_NONE);
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < 5000; i++) {
			struct label_set s = set_of(a, i / 70, i % 70);
			CHECK_INT(label_groups_put(&g, &s), i);
		}
	CHECK_INT(g.n, 5000);
	struct label_set other = set_of(a, 5000, 0);
	CHECK_INT(label_groups_find(&g, &other), LABEL_GROUP_NONE);
	CHECK_INT(label_groups_find(&g, &first), 0);
}

TEST(rows_are_grouped_by_some_of_their_labels_in_their_order)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	struct label_set rows[] = { set_of(a, 1, 1), set_of(a, 2, 1), set_of(a, 1, 2), set_of(a, 2, 2),
		set_of(a, 1, 3) };
	struct text x = TEXT("x");
	struct label_groups by = { .arena = a }, without = { .arena = a };
	uint32_t *of = label_groups_of(&by, &(struct label_choice){ &x, 1, false, false }, rows, 5);
	struct group_rows g = group_rows_of(a, of, 5, by.n);
	CHECK_INT(by.n, 2);
	CHECK_INT(group_rows_count(&g, 0), 3);
	CHECK(g.rows[0] == 0 && g.rows[1] == 2 && g.rows[2] == 4);
	CHECK(g.rows[g.first[1]] == 1 && g.rows[g.first[1] + 1] == 3);

	label_groups_of(&without, &(struct label_choice){ &x, 1, true, true }, rows, 5);
	CHECK_INT(without.n, 3);
	CHECK_INT(without.sets[0].n, 1);
	CHECK(text_is(without.sets[2].pairs[0].value, TEXT("3")));
}

TEST(no_rows_are_no_groups)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	struct label_groups g = { .arena = a };
	uint32_t *of = label_groups_of(&g, &(struct label_choice){ 0 }, NULL, 0);
	struct group_rows rows = group_rows_of(a, of, 0, g.n);
	CHECK_INT(g.n, 0);
	CHECK_INT(rows.first[0], 0);
}

TEST_MAIN()
