/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bucket_fs.h"

#include "lib/base/file.h"
#include "tests/support/bucket_contract.h"
#include "tests/support/bucket_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bucket *new_fs(void)
{
	struct err e;
	struct bucket *b = NULL;
	CHECK_OK(bucket_fs_new(test_dir(), &b, &e), &e);
	return b;
}

BUCKET_CONTRACT(filesystem, new_fs)

static char *below(const char *name)
{
	return xasprintf("%s/%s", test_dir(), name);
}

static int append_name(void *arg, const struct object_info *o)
{
	buf_printf(arg, "%s ", o->name);
	return 0;
}

static void check_list(struct bucket *b, bool recursive, const char *want)
{
	struct err e;
	auto_buf struct buf got = { 0 };
	CHECK_OK(bucket_list(b, "", recursive, true, append_name, &got, &e), &e);
	CHECK_STR(buf_str(&got), want);
}

TEST(an_object_is_a_file_at_its_name)
{
	struct err e;
	auto_of(bucket) struct bucket *b = new_fs();
	bucket_put_text(b, "01/chunks/000001", "bytes");

	auto_free char *path = below("01/chunks/000001");
	auto_buf struct buf got = { 0 };
	CHECK_OK(file_read(path, 100, &got, &e), &e);
	CHECK_STR(buf_str(&got), "bytes");
}

TEST(a_descriptor_of_an_open_object_reads_after_its_removal)
{
	struct err e;
	auto_of(bucket) struct bucket *b = new_fs();
	auto_of(blob) struct blob *content = NULL;
	bucket_put_text(b, "a/b", "bytes");
	CHECK_OK(bucket_open(b, "a/b", &content, &e), &e);
	CHECK_OK(bucket_remove(b, "a/b", &e), &e);

	char got[6] = "";
	CHECK(blob_fd(content) >= 0);
	CHECK_INT(pread(blob_fd(content), got, 5, 0), 5);
	CHECK_STR(got, "bytes");
}

TEST(a_listing_skips_what_is_neither_file_nor_directory)
{
	auto_of(bucket) struct bucket *b = new_fs();
	bucket_put_text(b, "file", "1");
	auto_free char *fifo = below("fifo"), *dangling = below("dangling"), *loop = below("loop");
	CHECK_INT(mkfifo(fifo, 0600), 0);
	CHECK_INT(symlink("nowhere", dangling), 0);
	CHECK_INT(symlink("loop", loop), 0);

	check_list(b, false, "file ");
	check_list(b, true, "file ");
}

TEST(opening_a_pipe_is_enoent_and_does_not_wait_for_a_writer)
{
	struct err e;
	struct blob *content;
	auto_of(bucket) struct bucket *b = new_fs();
	auto_free char *fifo = below("fifo");
	CHECK_INT(mkfifo(fifo, 0600), 0);

	CHECK_INT(bucket_open(b, "fifo", &content, &e), -ENOENT);
}

TEST(links_to_files_and_directories_are_followed)
{
	struct err e;
	auto_free char *elsewhere = below("elsewhere"), *root = below("root"),
		       *link_to = below("root/linked");
	auto_free char *file_link = below("root/one");
	CHECK_OK(file_mkdirs(elsewhere, 0700, &e), &e);
	CHECK_OK(file_mkdirs(root, 0700, &e), &e);
	CHECK_INT(symlink(elsewhere, link_to), 0);
	auto_free char *target = below("elsewhere/object");
	CHECK_OK(file_replace(target, "x", 1, &e), &e);
	CHECK_INT(symlink("linked/object", file_link), 0);
	auto_of(bucket) struct bucket *b = NULL;
	CHECK_OK(bucket_fs_new(root, &b, &e), &e);

	struct object_info o;
	CHECK_OK(bucket_stat(b, "linked/object", &o, &e), &e);
	CHECK_INT(o.size, 1);
	CHECK_OK(bucket_stat(b, "one", &o, &e), &e);
	auto_buf struct buf got = { 0 };
	CHECK_OK(bucket_list(b, "linked/", true, false, append_name, &got, &e), &e);
	CHECK_STR(buf_str(&got), "linked/object ");
}

TEST(a_link_back_up_does_not_make_a_listing_endless)
{
	auto_of(bucket) struct bucket *b = new_fs();
	bucket_put_text(b, "a/b/object", "1");
	auto_free char *loop = below("a/b/up"), *other = below("a/b/to_a");
	CHECK_INT(symlink("..", loop), 0);
	CHECK_INT(symlink(test_dir(), other), 0);

	check_list(b, true, "a/b/object ");
}

TEST(a_root_that_does_not_exist_is_an_error_that_names_it)
{
	struct err e;
	auto_free char *path = below("not/there");
	auto_of(bucket) struct bucket *b = NULL;
	CHECK_OK(bucket_fs_new(path, &b, &e), &e);
	auto_buf struct buf got = { 0 };

	CHECK_INT(bucket_list(b, "", false, false, append_name, &got, &e), -ENOENT);
	CHECK_HAS(e.msg, path);
}

TEST(a_root_that_comes_later_is_found)
{
	struct err e;
	auto_free char *path = below("later");
	auto_of(bucket) struct bucket *b = NULL;
	CHECK_OK(bucket_fs_new(path, &b, &e), &e);
	bucket_put_text(b, "a/b", "1");

	check_list(b, true, "a/b ");
}

TEST(an_unfinished_object_of_a_crash_is_not_listed_and_cannot_be_named)
{
	struct err e;
	struct object_info o;
	auto_of(bucket) struct bucket *b = new_fs();
	auto_free char *left_over = below(".put-0123456789abcdef.tmp");
	CHECK_OK(file_replace(left_over, "x", 1, &e), &e);
	bucket_put_text(b, ".put-short.tmp", "an object like any other");

	check_list(b, true, ".put-short.tmp ");
	CHECK_INT(bucket_stat(b, ".put-0123456789abcdef.tmp", &o, &e), -EINVAL);
}

TEST(a_relative_directory_stays_where_it_was_when_the_process_moves)
{
	struct err e;
	CHECK_INT(chdir(test_dir()), 0);
	auto_of(bucket) struct bucket *b = NULL;
	CHECK_OK(bucket_fs_new("here/", &b, &e), &e);
	CHECK_INT(chdir("/"), 0);
	bucket_put_text(b, "a", "1");

	auto_free char *path = below("here/a");
	CHECK(file_exists(path));
}

TEST(removing_the_last_object_keeps_the_root)
{
	struct err e;
	auto_free char *path = below("root");
	auto_of(bucket) struct bucket *b = NULL;
	CHECK_OK(bucket_fs_new(path, &b, &e), &e);
	bucket_put_text(b, "a/b/c", "1");
	CHECK_OK(bucket_remove(b, "a/b/c", &e), &e);

	CHECK(file_exists(path));
	check_list(b, true, "");
}

TEST(a_put_that_the_disk_refuses_says_why_and_where)
{
	struct err e;
	auto_of(bucket) struct bucket *b = new_fs();
	bucket_put_text(b, "a", "a file");
	auto_of(blob) struct blob *content = blob_of_memory("text", "x", 1);

	CHECK_INT(bucket_put(b, "a/b", content, &e), -ENOTDIR);
	CHECK_HAS(e.msg, "a/b");
	CHECK_HAS(e.msg, test_dir());
}

TEST_MAIN()
