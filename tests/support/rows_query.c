/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/rows_query.h"

#include "lib/base/go_float.h"
#include "lib/base/vec.h"
#include "lib/promql/aggregate.h"
#include "lib/promql/binary.h"
#include "lib/promql/function.h"
#include "lib/promql/parse.h"
#include "lib/tsdb/float_histogram.h"
#include "lib/tsdb/histogram_text.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

#define UNREADABLE 255 /* of written_cell.kind */

struct written_cell {
	uint8_t kind;
	double v;
	struct float_histogram *h;
};

struct written_row {
	struct label_set labels;
	struct written_cell *cells;
};

struct written {
	struct arena *arena;
	VEC(struct written_row) rows;
	struct steps steps;
};

static struct float_histogram *histogram_of(const char *token)
{
	double count = strtod(token + 1, NULL), bound = *token == 'C' ? 2 : 1;
	struct histogram_span span = { 0, 1 };
	struct float_histogram shape = {
		.n_positive_spans = 1, .n_positive = 1, .count = count, .sum = count
	};
	shape.schema = *token == 'h' ? 0 : HISTOGRAM_CUSTOM_SCHEMA;
	shape.n_custom = *token == 'h' ? 0 : 1;
	const char *hint = token + strcspn(token, "rng");
	shape.reset_hint = *hint == 'r'   ? RESET_YES
			   : *hint == 'n' ? RESET_NO
			   : *hint == 'g' ? RESET_GAUGE
					  : RESET_UNKNOWN;
	struct float_histogram *h = float_histogram_new(&shape);
	h->positive_spans[0] = span;
	h->positive[0] = count;
	if (shape.n_custom)
		h->custom[0] = bound;
	return h;
}

static struct written_cell cell_of(const char *token)
{
	if (*token == '_')
		return (struct written_cell){ 0 };
	if (*token == '!')
		return (struct written_cell){ .kind = UNREADABLE };
	if (*token == 'h' || *token == 'c' || *token == 'C')
		return (struct written_cell){ CELL_HISTOGRAM, 0, histogram_of(token) };
	return (struct written_cell){ CELL_FLOAT, strtod(token, NULL), NULL };
}

static struct label_set labels_of(struct arena *a, const char *text, size_t n)
{
	struct matcher *m;
	size_t n_matchers;
	struct buf error = { 0 };
	if (promql_parse_selector(text, n, a, &m, &n_matchers, &error) < 0)
		test_fail(__FILE__, __LINE__, "%.*s: %s", (int)n, text, buf_str(&error));
	struct label_set s = { NULL, 0 };
	for (size_t i = 0; i < n_matchers; i++)
		s = label_set_put(a, &s, m[i].name, m[i].value);
	return label_set_copy(a, &s);
}

static void read_row(struct written *w, char *line)
{
	char *at = strchr(line, '}');
	at = at ? at + 1 : line + strcspn(line, " ");
	struct written_row row = { labels_of(w->arena, line, (size_t)(at - line)), NULL };
	VEC(struct written_cell) cells = { 0 };
	char *rest = at;
	for (char *token; (token = strsep(&rest, " \t"));)
		if (*token)
			vec_push(&cells, cell_of(token));
	row.cells = cells.data;
	if (w->rows.len && w->steps.n != cells.len)
		test_fail(__FILE__, __LINE__, "%s has %zu columns, not %u", line, cells.len, w->steps.n);
	w->steps = (struct steps){ 0, 60000, (uint32_t)cells.len };
	vec_push(&w->rows, row);
}

static struct written read_rows(const char *text)
{
	struct written w = { .arena = arena_new(NULL) };
	auto_free char *copy = xstrdup(text);
	char *rest = copy;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (line[strspn(line, " \t")])
			read_row(&w, line + strspn(line, " \t"));
	return w;
}

static void forget_rows(struct written *w)
{
	vec_each (row, &w->rows) {
		for (uint32_t t = 0; t < w->steps.n; t++)
			free(row->cells[t].h);
		free(row->cells);
	}
	vec_fini(&w->rows);
	arena_free(w->arena);
}

struct select {
	struct op op;
	const struct written *written;
	uint32_t *rows;
	double number;
	bool is_time;
};

static int open_select(struct op *op, struct exec *x)
{
	struct select *s = (struct select *)op;
	struct label_set *labels = arena_alloc(x->arena, (s->written->rows.len + 1) * sizeof *labels);
	s->rows = arena_alloc(x->arena, s->written->rows.len * sizeof *s->rows);
	op->labels = labels;
	if (op->is_scalar || op->expr->kind == EXPR_CALL) {
		labels[op->n_rows++] = (struct label_set){ NULL, 0 };
		return 0;
	}
	for (uint32_t i = 0; i < s->written->rows.len; i++) {
		const struct label_set *l = &s->written->rows.data[i].labels;
		if (!matchers_accept(op->expr->vector.matchers, op->expr->vector.n_matchers, l))
			continue;
		s->rows[op->n_rows] = i;
		labels[op->n_rows++] = *l;
	}
	return 0;
}

static int row_of_select(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct select *s = (struct select *)op;
	for (uint32_t t = 0; t < out->n; t++) {
		if (op->is_scalar || op->expr->kind == EXPR_CALL) {
			row_set(out, t, s->is_time ? (double)steps_at(&op->steps, t) / 1000 : s->number);
			continue;
		}
		const struct written_cell *c = &s->written->rows.data[s->rows[i]].cells[t];
		if (c->kind == UNREADABLE)
			return exec_fail(w->exec, -EIO, "a row can't be read");
		if (c->kind == CELL_HISTOGRAM)
			row_set_histogram(w, out, t, float_histogram_copy(c->h));
		else if (c->kind == CELL_FLOAT)
			row_set(out, t, c->v);
	}
	return 0;
}

