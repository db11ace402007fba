/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/upper.h"

#include "fs/name_list.h"
#include "fs/open_count.h"
#include "lib/base/file.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const struct fs_caller me;
static struct fs fs;

/* A process that knows nothing, over the same directory. */
static void restart(void)
{
	struct err e = { .msg = "" };
	upper_close(fs.upper);
	open_count_free(fs.opens);
	name_cache_free(fs.listings);
	fs = (struct fs){ .opens = open_count_new(NULL), .listings = name_cache_new() };
	CHECK_OK(upper_open(test_dir(), fs.opens, fs.keeper, &fs.upper, &e), &e);
}

static uint64_t make_dir(uint64_t dir, const char *name)
{
	struct fuse_entry_param entry;
	CHECK_INT(
		upper_make(&fs, dir, name, &(struct fs_new_node){ .mode = S_IFDIR | 0755 }, &me, &entry), 0);
	return entry.ino;
}

static uint64_t make_file(uint64_t dir, const char *name, const char *text)
{
	struct fuse_entry_param entry;
	CHECK_INT(upper_create(&fs, dir, name, 0644, O_RDWR | O_CREAT, &me, &entry), 0);
	CHECK_INT(upper_write(&fs, entry.ino, text, strlen(text), 0, 0, &me), strlen(text));
	return entry.ino;
}

static bool reads(uint64_t id, const char *text)
{
	struct fs_range r = { .fd = -1 };
	char got[64] = "";
	if (upper_read(&fs, id, sizeof got - 1, 0, &r) < 0)
		return false;
	ssize_t n = pread(r.fd, got, r.n, (off_t)r.fd_at);
	r.done(&fs, &r);
	return n == (ssize_t)strlen(text) && !memcmp(got, text, (size_t)n);
}

TEST(a_process_that_never_looked_it_up_finds_a_file_by_its_id)
{
	restart();
	uint64_t a = make_dir(NODE_ROOT, "a"), b = make_dir(a, "b"), f = make_file(b, "f", "deep");
	restart();
	CHECK(reads(f, "deep"));
	restart();
	struct fuse_entry_param entry;
	CHECK_INT(upper_lookup(&fs, b, "f", &entry), 0);
	CHECK(entry.ino == f);
}

TEST(an_id_that_nothing_has_is_stale)
{
	restart();
	struct stat st;
	double timeout;
	CHECK_INT(upper_getattr(&fs, node_upper(123456789, NULL, 0), &st, &timeout), -ESTALE);
}

TEST(a_file_is_found_by_any_of_its_names)
{
	restart();
	uint64_t d = make_dir(NODE_ROOT, "d"), f = make_file(NODE_ROOT, "f", "linked");
	struct fuse_entry_param entry;
	CHECK_INT(upper_link(&fs, f, d, "g", &entry), 0);
	CHECK(entry.ino == f);
	CHECK_INT(entry.attr.st_nlink, 2);
	restart();
	CHECK_INT(upper_remove(&fs, NODE_ROOT, "f", false), 0);
	restart();
	CHECK(reads(f, "linked"));
}

TEST(a_removed_file_that_is_open_works_until_it_is_forgotten)
{
	restart();
	uint64_t f = make_file(NODE_ROOT, "f", "text");
	open_count_add(fs.opens, f, NULL, 0);
	CHECK_INT(upper_remove(&fs, NODE_ROOT, "f", false), 0);
	upper_forget(fs.upper, f, 1);
	CHECK(reads(f, "text"));
	CHECK_INT(upper_write(&fs, f, "TE", 2, 0, 0, &me), 2);
	CHECK(reads(f, "TExt"));
	unsigned left;
	bool is_kept;
	CHECK(open_count_drop(fs.opens, f, NULL, 0, &left, &is_kept));
	tree_upper_ops.closed(&fs, f);
	CHECK(!reads(f, "TExt"));
}

/* Takes for granted that it reads by id what the table has, and nothing that has no name else. */
static void remove_after_a_look_up(uint64_t id, const char *name)
{
	struct fuse_entry_param entry;
	CHECK_INT(upper_lookup(&fs, NODE_ROOT, name, &entry), 0);
	CHECK(entry.ino == id);
	CHECK_INT(upper_remove(&fs, NODE_ROOT, name, false), 0);
	CHECK(reads(id, name));
}

