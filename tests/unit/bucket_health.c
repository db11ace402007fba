/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bucket_health.h"

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "tests/support/bucket_contract.h"
#include "tests/support/bucket_fault.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/view_fixture.h"

#include <errno.h>

#define SECOND 1000000

static int64_t now;

static int64_t fake_now(void *arg)
{
	(void)arg;
	return now;
}

struct fixture {
	struct bucket *fault;
	struct bucket_health *h;
};

static struct fixture set_up(const struct retry_options *options)
{
	struct fixture f = { .fault = bucket_fault_new(bucket_memory_new(false)) };
	bucket_put_text(f.fault, "a/object", "text");
	f.h = bucket_health_new(f.fault, options);
	return f;
}

static struct fixture set_up_at(int64_t at)
{
	struct retry_options o = { .deadline_ms = 10000, .probe_ms = 500, .now_us = fake_now };
	now = at;
	return set_up(&o);
}

static void tear_down(struct fixture *f)
{
	bucket_health_free(f->h);
	bucket_free(f->fault);
}

static void fails(struct fixture *f, int64_t began, int64_t at)
{
	struct err e;
	now = at;
	err_set(&e, -ECONNREFUSED, "nobody is there");
	bucket_health_failed(f->h, began, "a/object", -ECONNREFUSED, &e);
}

static bool admits(struct fixture *f)
{
	struct err e;
	int r = bucket_health_admits(f->h, "b", &e);
	if (r < 0) {
		CHECK_INT(r, -ECONNREFUSED);
		CHECK_HAS(e.msg, "memory bucket: b: not tried, nothing has answered for");
		CHECK_HAS(e.msg, "nobody is there");
	}
	return r == 0;
}

TEST(a_store_is_down_when_nothing_has_answered_for_a_deadline)
{
	struct fixture f = set_up_at(100 * SECOND);
	CHECK(admits(&f));
	fails(&f, 100 * SECOND, 101 * SECOND);
	fails(&f, 100 * SECOND, 109 * SECOND);
	CHECK(admits(&f));
	CHECK_INT(metric_value("thanosfs_bucket_down"), 0);
	fails(&f, 109 * SECOND, 110 * SECOND);
	CHECK(!admits(&f));
	CHECK_INT(metric_value("thanosfs_bucket_down"), 1);
	now += 3600ll * SECOND;
	CHECK(!admits(&f));
	bucket_health_answered(f.h);
	CHECK(admits(&f));
	CHECK_INT(metric_value("thanosfs_bucket_down"), 0);
	tear_down(&f);
}

TEST(one_try_that_was_silent_for_all_that_time_suffices)
{
	struct fixture f = set_up_at(100 * SECOND);
	fails(&f, 100 * SECOND, 110 * SECOND);
	CHECK(!admits(&f));
	tear_down(&f);
}

TEST(a_slow_try_says_nothing_of_a_store_that_answers_others)
{
	struct fixture f = set_up_at(105 * SECOND);
	bucket_health_answered(f.h);
	fails(&f, 100 * SECOND, 112 * SECOND);
	CHECK(admits(&f));
	fails(&f, 112 * SECOND, 116 * SECOND);
	CHECK(!admits(&f));
	tear_down(&f);
}

TEST(what_failed_long_ago_says_nothing_of_a_store_now)
{
	struct fixture f = set_up_at(100 * SECOND);
	fails(&f, 100 * SECOND, 101 * SECOND);
	fails(&f, 200 * SECOND, 201 * SECOND);
	CHECK(admits(&f));
	tear_down(&f);
}

TEST(without_probes_no_store_is_down)
{
	struct retry_options o = { .deadline_ms = 10000, .now_us = fake_now };
	struct fixture f = set_up(&o);
	fails(&f, 0, 100 * SECOND);
	fails(&f, 0, 101 * SECOND);
	CHECK(admits(&f));
	tear_down(&f);
}

/* Whatever was asked for last in vain is asked for. */
TEST(a_probe_finds_out_whether_a_store_is_back)
{
	static const struct {
		const char *name;
		enum fault_op op;
		int says;
		bool is_back;
	} cases[] = {
		{ "a/object", FAULT_OPEN, -ECONNREFUSED, false },
		{ "a/object", FAULT_READ, -ETIMEDOUT, false },
		{ "a/object", FAULT_READ, -EACCES, true },
		{ "a/object", FAULT_LIST, -ECONNREFUSED, true }, /* isn't asked for it */
		{ "nothing", FAULT_LIST, -ECONNREFUSED, true },
		{ "", FAULT_LIST, -ECONNRESET, false },
		{ "", FAULT_OPEN, -ECONNRESET, true },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f = set_up_at(100 * SECOND);
		struct err e;
		err_set(&e, -ECONNREFUSED, "nobody is there");
		CHECK(bucket_health_probe(f.h));
		now += 10 * SECOND;
		bucket_health_failed(f.h, 100 * SECOND, cases[i].name, -ECONNREFUSED, &e);
		CHECK(!admits(&f));
		bucket_fault_set(f.fault, cases[i].op, "", cases[i].says, 1);
		CHECK_INT(bucket_health_probe(f.h), cases[i].is_back);
		CHECK(cases[i].is_back || bucket_health_admits(f.h, "b", NULL) == cases[i].says);
		CHECK(bucket_health_probe(f.h));
		CHECK(admits(&f));
		tear_down(&f);
	}
}

TEST(nobody_needs_to_ask_for_it)
{
	struct retry_options o = { .deadline_ms = 1, .probe_ms = 1 };
	struct fixture f = set_up(&o);
	for (int round = 0; round < 3; round++) {
		struct err e;
		bucket_fault_set(f.fault, FAULT_OPEN, "", -ECONNREFUSED, FAULT_ALWAYS);
		clock_pause_us(2000, NULL); /* nothing answers since */
		err_set(&e, -ECONNREFUSED, "nobody is there");
		bucket_health_failed(f.h, clock_monotonic_us() - 1000, "a/object", -ECONNREFUSED, &e);
		for (unsigned asked = 0; asked < 3; asked += bucket_fault_count(f.fault, FAULT_OPEN)) {
			CHECK(bucket_health_admits(f.h, "b", NULL) < 0);
			clock_pause_us(1000, NULL);
		}
		bucket_fault_set(f.fault, FAULT_OPEN, "", 0, 0);
		while (bucket_health_admits(f.h, "b", NULL) < 0)
			clock_pause_us(1000, NULL);
	}
	tear_down(&f);
}

TEST(it_ends_while_the_store_is_down)
{
	struct retry_options o = { .deadline_ms = 10000, .probe_ms = 3600000 };
	struct fixture f = set_up(&o);
	struct err e;
	err_set(&e, -ECONNREFUSED, "nobody is there");
	bucket_health_failed(f.h, clock_monotonic_us() - 11000000, "a/object", -ECONNREFUSED, &e);
	CHECK(!admits(&f));
	tear_down(&f);
}

TEST_MAIN()
