/* SPDX-License-Identifier: Apache-2.0 */
/* lib/promql/: a query that would take more than it may ends soon, whatever it is made of. */
#include "lib/promql/range_kernels.h"
#include "tests/support/query.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

#define LIMIT (32u << 20)
#define SLACK (12u << 20) /* what a few threads take between two looks at what was taken */

static int take_begin(void *arg, enum value_type type)
{
	(void)arg, (void)type;
	return 0;
}

static int take_series(void *arg, const struct promql_series *s)
{
	(void)arg, (void)s;
	return 0;
}

static int take_string(void *arg, int64_t t, struct text value)
{
	(void)arg, (void)t, (void)value;
	return 0;
}

/* At 11,000 steps. */
static void run(struct memory_source *m, const char *text, unsigned threads, struct promql_result *out)
{
	struct promql_options o = {
		.threads = threads, .memory_limit = LIMIT, .features = { true, true, true, true }
	};
	struct promql_query q = {
		.text = text, .n = strlen(text), .is_range = true, .end = 10999000, .step = 1000
	};
	struct promql_sink sink = {
		.begin = take_begin, .series = take_series, .string = take_string, .arg = NULL
	};
	promql_run(memory_source_of(m), &o, &q, &sink, out);
}

static void check_is_refused(struct memory_source *m, const char *text)
{
	for (unsigned threads = 1; threads <= 4; threads += 3) {
		struct promql_result r;
		run(m, text, threads, &r);
		if (r.error != PROMQL_LIMIT || r.stats.memory_peak_bytes > LIMIT + SLACK)
			test_fail(__FILE__, __LINE__, "%.80s with %u threads: error %d, %s, peak %zu", text,
				threads, (int)r.error, buf_str(&r.message),
				(size_t)r.stats.memory_peak_bytes);
		CHECK_HAS(buf_str(&r.message), "query needs more memory than it may use");
		promql_result_fini(&r);
	}
}

static struct memory_source *some_series(size_t n)
{
	struct memory_source *m = memory_source_new();
	for (size_t i = 0; i < n; i++) {
		char labels[64];
		snprintf(labels, sizeof labels, "m{i=\"%04zu\",g=\"x\"}", i);
		query_load(m, 60, labels, "0+1x20");
	}
	return m;
}

TEST(what_takes_too_much_memory_is_refused_before_it_has_it)
{
	static const char *const queries[] = {
		"count_values(\"v\", vector(time()))",
		"quantile(0.5, m)",
		"quantile by (g) (0.5, m)",
		"topk(1e9, m)",
		"bottomk(1000, m)",
		"limitk(1e9, last_over_time(m[1d]))",
		"max_over_time(vector(1)[30m:2ms])",
		"sum(stddev_over_time(vector(time())[30m:2ms]))",
		"m * on(g) group_left(x) label_replace(m, \"x\", \"$1\", \"i\", \"(.*)\")",
		"m * on(g) group_left(i) label_replace(m, \"j\", \"$1\", \"i\", \"(.*)\")",
	};
	auto_of(memory_source) struct memory_source *m = some_series(1000);
	for (size_t i = 0; i < ARRAY_LEN(queries); i++)
		check_is_refused(m, queries[i]);
}

TEST(a_cross_join_is_refused_before_it_is_planned)
{
	auto_of(memory_source) struct memory_source *m = some_series(1100);
	struct promql_result r;
	run(m, "m * on(g) group_left(x) label_replace(m, \"x\", \"$1\", \"i\", \"(.*)\")", 2, &r);
	CHECK_INT(r.error, PROMQL_EXECUTION);
	CHECK_HAS(buf_str(&r.message),
		"found duplicate series for the match group {g=\"x\"} on the right hand-side");
	CHECK(r.stats.memory_peak_bytes < LIMIT);
	promql_result_fini(&r);
	run(m, "(m * 2) * on(g) group_right(x) m", 2, &r);
	CHECK_INT(r.error, PROMQL_EXECUTION);
	CHECK_HAS(buf_str(&r.message), "on the left hand-side");
	promql_result_fini(&r);
}

TEST(sides_that_never_meet_twice_are_joined_however_many_they_are)
{
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	for (int i = 0; i < 1100; i++) {
		char labels[64];
		snprintf(labels, sizeof labels, "a{i=\"%d\"}", i);
		query_load(m, 60, labels, "1 1");
		snprintf(labels, sizeof labels, "b{i=\"%d\"}", i);
		size_t series = memory_source_series(m, labels);
		memory_source_add(m, series, i * 1000000, i);
	}
	auto_buf struct buf got = { 0 };
	struct query_env env = { .start = 0 };
	query_run(m, &env, "sum(a * on() group_left() (b + 5))", &got);
	CHECK_STR(buf_str(&got), "{} 5500@0\n");
}