TEST(a_removed_file_that_the_kernel_had_not_known_when_it_was_found_is_forgotten_too)
{
	restart();
	uint64_t f = make_file(NODE_ROOT, "f", "f"), g = make_file(NODE_ROOT, "g", "g");
	restart();
	CHECK(reads(f, "f")); /* finds both */
	remove_after_a_look_up(g, "g");
	upper_forget(fs.upper, g, 1);
	CHECK(!reads(g, "g"));
}

TEST(a_removed_file_that_the_kernel_knows_from_before_works_until_it_is_forgotten)
{
	restart();
	uint64_t f = make_file(NODE_ROOT, "f", "f"), g = make_file(NODE_ROOT, "g", "g");
	restart();
	CHECK(reads(f, "f"));
	CHECK_INT(upper_remove(&fs, NODE_ROOT, "g", false), 0);
	CHECK(reads(g, "g"));
	upper_forget(fs.upper, g, 3);
	CHECK(!reads(g, "g"));
	remove_after_a_look_up(f, "f");
	upper_forget(fs.upper, f, 4);
	CHECK(!reads(f, "f"));
}

TEST(the_number_a_removed_file_had_makes_no_other_file_answer_to_its_id)
{
	restart();
	uint64_t old = make_file(NODE_ROOT, "f", "old");
	CHECK_INT(upper_remove(&fs, NODE_ROOT, "f", false), 0);
	upper_forget(fs.upper, old, 1);
	/* The backing filesystem likes to use an inode number again at once. */
	uint64_t new = make_file(NODE_ROOT, "f", "new");
	CHECK(new != old);
	CHECK(!reads(old, "new"));
	CHECK(reads(new, "new"));
}

TEST(a_bounded_number_of_descriptors_serves_any_number_of_files)
{
	enum { FILES = 600 };
	static uint64_t ids[FILES];
	restart();
	fs.upper->max_idle_fds = 16;
	for (int i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof name, "%d", i);
		ids[i] = make_file(NODE_ROOT, name, name);
	}
	for (int i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof name, "%d", i);
		CHECK(reads(ids[i], name));
		CHECK(fs.upper->n_idle_fds <= 16 + 3);
	}
	/* What lies above was opened since by others, and nothing leaks. */
	int fd = dup(0);
	CHECK(fd < 64);
	close(fd);
}

TEST(a_rename_moves_what_is_below_and_exchange_swaps)
{
	restart();
	uint64_t a = make_dir(NODE_ROOT, "a"), f = make_file(a, "f", "f"), g = make_file(NODE_ROOT, "g", "g");
	CHECK_INT(upper_rename(&fs, NODE_ROOT, "a", NODE_ROOT, "b", 0), 0);
	CHECK(reads(f, "f"));
	CHECK_INT(upper_rename(&fs, a, "f", NODE_ROOT, "g", RENAME_EXCHANGE), 0);
	fs.upper->max_idle_fds = 0; /* so that every name has to be right */
	CHECK(reads(f, "f"));
	CHECK(reads(g, "g"));
	struct fuse_entry_param entry;
	CHECK_INT(upper_lookup(&fs, NODE_ROOT, "g", &entry), 0);
	CHECK(entry.ino == f);
	CHECK_INT(upper_lookup(&fs, a, "f", &entry), 0);
	CHECK(entry.ino == g);
}

TEST(no_name_leads_out_of_its_directory)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "../x", "/etc/passwd" };
	restart();
	struct fuse_entry_param entry;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_INT(upper_lookup(&fs, NODE_ROOT, bad[i], &entry), -EINVAL);
		CHECK_INT(upper_create(&fs, NODE_ROOT, bad[i], 0644, O_CREAT, &me, &entry), -EINVAL);
		CHECK_INT(upper_remove(&fs, NODE_ROOT, bad[i], false), -EINVAL);
		CHECK_INT(upper_rename(&fs, NODE_ROOT, bad[i], NODE_ROOT, "x", 0), -EINVAL);
	}
	/* Nor does a symbolic link that stands in the directory. */
	CHECK_INT(upper_make(&fs, NODE_ROOT, "l",
			  &(struct fs_new_node){ .mode = S_IFLNK | 0777, .target = "/etc" }, &me, &entry),
		0);
	CHECK_INT(upper_lookup(&fs, entry.ino, "passwd", &entry), -ENOTDIR);
}

TEST_MAIN()
