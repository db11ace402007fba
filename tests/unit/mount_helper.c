/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/mount_helper.h"

#include "cmd/command.h"
#include "lib/base/vec.h"
#include "tests/support/test.h"

#include <errno.h>

int cmd_mount(int argc, char **argv)
{
	(void)argc, (void)argv;
	return 1;
}

/* The arguments joined by blanks, or the error. */
static const char *translate(const char *const *words, struct buf *out)
{
	struct flag_strings arguments = { 0 };
	struct err e = { .msg = "" };
	bool is_fake = false;
	int argc = 0;
	while (words[argc])
		argc++;
	int r = mount_helper_arguments(argc, (char *const *)words, &arguments, &is_fake, &e);
	buf_reset(out);
	if (r < 0)
		buf_printf(out, "error: %s", e.msg);
	else
		vec_each (a, &arguments)
			buf_printf(out, "%s%s", out->len ? " " : "", *a);
	if (r == 0 && is_fake)
		buf_add_str(out, " (fake)");
	vec_each (a, &arguments)
		free(*a);
	vec_fini(&arguments);
	return buf_str(out);
}

#define TRANSLATE(...) translate((const char *const[]){ "mount.thanosfs", __VA_ARGS__, NULL }, &b)

TEST(it_is_known_by_the_names_that_mount_8_calls)
{
	CHECK(mount_helper_is_name("/sbin/mount.thanosfs"));
	CHECK(mount_helper_is_name("mount.fuse.thanosfs"));
	CHECK(!mount_helper_is_name("/usr/bin/thanosfs"));
	CHECK(!mount_helper_is_name("mount.thanosfs/thanosfs"));
}

TEST(a_line_of_fstab_becomes_the_flags_of_mount)
{
	auto_buf struct buf b = { 0 };
	CHECK_STR(TRANSLATE("/etc/bucket.yaml", "/mnt/thanos", "-o", "rw,_netdev,allow_other"),
		"mount --daemon --objstore.config-file=/etc/bucket.yaml "
		"--data-dir=/var/lib/thanosfs/mnt-thanos "
		"-orw,_netdev,allow_other -- /mnt/thanos");
	CHECK_STR(TRANSLATE("b.yaml", "/m", "-n", "-o",
			  "data-dir=/d,query.replica-label=a,query.replica-label=b", "-v"),
		"mount --daemon --data-dir=/d --query.replica-label=a --query.replica-label=b "
		"--objstore.config-file=b.yaml -- /m");
	CHECK_STR(TRANSLATE("-oallow-empty,,no-allow-empty,cache.max-size=1GB,ro", "b.yaml", "/m", "-t",
			  "fuse.thanosfs"),
		"mount --daemon --allow-empty --no-allow-empty --cache.max-size=1GB "
		"--objstore.config-file=b.yaml "
		"--data-dir=/var/lib/thanosfs/m -oro -- /m");
	CHECK_STR(TRANSLATE("b.yaml", "/m", "-r", "-N", "/proc/1/ns/mnt"),
		"mount --daemon --objstore.config-file=b.yaml --data-dir=/var/lib/thanosfs/m -oro -- /m");
	CHECK_STR(TRANSLATE("b.yaml", "/m", "-f"),
		"mount --daemon --objstore.config-file=b.yaml --data-dir=/var/lib/thanosfs/m -- /m (fake)");
}

TEST(each_mount_point_has_a_data_directory_of_its_own)
{
	auto_buf struct buf b = { 0 };
	CHECK_HAS(TRANSLATE("b.yaml", "/a/b-c//d/"), "--data-dir=/var/lib/thanosfs/a-b\\x2dc-d ");
	CHECK_HAS(TRANSLATE("b.yaml", "/"), "--data-dir=/var/lib/thanosfs/- ");
}

TEST(unknown_options_stay_for_mount_to_refuse_unless_it_is_told_to_be_sloppy)
{
	auto_buf struct buf b = { 0 };
	CHECK_HAS(TRANSLATE("b.yaml", "/m", "-o", "allow_other,colour=red"), "-oallow_other,colour=red --");
	CHECK_HAS(TRANSLATE("b.yaml", "/m", "-o", "allow_other,colour=red", "-s"), "-oallow_other --");
}

TEST(wrong_arguments_are_named)
{
	auto_buf struct buf b = { 0 };
	CHECK_STR(TRANSLATE("b.yaml"), "error: the mount point is missing");
	CHECK_STR(TRANSLATE("-n"), "error: the bucket's configuration file is missing");
	CHECK_STR(TRANSLATE("b.yaml", "/m", "/n"), "error: \"/n\" is too much");
	CHECK_STR(TRANSLATE("b.yaml", "/m", "-o"), "error: -o needs a value");
	CHECK_STR(TRANSLATE("b.yaml", "/m", "-x"), "error: unknown argument -x");
	CHECK_STR(TRANSLATE("b.yaml", "/m", "-o", "data-dir"), "error: option data-dir needs a value");
	CHECK_STR(
		TRANSLATE("b.yaml", "/m", "-o", "allow-empty=1"), "error: option allow-empty takes no value");
	/* what steers the program and not the mount is no option */
	CHECK_HAS(TRANSLATE("b.yaml", "/m", "-o", "daemon"), "-odaemon --");
}

TEST_MAIN()