static void free_select(struct op *op)
{
	free(op);
}

static const struct op_ops select_ops = {
	.name = "rows", .open = open_select, .row = row_of_select, .free = free_select
};

static struct op *plan(const struct written *w, const struct expr *e);

static struct op *plan_leaf(const struct written *w, const struct expr *e)
{
	struct select *s = xcalloc(1, sizeof *s);
	s->op = (struct op){ .ops = &select_ops, .expr = e, .steps = w->steps };
	s->written = w;
	s->op.is_scalar = e->type == VALUE_SCALAR;
	if (e->kind == EXPR_NUMBER)
		s->number = e->number.value;
	if (e->kind != EXPR_CALL)
		return &s->op;
	const struct expr *arg = e->call.n_args ? e->call.args[0] : e;
	s->is_time = arg->kind == EXPR_CALL && strcmp(arg->call.function->name, "time") == 0;
	if (arg->kind == EXPR_NUMBER)
		s->number = arg->number.value;
	return &s->op;
}

static struct op *plan(const struct written *w, const struct expr *e)
{
	switch (e->kind) {
	case EXPR_PAREN: return plan(w, e->paren);
	case EXPR_AGGREGATE: {
		const struct expr *param = e->aggregate.param;
		bool has_scalar = param && param->type == VALUE_SCALAR;
		return aggregate_new(e, plan(w, e->aggregate.inner), has_scalar ? plan(w, param) : NULL);
	}
	case EXPR_BINARY: return binary_new(e, plan(w, e->binary.left), plan(w, e->binary.right));
	case EXPR_NUMBER:
	case EXPR_CALL:
	case EXPR_VECTOR_SELECTOR: return plan_leaf(w, e);
	default: test_fail(__FILE__, __LINE__, "an expression of kind %d isn't planned here", e->kind);
	}
}

/* The name in front, as it is written; no braces where there is nothing else. */
static void print_labels(struct worker *w, const struct label_set *s, struct buf *out)
{
	struct text name = label_set_get(s, LABEL_NAME);
	struct label_set rest = label_set_without(w->scratch, s, NULL, 0, true);
	buf_add(out, name.p, name.len);
	if (!name.len || rest.n)
		label_set_print(&rest, out);
}

struct printing {
	struct op *op;
	struct buf *lines;
};

static int print_row(void *arg, struct worker *w, size_t i)
{
	struct printing *p = arg;
	struct row row = row_new(w, p->op->steps.n);
	int r = op_row(p->op, w, i, &row);
	bool is_empty = true;
	struct buf *out = &p->lines[i];
	print_labels(w, &p->op->labels[i], out);
	for (uint32_t t = 0; t < row.n && r == 0; t++) {
		buf_add_u8(out, ' ');
		is_empty &= !row.kind[t];
		if (!row.kind[t])
			buf_add_u8(out, '_');
		else if (row.kind[t] == CELL_FLOAT)
			go_float_add(out, row.v[t], 'g');
		else
			histogram_print(row.h[t], out);
	}
	buf_add_str(out, op_row_drops_name(p->op, i) ? "!\n" : "\n");
	if (is_empty)
		buf_reset(out);
	row_fini(&row);
	return r;
}

static void print_warning(void *arg, const char *text)
{
	buf_printf(arg, "warning: %s\n", text);
}

static void print_info(void *arg, const char *text)
{
	buf_printf(arg, "info: %s\n", text);
}

static void run(struct op *op, struct exec *x, struct text query, struct buf *out)
{
	int r = op_open_tree(op, x);
	if (r == 0)
		r = op_prepare(op, x);
	struct printing p = { op, xcalloc(op->n_rows + 1, sizeof(struct buf)) };
	if (r == 0)
		r = exec_rows(x, op->n_rows, print_row, &p);
	for (size_t i = 0; i < op->n_rows; i++) {
		if (r == 0)
			buf_add(out, p.lines[i].data, p.lines[i].len);
		buf_fini(&p.lines[i]);
	}
	free(p.lines);
	if (r < 0) {
		/* What the other threads still came to say depends on them. */
		buf_printf(out, "error: %s\n", x->error.msg);
		return;
	}
	annotations_each(x->annotations, ANNOTATION_WARNING, query, 0, print_warning, out);
	annotations_each(x->annotations, ANNOTATION_INFO, query, 0, print_info, out);
}

static void eval(const struct written *w, const char *query, unsigned threads, bool delayed, struct buf *out)
{
	struct arena *a = arena_new(NULL);
	struct expr *e;
	struct buf error = { 0 };
	struct promql_features all = { true, true, true, true };
	struct budget budget = { 0 };
	struct text text = text_of(query);
	if (promql_parse(query, text.len, &all, a, &e, &error) < 0)
		test_fail(__FILE__, __LINE__, "%s: %s", query, buf_str(&error));
	struct exec x;
	exec_init(&x, NULL, &budget, threads);
	x.delayed_name_removal = delayed;
	struct op *op = plan(w, e);
	run(op, &x, text, out);
	op_free(op);
	exec_fini(&x);
	promql_free(e);
	arena_free(a);
	CHECK_INT(budget.used, 0);
}

static const char *both(const char *rows, const char *query, bool delayed)
{
	static struct buf one, four;
	buf_reset(&one);
	buf_reset(&four);
	struct written w = read_rows(rows);
	eval(&w, query, 1, delayed, &one);
	eval(&w, query, 4, delayed, &four);
	CHECK_STR(buf_str(&four), buf_str(&one));
	forget_rows(&w);
	return buf_str(&one);
}

const char *rows_query(const char *rows, const char *query)
{
	return both(rows, query, false);
}

const char *rows_query_delayed(const char *rows, const char *query)
{
	return both(rows, query, true);
}
