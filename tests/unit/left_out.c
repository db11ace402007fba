/* SPDX-License-Identifier: Apache-2.0 */
#include "store/left_out.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "tests/support/test.h"

static const struct ulid a = { { [15] = 1 } }, b = { { [15] = 2 } }, c = { { [15] = 3 } };

static void note(void *arg, const struct ulid *block, const char *reason, const char *detail)
{
	buf_printf(arg, "%c:%s:%s ", 'a' + block->bytes[15] - 1, reason, detail);
}

static void check_left_out(struct left_out *l, const char *want)
{
	auto_buf struct buf text = { 0 };
	left_out_each(l, note, &text);
	CHECK_STR(buf_str(&text), want);
}

/* A sync that finds block b alone, and nothing against it; whether it lists it. */
static bool sync_lists(struct left_out *l)
{
	left_out_sync_begins(l);
	char *detail = left_out_why_rejected(l, &b);
	left_out_sync_ends(l, &(struct left_out_block){ .ulid = b, .detail = detail }, detail != NULL);
	return !detail;
}

TEST(what_is_left_out_is_said_in_order_with_its_reason)
{
	struct left_out *l = left_out_new();
	check_left_out(l, "");
	CHECK(sync_lists(l));
	struct left_out_block blocks[] = { { a, "small", xstrdup("1") }, { c, "large", xstrdup("3") } };
	left_out_sync_begins(l);
	left_out_sync_ends(l, blocks, 2);
	check_left_out(l, "a:small:1 c:large:3 ");

	CHECK(left_out_reject(l, &b, "odd", "2"));
	CHECK(!left_out_reject(l, &b, "odd again", "2"));
	check_left_out(l, "a:small:1 b:odd:2 c:large:3 ");

	CHECK(!sync_lists(l));
	check_left_out(l, "b:odd:2 ");
	left_out_free(l);
}

TEST(a_rejected_block_is_on_trial_after_4_syncs_and_then_after_ever_more_up_to_64)
{
	static const unsigned pauses[] = { 4, 8, 16, 32, 64, 64 };
	struct left_out *l = left_out_new();
	CHECK(left_out_reject(l, &b, "odd", "2"));
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		for (unsigned k = 0; k < pauses[i]; k++)
			CHECK(!sync_lists(l));
		CHECK(sync_lists(l));
		check_left_out(l, "");
		CHECK(!left_out_reject(l, &b, "odd", "2"));
		check_left_out(l, "b:odd:2 ");
	}
	left_out_free(l);
}

TEST(a_block_that_passes_its_trial_is_as_if_it_had_never_been_rejected)
{
	struct left_out *l = left_out_new();
	for (unsigned round = 0; round < 2; round++) {
		CHECK(left_out_reject(l, &b, "odd", "2"));
		for (unsigned k = 0; k < LEFT_OUT_FIRST_TRIAL_SYNCS; k++)
			CHECK(!sync_lists(l));
		CHECK(sync_lists(l));
		CHECK(sync_lists(l));
	}
	left_out_free(l);
}

TEST_MAIN()
