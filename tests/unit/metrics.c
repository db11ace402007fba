/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/metrics.h"

#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>

METRIC_COUNTER(made, "thanosfs_test_made_total", "Things that were made.")
METRIC_GAUGE(now, "thanosfs_test_now", "What is now.")
METRIC_FAMILY(skipped, METRIC_TYPE_COUNTER, "thanosfs_test_skipped_total", "Left out.", "reason")
METRIC_FAMILY(empty, METRIC_TYPE_GAUGE, "thanosfs_test_empty", "Nothing yet.", "kind")
METRIC_COUNTER(early, "thanosfs_test_a_total", "Sorted first.")

static const char *rendered(struct buf *b)
{
	metrics_render(b);
	return buf_str(b);
}

TEST(metrics_are_rendered_in_the_order_of_their_names)
{
	auto_buf struct buf b = { 0 };
	metric_add(made, 2);
	metric_add(made, 3);
	metric_set(now, 7);
	metric_set(now, 6);
	metric_add(metric_of(&skipped, "corrupt"), 1);
	metric_add(metric_of(&skipped, "late"), 1);
	metric_add(metric_of(&skipped, "corrupt"), 1);
	CHECK_INT(metric_get(made), 5);
	CHECK_INT(metric_get(early), 0);
	CHECK_STR(rendered(&b),
		"# HELP thanosfs_test_a_total Sorted first.\n# TYPE thanosfs_test_a_total counter\n"
		"thanosfs_test_a_total 0\n"
		"# HELP thanosfs_test_empty Nothing yet.\n# TYPE thanosfs_test_empty gauge\n"
		"# HELP thanosfs_test_made_total Things that were made.\n"
		"# TYPE thanosfs_test_made_total counter\nthanosfs_test_made_total 5\n"
		"# HELP thanosfs_test_now What is now.\n# TYPE thanosfs_test_now gauge\n"
		"thanosfs_test_now 6\n"
		"# HELP thanosfs_test_skipped_total Left out.\n"
		"# TYPE thanosfs_test_skipped_total counter\n"
		"thanosfs_test_skipped_total{reason=\"corrupt\"} 2\n"
		"thanosfs_test_skipped_total{reason=\"late\"} 1\n");
	CHECK(empty.children == 0);
}

TEST(a_label_value_has_one_metric)
{
	CHECK(metric_of(&skipped, "a") == metric_of(&skipped, "a"));
	CHECK(metric_of(&skipped, "a") != metric_of(&skipped, "b"));
}

TEST(label_values_past_the_limit_share_the_last_metric)
{
	for (int i = 0; i < METRIC_CHILDREN + 10; i++) {
		char value[16];
		snprintf(value, sizeof value, "v%d", i);
		metric_add(metric_of(&skipped, value), 1);
	}
	CHECK_INT(metric_get(&skipped.child[METRIC_CHILDREN - 1]), 11);
	CHECK_INT(skipped.children, METRIC_CHILDREN);
}

static void *count(void *arg)
{
	for (int i = 0; i < 10000; i++) {
		metric_add(made, 1);
		metric_add(metric_of(&skipped, i % 2 ? "odd" : "even"), 1);
	}
	return arg;
}

TEST(threads_lose_no_count)
{
	pthread_t threads[4];
	for (size_t i = 0; i < 4; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (int i = 0; i < 20; i++) {
		auto_buf struct buf b = { 0 };
		rendered(&b);
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK_INT(metric_get(made), 40000);
	CHECK_INT(metric_get(metric_of(&skipped, "odd")), 20000);
	CHECK_INT(metric_get(metric_of(&skipped, "even")), 20000);
	CHECK_INT(skipped.children, 2);
}

TEST_MAIN()
