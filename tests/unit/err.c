/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/err.h"

#include "tests/support/test.h"

#include <errno.h>

TEST(a_message_gathers_context_in_front)
{
	struct err e;
	CHECK_INT(err_set(&e, -EBADMSG, "index of %d bytes is truncated", 5), -EBADMSG);
	CHECK_STR(e.msg, "index of 5 bytes is truncated");
	CHECK_INT(err_wrap(&e, -EBADMSG, "opening block %s", "X"), -EBADMSG);
	CHECK_STR(e.msg, "opening block X: index of 5 bytes is truncated");
	CHECK_INT(err_errno(&e, -ENOENT, "opening %s", "f"), -ENOENT);
	CHECK_STR(e.msg, "opening f: No such file or directory");
}

TEST(nobody_has_to_want_the_message)
{
	CHECK_INT(err_set(NULL, -1, "x"), -1);
	CHECK_INT(err_errno(NULL, -2, "x"), -2);
	CHECK_INT(err_wrap(NULL, -3, "x"), -3);
}

TEST(a_message_that_is_too_long_is_cut)
{
	struct err e;
	char text[2 * ERR_MSG_BYTES];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	err_set(&e, -1, "%s", text);
	CHECK_INT(strlen(e.msg), ERR_MSG_BYTES - 1);
	err_wrap(&e, -1, "%s", text);
	CHECK_INT(strlen(e.msg), ERR_MSG_BYTES - 1);
	err_wrap(&e, -1, "short");
	CHECK_INT(strlen(e.msg), ERR_MSG_BYTES - 1);
	CHECK_HAS(e.msg, "short: xxx");
	err_errno(&e, -ENOENT, "%s", text);
	CHECK_INT(strlen(e.msg), ERR_MSG_BYTES - 1);
}

TEST_MAIN()
