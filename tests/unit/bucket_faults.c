/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bucket_faults.h"

#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "lib/base/file.h"
#include "store/bucket_retry.h"
#include "tests/support/bucket_contract.h"
#include "tests/support/bucket_far.h"
#include "tests/support/bucket_memory.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int64_t fake_us;

static int64_t fake_now(void *arg)
{
	(void)arg;
	return fake_us;
}

static void fake_pause(void *arg, int64_t us)
{
	(void)arg;
	fake_us += us;
}

static struct bucket *faulty(const char *plan)
{
	struct err e;
	struct faults_options o = { .now_us = fake_now, .pause_us = fake_pause };
	struct bucket *memory = bucket_memory_new(false);
	bucket_put_text(memory, "a/object", "the text of the object");
	for (int i = 0; i < 20; i++) {
		char name[32];
		snprintf(name, sizeof name, "b/%02d", i);
		bucket_put_text(memory, name, "x");
	}
	CHECK_OK(fault_plan_parse(plan, &o.plan, &e), &e);
	return bucket_faults_new(memory, &o);
}

static struct bucket *new_faultless(void)
{
	struct faults_options o = { .plan = { .seed = 1 } };
	return bucket_faults_new(bucket_memory_new(false), &o);
}

/* With a retry above, a bad bucket is as good as any. */
static struct bucket *new_retried(void)
{
	struct err e;
	struct faults_options o = { 0 };
	struct retry_options retry = { .deadline_ms = 60000, .first_pause_ms = 1, .longest_pause_ms = 1 };
	CHECK_OK(fault_plan_parse("error=0.3,read.truncate=0.3,latency=0..1ms", &o.plan, &e), &e);
	return bucket_retry_new(bucket_faults_new(bucket_memory_new(false), &o), &retry);
}

BUCKET_CONTRACT(faultless, new_faultless)
BUCKET_CONTRACT(retried, new_retried)

static int count_one(void *arg, const struct object_info *o)
{
	(void)o;
	++*(int *)arg;
	return 0;
}

TEST(errors_come_as_often_as_asked_and_the_same_for_the_same_seed)
{
	struct err e;
	struct object_info o;
	static const char *const plans[] = { "seed=3,stat.error=0.2", "seed=3,stat.error=0.2",
		"seed=4,stat.error=0.2" };
	char fates[3][1001] = { 0 };
	for (int k = 0; k < 3; k++) {
		auto_of(bucket) struct bucket *b = faulty(plans[k]);
		unsigned failed = 0;
		for (int i = 0; i < 1000; i++) {
			int r = bucket_stat(b, "a/object", &o, &e);
			CHECK(r == 0 || bucket_error_is_transient(r));
			fates[k][i] = r < 0 ? 'x' : '.';
			failed += r < 0;
		}
		CHECK(failed > 150 && failed < 250);
		CHECK_INT(bucket_faults_count(b), failed);
	}
	CHECK_STR(fates[0], fates[1]);
	CHECK(strcmp(fates[0], fates[2]) != 0);
}

TEST(what_fails_for_good_does_not_look_as_if_it_would_pass)
{
	struct err e;
	struct object_info o;
	auto_of(bucket) struct bucket *b = faulty("lasting=1");
	int r = bucket_stat(b, "a/object", &o, &e);
	CHECK(r < 0 && !bucket_error_is_transient(r));
	CHECK_HAS(e.msg, "memory bucket: stat of a/object: injected lasting error");
}

TEST(an_error_may_ask_to_be_left_alone)
{
	struct err e;
	struct object_info o;
	auto_of(bucket) struct bucket *b = faulty("error=1,retry-after=7s");
	CHECK(bucket_stat(b, "a/object", &o, &e) < 0);
	CHECK_INT(e.retry_after_ms, 7000);
}

TEST(a_truncated_read_fails_and_a_truncated_listing_after_some_of_it)
{
	struct err e;
	auto_of(bucket) struct bucket *b = faulty("truncate=1");
	auto_buf struct buf got = { 0 };
	int n = 0, most = 0;
	CHECK_INT(bucket_get(b, "a/object", 100, &got, &e), -ECONNRESET);
	for (int i = 0; i < 50; i++, n = 0) {
		CHECK_INT(bucket_list(b, "b/", true, false, count_one, &n, &e), -ECONNRESET);
		CHECK(n < 20);
		most = MAX_OF(n, most);
	}
	CHECK(most > 0);
}

