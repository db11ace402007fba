/* SPDX-License-Identifier: Apache-2.0 */
/* lib/promql/run.c, plan.c, answer.c: how queries end, what they cost, and what their plans share. */
#include "lib/base/clock.h"
#include "tests/support/query.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

struct ending {
	enum promql_error_kind error;
	char message[256];
	struct promql_stats stats;
	size_t given;
	int sink_says;
};

static int take_begin(void *arg, enum value_type type)
{
	(void)arg, (void)type;
	return 0;
}

static int take_series(void *arg, const struct promql_series *s)
{
	struct ending *e = arg;
	(void)s;
	e->given++;
	return e->sink_says;
}

static int take_string(void *arg, int64_t t, struct text value)
{
	(void)t, (void)value;
	return take_series(arg, NULL);
}

static struct ending run(struct memory_source *m, const char *text, const struct promql_options *o,
	const atomic_bool *cancel, int sink_says)
{
	struct ending e = { .sink_says = sink_says };
	struct promql_query q = {
		.text = text,
		.n = strlen(text),
		.is_range = true,
		.end = 600000,
		.step = 60000,
		.cancel = cancel,
	};
	struct promql_sink sink = {
		.begin = take_begin, .series = take_series, .string = take_string, .arg = &e
	};
	struct promql_result r;
	promql_run(memory_source_of(m), o, &q, &sink, &r);
	e.error = r.error;
	e.stats = r.stats;
	strncpy(e.message, buf_str(&r.message), sizeof e.message - 1);
	promql_result_fini(&r);
	return e;
}

static struct memory_source *some_series(size_t n)
{
	struct memory_source *m = memory_source_new();
	for (size_t i = 0; i < n; i++) {
		char labels[64];
		snprintf(labels, sizeof labels, "m{i=\"%03zu\"}", i);
		query_load(m, 60, labels, "0+1x10");
	}
	return m;
}

TEST(a_query_that_ends_badly_says_how)
{
	auto_of(memory_source) struct memory_source *m = some_series(50);
	struct promql_options o = { .threads = 2 };
	atomic_bool cancel = true;
	CHECK_INT(run(m, "m", &o, NULL, 0).error, PROMQL_OK);
	CHECK_INT(run(m, "m{", &o, NULL, 0).error, PROMQL_BAD_DATA);
	CHECK_INT(run(m, "m[1m]", &o, NULL, 0).error, PROMQL_BAD_DATA);
	CHECK_INT(run(m, "label_join(m, \"i\", \"\")", &o, NULL, 0).error, PROMQL_EXECUTION);
	CHECK_INT(run(m, "m", &o, &cancel, 0).error, PROMQL_CANCELED);
	CHECK_INT(run(m, "m", &o, NULL, -EPIPE).error, PROMQL_CANCELED);
	CHECK_STR(run(m, "m", &o, &cancel, 0).message, "query was canceled in expression evaluation");
	o.max_samples = 5;
	CHECK_INT(run(m, "m", &o, NULL, 0).error, PROMQL_LIMIT);
	o = (struct promql_options){ .threads = 2, .memory_limit = 4096 };
	CHECK_INT(run(m, "m", &o, NULL, 0).error, PROMQL_LIMIT);
	o = (struct promql_options){ .threads = 2 };
	memory_source_fail(m, "the disk is gone");
	struct ending e = run(m, "m", &o, NULL, 0);
	CHECK_INT(e.error, PROMQL_INTERNAL);
	CHECK_STR(e.message, "the disk is gone");
}

TEST(what_a_query_holds_goes_with_its_result)
{
	static const char *const queries[] = { "m", "m{", "m[1m]", "sum(m)" };
	auto_of(memory_source) struct memory_source *m = some_series(50);
	struct promql_sink sink = { .begin = take_begin, .series = take_series, .string = take_string };
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct ending e = { 0 };
		struct promql_query q = { .text = queries[i],
			.n = strlen(queries[i]),
			.is_range = true,
			.end = 60000,
			.step = 60000 };
		struct promql_options o = { .threads = 2 };
		struct promql_result r;
		sink.arg = &e;
		promql_run(memory_source_of(m), &o, &q, &sink, &r);
		CHECK(r.run);
		promql_result_fini(&r);
		CHECK(!r.run);
		promql_result_fini(&r);
	}
}

TEST(an_answer_that_nobody_wants_any_more_is_not_computed_further)
{
	auto_of(memory_source) struct memory_source *m = some_series(500);
	struct promql_options o = { .threads = 1 };
	struct ending e = run(m, "m", &o, NULL, -EPIPE);
	CHECK_INT(e.given, 1);
	CHECK(memory_source_reads(m) < 500);
}

/* Takes the text of series, as a sink may that encodes those with at most `most` points. */
struct encoding {
	struct buf out;
	size_t most, bytes; /* that a text has besides */
	bool is_mixed_up;
};

static bool encode(void *arg, const struct promql_series *s, struct buf *out)
{
	const struct encoding *e = arg;
	buf_add_str(out, "begun ");
	if (s->n > e->most)
		return false;
	buf_reset(out);
	label_set_print(s->labels, out);
	buf_printf(out, " %zu: %g\n", s->n, s->v[s->n - 1]);
	buf_reserve(out, e->bytes);
	return true;
}

