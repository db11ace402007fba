/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/shared_state.h"

#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct shared_state make(void)
{
	struct shared_state s;
	struct err e;
	if (shared_state_create("/mnt/thanos", &s, &e) < 0)
		test_fail(__FILE__, __LINE__, "%s", e.msg);
	return s;
}

TEST(what_one_process_writes_another_finds)
{
	struct shared_state a = make(), b;
	struct err e;
	CHECK_INT(shared_state_attach(dup(a.fd), &b, &e), 0);
	CHECK_STR(b.head->mountpoint, "/mnt/thanos");
	for (unsigned i = 0; i < SHARED_REGIONS; i++) {
		char *p = shared_state_region(&a, i), *q = shared_state_region(&b, i);
		CHECK_INT(*q, 0);
		*p = (char)('a' + i);
		CHECK_INT(*q, 'a' + (int)i);
		CHECK_INT(a.head->region[i].at % 4096, 0);
	}
	shared_state_say(&a, "no more");
	CHECK_STR(b.head->last_words, "no more");
	shared_state_close(&a);
	CHECK_INT(*(char *)shared_state_region(&b, SHARED_REGION_SLOTS), 'a');
	shared_state_close(&b);
}

TEST(last_words_that_are_too_long_are_cut)
{
	struct shared_state s = make();
	char words[1000] = { 0 };
	memset(words, 'x', sizeof words - 1);
	shared_state_say(&s, words);
	CHECK_INT(strlen(s.head->last_words), SHARED_WORDS_BYTES - 1);
	shared_state_close(&s);
}

/* Writes at an offset of the head, and what attaching says then. */
static int attach_after(struct shared_state *s, void *field, const void *value, size_t n, struct err *e)
{
	struct shared_state b;
	char before[64];
	memcpy(before, field, n);
	memcpy(field, value, n);
	int r = shared_state_attach(dup(s->fd), &b, e);
	memcpy(field, before, n);
	if (r == 0)
		shared_state_close(&b);
	return r;
}

TEST(another_layout_is_refused_and_the_error_says_how_it_differs)
{
	struct shared_state s = make();
	struct err e;
	uint32_t layout = SHARED_LAYOUT + 1;
	uint64_t bytes = 1;
	CHECK_INT(attach_after(&s, &s.head->layout, &layout, sizeof layout, &e), -EBADMSG);
	CHECK(strstr(e.msg, "layout 3") && strstr(e.msg, "understands 2"));
	CHECK_INT(attach_after(&s, &s.head->region[SHARED_REGION_JOURNAL].bytes, &bytes, sizeof bytes, &e),
		-EBADMSG);
	CHECK(strstr(e.msg, "laid out in another way"));
	CHECK_INT(attach_after(&s, s.head->magic, "x", 1, &e), -EBADMSG);
	CHECK(strstr(e.msg, "not a mount's"));
	shared_state_close(&s);
}

TEST(what_is_no_memory_of_ours_is_refused)
{
	struct shared_state s;
	struct err e;
	CHECK_INT(shared_state_attach(open("/dev/null", O_RDWR), &s, &e), -EBADMSG);
	CHECK_INT(shared_state_attach(-1, &s, &e), -EBADF);
	CHECK_INT(shared_state_create(
			  memset((char[SHARED_PATH_BYTES + 1]){ 0 }, '/', SHARED_PATH_BYTES), &s, &e),
		-ENAMETOOLONG);
}

TEST(nobody_can_shrink_it_under_the_others)
{
	struct shared_state s = make();
	CHECK(ftruncate(s.fd, 4096) < 0);
	shared_state_close(&s);
}

TEST_MAIN()
