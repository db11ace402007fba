/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/mount_secret.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CONFIG "type: S3\nconfig: {secret_key: canary}"

static struct err e;

static char text[4][128]; /* the arguments, where a process has them */
static char *args[5];

static int hide(const char *a, const char *b, const char *c, const char *config)
{
	const char *const given[] = { "mount", a, b, c };
	int argc = 0;
	for (; argc < 4 && given[argc]; argc++) {
		snprintf(text[argc], sizeof text[argc], "%s", given[argc]);
		args[argc] = text[argc];
	}
	args[argc] = NULL;
	e.msg[0] = 0;
	return mount_secret_hide(argc, args, config, &e);
}

static bool has_canary(void)
{
	return memmem(text, sizeof text, "canary", 6);
}

TEST(the_value_after_an_equals_sign_becomes_a_reference_that_gives_it_back)
{
	CHECK_OK(hide("--objstore.config=" CONFIG, "--data-dir=d", "/mnt", CONFIG), &e);
	CHECK(!has_canary());
	CHECK(!strncmp(args[1], "--objstore.config=fd:", 21));
	CHECK_STR(args[2], "--data-dir=d");
	CHECK_STR(args[3], "/mnt");
	char *config = xstrdup(args[1] + 18);
	CHECK_OK(mount_secret_take(&config, &e), &e);
	CHECK_STR(config, CONFIG);
	free(config);
}

TEST(the_value_in_an_argument_of_its_own_becomes_a_reference)
{
	CHECK_OK(hide("--objstore.config", CONFIG, "/mnt", CONFIG), &e);
	CHECK(!has_canary());
	CHECK_STR(args[1], "--objstore.config");
	CHECK(!strncmp(args[2], "fd:", 3));
}

TEST(a_reference_is_inherited_can_be_read_by_many_and_not_changed)
{
	CHECK_OK(hide("--objstore.config=" CONFIG, "/mnt", NULL, CONFIG), &e);
	int fd = atoi(args[1] + 21);
	CHECK_INT(fcntl(fd, F_GETFD), 0);
	CHECK_INT(pwrite(fd, "x", 1, 0), -1);
	CHECK_INT(errno, EPERM);
	for (int i = 0; i < 2; i++) {
		int own = dup(fd);
		char *config = xasprintf("fd:%d", own);
		CHECK_OK(mount_secret_take(&config, &e), &e);
		CHECK_STR(config, CONFIG);
		CHECK_INT(fcntl(own, F_GETFD), -1);
		free(config);
	}
}

TEST(a_reference_stays_one_and_so_does_what_is_no_secret)
{
	CHECK_OK(hide("--objstore.config=fd:7", "/mnt", NULL, "fd:7"), &e);
	CHECK_STR(args[1], "--objstore.config=fd:7");
	CHECK_OK(hide("--objstore.config-file=" CONFIG, "/mnt", NULL, NULL), &e);
	CHECK_STR(args[1], "--objstore.config-file=" CONFIG);
	CHECK_OK(hide("--objstore.config=short", "/mnt", NULL, "short"), &e);
	CHECK_STR(args[1], "--objstore.config=short");
}

TEST(text_that_only_looks_like_a_reference_is_left_as_it_is)
{
	static const char *const others[] = { "", "fd:", "fd: 7", "fd:-1", "fd:7x", "fd:99999999999",
		"type: S3" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		char *config = xstrdup(others[i]);
		CHECK_OK(mount_secret_take(&config, &e), &e);
		CHECK_STR(config, others[i]);
		free(config);
	}
	char *none = NULL;
	CHECK_OK(mount_secret_take(&none, &e), &e);
	CHECK(!none);
}

TEST(a_descriptor_that_is_not_open_is_an_error_that_names_the_flag)
{
	char *config = xstrdup("fd:987");
	CHECK_INT(mount_secret_take(&config, &e), -ENOENT);
	CHECK_HAS(e.msg, "flag --objstore.config");
	free(config);
}

TEST_MAIN()
