/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of histograms over rows that a test writes down. */
#include "lib/promql/histogram_function.h"

#include "lib/promql/function.h"
#include "lib/promql/parse.h"
#include "lib/tsdb/float_histogram.h"
#include "tests/support/histograms.h"
#include "tests/support/test.h"

#include "lib/base/go_float.h"

#include <stdio.h>

/* `labels` as "__name__=x le=1"; `cells`, one a step, as "1|_|{{count:3}}". */
struct line {
	const char *labels, *cells;
};

struct table {
	struct op op;
	const struct line *lines;
	_Atomic unsigned *reads;
};

static struct label_set labels_of(struct arena *a, const char *text)
{
	struct label_pair *pairs = arena_alloc(a, 8 * sizeof *pairs);
	size_t n = 0;
	while (*text) {
		size_t name = strcspn(text, "="), value = strcspn(text + name + 1, " ");
		pairs[n++] =
			(struct label_pair){ { text, (uint32_t)name }, { text + name + 1, (uint32_t)value } };
		text += name + 1 + value;
		text += *text == ' ';
	}
	return (struct label_set){ pairs, n };
}

static int table_open(struct op *op, struct exec *x)
{
	struct table *t = (struct table *)op;
	struct label_set *labels = arena_alloc(x->arena, (op->n_rows + 1) * sizeof *labels);
	for (size_t i = 0; i < op->n_rows; i++)
		labels[i] = labels_of(x->arena, t->lines[i].labels);
	op->labels = labels;
	return 0;
}

static int table_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct table *t = (struct table *)op;
	const char *p = t->lines[i].cells;
	++*t->reads;
	for (uint32_t k = 0; k < out->n && *p; k++) {
		size_t len = strcspn(p, "|");
		double v;
		if (*p == '{')
			row_set_histogram(w, out, k, histogram_of(p));
		else if (go_float_parse(p, len, &v))
			row_set(out, k, v);
		p += len + (p[len] == '|');
	}
	return 0;
}

static int number_open(struct op *op, struct exec *x)
{
	static const struct label_set none;
	(void)x;
	op->labels = &none;
	return 0;
}

/* A number, or the step's time for whatever else is no string. */
static int number_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	(void)w;
	(void)i;
	const struct expr *e = op->expr;
	double sign = 1;
	if (e->kind == EXPR_UNARY) {
		sign = -1;
		e = e->unary.inner;
	}
	for (uint32_t k = 0; k < out->n; k++)
		row_set(out, k,
			e->kind == EXPR_NUMBER ? sign * e->number.value
					       : (double)steps_at(&op->steps, k) / 1000);
	return 0;
}

static void plain_free(struct op *op)
{
	free(op);
}

static const struct op_ops table_ops = {
	.name = "table", .open = table_open, .row = table_row, .free = plain_free
};
static const struct op_ops number_ops = {
	.name = "number", .open = number_open, .row = number_row, .free = plain_free
};

static struct op *operand(const struct expr *e, const struct line *lines, size_t n, const struct steps *steps,
	_Atomic unsigned *reads)
{
	if (e->type == VALUE_STRING)
		return NULL;
	struct table *t = xcalloc(1, sizeof *t);
	t->op = (struct op){ .ops = e->type == VALUE_SCALAR ? &number_ops : &table_ops,
		.expr = e,
		.steps = *steps,
		.n_rows = e->type == VALUE_SCALAR ? 1 : n,
		.is_scalar = e->type == VALUE_SCALAR };
	t->lines = lines;
	t->reads = reads;
	return &t->op;
}

struct answer {
	struct op *op;
	struct buf *rows; /* one each */
};

static int print_row(void *arg, struct worker *w, size_t i)
{
	struct answer *a = arg;
	struct row r = row_new(w, a->op->steps.n);
	int err = op_row(a->op, w, i, &r);
	bool has_cell = false;
	for (uint32_t k = 0; k < r.n; k++)
		has_cell |= r.kind[k] != CELL_NONE;
	struct buf *out = &a->rows[i];
	if (has_cell) {
		label_set_print(&a->op->labels[i], out);
		if (op_row_drops_name(a->op, i))
			buf_add_u8(out, '!');
		for (uint32_t k = 0; k < r.n; k++) {
			buf_add_u8(out, ' ');
			if (r.kind[k] == CELL_FLOAT)
				go_float_add(out, r.v[k], 'g');
			else
				buf_add_str(out, r.kind[k] ? "histogram" : "_");
		}
		buf_add_u8(out, '\n');
	}
	row_fini(&r);
	return err;
}