TEST(objects_take_hints_where_those_below_do)
{
	struct err e;
	struct faults_options o = { .plan = { .seed = 1 } };
	struct bucket *memory = bucket_memory_new(false);
	bucket_put_text(memory, "a/chunks/000001", "the bytes of a segment");
	bucket_put_text(memory, "a/index", "x");
	auto_of(bucket) struct bucket *b = bucket_faults_new(bucket_far_new(memory, 4096, 0), &o);
	auto_of(blob) struct blob *segment = NULL, *index = NULL;
	CHECK_OK(bucket_open(b, "a/chunks/000001", &segment, &e), &e);
	CHECK_OK(bucket_open(b, "a/index", &index, &e), &e);
	CHECK(segment->ops->will_read);
	CHECK(!index->ops->will_read);
}

TEST(wrong_bytes_are_a_few_and_others_each_time)
{
	struct err e;
	auto_of(bucket) struct bucket *b = faulty("corrupt=1");
	auto_of(blob) struct blob *blob = NULL;
	char got[2][22];
	static const char want[] = "the text of the object";
	CHECK_OK(bucket_open(b, "a/object", &blob, &e), &e);
	CHECK_INT(blob_fd(blob), -1);
	for (int k = 0; k < 2; k++) {
		unsigned wrong = 0;
		CHECK_OK(blob_read(blob, got[k], 22, 0, &e), &e);
		for (int i = 0; i < 22; i++)
			wrong += got[k][i] != want[i];
		CHECK(wrong > 0 && wrong <= 4);
	}
	CHECK(memcmp(got[0], got[1], 22) != 0);
	bucket_faults_enable(b, false);
	CHECK_OK(blob_read(blob, got[0], 22, 0, &e), &e);
	CHECK(!memcmp(got[0], want, 22));
}

TEST(latencies_and_stalls_take_time)
{
	struct err e;
	struct object_info o;
	auto_of(bucket) struct bucket *b = faulty("stat.latency=10ms..20ms,open.stall=1:30s");
	auto_of(blob) struct blob *blob = NULL;
	for (int i = 0; i < 100; i++) {
		int64_t before = fake_us;
		CHECK_OK(bucket_stat(b, "a/object", &o, &e), &e);
		CHECK(fake_us - before >= 10000 && fake_us - before <= 20000);
	}
	int64_t before = fake_us;
	CHECK_OK(bucket_open(b, "a/object", &blob, &e), &e);
	CHECK_INT(fake_us - before, 30000000);
}

TEST(a_stall_ends_with_its_callers_deadline_and_when_everything_stops)
{
	struct err e;
	struct object_info o;
	static atomic_bool stop;
	struct faults_options options = { .stop = &stop };
	CHECK_OK(fault_plan_parse("stall=1:1h", &options.plan, &e), &e);
	auto_of(bucket) struct bucket *b = bucket_faults_new(bucket_memory_new(false), &options);
	struct deadline before =
		deadline_enter((struct deadline){ .until_us = clock_monotonic_us() + 50000 });
	CHECK_INT(bucket_stat(b, "a", &o, &e), -ETIMEDOUT);
	CHECK_HAS(e.msg, "stall");
	deadline_leave(before);
	atomic_store(&stop, true);
	CHECK_INT(bucket_stat(b, "a", &o, &e), -ENOENT);
}

TEST(nothing_answers_while_the_store_is_out)
{
	struct err e;
	struct object_info o;
	auto_free char *file = xasprintf("%s/down", test_dir());
	auto_free char *plan = xasprintf("outage=10s+5s,outage=1m+1s,outage=%s,ops=stat", file);
	auto_of(bucket) struct bucket *b = faulty(plan);
	int64_t start = fake_us;
	static const struct {
		int64_t ms;
		bool is_out;
	} at[] = { { 0, false }, { 9999, false }, { 10000, true }, { 14999, true }, { 15000, false },
		{ 60500, true }, { 61000, false } };
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		auto_of(blob) struct blob *blob = NULL;
		fake_us = start + at[i].ms * 1000;
		CHECK_INT(bucket_stat(b, "a/object", &o, &e), at[i].is_out ? -ECONNREFUSED : 0);
		CHECK_OK(bucket_open(b, "a/object", &blob, &e), &e);
	}
	CHECK_OK(file_replace(file, "", 0, &e), &e);
	CHECK_INT(bucket_stat(b, "a/object", &o, &e), -ECONNREFUSED);
	unlink(file);
	CHECK_OK(bucket_stat(b, "a/object", &o, &e), &e);
}

TEST_MAIN()
