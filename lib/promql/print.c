/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions on one line, as upstream's String() has them. Comments are lost, names are quoted where they need it, durations get
 * their units. */
#include "lib/promql/print.h"

#include "lib/base/duration.h"
#include "lib/base/go_float.h"
#include "lib/base/quote.h"
#include "lib/promql/function.h"
#include "lib/promql/literal.h"

#include <inttypes.h>

static void add_text(struct buf *out, struct text s)
{
	buf_add(out, s.p, s.len);
}

static void add_ms(struct buf *out, int64_t ms)
{
	char text[DURATION_CHARS];
	buf_add_str(out, duration_format(ms, text));
}

/* Letters, digits and underscores, no digit first. */
static bool is_plain_name(struct text s)
{
	for (uint32_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (i && c >= '0' && c <= '9')))
			return false;
	}
	return s.len > 0;
}

static void add_name(struct buf *out, struct text s)
{
	if (is_plain_name(s))
		add_text(out, s);
	else
		quote_add(out, s.p, s.len);
}

static void add_labels(struct buf *out, const struct text *labels, size_t n)
{
	buf_add_u8(out, '(');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_add_str(out, ", ");
		add_name(out, labels[i]);
	}
	buf_add_u8(out, ')');
}

/* Upstream cuts where this rounds, and prints 1s1ms as 1s. */
static void add_number(struct buf *out, const struct expr *e)
{
	if (e->number.is_duration)
		add_ms(out, seconds_to_ms(e->number.value));
	else
		go_float_add(out, e->number.value, 'f');
}

/* min_of(a, b), or a + b. */
static void add_duration_pair(struct buf *out, const struct expr *e, const char *between)
{
	print_duration_expr(e->duration.left, out);
	buf_add_str(out, between);
	print_duration_expr(e->duration.right, out);
}

static void add_duration(struct buf *out, const struct expr *e)
{
	switch (e->duration.op) {
	case DURATION_STEP: buf_add_str(out, "step()"); break;
	case DURATION_RANGE: buf_add_str(out, "range()"); break;
	case DURATION_MIN:
	case DURATION_MAX:
		buf_add_str(out, e->duration.op == DURATION_MIN ? "min_of(" : "max_of(");
		add_duration_pair(out, e, ", ");
		buf_add_u8(out, ')');
		break;
	case DURATION_ARITHMETIC: {
		const char between[] = { ' ', *binary_op_text(e->duration.arithmetic), ' ', 0 };
		add_duration_pair(out, e, between);
		break;
	}
	case DURATION_NEGATE: buf_add_u8(out, '-'); /* fallthrough */
	case DURATION_PLUS: print_duration_expr(e->duration.right, out); break;
	}
}

void print_duration_expr(const struct expr *e, struct buf *out)
{
	if (e->kind == EXPR_NUMBER) {
		add_number(out, e);
		return;
	}
	if (e->duration.is_wrapped)
		buf_add_u8(out, '(');
	add_duration(out, e);
	if (e->duration.is_wrapped)
		buf_add_u8(out, ')');
}

/* A duration that is one, or is to be computed. */
static void add_range(struct buf *out, int64_t ms, const struct expr *expr)
{
	if (expr)
		print_duration_expr(expr, out);
	else
		add_ms(out, ms);
}

static void add_at(struct buf *out, const struct range_modifiers *m)
{
	if (m->at == AT_TIME)
		buf_printf(out, " @ %.3f", (double)m->at_ms / 1000);
	else if (m->at == AT_START)
		buf_add_str(out, " @ start()");
	else if (m->at == AT_END)
		buf_add_str(out, " @ end()");
}

static void add_extended(struct buf *out, const struct range_modifiers *m)
{
	if (m->is_anchored)
		buf_add_str(out, " anchored");
	else if (m->is_smoothed)
		buf_add_str(out, " smoothed");
}

static void add_offset(struct buf *out, const struct range_modifiers *m)
{
	if (!m->offset_expr && !m->offset_ms)
		return;
	buf_add_str(out, " offset ");
	add_range(out, m->offset_ms, m->offset_expr);
}

static int by_bytes(const void *a, const void *b)
{
	const struct text *x = a, *y = b;
	return text_cmp(*x, *y);
}

/* Sorted as they are printed. */
static void add_matchers(struct buf *out, const struct expr *e)
{
	auto_buf struct buf all = { 0 };
	VEC(struct text) texts = { 0 };
	for (size_t i = 0; i < e->vector.n_matchers; i++) {
		const struct matcher *m = &e->vector.matchers[i];
		if (m->kind == MATCH_EQUAL && text_is(m->name, LABEL_NAME) && m->value.len &&
			text_is(m->value, e->vector.name))
			continue;
		size_t start = all.len;
		add_name(&all, m->name);
		buf_add_str(&all, matcher_kind_text(m->kind));
		quote_add(&all, m->value.p, m->value.len);
		vec_push(&texts, (struct text){ NULL, (uint32_t)(all.len - start) });
	}
	const char *at = (const char *)all.data;
	vec_each (t, &texts) {
		t->p = at; /* the buffer grows no more */
		at += t->len;
	}
	vec_sort(&texts, by_bytes);
	vec_each (t, &texts) {
		buf_add_u8(out, t == texts.data ? '{' : ',');
		add_text(out, *t);
	}
	if (texts.len)
		buf_add_u8(out, '}');
	vec_fini(&texts);
}

static void add_selector(struct buf *out, const struct expr *e)
{
	add_text(out, e->vector.name);
	add_matchers(out, e);
}