static int take_encoded(void *arg, const struct promql_series *s)
{
	struct encoding *e = arg;
	if (s->encoded) {
		e->is_mixed_up |= s->t || s->v || s->h || s->n > e->most;
		buf_add(&e->out, s->encoded->data, s->encoded->len);
	} else {
		e->is_mixed_up |= s->n <= e->most;
		label_set_print(s->labels, &e->out);
		buf_printf(&e->out, " %zu! %g\n", s->n, s->v[s->n - 1]);
	}
	return 0;
}

static void run_encoding(struct memory_source *m, const char *text, const struct promql_options *o,
	struct encoding *e, struct promql_result *r)
{
	struct promql_query q = {
		.text = text, .n = strlen(text), .is_range = true, .end = 600000, .step = 60000
	};
	struct promql_sink sink = {
		.begin = take_begin, .series = take_encoded, .string = take_string, .encode = encode, .arg = e
	};
	promql_run(memory_source_of(m), o, &q, &sink, r);
}

TEST(a_sink_may_have_series_encoded_by_any_thread_and_gets_them_in_order)
{
	auto_of(memory_source) struct memory_source *m = some_series(300);
	auto_buf struct buf want = { 0 };
	query_load(m, 60, "m{i=\"150\", j=\"short\"}", "7 7");
	for (int i = 0; i < 300; i++) {
		buf_printf(&want, "{__name__=\"m\", i=\"%03d\"} 11! 10\n", i);
		if (i == 150)
			buf_add_str(&want, "{__name__=\"m\", i=\"150\", j=\"short\"} 6: 7\n");
	}
	for (unsigned threads = 1; threads <= 4; threads += 3) {
		struct promql_options o = { .threads = threads };
		struct promql_result r;
		struct encoding e = { .most = 10 };
		run_encoding(m, "m", &o, &e, &r);
		CHECK_INT(r.error, PROMQL_OK);
		CHECK_INT(r.stats.series, 301);
		CHECK(!e.is_mixed_up);
		CHECK_STR(buf_str(&e.out), buf_str(&want));
		buf_fini(&e.out);
		promql_result_fini(&r);

		e = (struct encoding){ .most = 11 };
		run_encoding(m, "m", &o, &e, &r);
		CHECK(!e.is_mixed_up);
		CHECK(!strchr(buf_str(&e.out), '!'));
		buf_fini(&e.out);
		promql_result_fini(&r);
	}
}

TEST(what_is_encoded_counts_as_memory_until_it_was_given_away)
{
	auto_of(memory_source) struct memory_source *m = some_series(100);
	struct promql_options o = { .threads = 2, .memory_limit = 64u << 20 };
	struct promql_result r;
	struct encoding e = { .most = 11, .bytes = 1u << 20 };
	run_encoding(m, "m", &o, &e, &r);
	CHECK_INT(r.error, PROMQL_OK);
	CHECK(r.stats.memory_peak_bytes >= e.bytes);
	buf_reset(&e.out);
	promql_result_fini(&r);
	o.memory_limit = e.bytes;
	run_encoding(m, "m", &o, &e, &r);
	CHECK_INT(r.error, PROMQL_LIMIT);
	buf_fini(&e.out);
	promql_result_fini(&r);
}

TEST(a_query_counts_what_it_looked_at)
{
	auto_of(memory_source) struct memory_source *m = some_series(10);
	struct promql_options o = { .threads = 4 };
	struct ending e = run(m, "m", &o, NULL, 0);
	CHECK_INT(e.stats.series, 10);
	CHECK_INT(e.stats.samples_total, 110);
	CHECK(e.stats.samples_peak >= 11 && e.stats.samples_peak <= 220);
	CHECK(e.stats.memory_peak_bytes > 0);
	e = run(m, "count_over_time(m[2m])", &o, NULL, 0);
	CHECK_INT(e.stats.samples_total, 10 * (1 + 2 * 10));
}

TEST(what_no_step_changes_is_computed_once)
{
	auto_of(memory_source) struct memory_source *m = some_series(10);
	struct promql_options o = { .threads = 2 };
	struct ending e = run(m, "abs(rate(m[5m] @ 300))", &o, NULL, 0);
	CHECK_INT(e.error, PROMQL_OK);
	CHECK_INT(memory_source_reads(m), 10);
	CHECK_INT(e.stats.samples_total, 50);
}

TEST(times_that_are_out_of_bounds_are_refused)
{
	auto_of(memory_source) struct memory_source *m = some_series(1);
	auto_buf struct buf got = { 0 };
	struct query_env env = { .end = 1e12, .step = 1e-3 };
	query_run(m, &env, "m", &got);
	CHECK_STR(buf_str(&got), "error: a range query may have 10000000 steps, not more\n");
	env = (struct query_env){ .start = 600 };
	query_run(m, &env, "max_over_time(m[100y:1ms])", &got);
	CHECK_STR(buf_str(&got), "error: a subquery may have 10000000 steps, not more\n");
}

