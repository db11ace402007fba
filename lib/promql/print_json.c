/* SPDX-License-Identifier: Apache-2.0 */
/* The tree as the HTTP API's parse_query answers it (Prometheus' web/api/v1/translate_ast.go); keys in the order of their names. */
#include "lib/base/go_float.h"
#include "lib/base/json.h"
#include "lib/promql/function.h"
#include "lib/promql/parse.h"

static void add_expr(struct json_writer *w, const char *key, const struct expr *e);

static void add_text(struct json_writer *w, const char *key, struct text s)
{
	json_write_key(w, key);
	json_write_str_n(w, s.len ? s.p : "", s.len);
}

static void add_null(struct json_writer *w, const char *key)
{
	json_write_key(w, key);
	json_write_null(w);
}

static void add_labels(struct json_writer *w, const char *key, const struct text *labels, size_t n)
{
	json_write_key(w, key);
	json_write_array(w);
	for (size_t i = 0; i < n; i++)
		json_write_str_n(w, labels[i].len ? labels[i].p : "", labels[i].len);
	json_write_array_end(w);
}

static void add_value(struct json_writer *w, double v)
{
	char text[GO_FLOAT_BYTES];
	json_write_key(w, "val");
	json_write_str_n(w, text, go_float_format(text, v, 'f'));
}

static const char *duration_op_text(const struct expr *e)
{
	switch (e->duration.op) {
	case DURATION_STEP: return "step";
	case DURATION_RANGE: return "range";
	case DURATION_MIN: return "min_of";
	case DURATION_MAX: return "max_of";
	case DURATION_NEGATE: return "-";
	case DURATION_PLUS: return "+";
	case DURATION_ARITHMETIC: break;
	}
	return binary_op_text(e->duration.arithmetic);
}

/* Of a duration's expression; numbers say more there. */
static void add_duration(struct json_writer *w, const char *key, const struct expr *e)
{
	json_write_key(w, key);
	if (!e) {
		json_write_null(w);
		return;
	}
	json_write_object(w);
	if (e->kind == EXPR_NUMBER) {
		json_write_key_bool(w, "duration", e->number.is_duration);
		json_write_key_str(w, "type", "numberLiteral");
		add_value(w, e->number.value);
	} else {
		add_duration(w, "lhs", e->duration.left);
		json_write_key_str(w, "op", duration_op_text(e));
		add_duration(w, "rhs", e->duration.right);
		json_write_key_str(w, "type", "durationExpr");
		json_write_key_bool(w, "wrapped", e->duration.is_wrapped);
	}
	json_write_object_end(w);
}

