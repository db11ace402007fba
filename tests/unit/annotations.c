/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/annotations.h"
#include "lib/base/buf.h"
#include "tests/support/test.h"

#include <math.h>

static void gather(void *arg, const char *text)
{
	buf_printf(arg, "%s\n", text);
}

TEST(each_is_said_once_with_its_place_in_the_order_of_words)
{
	struct annotations *a = annotations_new();
	for (int i = 0; i < 100; i++) {
		annotations_add(a, ANNOTATION_INFO, (struct span){ 2, 4 }, "number %d", i % 20);
		annotations_add(a, ANNOTATION_WARNING, (struct span){ 0, 4 }, "number %d", 7);
		annotations_add(a, ANNOTATION_WARNING, (struct span){ 6, 7 }, "a thing is odd: \"%s\"", "x");
	}
	auto_buf struct buf b = { 0 };
	annotations_each(a, ANNOTATION_WARNING, TEXT("up +\n x"), 0, gather, &b);
	CHECK_STR(
		buf_str(&b), "PromQL warning: a thing is odd: \"x\" (2:2)\nPromQL warning: number 7 (1:1)\n");
	buf_reset(&b);
	annotations_each(a, ANNOTATION_INFO, TEXT("up +\n x"), 2, gather, &b);
	CHECK_STR(buf_str(&b), "PromQL info: number 0 (1:3)\nPromQL info: number 1 (1:3)\n18 more info "
			       "annotations omitted\n");
	annotations_free(a);
}

TEST(what_is_counted_says_how_often_it_was_said)
{
	struct annotations *a = annotations_new();
	annotations_add_counted(a, ANNOTATION_WARNING, (struct span){ 0, 1 }, "once");
	for (int i = 0; i < 3; i++)
		annotations_add_counted(a, ANNOTATION_WARNING, (struct span){ 0, 1 }, "thrice");
	auto_buf struct buf b = { 0 };
	annotations_each(a, ANNOTATION_WARNING, TEXT("x"), 0, gather, &b);
	CHECK_STR(buf_str(&b), "PromQL warning: once (1:1)\nPromQL warning: thrice (3 occurrences) (1:1)\n");
	annotations_free(a);
}

TEST(what_was_repaired_is_told_together)
{
	struct annotations *a = annotations_new();
	struct annotation_repair repairs[] = { { 1, 2, 0.5, 1700000000000, 1700000060000, 3 },
		{ 2, INFINITY, 123, 1600000000999, 1650000000000, 4 } };
	annotations_add_repair(a, (struct span){ 3, 4 }, "fixed", &repairs[0]);
	annotations_add_repair(a, (struct span){ 3, 4 }, "fixed", &repairs[1]);
	annotations_add_repair(a, (struct span){ 3, 4 }, "other", &repairs[0]);
	auto_buf struct buf b = { 0 };
	annotations_each(a, ANNOTATION_INFO, TEXT("f(x)"), 0, gather, &b);
	CHECK_STR(buf_str(&b),
		"PromQL info: fixed, from buckets 1 to +Inf, with a max diff of 1.2e+02, over 7 samples from "
		"2020-09-13T12:26:40Z to 2023-11-14T22:14:20Z (1:4)\n"
		"PromQL info: other, from buckets 1 to 2, with a max diff of 0.5, over 3 samples from "
		"2023-11-14T22:13:20Z to 2023-11-14T22:14:20Z (1:4)\n");
	annotations_free(a);
}

TEST_MAIN()