static void add_line(void *arg, const char *text)
{
	buf_printf(arg, "%s\n", text);
}

struct env {
	uint32_t steps;
	bool is_delayed;
	unsigned threads;
	_Atomic unsigned reads; /* of rows of the table */
};

static void run(struct env *env, const char *query, const struct line *lines, size_t n, struct buf *out)
{
	auto_of(arena) struct arena *arena = arena_new(NULL);
	auto_buf struct buf error = { 0 };
	struct expr *call;
	struct promql_features all = { true, true, true, true };
	if (promql_parse(query, strlen(query), &all, arena, &call, &error) < 0)
		test_fail(__FILE__, __LINE__, "%s: %s", query, buf_str(&error));
	CHECK(histogram_function_is(call->call.function));

	struct exec x;
	exec_init(&x, NULL, NULL, env->threads);
	x.delayed_name_removal = env->is_delayed;
	struct steps steps = { 0, 1000, env->steps };
	struct op *args[16];
	for (size_t i = 0; i < call->call.n_args; i++)
		args[i] = operand(call->call.args[i], lines, n, &steps, &env->reads);
	struct op *op = histogram_function_new(call, args, call->call.n_args);
	CHECK_INT(op_open_tree(op, &x), 0);
	CHECK_INT(op_prepare(op, &x), 0);
	struct answer a = { .op = op, .rows = xcalloc(op->n_rows + 1, sizeof *a.rows) };
	CHECK_INT(exec_rows(&x, op->n_rows, print_row, &a), 0);
	buf_reset(out);
	for (size_t i = 0; i < op->n_rows; i++) {
		buf_add(out, a.rows[i].data, a.rows[i].len);
		buf_fini(&a.rows[i]);
	}
	free(a.rows);
	annotations_each(x.annotations, ANNOTATION_WARNING, text_of(query), 0, add_line, out);
	annotations_each(x.annotations, ANNOTATION_INFO, text_of(query), 0, add_line, out);
	op_free(op);
	exec_fini(&x);
	promql_free(call);
}

static void check_run(uint32_t steps, bool is_delayed, const char *query, const struct line *lines, size_t n,
	const char *want)
{
	for (unsigned threads = 1; threads <= 4; threads += 3) {
		auto_buf struct buf out = { 0 };
		struct env env = { .steps = steps, .is_delayed = is_delayed, .threads = threads };
		run(&env, query, lines, n, &out);
		CHECK_STR(buf_str(&out), want);
	}
}

#define CHECK_RUN(steps, query, lines, want) check_run(steps, false, query, lines, ARRAY_LEN(lines), want)
#define CHECK_RUN_DELAYED(steps, query, lines, want) \
	check_run(steps, true, query, lines, ARRAY_LEN(lines), want)

static const struct line natives[] = {
	{ "__name__=x __type__=histogram a=1",
		"{{count:4 sum:8 offset:1 buckets:[2 2]}}|3|{{count:2 sum:1}}" },
	{ "__name__=x a=2", "1|2|3" },
};

TEST(summaries_are_of_native_histograms_only)
{
	CHECK_RUN(3, "histogram_count(x)", natives, "{__type__=\"histogram\", a=\"1\"} 4 _ 2\n");
	CHECK_RUN(3, "histogram_sum(x)", natives, "{__type__=\"histogram\", a=\"1\"} 8 _ 1\n");
	CHECK_RUN(3, "histogram_avg(x)", natives, "{__type__=\"histogram\", a=\"1\"} 2 _ 0.5\n");
	CHECK_RUN_DELAYED(3, "histogram_count(x)", natives,
		"{__name__=\"x\", __type__=\"histogram\", a=\"1\"}! 4 _ 2\n");
	static const struct line spread[] = { { "a=1",
		"{{count:2 offset:1 buckets:[1] n_offset:1 n_buckets:[1]}}" } };
	CHECK_RUN(1, "histogram_stdvar(x)", spread, "{a=\"1\"} 2.0000000000000004\n");
	CHECK_RUN(1, "histogram_stddev(x)", spread, "{a=\"1\"} 1.4142135623730951\n");
}

