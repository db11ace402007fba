/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/supervisor_private.h"
#include "fs/suspects.h"

#include "tests/support/test.h"

#include <sys/wait.h>
#include <unistd.h>

TEST(a_worker_that_never_gets_on_is_followed_after_longer_and_longer_pauses)
{
	struct backoff b = { 0 };
	const int64_t want_ms[] = { 0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
	for (unsigned i = 0; i < 14; i++)
		CHECK_INT(backoff_next_us(&b, i % 2 ? 1000 : 0) / 1000, want_ms[i]);
	for (unsigned i = 0; i < 100; i++)
		CHECK_INT(backoff_next_us(&b, 0), BACKOFF_MAX_US);
	CHECK_INT(backoff_next_us(&b, BACKOFF_SERVED_US + 1), 0);
	for (unsigned i = 0; i < BACKOFF_AT_ONCE; i++)
		CHECK_INT(backoff_next_us(&b, 0), 0);
	CHECK_INT(backoff_next_us(&b, 0), BACKOFF_FIRST_US);
}

static struct shared_state make(void)
{
	struct shared_state s;
	struct err e;
	if (shared_state_create("/mnt/thanos", &s, &e) < 0)
		test_fail(__FILE__, __LINE__, "%s", e.msg);
	return s;
}

/* As a worker does that serves it. */
static void serve(struct shared_state *s, unsigned i, struct fuse_in_header request)
{
	char *slots = shared_state_region(s, SHARED_REGION_SLOTS);
	*(struct fuse_in_header *)(void *)(slots + i * (size_t)SHARED_SLOT_BYTES) = request;
	suspects_begin(suspects_attach(shared_state_region(s, SHARED_REGION_SUSPECTS)), i, request.unique);
}

static const char *look(struct child *c, struct shared_state *s, unsigned times)
{
	const char *how = NULL;
	for (unsigned i = 0; i < times && !how; i++) {
		atomic_fetch_add(&s->head->liveness, 1);
		how = child_hangs(c, s, 10, 5);
	}
	return how;
}

TEST(a_read_that_is_not_answered_is_a_hang)
{
	struct shared_state s = make();
	struct child c = CHILD_NONE;
	serve(&s, 63, (struct fuse_in_header){ .len = 80, .opcode = FUSE_READ, .unique = 4 });
	CHECK(!look(&c, &s, 11));
	CHECK(look(&c, &s, 1));
}

TEST(a_slot_that_goes_on_to_the_next_request_is_none)
{
	struct shared_state s = make();
	struct child c = CHILD_NONE;
	for (uint64_t unique = 2; unique < 200; unique += 2) {
		serve(&s, 0, (struct fuse_in_header){ .len = 80, .opcode = FUSE_READ, .unique = unique });
		CHECK(!look(&c, &s, 9));
	}
	serve(&s, 0, (struct fuse_in_header){ .unique = 0 });
	CHECK(!look(&c, &s, 100));
}

TEST(what_waits_to_be_served_is_none)
{
	struct shared_state s = make();
	struct child c = CHILD_NONE;
	serve(&s, 0, (struct fuse_in_header){ .len = 80, .opcode = FUSE_READ, .unique = 4 });
	suspects_end(suspects_attach(shared_state_region(&s, SHARED_REGION_SUSPECTS)), 0);
	CHECK(!look(&c, &s, 100));
}

TEST(what_may_take_its_time_is_none)
{
	struct shared_state s = make();
	struct child c = CHILD_NONE;
	serve(&s, 0, (struct fuse_in_header){ .len = 80, .opcode = FUSE_FSYNC, .unique = 4 });
	serve(&s, 1, (struct fuse_in_header){ .len = 80, .opcode = FUSE_RENAME2, .unique = 6 });
	CHECK(!look(&c, &s, 100));
}

TEST(a_process_that_does_not_count_is_a_hang)
{
	struct shared_state s = make();
	struct child c = CHILD_NONE;
	look(&c, &s, 1);
	for (unsigned i = 0; i < 5; i++)
		CHECK(!child_hangs(&c, &s, 10, 5));
	CHECK(child_hangs(&c, &s, 10, 5));
}

TEST(a_dead_child_that_nobody_waited_for_is_a_zombie)
{
	struct child c = CHILD_NONE;
	int ends[2];
	CHECK_INT(pipe(ends), 0);
	c.pid = fork();
	if (c.pid == 0) {
		char byte;
		_exit(read(ends[0], &byte, 1) != 1);
	}
	CHECK(!child_is_zombie(&c));
	CHECK_INT(write(ends[1], "", 1), 1);
	siginfo_t info;
	CHECK_INT(waitid(P_PID, (id_t)c.pid, &info, WEXITED | WNOWAIT), 0);
	CHECK(child_is_zombie(&c));
	child_kill(&c);
	CHECK_INT(c.pid, -1);
}

TEST_MAIN()
