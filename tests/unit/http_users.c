/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_users.h"

#include "tests/support/test.h"

#include <crypt.h>
#include <errno.h>

/* The least work that bcrypt knows. */
static const char *hash_of(const char *password)
{
	static struct crypt_data data;
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	CHECK(crypt_gensalt_rn("$2b$", 4, "0123456789abcdef", 16, salt, sizeof salt));
	return crypt_r(password, salt, &data);
}

static struct http_users *made(void)
{
	struct http_users *u = http_users_new();
	struct err e;
	CHECK_OK(http_users_add(u, "alice", hash_of("open:sesame"), &e), &e);
	CHECK_OK(http_users_add(u, "bob", hash_of(""), &e), &e);
	return u;
}

TEST(a_password_admits_its_user_alone)
{
	static const struct {
		const char *header;
		bool is_admitted;
	} table[] = {
		{ "Basic YWxpY2U6b3BlbjpzZXNhbWU=", true }, /* alice:open:sesame */
		{ "basic YWxpY2U6b3BlbjpzZXNhbWU", true },
		{ "Basic Ym9iOg==", true },                  /* bob: */
		{ "Basic Ym9iOm9wZW46c2VzYW1l", false },     /* bob:open:sesame */
		{ "Basic YWxpY2U6b3Blbg==", false },         /* alice:open */
		{ "Basic Y2Fyb2w6b3BlbjpzZXNhbWU=", false }, /* carol:open:sesame */
		{ "Basic YWxpY2U=", false },                 /* alice */
		{ "Basic YWxpY2UAOm9wZW4=", false },         /* a NUL */
		{ "Basic ***", false },
		{ "Basic ", false },
		{ "Bearer YWxpY2U6b3BlbjpzZXNhbWU=", false },
		{ "", false },
	};
	auto_of(http_users) struct http_users *u = made();
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		for (int again = 0; again < 2; again++)
			if (http_users_check(u, table[i].header) != table[i].is_admitted)
				test_fail(__FILE__, __LINE__, "%s: wrong", table[i].header);
	CHECK(!http_users_check(u, NULL));
}

TEST(what_was_found_is_remembered)
{
	auto_of(http_users) struct http_users *u = made();
	const char *good = "Basic YWxpY2U6b3BlbjpzZXNhbWU=", *bad = "Basic YWxpY2U6b3Blbg==";
	CHECK_INT(http_users_glance(u, NULL), HTTP_REFUSED);
	CHECK_INT(http_users_glance(u, good), HTTP_UNDECIDED);
	CHECK(http_users_check(u, good));
	CHECK(!http_users_check(u, bad));
	CHECK_INT(http_users_glance(u, good), HTTP_ADMITTED);
	CHECK_INT(http_users_glance(u, bad), HTTP_REFUSED);
}

TEST(guesses_displace_nobody_who_may)
{
	auto_of(http_users) struct http_users *u = made();
	const char *good = "Basic YWxpY2U6b3BlbjpzZXNhbWU=";
	CHECK(http_users_check(u, good));
	for (int i = 0; i < 200; i++) {
		/* alice:wrong, and anything behind it */
		auto_free char *guess = xasprintf("Basic YWxpY2U6d3Jvbmc%03d", i);
		CHECK(!http_users_check(u, guess));
	}
	CHECK_INT(http_users_glance(u, good), HTTP_ADMITTED);
}

TEST(a_hash_that_is_not_bcrypts_is_refused)
{
	static const char *const table[] = { "", "secret", "$6$salt$hash",
		"$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeS",
		"$2x$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi" };
	auto_of(http_users) struct http_users *u = http_users_new();
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct err e;
		CHECK_INT(http_users_add(u, "eve", table[i], &e), -EINVAL);
		CHECK_HAS(e.msg, "\"eve\" is no bcrypt hash");
	}
	CHECK(!http_users_check(u, "Basic YWxpY2U6b3BlbjpzZXNhbWU=")); /* nobody there */
}

TEST_MAIN()