/* Each level makes the value so many times as long. */
static void add_levels(struct buf *q, unsigned levels, const char *references)
{
	for (unsigned i = 0; i < levels; i++)
		buf_add_str(q, "label_replace(");
	buf_add_str(q, "label_replace(vector(1), \"a\", \"0123456789\", \"\", \"\")");
	for (unsigned i = 0; i < levels; i++)
		buf_printf(q, ", \"a\", \"%s\", \"a\", \"(.*)\")", references);
}

TEST(a_label_that_explodes_is_refused_before_it_does)
{
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	auto_buf struct buf q = { 0 };
	struct promql_result r;
	add_levels(&q, 60, "$1$1");
	run(m, buf_str(&q), 1, &r);
	CHECK(r.error == PROMQL_LIMIT || r.error == PROMQL_EXECUTION);
	CHECK(r.stats.memory_peak_bytes <= LIMIT + SLACK);
	promql_result_fini(&r);

	buf_reset(&q);
	buf_add_str(&q, "label_replace(label_replace(vector(1), \"a\", \"");
	for (unsigned i = 0; i < 10000; i++)
		buf_add_str(&q, "x");
	buf_add_str(&q, "\", \"\", \"\"), \"a\", \"");
	for (unsigned i = 0; i < 10000; i++)
		buf_add_str(&q, "$1");
	buf_add_str(&q, "\", \"a\", \"(.*)\")");
	run(m, buf_str(&q), 1, &r);
	CHECK_INT(r.error, PROMQL_EXECUTION);
	CHECK_STR(buf_str(&r.message), "label_replace() would make a label value of 100000000 bytes");
	promql_result_fini(&r);

	buf_reset(&q);
	for (unsigned i = 0; i < 40; i++)
		buf_add_str(&q, "label_join(");
	buf_add_str(&q, "label_replace(vector(1), \"a\", \"0123456789\", \"\", \"\")");
	for (unsigned i = 0; i < 40; i++)
		buf_add_str(&q, ", \"a\", \"-\", \"a\", \"a\")");
	run(m, buf_str(&q), 1, &r);
	CHECK(r.error == PROMQL_LIMIT || r.error == PROMQL_EXECUTION);
	CHECK(r.stats.memory_peak_bytes <= LIMIT + SLACK);
	promql_result_fini(&r);
}

#define SAMPLES 20000u
#define WINDOWS 100u

struct asked {
	unsigned times, until;
};

static int ask(void *arg)
{
	struct asked *a = arg;
	return ++a->times > a->until ? -ECANCELED : 0;
}

/* A kernel over windows that all see all samples, which is interrupted when it asks for the third time. */
static int run_kernel(const char *name, struct asked *asked)
{
	static int64_t t[SAMPLES], start[WINDOWS], end[WINDOWS];
	static double v[SAMPLES], half[WINDOWS];
	static uint32_t lo[WINDOWS], hi[WINDOWS];
	for (uint32_t k = 0; k < SAMPLES; k++) {
		t[k] = k * 10;
		v[k] = (double)(k * 7919 % 1000) + 0.25;
	}
	for (uint32_t i = 0; i < WINDOWS; i++) {
		start[i] = -1;
		end[i] = SAMPLES * 10;
		half[i] = 0.5;
		hi[i] = SAMPLES;
	}
	const double *params[] = { half, half };
	struct exec x;
	exec_init(&x, NULL, NULL, 1);
	struct range_input input = { .range_ms = SAMPLES * 10 };
	unsigned said = 0;
	struct range_series s = { .input = &input,
		.w = &x.workers[0],
		.said = &said,
		.params = params,
		.n = WINDOWS,
		.start = start,
		.end = end,
		.step_t = end,
		.f = { t, NULL, v, SAMPLES, lo, hi } };
	struct row out = row_new(&x.workers[0], WINDOWS);
	struct interrupt mine = { .ask = ask, .arg = asked }, *before = interrupt_enter(&mine);
	int r = range_kernel_find(name)->fn(&s, &out);
	interrupt_leave(before);
	row_fini(&out);
	exec_fini(&x);
	return r;
}

TEST(functions_that_look_at_each_sample_of_each_window_end_when_nobody_wants_the_rest)
{
	static const char *const names[] = { "sum_over_time", "avg_over_time", "stddev_over_time",
		"stdvar_over_time", "quantile_over_time", "mad_over_time", "deriv", "predict_linear",
		"double_exponential_smoothing" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct asked never = { .until = UINT32_MAX }, soon = { .until = 2 };
		CHECK_INT(run_kernel(names[i], &never), 0);
		/* Some go through four windows at a time. */
		if (never.times < WINDOWS / 4)
			test_fail(__FILE__, __LINE__, "%s asks %u times", names[i], never.times);
		CHECK_INT(run_kernel(names[i], &soon), -ECANCELED);
		if (soon.times > 8)
			test_fail(__FILE__, __LINE__, "%s goes on for %u questions", names[i], soon.times);
	}
}

TEST_MAIN()