static void add_matchers(struct json_writer *w, const struct expr *e)
{
	json_write_key(w, "matchers");
	json_write_array(w);
	for (size_t i = 0; i < e->vector.n_matchers; i++) {
		const struct matcher *m = &e->vector.matchers[i];
		json_write_object(w);
		add_text(w, "name", m->name);
		json_write_key_str(w, "type", matcher_kind_text(m->kind));
		add_text(w, "value", m->value);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void add_offset(struct json_writer *w, const struct range_modifiers *m)
{
	json_write_key_i64(w, "offset", m->offset_expr ? 0 : m->offset_ms);
	add_duration(w, "offsetExpr", m->offset_expr);
}

static void add_start_or_end(struct json_writer *w, const struct range_modifiers *m)
{
	if (m->at == AT_START || m->at == AT_END)
		json_write_key_str(w, "startOrEnd", m->at == AT_START ? "start" : "end");
	else
		add_null(w, "startOrEnd");
}

static void add_timestamp(struct json_writer *w, const struct range_modifiers *m)
{
	if (m->at == AT_TIME)
		json_write_key_i64(w, "timestamp", m->at_ms);
	else
		add_null(w, "timestamp");
}

/* matrix: NULL where the selector stands alone. */
static void add_selector(struct json_writer *w, const struct expr *e, const struct expr *matrix)
{
	const struct range_modifiers *m = &e->vector.modifiers;
	json_write_key_bool(w, "anchored", m->is_anchored);
	add_matchers(w, e);
	add_text(w, "name", e->vector.name);
	add_offset(w, m);
	if (matrix) {
		json_write_key_i64(w, "range", matrix->matrix.range_expr ? 0 : matrix->matrix.range_ms);
		add_duration(w, "rangeExpr", matrix->matrix.range_expr);
	}
	json_write_key_bool(w, "smoothed", m->is_smoothed);
	add_start_or_end(w, m);
	add_timestamp(w, m);
	json_write_key_str(w, "type", matrix ? "matrixSelector" : "vectorSelector");
}

static void add_subquery(struct json_writer *w, const struct expr *e)
{
	const struct range_modifiers *m = &e->subquery.modifiers;
	add_expr(w, "expr", e->subquery.inner);
	add_offset(w, m);
	json_write_key_i64(w, "range", e->subquery.range_expr ? 0 : e->subquery.range_ms);
	add_duration(w, "rangeExpr", e->subquery.range_expr);
	add_start_or_end(w, m);
	json_write_key_i64(w, "step", e->subquery.step_expr ? 0 : e->subquery.step_ms);
	add_duration(w, "stepExpr", e->subquery.step_expr);
	add_timestamp(w, m);
	json_write_key_str(w, "type", "subquery");
}

static void add_fill(struct json_writer *w, const char *key, bool is_there, double v)
{
	json_write_key(w, key);
	if (is_there)
		json_write_double(w, v);
	else
		json_write_null(w);
}

static void add_matching(struct json_writer *w, const struct vector_matching *m)
{
	static const char *const cards[] = { "one-to-one", "many-to-one", "one-to-many", "many-to-many" };
	if (!m) {
		add_null(w, "matching");
		return;
	}
	json_write_key(w, "matching");
	json_write_object(w);
	json_write_key_str(w, "card", cards[m->card]);
	json_write_key(w, "fillValues");
	json_write_object(w);
	add_fill(w, "lhs", m->fills_left, m->fill_left);
	add_fill(w, "rhs", m->fills_right, m->fill_right);
	json_write_object_end(w);
	add_labels(w, "include", m->include, m->n_include);
	add_labels(w, "labels", m->written, m->n_written);
	json_write_key_bool(w, "on", m->is_on);
	json_write_object_end(w);
}

static void add_binary(struct json_writer *w, const struct expr *e)
{
	json_write_key_bool(w, "bool", e->binary.returns_bool);
	add_expr(w, "lhs", e->binary.left);
	add_matching(w, e->binary.matching);
	json_write_key_str(w, "op", binary_op_text(e->binary.op));
	add_expr(w, "rhs", e->binary.right);
	json_write_key_str(w, "type", "binaryExpr");
}

static void add_aggregate(struct json_writer *w, const struct expr *e)
{
	add_expr(w, "expr", e->aggregate.inner);
	add_labels(w, "grouping", e->aggregate.written, e->aggregate.n_written);
	json_write_key_str(w, "op", aggregate_op_text(e->aggregate.op));
	add_expr(w, "param", e->aggregate.param);
	json_write_key_str(w, "type", "aggregation");
	json_write_key_bool(w, "without", e->aggregate.is_without);
}

static void add_call(struct json_writer *w, const struct expr *e)
{
	const struct function *f = e->call.function;
	json_write_key(w, "args");
	json_write_array(w);
	for (size_t i = 0; i < e->call.n_args; i++)
		add_expr(w, NULL, e->call.args[i]);
	json_write_array_end(w);
	json_write_key(w, "func");
	json_write_object(w);
	json_write_key(w, "argTypes");
	json_write_array(w);
	for (size_t i = 0; i < f->n_args; i++)
		json_write_str(w, value_type_short_name(f->args[i]));
	json_write_array_end(w);
	json_write_key_str(w, "name", f->name);
	json_write_key_str(w, "returnType", value_type_short_name(f->returns));
	json_write_key_i64(w, "variadic", f->variadic);
	json_write_object_end(w);
	json_write_key_str(w, "type", "call");
}

static void add_members(struct json_writer *w, const struct expr *e)
{
	switch (e->kind) {
	case EXPR_NUMBER:
		json_write_key_str(w, "type", "numberLiteral");
		add_value(w, e->number.value);
		break;
	case EXPR_STRING:
		json_write_key_str(w, "type", "stringLiteral");
		add_text(w, "val", e->string);
		break;
	case EXPR_VECTOR_SELECTOR: add_selector(w, e, NULL); break;
	case EXPR_MATRIX_SELECTOR: add_selector(w, e->matrix.selector, e); break;
	case EXPR_SUBQUERY: add_subquery(w, e); break;
	case EXPR_CALL: add_call(w, e); break;
	case EXPR_AGGREGATE: add_aggregate(w, e); break;
	case EXPR_BINARY: add_binary(w, e); break;
	case EXPR_UNARY:
		add_expr(w, "expr", e->unary.inner);
		json_write_key_str(w, "op", e->unary.is_minus ? "-" : "+");
		json_write_key_str(w, "type", "unaryExpr");
		break;
	case EXPR_PAREN:
		add_expr(w, "expr", e->paren);
		json_write_key_str(w, "type", "parenExpr");
		break;
	case EXPR_DURATION: break; /* only in selectors and subqueries, which write it */
	}
}

/* key: NULL is an element of an array. */
static void add_expr(struct json_writer *w, const char *key, const struct expr *e)
{
	if (key)
		json_write_key(w, key);
	if (!e) {
		json_write_null(w);
		return;
	}
	json_write_object(w);
	add_members(w, e);
	json_write_object_end(w);
}

void promql_print_json(const struct expr *e, struct buf *out)
{
	struct json_writer w;
	json_writer_init(&w, out, JSON_HTML);
	add_expr(&w, NULL, e);
}