static void add_vector(struct buf *out, const struct expr *e)
{
	add_selector(out, e);
	add_at(out, &e->vector.modifiers);
	add_extended(out, &e->vector.modifiers);
	add_offset(out, &e->vector.modifiers);
}

static void add_matrix(struct buf *out, const struct expr *e)
{
	const struct range_modifiers *m = &e->matrix.selector->vector.modifiers;
	add_selector(out, e->matrix.selector);
	buf_add_u8(out, '[');
	add_range(out, e->matrix.range_ms, e->matrix.range_expr);
	buf_add_u8(out, ']');
	add_extended(out, m);
	add_at(out, m);
	add_offset(out, m);
}

static void add_float(struct buf *out, const char *before, double v)
{
	buf_add_str(out, before);
	go_float_add(out, v, 'g');
	buf_add_u8(out, ')');
}

static void add_fill(struct buf *out, const struct vector_matching *m)
{
	if (m->fills_left && m->fills_right && m->fill_left == m->fill_right) {
		add_float(out, " fill (", m->fill_left);
		return;
	}
	if (m->fills_left)
		add_float(out, " fill_left (", m->fill_left);
	if (m->fills_right)
		add_float(out, " fill_right (", m->fill_right);
}

static void add_matching(struct buf *out, const struct vector_matching *m)
{
	bool groups = m->card == MATCH_MANY_TO_ONE || m->card == MATCH_ONE_TO_MANY;
	if (m->n_written || m->is_on || groups) {
		buf_add_str(out, m->is_on ? " on " : " ignoring ");
		add_labels(out, m->written, m->n_written);
	}
	if (groups) {
		buf_add_str(out, m->card == MATCH_MANY_TO_ONE ? " group_left " : " group_right ");
		add_labels(out, m->include, m->n_include);
	}
	add_fill(out, m);
}

static void add_binary(struct buf *out, const struct expr *e, struct print_record *record)
{
	print_line(e->binary.left, out, record);
	buf_printf(out, " %s%s", binary_op_text(e->binary.op), e->binary.returns_bool ? " bool" : "");
	if (e->binary.matching)
		add_matching(out, e->binary.matching);
	buf_add_u8(out, ' ');
	print_line(e->binary.right, out, record);
}

static void add_aggregate(struct buf *out, const struct expr *e, struct print_record *record)
{
	buf_add_str(out, aggregate_op_text(e->aggregate.op));
	if (e->aggregate.is_without || e->aggregate.n_written) {
		buf_add_str(out, e->aggregate.is_without ? " without " : " by ");
		add_labels(out, e->aggregate.written, e->aggregate.n_written);
		buf_add_u8(out, ' ');
	}
	buf_add_u8(out, '(');
	if (e->aggregate.param) {
		print_line(e->aggregate.param, out, record);
		buf_add_str(out, ", ");
	}
	print_line(e->aggregate.inner, out, record);
	buf_add_u8(out, ')');
}

static void add_call(struct buf *out, const struct expr *e, struct print_record *record)
{
	buf_printf(out, "%s(", e->call.function->name);
	for (size_t i = 0; i < e->call.n_args; i++) {
		if (i)
			buf_add_str(out, ", ");
		print_line(e->call.args[i], out, record);
	}
	buf_add_u8(out, ')');
}

static void add_subquery(struct buf *out, const struct expr *e, struct print_record *record)
{
	print_line(e->subquery.inner, out, record);
	buf_add_u8(out, '[');
	add_range(out, e->subquery.range_ms, e->subquery.range_expr);
	buf_add_u8(out, ':');
	if (e->subquery.step_ms || e->subquery.step_expr)
		add_range(out, e->subquery.step_ms, e->subquery.step_expr);
	buf_add_u8(out, ']');
	add_at(out, &e->subquery.modifiers);
	add_offset(out, &e->subquery.modifiers);
}

static void add(const struct expr *e, struct buf *out, struct print_record *record)
{
	switch (e->kind) {
	case EXPR_NUMBER: add_number(out, e); break;
	case EXPR_STRING: quote_add(out, e->string.p, e->string.len); break;
	case EXPR_VECTOR_SELECTOR: add_vector(out, e); break;
	case EXPR_MATRIX_SELECTOR: add_matrix(out, e); break;
	case EXPR_SUBQUERY: add_subquery(out, e, record); break;
	case EXPR_CALL: add_call(out, e, record); break;
	case EXPR_AGGREGATE: add_aggregate(out, e, record); break;
	case EXPR_BINARY: add_binary(out, e, record); break;
	case EXPR_UNARY:
		buf_add_u8(out, e->unary.is_minus ? '-' : '+');
		print_line(e->unary.inner, out, record);
		break;
	case EXPR_PAREN:
		buf_add_u8(out, '(');
		print_line(e->paren, out, record);
		buf_add_u8(out, ')');
		break;
	case EXPR_DURATION: print_duration_expr(e, out); break;
	}
}

void print_line(const struct expr *e, struct buf *out, struct print_record *record)
{
	if (!record) {
		add(e, out, NULL);
		return;
	}
	size_t i = record->nodes.len;
	vec_push(&record->nodes, (struct printed){ .e = e, .start = out->len });
	add(e, out, record);
	record->nodes.data[i].end = out->len;
	record->nodes.data[i].next = record->nodes.len;
}

void promql_print(const struct expr *e, struct buf *out)
{
	print_line(e, out, NULL);
}
