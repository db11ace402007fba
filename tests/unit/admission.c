/* SPDX-License-Identifier: Apache-2.0 */
#include "query/admission.h"

#include "lib/base/clock.h"
#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

static const int64_t forever = INT64_MAX;

struct waiting {
	struct admission *a;
	pthread_t thread;
	atomic_bool cancel;
	int result;
	atomic_int *order;
	int place;
};

static void *wait_in_line(void *arg)
{
	struct waiting *w = arg;
	w->result = admission_enter(w->a, forever, &w->cancel);
	if (w->result == 0) {
		w->place = atomic_fetch_add(w->order, 1);
		admission_leave(w->a);
	}
	return NULL;
}

TEST(who_finds_a_place_enters_at_once)
{
	auto_of(admission) struct admission *a = admission_new(2);
	CHECK_INT(admission_enter(a, forever, NULL), 0);
	CHECK_INT(admission_enter(a, forever, NULL), 0);
	CHECK_INT(admission_running(a), 2);
	admission_leave(a);
	CHECK_INT(admission_enter(a, forever, NULL), 0);
	admission_leave(a);
	admission_leave(a);
	CHECK_INT(admission_running(a), 0);
}

TEST(the_others_enter_in_the_order_of_their_coming)
{
	auto_of(admission) struct admission *a = admission_new(1);
	struct waiting w[5];
	atomic_int order = 0;
	CHECK_INT(admission_enter(a, forever, NULL), 0);
	for (int i = 0; i < 5; i++) {
		w[i] = (struct waiting){ .a = a, .order = &order };
		CHECK_INT(pthread_create(&w[i].thread, NULL, wait_in_line, &w[i]), 0);
		while (admission_waiting(a) != (unsigned)i + 1)
			sched_yield();
	}
	admission_leave(a);
	for (int i = 0; i < 5; i++) {
		pthread_join(w[i].thread, NULL);
		CHECK_INT(w[i].result, 0);
		CHECK_INT(w[i].place, i);
	}
	CHECK_INT(admission_running(a), 0);
}

TEST(a_wait_ends_with_its_deadline)
{
	auto_of(admission) struct admission *a = admission_new(1);
	CHECK_INT(admission_enter(a, forever, NULL), 0);
	CHECK_INT(admission_enter(a, clock_monotonic_us() + 1000, NULL), -ETIMEDOUT);
	CHECK_INT(admission_waiting(a), 0);
	CHECK_INT(admission_running(a), 1);
	admission_leave(a);
}

TEST(a_wait_ends_when_nobody_waits_for_the_answer_any_more)
{
	auto_of(admission) struct admission *a = admission_new(1);
	atomic_int order = 0;
	struct waiting w = { .a = a, .order = &order };
	CHECK_INT(admission_enter(a, forever, NULL), 0);
	CHECK_INT(pthread_create(&w.thread, NULL, wait_in_line, &w), 0);
	while (admission_waiting(a) != 1)
		sched_yield();
	atomic_store(&w.cancel, true);
	pthread_join(w.thread, NULL);
	CHECK_INT(w.result, -ECANCELED);
	CHECK_INT(admission_waiting(a), 0);
	admission_leave(a);
	CHECK_INT(admission_running(a), 0);
}

TEST_MAIN()
