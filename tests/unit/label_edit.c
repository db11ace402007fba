/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/label_edit.h"
#include "tests/support/test.h"

#define MAX_WORDS 32

/* Source symbols 0..9 are the merged ones 0, 10, 20 ... 90. */
static const uint32_t tens[] = { 0, 10, 20, 30, 40, 50, 60, 70, 80, 90 };
static const struct symbol_map map = { .merged = tens, .n = 10 };

static void check_words(const uint32_t *got, size_t n_got, const uint32_t *want, size_t n_want)
{
	CHECK_INT(n_got, n_want);
	for (size_t i = 0; i < n_got; i++)
		CHECK_INT(got[i], want[i]);
}

TEST(without_rules_only_the_numbers_change)
{
	struct label_edit l;
	label_edit_init(&l, map, 0);
	label_edit_ready(&l);
	uint32_t out[MAX_WORDS], n;
	CHECK(!l.may_reorder);
	CHECK(!label_edit_apply(&l, (const uint32_t[]){ 1, 9, 3, 2 }, 2, out, &n, NULL));
	check_words(out, 2 * n, (const uint32_t[]){ 10, 90, 30, 20 }, 4);
	label_edit_fini(&l);
}

TEST(external_labels_are_put_where_they_sort)
{
	struct label_edit l;
	label_edit_init(&l, map, 1);
	label_edit_set(&l, 95, 1); /* rules in any order */
	label_edit_set(&l, 5, 2);
	label_edit_set(&l, 25, 3);
	label_edit_take(&l, 26, 0); /* no symbol of the source, so it can't be a label of its series */
	label_edit_ready(&l);
	CHECK(!l.may_reorder);
	CHECK_INT(l.n_set, 3);
	CHECK_INT(l.n_identity, 0);
	static const struct {
		uint32_t n_in, in[4], n_out, out[16];
	} cases[] = {
		{ 0, { 0 }, 3, { 5, 2, 25, 3, 95, 1 } },
		{ 1, { 0, 0 }, 4, { 0, 0, 5, 2, 25, 3, 95, 1 } },
		{ 1, { 9, 0 }, 4, { 5, 2, 25, 3, 90, 0, 95, 1 } },
		{ 2, { 2, 7, 3, 7 }, 5, { 5, 2, 20, 70, 25, 3, 30, 70, 95, 1 } },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t out[MAX_WORDS], n;
		CHECK(!label_edit_apply(&l, cases[i].in, cases[i].n_in, out, &n, NULL));
		check_words(out, 2 * n, cases[i].out, 2 * cases[i].n_out);
	}
	label_edit_fini(&l);
}

TEST(external_labels_overwrite)
{
	struct label_edit l;
	label_edit_init(&l, map, 0);
	label_edit_set(&l, 30, 77);
	label_edit_ready(&l);
	uint32_t out[MAX_WORDS], n;
	CHECK(l.may_reorder);
	CHECK(label_edit_apply(&l, (const uint32_t[]){ 1, 1, 3, 3, 4, 4 }, 3, out, &n, NULL));
	check_words(out, 2 * n, (const uint32_t[]){ 10, 10, 30, 77, 40, 40 }, 6);
	CHECK(!label_edit_apply(&l, (const uint32_t[]){ 1, 3 }, 1, out, &n, NULL));
	check_words(out, 2 * n, (const uint32_t[]){ 10, 30, 30, 77 }, 4);
	label_edit_fini(&l);
}

TEST(taken_labels_become_the_identity_and_dropped_ones_leave_nothing)
{
	struct label_edit l;
	label_edit_init(&l, map, 3);
	label_edit_take(&l, 50, 2);
	label_edit_take(&l, 20, 0);
	label_edit_take(&l, SYMBOL_NONE, 1); /* a replica label nobody has */
	label_edit_drop(&l, 40);
	label_edit_ready(&l);
	CHECK(l.may_reorder);
	CHECK_INT(l.n_identity, 3);
	uint32_t out[MAX_WORDS], n, identity[3] = { 9, 9, 9 };
	CHECK(label_edit_apply(&l, (const uint32_t[]){ 1, 1, 2, 7, 4, 8, 6, 6 }, 4, out, &n, identity));
	check_words(out, 2 * n, (const uint32_t[]){ 10, 10, 60, 60 }, 4);
	check_words(identity, 3, (const uint32_t[]){ 71, 0, 0 }, 3);
	CHECK(label_edit_apply(&l, (const uint32_t[]){ 5, 0 }, 1, out, &n, identity));
	CHECK_INT(n, 0);
	check_words(identity, 3, (const uint32_t[]){ 0, 0, 1 }, 3);
	CHECK(!label_edit_apply(&l, (const uint32_t[]){ 1, 5 }, 1, out, &n, identity));
	check_words(identity, 3, (const uint32_t[]){ 0, 0, 0 }, 3);
	label_edit_fini(&l);
}

TEST(a_block_whose_symbols_lack_the_names_needs_no_sorting)
{
	struct label_edit l;
	label_edit_init(&l, map, 1);
	label_edit_take(&l, 55, 0);
	label_edit_drop(&l, 65);
	label_edit_set(&l, 75, 0);
	label_edit_ready(&l);
	CHECK(!l.may_reorder);
	CHECK_INT(l.rules.len, 1);
	label_edit_fini(&l);
}

TEST_MAIN()
