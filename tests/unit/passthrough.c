/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fs/passthrough.c takes for granted of the kernel, and what it makes of it, on a mount that nobody serves: nothing here touches a
 * path below it.
 */
#include "fs/passthrough.h"

#include "fs/fuse_kernel.h"
#include "fs/mount_point.h"
#include "fs/open_count.h"
#include "fs/upper.h"
#include "lib/base/file.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static char *mountpoint;
static int fuse_fd = -1, file_fd = -1;
static struct fs fs;

static void leave(void)
{
	mount_point_unmount(mountpoint, true);
}

static int32_t get_number(void)
{
	struct fuse_kernel_backing file = { .fd = file_fd };
	int r = ioctl(fuse_fd, FUSE_KERNEL_BACKING_OPEN, &file);
	return r < 0 ? -errno : r;
}

static int end_number(int32_t number)
{
	uint32_t n = (uint32_t)number;
	return ioctl(fuse_fd, FUSE_KERNEL_BACKING_CLOSE, &n) < 0 ? -errno : 0;
}

static uint64_t make_file(const char *name)
{
	struct fuse_entry_param entry;
	CHECK_INT(
		upper_create(&fs, NODE_ROOT, name, 0644, O_RDWR | O_CREAT, &(struct fs_caller){ 0 }, &entry),
		0);
	return entry.ino;
}

/* A process that takes the mount up. */
static void take_up(bool is_wanted)
{
	passthrough_free(fs.passthrough);
	fs.passthrough = passthrough_new(fuse_fd, fs.opens, is_wanted);
}

static void begin(void)
{
	struct err e = { .msg = "" };
	struct fuse_kernel_init init;
	int helper;
	bool can_resend;
	auto_free char *upper = xasprintf("%s/upper", test_dir());
	mountpoint = xasprintf("%s/mnt", test_dir());
	CHECK_OK(file_mkdirs(mountpoint, 0755, &e), &e);
	if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) < 0)
		test_skip("only root may pass files on");
	CHECK_OK(mount_point_open(mountpoint, NULL, &fuse_fd, &helper, &e), &e);
	atexit(leave);
	CHECK_OK(mount_point_negotiate(fuse_fd, 1 << 17, true, &init, &can_resend, &e), &e);
	file_fd = memfd_create("file", MFD_CLOEXEC);
	int32_t number = get_number();
	if (number == -ENOTTY || number == -EINVAL || number == -EPERM)
		test_skip("the kernel passes nothing on");
	CHECK_INT(number, 1);
	CHECK_INT(end_number(number), 0);
	fs = (struct fs){ .opens = open_count_new(NULL) };
	CHECK_OK(upper_open(upper, fs.opens, NULL, &fs.upper, &e), &e);
	take_up(true);
}

static bool keeps_cache; /* what the last open was told of what the kernel has cached */

static int32_t open_node(uint64_t id, int flags)
{
	struct fuse_file_info fi = { .flags = flags, .keep_cache = 1 };
	CHECK(open_count_add(fs.opens, id, NULL, 0) > 0);
	int32_t backing = passthrough_open(&fs, id, &fi);
	keeps_cache = fi.keep_cache;
	return backing;
}

static void close_node(uint64_t id)
{
	unsigned left;
	bool is_kept;
	CHECK(open_count_drop(fs.opens, id, NULL, 0, &left, &is_kept));
	if (!left)
		passthrough_closed(fs.passthrough, id);
}

TEST(numbers_count_up_whatever_has_ended)
{
	begin();
	for (int32_t want = 2; want < 20; want++) {
		CHECK_INT(get_number(), want);
		if (want % 3)
			CHECK_INT(end_number(want), 0);
	}
	CHECK_INT(end_number(2), -ENOENT);
}

