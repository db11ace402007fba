/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"

#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char *below(const char *name)
{
	return xasprintf("%s/%s", test_dir(), name);
}

static void write_text(const char *path, const char *text)
{
	struct err e;
	CHECK_OK(file_replace(path, text, strlen(text), &e), &e);
}

static void check_content(const char *path, const char *want)
{
	auto_buf struct buf b = { 0 };
	struct err e;
	CHECK_OK(file_read(path, 1000, &b, &e), &e);
	CHECK_STR(buf_str(&b), want);
}

TEST(a_file_is_read_whole_behind_what_is_there)
{
	auto_free char *path = below("f");
	auto_buf struct buf b = { 0 };
	struct err e;
	write_text(path, "content");
	buf_add_str(&b, "<");
	CHECK_OK(file_read(path, 7, &b, &e), &e);
	CHECK_STR(buf_str(&b), "<content");
}

TEST(a_file_that_is_too_large_or_missing_is_refused_by_name)
{
	auto_free char *path = below("f"), *none = below("none");
	auto_buf struct buf b = { 0 };
	struct err e;
	write_text(path, "content");
	CHECK_INT(file_read(path, 6, &b, &e), -EFBIG);
	CHECK_HAS(e.msg, path);
	CHECK_INT(file_read(none, 6, &b, &e), -ENOENT);
	CHECK_HAS(e.msg, none);
	CHECK_INT(file_read(test_dir(), 6, &b, &e), -EISDIR);
}

TEST(replacing_leaves_the_new_content_and_nothing_else)
{
	auto_free char *path = below("f"), *tmp = below("f.tmp");
	write_text(path, "old and longer");
	write_text(path, "new");
	check_content(path, "new");
	CHECK(!file_exists(tmp));
}

TEST(a_replacement_that_fails_leaves_the_old_content)
{
	auto_free char *path = below("d/f"), *dir = below("dir");
	struct err e;
	CHECK_INT(file_replace(path, "x", 1, &e), -ENOENT);
	CHECK_HAS(e.msg, path);
	CHECK_OK(file_mkdirs(dir, 0755, &e), &e);
	auto_free char *inside = xasprintf("%s/x", dir), *tmp = xasprintf("%s.tmp", dir);
	write_text(inside, "kept");
	CHECK(file_replace(dir, "x", 1, &e) < 0); /* a directory isn't replaced by a file */
	CHECK(!file_exists(tmp));
	check_content(inside, "kept");
}

TEST(reads_and_writes_go_to_their_place)
{
	auto_free char *path = below("f");
	auto_close_fd int fd = open(path, O_RDWR | O_CREAT, 0600);
	char out[8] = "";
	CHECK_INT(file_pwrite_all(fd, "world", 5, 6), 0);
	CHECK_INT(file_pwrite_all(fd, "hello ", 6, 0), 0);
	CHECK_INT(file_pread_all(fd, out, 5, 3), 0);
	CHECK_STR(out, "lo wo");
	CHECK_INT(file_pread_all(fd, out, 0, 100), 0);
	CHECK_INT(file_pread_all(fd, out, 6, 6), -ENODATA);
	CHECK_INT(file_pread_all(-1, out, 1, 0), -EBADF);
	CHECK_INT(file_pwrite_all(-1, out, 1, 0), -EBADF);
	CHECK_INT(file_write_all(-1, out, 1), -EBADF);
	CHECK_INT(lseek(fd, 0, SEEK_END), 11);
	CHECK_INT(file_write_all(fd, "!", 1), 0);
	check_content(path, "hello world!");
}

TEST(directories_are_made_with_their_parents)
{
	auto_free char *path = below("a/b//c/"), *file = below("file"), *under = below("file/x");
	struct err e;
	struct stat st;
	CHECK_OK(file_mkdirs(path, 0700, &e), &e);
	CHECK_OK(file_mkdirs(path, 0700, &e), &e);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0700);
	write_text(file, "x");
	CHECK_INT(file_mkdirs(file, 0700, &e), -ENOTDIR);
	CHECK_INT(file_mkdirs(under, 0700, &e), -ENOTDIR);
	CHECK_HAS(e.msg, "file");
	CHECK_INT(file_mkdirs("", 0700, &e), -ENOENT);
}

TEST(a_tree_is_removed_but_not_what_its_links_point_to)
{
	auto_free char *tree = below("tree"), *deep = below("tree/a/b"), *file = below("tree/a/f"),
		       *link = below("tree/l"), *kept_dir = below("kept"), *kept = below("kept/f");
	struct err e;
	CHECK_OK(file_mkdirs(deep, 0755, &e), &e);
	CHECK_OK(file_mkdirs(kept_dir, 0755, &e), &e);
	write_text(file, "x");
	write_text(kept, "x");
	CHECK_INT(symlink(kept_dir, link), 0);
	CHECK_OK(file_remove_tree(tree, &e), &e);
	CHECK(!file_exists(tree));
	CHECK(file_exists(kept));
	CHECK_OK(file_remove_tree(tree, &e), &e); /* what isn't there is removed already */
}

TEST(a_link_to_nowhere_exists)
{
	auto_free char *link = below("l");
	CHECK_INT(symlink("nowhere", link), 0);
	CHECK(file_exists(link));
}

TEST(a_directory_that_is_not_there_cannot_be_synced)
{
	auto_free char *none = below("none");
	struct err e;
	CHECK_OK(file_fsync_dir(test_dir(), &e), &e);
	CHECK_INT(file_fsync_dir(none, &e), -ENOENT);
	CHECK_HAS(e.msg, none);
}

TEST_MAIN()
