/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bucket_retry.h"

#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "store/bucket_faults.h"
#include "tests/support/bucket_contract.h"
#include "tests/support/bucket_fault.h"
#include "tests/support/bucket_memory.h"

#include <errno.h>

/* Time that passes only in pauses. */
struct fake_clock {
	int64_t now_us;
	int64_t pauses_us[64];
	unsigned n;
	atomic_bool stop;
	unsigned stop_in; /* the pause in which stop becomes true; 0: none */
};

static int64_t fake_now(void *arg)
{
	return ((struct fake_clock *)arg)->now_us;
}

static void fake_pause(void *arg, int64_t us)
{
	struct fake_clock *c = arg;
	c->now_us += us;
	CHECK(c->n < ARRAY_LEN(c->pauses_us));
	c->pauses_us[c->n++] = us;
	if (c->n == c->stop_in)
		atomic_store(&c->stop, true);
}

static struct retry_options options_of(struct fake_clock *c)
{
	return (struct retry_options){
		.deadline_ms = 10000,
		.first_pause_ms = 100,
		.longest_pause_ms = 1600,
		.stop = &c->stop,
		.now_us = fake_now,
		.pause_us = fake_pause,
		.arg = c,
	};
}

static struct bucket *new_retry(void)
{
	struct retry_options o = RETRY_DEFAULTS;
	return bucket_retry_new(bucket_memory_new(false), &o);
}

BUCKET_CONTRACT(retry, new_retry)

struct fixture {
	struct fake_clock clock;
	struct bucket *fault, *b;
};

static struct fixture *set_up(void)
{
	static struct fixture f;
	struct retry_options o = options_of(&f.clock);
	f.fault = bucket_fault_new(bucket_memory_new(false));
	f.b = bucket_retry_new(f.fault, &o);
	bucket_put_text(f.b, "a/object", "text");
	return &f;
}

static int count_one(void *arg, const struct object_info *o)
{
	(void)o;
	++*(int *)arg;
	return 0;
}

TEST(every_operation_survives_errors_that_pass)
{
	struct err e;
	struct fixture *f = set_up();
	for (int op = 0; op < FAULT_OPS; op++)
		bucket_fault_set(f->fault, (enum fault_op)op, "", -ECONNRESET, 3);

	struct object_info o;
	int n = 0;
	auto_buf struct buf got = { 0 };
	CHECK_OK(bucket_list(f->b, "", true, false, count_one, &n, &e), &e);
	CHECK_INT(n, 1);
	CHECK_OK(bucket_stat(f->b, "a/object", &o, &e), &e);
	CHECK_OK(bucket_get(f->b, "a/object", 100, &got, &e), &e);
	CHECK_STR(buf_str(&got), "text");
	bucket_put_text(f->b, "b", "x");
	CHECK_OK(bucket_remove(f->b, "b", &e), &e);
	CHECK_INT(f->clock.n, 3 * FAULT_OPS);
	bucket_free(f->b);
}

TEST(pauses_double_up_to_the_longest_and_are_jittered_within_their_half)
{
	struct err e;
	struct object_info o;
	struct fixture *f = set_up();
	bucket_fault_set(f->fault, FAULT_STAT, "", -ETIMEDOUT, 7);
	CHECK_OK(bucket_stat(f->b, "a/object", &o, &e), &e);

	static const int64_t full_ms[] = { 100, 200, 400, 800, 1600, 1600, 1600 };
	CHECK_INT(f->clock.n, ARRAY_LEN(full_ms));
	bool all_alike = true;
	for (unsigned i = 0; i < f->clock.n; i++) {
		int64_t us = f->clock.pauses_us[i];
		CHECK(us >= full_ms[i] * 500 && us < full_ms[i] * 1000);
		all_alike &= us == full_ms[i] * 500;
	}
	CHECK(!all_alike);
	bucket_free(f->b);
}

TEST(an_error_that_stays_is_returned_before_the_deadline_and_says_how_often_it_was_tried)
{
	struct err e;
	struct object_info o;
	struct fixture *f = set_up();
	bucket_fault_set(f->fault, FAULT_STAT, "", -ETIMEDOUT, FAULT_ALWAYS);

	CHECK_INT(bucket_stat(f->b, "a/object", &o, &e), -ETIMEDOUT);
	CHECK(f->clock.now_us <= 10000000);
	CHECK(f->clock.now_us > 8000000);
	CHECK_HAS(e.msg, "tries");
	CHECK_HAS(e.msg, "a/object");
	bucket_free(f->b);
}