TEST(a_node_has_one_number_from_its_first_open_to_its_last_close)
{
	begin();
	uint64_t f = make_file("f"), g = make_file("g");
	int32_t number = open_node(f, O_RDONLY);
	CHECK(number > 0);
	CHECK_INT(open_node(f, O_RDWR | O_DIRECT), number);
	CHECK(open_node(g, O_WRONLY) != number);
	close_node(f);
	take_up(false); /* which is about what is not open yet */
	CHECK_INT(open_node(f, O_WRONLY), number);
	close_node(f);
	close_node(f);
	CHECK_INT(end_number(number), -ENOENT);
	CHECK_INT(open_node(f, O_RDONLY), 0);
	CHECK(keeps_cache);
	close_node(f);
	take_up(true);
	CHECK(open_node(f, O_RDONLY) > number);
}

TEST(who_opens_between_the_last_close_and_its_end_gets_the_same_number)
{
	begin();
	uint64_t f = make_file("f");
	int32_t number = open_node(f, O_RDONLY);
	unsigned left;
	bool is_kept;
	CHECK(open_count_drop(fs.opens, f, NULL, 0, &left, &is_kept) && !left);
	CHECK_INT(open_node(f, O_RDONLY), number);
	passthrough_closed(fs.passthrough, f);
	CHECK_INT(open_node(f, O_RDONLY), number);
	close_node(f);
	close_node(f);
	CHECK_INT(end_number(number), -ENOENT);
}

TEST(what_begins_plain_stays_plain_until_its_last_close)
{
	begin();
	uint64_t f = make_file("f");
	CHECK_INT(open_node(f, O_RDONLY | O_DIRECT), 0);
	CHECK(!keeps_cache); /* it may have been written past it before */
	CHECK_INT(open_node(f, O_RDONLY), 0);
	close_node(f);
	CHECK_INT(open_node(f, O_RDONLY), 0);
	close_node(f);
	close_node(f);
	CHECK(open_node(f, O_RDONLY) > 0);
}

TEST(a_file_with_a_set_user_id_bit_is_served_by_requests)
{
	begin();
	uint64_t f = make_file("f");
	CHECK_INT(upper_setattr(&fs, f, &(struct stat){ .st_mode = 04755 }, FUSE_SET_ATTR_MODE), 0);
	CHECK_INT(open_node(f, O_RDWR), 0);
}

TEST(a_number_that_a_killed_process_did_not_write_down_is_ended_by_the_next)
{
	begin();
	uint64_t f = make_file("f");
	int32_t number = open_node(f, O_RDONLY);
	int32_t lost = get_number();
	CHECK_INT(lost, number + 1);
	take_up(true);
	CHECK_INT(end_number(lost), -ENOENT);
	lost = get_number(); /* and so was that next one */
	CHECK_INT(lost, number + 2);
	take_up(true);
	CHECK_INT(end_number(lost), -ENOENT);
	close_node(f);
	CHECK_INT(end_number(number), -ENOENT);
}

TEST(a_number_that_a_killed_process_was_ending_is_given_to_nobody_and_ended_by_the_next)
{
	begin();
	uint64_t f = make_file("f");
	int32_t number = open_node(f, O_RDONLY);
	unsigned left;
	bool is_kept;
	CHECK(open_count_drop(fs.opens, f, NULL, 0, &left, &is_kept) && !left);
	CHECK_INT(open_count_begin_end(fs.opens, f), number);
	take_up(true);
	CHECK_INT(end_number(number), -ENOENT);
	CHECK_INT(open_count_ending(fs.opens), 0);
	CHECK(open_node(f, O_RDONLY) > number);
	passthrough_closed(fs.passthrough, f); /* given again, after it was open anew */
	CHECK(open_node(f, O_RDONLY) > number);
}

TEST(an_open_that_is_answered_anew_after_its_close_leaves_no_number)
{
	begin();
	uint64_t f = make_file("f");
	struct fuse_file_info fi = { .flags = O_RDONLY };
	int32_t number = open_node(f, O_RDONLY);
	close_node(f);
	CHECK_INT(passthrough_open(&fs, f, &fi), 0);
	CHECK_INT(end_number(number + 1), -ENOENT);
	CHECK_INT(get_number(), number + 2);
}

TEST_MAIN()
