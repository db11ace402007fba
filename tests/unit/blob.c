/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/blob.h"

#include "lib/base/file.h"
#include "tests/support/test.h"

#include <errno.h>
#include <unistd.h>

static struct blob *file_blob(const char *text)
{
	auto_free char *path = xasprintf("%s/blob", test_dir());
	struct blob *b;
	struct err e;
	CHECK_OK(file_replace(path, text, strlen(text), &e), &e);
	CHECK_OK(blob_open_file(path, &b, &e), &e);
	return b;
}

static void check_reads(struct blob *b)
{
	char out[8] = "";
	struct err e;
	CHECK_INT(b->size, 10);
	CHECK_OK(blob_read(b, out, 4, 3, &e), &e);
	CHECK_STR(out, "3456");
	CHECK_OK(blob_read(b, out, 0, 10, &e), &e);
	CHECK_OK(blob_read(b, NULL, 0, 0, &e), &e);
	CHECK_INT(blob_read(b, out, 1, 10, &e), -EBADMSG);
	CHECK_HAS(e.msg, b->name);
	CHECK_INT(blob_read(b, out, 5, 6, &e), -EBADMSG);
	CHECK_INT(blob_read(b, out, 2, UINT64_MAX, &e), -EBADMSG);
	CHECK_INT(blob_read(b, out, SIZE_MAX, 1, &e), -EBADMSG);
}

static void check_buf_reads(struct blob *b)
{
	auto_buf struct buf out = { 0 };
	struct err e;
	buf_add_str(&out, "<");
	CHECK_OK(blob_read_buf(b, &out, 3, 0, &e), &e);
	CHECK_STR(buf_str(&out), "<012");
	CHECK_OK(blob_read_buf(b, &out, SIZE_MAX, 8, &e), &e);
	CHECK_STR(buf_str(&out), "<01289");
	CHECK_OK(blob_read_buf(b, &out, 5, 10, &e), &e);
	CHECK_OK(blob_read_buf(b, &out, 5, UINT64_MAX, &e), &e);
	CHECK_STR(buf_str(&out), "<01289");
}

TEST(a_file_can_be_read_anywhere)
{
	auto_of(blob) struct blob *b = file_blob("0123456789");
	check_reads(b);
	check_buf_reads(b);
	char c;
	CHECK_INT(pread(blob_fd(b), &c, 1, 5), 1);
	CHECK_INT(c, '5');
}

TEST(memory_can_be_read_anywhere)
{
	char bytes[] = "0123456789";
	auto_of(blob) struct blob *b = blob_of_memory("bytes", bytes, 10);
	memset(bytes, 'x', sizeof bytes); /* it is a copy */
	check_reads(b);
	check_buf_reads(b);
	CHECK_INT(blob_fd(b), -1);
	blob_close(blob_of_memory("nothing", NULL, 0));
}

TEST(a_file_that_became_shorter_is_an_error)
{
	auto_of(blob) struct blob *b = file_blob("0123456789");
	char out[10];
	struct err e;
	CHECK_INT(truncate(b->name, 5), 0);
	CHECK_INT(blob_read(b, out, 10, 0, &e), -ENODATA);
	CHECK_HAS(e.msg, b->name);
	auto_buf struct buf buf = { 0 };
	CHECK_INT(blob_read_buf(b, &buf, 10, 0, &e), -ENODATA);
	CHECK_INT(buf.len, 0);
}

TEST(what_is_no_file_is_refused)
{
	struct blob *b;
	struct err e;
	auto_free char *none = xasprintf("%s/none", test_dir());
	CHECK_INT(blob_open_file(test_dir(), &b, &e), -EINVAL);
	CHECK_HAS(e.msg, test_dir());
	CHECK_INT(blob_open_file(none, &b, &e), -ENOENT);
	CHECK_HAS(e.msg, none);
	blob_close(NULL);
}

TEST_MAIN()