TEST(an_error_that_does_not_pass_is_returned_at_once)
{
	static const int lasting[] = { -ENOENT, -EACCES, -EINVAL, -EBADMSG, -ENOSPC, -EFBIG, -EIO };
	for (size_t i = 0; i < ARRAY_LEN(lasting); i++) {
		struct err e;
		struct object_info o;
		struct fixture *f = set_up();
		bucket_fault_count(f->fault, FAULT_STAT);
		bucket_fault_set(f->fault, FAULT_STAT, "", lasting[i], FAULT_ALWAYS);

		CHECK_INT(bucket_stat(f->b, "a/object", &o, &e), lasting[i]);
		CHECK_INT(bucket_fault_count(f->fault, FAULT_STAT), 1);
		CHECK_INT(f->clock.n, 0);
		bucket_free(f->b);
	}
}

TEST(the_stop_flag_ends_the_tries)
{
	struct err e;
	struct object_info o;
	struct fixture *f = set_up();
	f->clock.stop_in = 2;
	bucket_fault_set(f->fault, FAULT_STAT, "", -EAGAIN, FAULT_ALWAYS);

	CHECK_INT(bucket_stat(f->b, "a/object", &o, &e), -EAGAIN);
	CHECK_INT(f->clock.n, 2);
	CHECK_INT(bucket_stat(f->b, "a/object", &o, &e), -EAGAIN);
	CHECK_INT(f->clock.n, 2);
	bucket_free(f->b);
}

TEST(a_real_pause_ends_when_the_stop_flag_is_up)
{
	struct err e;
	struct object_info o;
	static atomic_bool stop = true;
	struct retry_options options = { .deadline_ms = 3600000, .first_pause_ms = 3000000, .stop = &stop };
	struct bucket *fault = bucket_fault_new(bucket_memory_new(false));
	auto_of(bucket) struct bucket *b = bucket_retry_new(fault, &options);
	bucket_fault_set(fault, FAULT_STAT, "", -EAGAIN, FAULT_ALWAYS);

	CHECK_INT(bucket_stat(b, "a", &o, &e), -EAGAIN);
}

TEST(a_deadline_of_zero_tries_once)
{
	struct err e;
	struct object_info o;
	struct fake_clock clock = { 0 };
	struct retry_options options = options_of(&clock);
	options.deadline_ms = 0;
	struct bucket *fault = bucket_fault_new(bucket_memory_new(false));
	auto_of(bucket) struct bucket *b = bucket_retry_new(fault, &options);
	bucket_fault_set(fault, FAULT_STAT, "", -EAGAIN, FAULT_ALWAYS);

	CHECK_INT(bucket_stat(b, "a", &o, &e), -EAGAIN);
	CHECK_INT(clock.n, 0);
}

TEST(a_removal_whose_answer_was_lost_succeeds)
{
	struct err e;
	struct fixture *f = set_up();
	bucket_fault_set_after(f->fault, FAULT_REMOVE, "", -ECONNRESET, 1);

	CHECK_OK(bucket_remove(f->b, "a/object", &e), &e);
	CHECK_INT(bucket_remove(f->b, "a/object", &e), -ENOENT);
	bucket_free(f->b);
}

TEST(a_listing_that_fails_midway_is_not_delivered_twice)
{
	struct err e;
	int n = 0;
	struct fixture *f = set_up();
	bucket_fault_set_after(f->fault, FAULT_LIST, "", -ECONNRESET, 1);

	CHECK_INT(bucket_list(f->b, "", true, false, count_one, &n, &e), -ECONNRESET);
	CHECK_INT(n, 1);
	bucket_free(f->b);
}

TEST(a_store_that_asks_to_be_left_alone_is)
{
	struct err e;
	struct object_info o;
	struct fake_clock clock = { 0 };
	struct retry_options options = options_of(&clock);
	struct faults_options faults = { .now_us = fake_now, .pause_us = fake_pause, .arg = &clock };
	CHECK_OK(fault_plan_parse("stat.error=1,retry-after=3s", &faults.plan, &e), &e);
	struct bucket *b = bucket_retry_new(bucket_faults_new(bucket_memory_new(false), &faults), &options);

	CHECK(bucket_error_is_transient(bucket_stat(b, "a", &o, &e)));
	CHECK_INT(clock.n, 3);
	for (unsigned i = 0; i < clock.n; i++)
		CHECK(clock.pauses_us[i] >= 3000000 && clock.pauses_us[i] < 3200000);
	bucket_free(b);
}

