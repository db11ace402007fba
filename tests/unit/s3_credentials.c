/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_credentials.h"

#include "lib/base/file.h"
#include "tests/support/test.h"

#include <errno.h>

static const char file_text[] = "# comment\n"
				"[other]\n"
				"aws_access_key_id = OTHER\n"
				"aws_secret_access_key = other/secret\n"
				"\n"
				"  [ default ]\r\n"
				"aws_access_key_id=DEFAULT\r\n"
				"aws_secret_access_key =  s3cr+t/=x  \r\n"
				"region = eu-west-1\n"
				"[with token]\n"
				"aws_secret_access_key = t\n"
				"aws_access_key_id = TOKEN\n"
				"aws_session_token = FwoGZX//w==\n"
				"[half]\n"
				"aws_access_key_id = HALF\n"
				"[bad]\n"
				"aws_access_key_id = a b\n"
				"aws_secret_access_key = x";

TEST(a_profile_is_found_in_a_file)
{
	static const struct {
		const char *profile, *access, *secret, *token;
	} cases[] = {
		{ "default", "DEFAULT", "s3cr+t/=x", "" },
		{ "other", "OTHER", "other/secret", "" },
		{ "with token", "TOKEN", "t", "FwoGZX//w==" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct s3_keys k = { 0 };
		CHECK_INT(s3_credentials_parse(file_text, sizeof file_text - 1, cases[i].profile, &k), 0);
		CHECK_STR(k.access_key, cases[i].access);
		CHECK_STR(k.secret_key, cases[i].secret);
		CHECK_STR(k.session_token, cases[i].token);
		s3_keys_fini(&k);
	}
}

TEST(a_profile_that_is_missing_or_half_there_is_none)
{
	static const char *const profiles[] = { "absent", "half", "bad", "" };
	struct s3_keys k = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		CHECK_INT(s3_credentials_parse(file_text, sizeof file_text - 1, profiles[i], &k), -ENOENT);
	CHECK_INT(s3_credentials_parse("", 0, "default", &k), -ENOENT);
	CHECK_INT(s3_credentials_parse("[", 1, "default", &k), -ENOENT);
	CHECK_INT(s3_credentials_parse("[]", 2, "", &k), -ENOENT);
	CHECK(!k.access_key);
}

/* An environment with nothing of Amazon's, and an empty home. */
static void clean_environment(void)
{
	static const char *const names[] = { "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY",
		"AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	setenv("HOME", test_dir(), 1);
}

static struct s3_config config_with(bool aws_sdk_auth, char *access, char *secret)
{
	static char nothing[] = "";
	return (struct s3_config){ .aws_sdk_auth = aws_sdk_auth,
		.access_key = access ? access : nothing,
		.secret_key = secret ? secret : nothing,
		.session_token = nothing };
}

static void check_source(const struct s3_config *config, const char *access, const char *source)
{
	struct err e;
	struct s3_keys k;
	auto_of(s3_credentials) struct s3_credentials *c = NULL;
	CHECK_OK(s3_credentials_new(config, &c, &e), &e);
	s3_credentials_get(c, &k);
	CHECK_STR(k.access_key, access);
	CHECK_HAS(s3_credentials_source(c), source);
	s3_keys_fini(&k);
}

TEST(the_configuration_comes_before_the_environment_and_that_before_the_file)
{
	char access[] = "CONFIG", secret[] = "secret";
	struct err e;
	struct s3_config with = config_with(false, access, secret), without = config_with(false, NULL, NULL);
	clean_environment();
	check_source(&without, "", "nowhere");
	auto_free char *dir = xasprintf("%s/.aws", test_dir()), *path = xasprintf("%s/credentials", dir);
	CHECK_OK(file_mkdirs(dir, 0700, &e), &e);
	CHECK_OK(file_replace(path, file_text, sizeof file_text - 1, &e), &e);
	check_source(&without, "DEFAULT", "/.aws/credentials");
	setenv("AWS_PROFILE", "other", 1);
	check_source(&without, "OTHER", "/.aws/credentials");
	setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	check_source(&without, "ENV", "the environment");
	check_source(&with, "CONFIG", "the configuration");
}

TEST(credentials_of_a_kind_not_known_are_refused_and_named)
{
	struct err e;
	struct s3_credentials *c = NULL;
	struct s3_config plain = config_with(false, NULL, NULL), sdk = config_with(true, NULL, NULL);
	clean_environment();
	CHECK_INT(s3_credentials_new(&sdk, &c, &e), -EACCES);
	CHECK_HAS(e.msg, "aws_sdk_auth");
	CHECK_HAS(e.msg, ".aws/credentials");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/token", 1);
	CHECK_INT(s3_credentials_new(&plain, &c, &e), -EACCES);
	CHECK_HAS(e.msg, "AWS_WEB_IDENTITY_TOKEN_FILE");
}

TEST(the_region_of_the_environment_counts_with_aws_sdk_auth_only)
{
	struct s3_config plain = config_with(false, NULL, NULL), sdk = config_with(true, NULL, NULL);
	clean_environment();
	CHECK_STR(s3_credentials_region(&sdk), "");
	setenv("AWS_DEFAULT_REGION", "eu-west-2", 1);
	CHECK_STR(s3_credentials_region(&sdk), "eu-west-2");
	setenv("AWS_REGION", "eu-west-1", 1);
	CHECK_STR(s3_credentials_region(&sdk), "eu-west-1");
	CHECK_STR(s3_credentials_region(&plain), "");
}

TEST_MAIN()
