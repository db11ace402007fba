/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/put_off.h"

#include "tests/support/test.h"

#include <errno.h>

static const struct ulid a = { .bytes = { 1 } }, b = { .bytes = { 2 } };

TEST(a_block_that_is_put_off_again_and_again_is_said_once)
{
	struct put_off p = { 0 };
	CHECK(put_off_add(&p, &a, EPROTO));
	CHECK_INT(put_off_sync_ends(&p), 0);
	for (int i = 0; i < 3; i++) {
		CHECK(!put_off_add(&p, &a, EPROTO));
		CHECK_INT(put_off_sync_ends(&p), 0);
	}
	CHECK(put_off_add(&p, &b, EPROTO));
	put_off_fini(&p);
}

TEST(another_cause_is_said_too)
{
	struct put_off p = { 0 };
	CHECK(put_off_add(&p, &a, EPROTO));
	put_off_sync_ends(&p);
	CHECK(put_off_add(&p, &a, EACCES));
	put_off_sync_ends(&p);
	CHECK(!put_off_add(&p, &a, EACCES));
	put_off_fini(&p);
}

TEST(a_block_that_was_read_meanwhile_is_said_anew)
{
	struct put_off p = { 0 };
	put_off_add(&p, &a, EPROTO);
	put_off_add(&p, &b, EPROTO);
	CHECK_INT(put_off_sync_ends(&p), 0);
	put_off_add(&p, &b, EPROTO);
	CHECK_INT(put_off_sync_ends(&p), 1);
	CHECK(put_off_add(&p, &a, EPROTO));
	CHECK(!put_off_add(&p, &b, EPROTO));
	put_off_fini(&p);
}

TEST_MAIN()