TEST(a_thread_that_has_less_time_tries_for_less_and_one_that_has_none_does_not_begin)
{
	struct err e;
	struct object_info o;
	struct fixture *f = set_up();
	bucket_fault_set(f->fault, FAULT_STAT, "", -ETIMEDOUT, FAULT_ALWAYS);
	struct deadline before =
		deadline_enter((struct deadline){ .until_us = clock_monotonic_us() + 1000000 });
	CHECK_INT(bucket_stat(f->b, "a/object", &o, &e), -ETIMEDOUT);
	CHECK(f->clock.now_us <= 1000000);
	CHECK(f->clock.now_us > 200000);
	deadline_leave(before);

	before = deadline_enter((struct deadline){ .until_us = 1 });
	bucket_fault_count(f->fault, FAULT_STAT);
	CHECK_INT(bucket_stat(f->b, "a/object", &o, &e), -ETIME);
	CHECK_INT(bucket_fault_count(f->fault, FAULT_STAT), 0);
	CHECK_HAS(e.msg, "a/object");
	CHECK_HAS(e.msg, "memory bucket");
	deadline_leave(before);
	bucket_free(f->b);
}

TEST(a_thread_that_has_more_time_tries_for_more)
{
	struct err e;
	struct object_info o;
	struct fixture *f = set_up();
	struct deadline before = deadline_enter((struct deadline){ .each_ms = 30000 });
	bucket_fault_set(f->fault, FAULT_STAT, "", -ETIMEDOUT, FAULT_ALWAYS);
	CHECK_INT(bucket_stat(f->b, "a/object", &o, &e), -ETIMEDOUT);
	CHECK(f->clock.now_us > 25000000 && f->clock.now_us <= 30000000);
	deadline_leave(before);
	bucket_free(f->b);
}

/* What is only wired here is bucket_health.h's. */
TEST(a_store_that_is_down_is_not_tried_but_by_who_has_time_of_its_own)
{
	struct err e;
	struct object_info o;
	struct fake_clock clock = { 0 };
	struct retry_options options = options_of(&clock);
	options.probe_ms = 500;
	struct bucket *fault = bucket_fault_new(bucket_memory_new(false));
	auto_of(bucket) struct bucket *b = bucket_retry_new(fault, &options);
	bucket_put_text(b, "a/object", "text");
	auto_of(blob) struct blob *object = NULL;
	CHECK_OK(bucket_open(b, "a/object", &object, &e), &e);
	for (int op = 0; op < FAULT_OPS; op++)
		bucket_fault_set(fault, (enum fault_op)op, "", -ECONNREFUSED, FAULT_ALWAYS);
	for (int i = 0; i < 2; i++, clock.n = 0) /* the first gives up just before its deadline */
		CHECK_INT(bucket_stat(b, "a/object", &o, &e), -ECONNREFUSED);

	char byte;
	for (int op = 0; op < FAULT_OPS; op++)
		bucket_fault_count(fault, (enum fault_op)op);
	CHECK_INT(bucket_stat(b, "a/object", &o, &e), -ECONNREFUSED);
	CHECK_HAS(e.msg, "a/object: not tried");
	CHECK_INT(blob_read(object, &byte, 1, 0, &e), -ECONNREFUSED);
	CHECK_HAS(e.msg, "a/object: not tried");
	CHECK_INT(clock.n, 0);
	for (int op = 0; op < FAULT_OPS; op++)
		CHECK_INT(bucket_fault_count(fault, (enum fault_op)op), 0);

	for (int op = 0; op < FAULT_OPS; op++)
		bucket_fault_set(fault, (enum fault_op)op, "", -ECONNREFUSED, 1);
	struct deadline before = deadline_enter((struct deadline){ .each_ms = 30000 });
	CHECK_OK(bucket_stat(b, "a/object", &o, &e), &e);
	deadline_leave(before);
	bucket_fault_set(fault, FAULT_STAT, "", -ECONNREFUSED, 2);
	CHECK_OK(bucket_stat(b, "a/object", &o, &e), &e); /* tried again as ever */
}

TEST_MAIN()