TEST(an_instant_query_may_ask_for_samples_and_strings)
{
	static const struct query_case cases[] = {
		{ "m[2m]", "{__name__=\"m\", i=\"000\"} 9@540 10@600\n" },
		{ "(m[2m])", "{__name__=\"m\", i=\"000\"} 9@540 10@600\n" },
		{ "m[90s] offset 1m", "{__name__=\"m\", i=\"000\"} 8@480 9@540\n" },
		{ "m[2m] @ 0", "{__name__=\"m\", i=\"000\"} 0@0\n" },
		{ "m[90s] anchored", "{__name__=\"m\", i=\"000\"} 8@510 9@540 10@600\n" },
		{ "m[90s] smoothed", "{__name__=\"m\", i=\"000\"} 8.5@510 9@540 10@600\n" },
		{ "m[2m:40s]", "{__name__=\"m\", i=\"000\"} 8@520 9@560 10@600\n" },
		{ "rate(m[2m])[2m:1m]", "{i=\"000\"} 0.016666666666666666@540 0.016666666666666666@600\n"
					"info: metric might not be a counter, name does not end in "
					"_total/_sum/_count/_bucket: \"m\" (1:6)\n" },
		{ "m[10s:7m]", "" },
		{ "(\"x\")", "\"x\"\n" },
		{ "1e3", "{} 1000@600\n" },
	};
	auto_of(memory_source) struct memory_source *m = some_series(1);
	struct query_env env = { .start = 600 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST(many_rows_come_in_the_order_of_their_labels_whatever_the_threads)
{
	auto_of(memory_source) struct memory_source *m = some_series(700);
	auto_buf struct buf one = { 0 }, four = { 0 };
	struct query_env env = { .end = 600, .step = 60, .options.threads = 1 };
	query_run(m, &env, "label_replace(m, \"j\", \"$1\", \"i\", \"..(.)\")", &one);
	env.options.threads = 4;
	query_run(m, &env, "label_replace(m, \"j\", \"$1\", \"i\", \"..(.)\")", &four);
	CHECK_STR(buf_str(&four), buf_str(&one));
	size_t lines = 0;
	for (size_t i = 0; i < one.len; i++)
		lines += one.data[i] == '\n';
	CHECK_INT(lines, 700);
}

TEST(expressions_of_all_kinds_go_together)
{
	static const struct query_case cases[] = {
		{ "sum(rate(c_total[2m])) / count(c_total)", "{} _ 0.058333333333333334 0.1 0.1\n" },
		{ "sum by (job) (c_total) > bool 7 * 2", "{job=\"a\"} 0 0 0 1\n{job=\"b\"} 0 0 0 1\n" },
		{ "topk(1, c_total) or vector(time()) * 0",
			"{} 0 0 0 0\n{__name__=\"c_total\", job=\"a\"} 1 7 13 19\n" },
		{ "c_total{job=\"a\"} - on() group_left() c_total{job=\"b\"} offset 1m",
			"{job=\"a\"} _ 6 6 6\n" },
		{ "clamp_max(c_total, scalar(sum(c_total @ 60)) - 2)",
			"{job=\"a\"} 1 7 12 12\n{job=\"b\"} 1 7 12 12\n" },
		{ "max_over_time(sum(c_total)[2m:1m])", "{} 2 14 26 38\n" },
		{ "count_values((\"v\"), c_total > 12)", "{v=\"13\"} _ _ 2 _\n{v=\"19\"} _ _ _ 2\n" },
		{ "sum({__name__=~\".+\"}) by (__name__)", "{__name__=\"c_total\"} 2 14 26 38\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	query_load(m, 60, "c_total{job=\"a\"}", "1+6x3");
	query_load(m, 60, "c_total{job=\"b\"}", "1+6x3");
	struct query_env env = { .end = 180, .step = 60 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST(selectors_that_ask_for_the_same_find_it_once)
{
	auto_of(memory_source) struct memory_source *m = some_series(10);
	struct promql_options o = { .threads = 2 };
	struct ending e = run(m, "m + m offset 1m - m{i=\"001\"} @ 0", &o, NULL, 0);
	CHECK_INT(e.error, PROMQL_OK);
	CHECK_INT(memory_source_selects(m), 2);
}

TEST(a_plan_can_be_read)
{
	struct promql_options o = { 0 };
	const char *text = "abs(rate(m[5m]) @ 300)";
	struct promql_query q = {
		.text = text, .n = strlen(text), .is_range = true, .end = 600000, .step = 60000
	};
	auto_buf struct buf out = { 0 };
	CHECK_INT(promql_explain(&o, &q, &out), -EINVAL);
	buf_reset(&out);
	q.text = "clamp_min(rate(m[5m] @ 300), time())";
	q.n = strlen(q.text);
	CHECK_INT(promql_explain(&o, &q, &out), 0);
	CHECK_STR(buf_str(&out), "merge_rows, 11 steps\n"
				 "  function clamp_min, 11 steps\n"
				 "    once, 11 steps\n"
				 "      merge_rows\n"
				 "        range rate\n"
				 "    time, 11 steps\n");
}

TEST_MAIN()