static const struct line classics[] = {
	{ "__name__=b_bucket a=1 le=+Inf", "4|8|_" },
	{ "__name__=b_bucket a=1 le=1", "1|0|_" },
	{ "__name__=b_bucket a=1 le=2", "2|8|1" },
	{ "__name__=b_bucket a=2 le=1", "2|_|2" },
	{ "__name__=b_bucket a=2 le=Inf", "2|_|0" },
};

TEST(a_classic_histogram_is_the_series_that_differ_in_le)
{
	CHECK_RUN(3, "histogram_quantile(0.5, x)", classics,
		"{a=\"1\"} 2 1.5 NaN\n{a=\"2\"} 0.5 _ 0.5\n"
		"PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
		"https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from "
		"buckets +Inf "
		"to +Inf, with a max diff of 2, over 1 samples from 1970-01-01T00:00:02Z to "
		"1970-01-01T00:00:02Z (1:25)\n");
	CHECK_RUN(2, "histogram_fraction(1, 2, x)", classics, "{a=\"1\"} 0.25 1\n{a=\"2\"} 0 _\n");
	CHECK_RUN(1, "histogram_fraction(0, 0.5, x)", classics, "{a=\"1\"} 0.125\n{a=\"2\"} 0.5\n");
	CHECK_RUN_DELAYED(1, "histogram_fraction(0, 0.5, x)", classics,
		"{__name__=\"b_bucket\", a=\"1\"}! 0.125\n{__name__=\"b_bucket\", a=\"2\"}! 0.5\n");
}

static const struct line native[] = {
	{ "__name__=x a=1",
		"{{count:4 sum:8 offset:1 buckets:[2 2]}}|_|{{count:4 sum:NaN offset:1 buckets:[2]}}" },
};

TEST(a_native_histogram_has_quantiles_of_its_own)
{
	CHECK_RUN(2, "histogram_quantile(0.25, x)", native, "{a=\"1\"} 1.414213562373095 _\n");
	CHECK_RUN(3, "histogram_quantile(0.9, x)", native,
		"{a=\"1\"} 3.4822022531844965 _ NaN\n"
		"PromQL info: input to histogram_quantile has NaN observations, result is NaN (1:25)\n");
	CHECK_RUN_DELAYED(3, "histogram_quantile(0.5, x)", native,
		"{__name__=\"x\", a=\"1\"}! 2 _ 2\n"
		"PromQL info: input to histogram_quantile has NaN observations, result is skewed higher for "
		"metric "
		"name \"x\" (1:25)\n");
	CHECK_RUN(3, "histogram_fraction(-Inf, 2, x)", native,
		"{a=\"1\"} 0.5 _ 0.5\n"
		"PromQL info: input to histogram_fraction has NaN observations, which are excluded from all "
		"fractions "
		"(1:29)\n");
}

TEST(quantiles_that_are_none_are_warned_of)
{
	CHECK_RUN(1, "histogram_quantile(2, x)", native,
		"{a=\"1\"} +Inf\nPromQL warning: quantile value should be between 0 and 1, got 2 (1:20)\n");
	CHECK_RUN(1, "histogram_quantile(NaN, x)", native,
		"{a=\"1\"} NaN\nPromQL warning: quantile value should be between 0 and 1, got NaN (1:20)\n");
	CHECK_RUN(3, "histogram_quantile(time(), x)", classics,
		"{a=\"1\"} 0 2 +Inf\n{a=\"2\"} 0 _ +Inf\n"
		"PromQL warning: quantile value should be between 0 and 1, got 2 (1:20)\n");
}

TEST(classic_and_native_histograms_of_the_same_labels_hide_each_other)
{
	static const struct line mixed[] = {
		{ "__name__=x a=1", "{{count:4 sum:8 offset:1 buckets:[2 2]}}|{{count:4 sum:8 offset:1 "
				    "buckets:[2 2]}}|_" },
		{ "__name__=x a=1 le=+Inf", "2|_|2" },
		{ "__name__=x a=1 le=1", "2|_|2" },
		{ "__name__=x a=2", "{{count:4 sum:8 offset:1 buckets:[2 2]}}|_|_" },
	};
	CHECK_RUN(3, "histogram_quantile(0.5, x)", mixed,
		"{a=\"1\"} _ 2 0.5\n{a=\"2\"} 2 _ _\n"
		"PromQL warning: vector contains a mix of classic and native histograms (1:25)\n");
	CHECK_RUN_DELAYED(3, "histogram_quantile(0.5, x)", mixed,
		"{__name__=\"x\", a=\"1\"}! _ 2 0.5\n{__name__=\"x\", a=\"2\"}! 2 _ _\n"
		"PromQL warning: vector contains a mix of classic and native histograms for metric name "
		"\"x\" (1:25)\n");
}

TEST(bounds_that_are_no_numbers_are_warned_of)
{
	static const struct line bad[] = {
		{ "__name__=x", "1" },
		{ "__name__=x le=+Inf", "4" },
		{ "__name__=x le=1", "2" },
		{ "__name__=x le=many", "2" },
	};
	CHECK_RUN(1, "histogram_quantile(0.25, x)", bad,
		"{} 0.5\n"
		"PromQL warning: bucket label \"le\" is missing or has a malformed value of \"\" (1:26)\n"
		"PromQL warning: bucket label \"le\" is missing or has a malformed value of \"many\" "
		"(1:26)\n");
	CHECK_RUN_DELAYED(1, "histogram_quantile(0.25, x)", bad,
		"{__name__=\"x\"}! 0.5\n"
		"PromQL warning: bucket label \"le\" is missing or has a malformed value of \"\" for metric "
		"name \"x\" (1:26)\n"
		"PromQL warning: bucket label \"le\" is missing or has a malformed value of \"many\" for "
		"metric name \"x\" "
		"(1:26)\n");
}

TEST(a_native_histogram_may_have_a_bound_in_its_labels)
{
	static const struct line odd[] = {
		{ "__name__=x le=+Inf", "4|4" },
		{ "__name__=x le=1", "2|{{count:4 sum:8 offset:1 buckets:[2 2]}}" },
	};
	CHECK_RUN(2, "histogram_quantile(0.5, x)", odd, "{} 1 NaN\n{le=\"1\"} _ 2\n");
}

TEST(a_series_that_was_no_native_histogram_is_not_read_again_as_one)
{
	auto_buf struct buf out = { 0 };
	struct env env = { .steps = 2, .threads = 1 };
	run(&env, "histogram_quantile(0.5, x)", classics, ARRAY_LEN(classics), &out);
	CHECK_INT(env.reads, ARRAY_LEN(classics));
}

TEST(several_quantiles_have_a_row_each)
{
	CHECK_RUN(2, "histogram_quantiles(x, \"q\", 0.25, 1)", native,
		"{a=\"1\", q=\"0.25\"} 1.414213562373095 _\n"
		"{a=\"1\", q=\"1.0\"} 4 _\n");
	CHECK_RUN(1, "histogram_quantiles(x, \"q\", 0, 0.5)", classics,
		"{a=\"1\", q=\"0.0\"} 0\n{a=\"1\", q=\"0.5\"} 2\n{a=\"2\", q=\"0.0\"} 0\n{a=\"2\", "
		"q=\"0.5\"} 0.5\n");
	/* A quantile that varies has a row for each of its values. */
	CHECK_RUN(3, "histogram_quantiles(x, \"q\", time())", native,
		"{a=\"1\", q=\"0.0\"} 1 _ _\n"
		"{a=\"1\", q=\"2.0\"} _ _ +Inf\n"
		"PromQL warning: quantile value should be between 0 and 1, got 2 (1:29)\n");
	CHECK_RUN(1, "histogram_quantiles(x, \"q\", NaN, -1)", native,
		"{a=\"1\", q=\"NaN\"} NaN\n{a=\"1\", q=\"-1.0\"} -Inf\n"
		"PromQL warning: quantile value should be between 0 and 1, got -1 (1:34)\n"
		"PromQL warning: quantile value should be between 0 and 1, got NaN (1:29)\n");
}

TEST(one_repair_is_told_once_for_all_quantiles)
{
	static const struct line fallen[] = {
		{ "__name__=x le=+Inf", "4|4|4" },
		{ "__name__=x le=1", "3|3|1" },
		{ "__name__=x le=2", "1|2|2" },
	};
	CHECK_RUN(3, "histogram_quantiles(x, \"q\", 2, 0.5, 0.75)", fallen,
		"{q=\"2.0\"} +Inf +Inf +Inf\n"
		"{q=\"0.5\"} 0.6666666666666666 0.6666666666666666 2\n{q=\"0.75\"} 1 1 2\n"
		"PromQL warning: quantile value should be between 0 and 1, got 2 (1:29)\n"
		"PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
		"https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from "
		"buckets 2 to 2, "
		"with a max diff of 2, over 2 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:00:01Z "
		"(1:21)\n");
}

TEST_MAIN()
