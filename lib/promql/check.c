/* SPDX-License-Identifier: Apache-2.0 */
/* What the grammar allows and the language doesn't: types, numbers of arguments, matchers that select everything. */
#include "lib/base/quote.h"
#include "lib/promql/parser.h"

#include <stdio.h>

static void expect(struct parser *p, const struct expr *e, enum value_type type, const char *where)
{
	if (e->type != type)
		parser_complain(p, e->span.start, "expected type %s in %s, got %s", value_type_name(type),
			where, value_type_name(e->type));
}

static void check_aggregate(struct parser *p, struct expr *e)
{
	enum aggregate_op op = e->aggregate.op;
	check_expr(p, e->aggregate.inner);
	expect(p, e->aggregate.inner, VALUE_VECTOR, "aggregation expression");
	if (!e->aggregate.param)
		return;
	check_expr(p, e->aggregate.param);
	expect(p, e->aggregate.param, op == AGG_COUNT_VALUES ? VALUE_STRING : VALUE_SCALAR,
		"aggregation parameter");
}

static int by_text(const void *a, const void *b)
{
	return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

/* Where the operator stands, as upstream finds it: behind the left side and blanks. */
static uint32_t operator_place(const struct parser *p, const struct expr *e)
{
	uint32_t at = e->binary.left->span.end;
	while (at < p->query.len && memchr(" \t\r\n", p->query.p[at], 4))
		at++;
	return at;
}

/* A label that both sides agree in needn't be taken over from one of them. */
static void check_include(struct parser *p, const struct expr *e)
{
	const struct vector_matching *m = e->binary.matching;
	size_t n;
	struct text *include = parser_sorted(p->arena, m->include, m->n_include, &n);
	for (size_t i = 0; n && i < m->n_written; i++) {
		if (!bsearch(&m->written[i], include, n, sizeof *include, by_text))
			continue;
		auto_buf struct buf name = { 0 };
		quote_add(&name, m->written[i].p, m->written[i].len);
		parser_complain(p, operator_place(p, e),
			"label %s must not occur in ON and GROUP clause at once", buf_str(&name));
		return;
	}
}

static void check_operand(struct parser *p, const struct expr *e)
{
	if (e->type != VALUE_SCALAR && e->type != VALUE_VECTOR)
		parser_complain(p, e->span.start,
			"binary expression must contain only scalar and instant vector types");
}

static void check_matching(struct parser *p, struct expr *e)
{
	struct vector_matching *m = e->binary.matching;
	enum binary_op op = e->binary.op;
	uint32_t at = e->span.start;
	bool fills = m->fills_left || m->fills_right;
	if (e->binary.left->type != VALUE_VECTOR || e->binary.right->type != VALUE_VECTOR) {
		if (m->n_written)
			parser_complain(p, at, "vector matching only allowed between instant vectors");
		if (fills)
			parser_complain(
				p, at, "filling in missing series only allowed between instant vectors");
		e->binary.matching = NULL;
	} else if (binary_op_is_set(op)) {
		if (m->card != MATCH_MANY_TO_MANY)
			parser_complain(
				p, at, "no grouping allowed for \"%s\" operation", binary_op_text(op));
		if (fills)
			parser_complain(p, at, "filling in missing series not allowed for set operators");
	}
}

static void check_binary(struct parser *p, struct expr *e)
{
	const struct expr *left = e->binary.left, *right = e->binary.right;
	enum binary_op op = e->binary.op;
	bool compares = binary_op_is_comparison(op), is_set = binary_op_is_set(op);
	check_expr(p, e->binary.left);
	check_expr(p, e->binary.right);
	if (e->binary.returns_bool && !compares)
		parser_complain(
			p, operator_place(p, e), "bool modifier can only be used on comparison operators");
	if (compares && !e->binary.returns_bool && e->type == VALUE_SCALAR)
		parser_complain(
			p, operator_place(p, e), "comparisons between scalars must use BOOL modifier");
	if (is_set && e->binary.matching->card == MATCH_ONE_TO_ONE)
		e->binary.matching->card = MATCH_MANY_TO_MANY;
	if (e->binary.matching->is_on)
		check_include(p, e);
	check_operand(p, left);
	check_operand(p, right);
	check_matching(p, e);
	if (is_set && (left->type == VALUE_SCALAR || right->type == VALUE_SCALAR))
		parser_complain(p, e->span.start,
			"set operator \"%s\" not allowed in binary scalar expression", binary_op_text(op));
}

static void check_n_args(struct parser *p, const struct expr *e)
{
	const struct function *f = e->call.function;
	size_t n = e->call.n_args, least = f->variadic ? f->n_args - 1 : f->n_args;
	uint32_t at = e->span.start;
	if (!f->variadic && n != least)
		parser_complain(
			p, at, "expected %zu argument(s) in call to \"%s\", got %zu", least, f->name, n);
	else if (n < least)
		parser_complain(p, at, "expected at least %zu argument(s) in call to \"%s\", got %zu", least,
			f->name, n);
	else if (f->variadic > 0 && n > least + (size_t)f->variadic)
		parser_complain(p, at, "expected at most %zu argument(s) in call to \"%s\", got %zu",
			least + (size_t)f->variadic, f->name, n);
}

/* info() takes label matchers that look like a selector. */
static void check_info(struct parser *p, const struct expr *call, const struct expr *e)
{
	if (e->type != VALUE_VECTOR)
		parser_complain(p, call->span.start,
			"expected type instant vector in call to function \"info\", got %s",
			value_type_name(e->type));
	if (e->kind != EXPR_VECTOR_SELECTOR)
		parser_complain(p, e->span.start, "expected label selectors only");
	else if (e->vector.name.len)
		parser_complain(
			p, e->span.start, "expected label selectors only, got vector selector instead");
}

static void check_call(struct parser *p, struct expr *e)
{
	const struct function *f = e->call.function;
	bool is_info = text_is(text_of(f->name), TEXT("info"));
	char where[64];
	snprintf(where, sizeof where, "call to function \"%s\"", f->name);
	check_n_args(p, e);
	if (is_info && e->call.n_args > 1)
		check_info(p, e, e->call.args[1]);
	for (size_t i = 0; i < e->call.n_args && !p->failed; i++) {
		struct expr *arg = e->call.args[i];
		if (!is_info || i != 1) /* may select everything: of a few series */
			check_expr(p, arg);
		expect(p, arg, f->args[MIN_OF(i, f->n_args - 1)], where);
	}
}

static bool selects_something(const struct expr *e)
{
	for (size_t i = 0; i < e->vector.n_matchers; i++)
		if (!matcher_accepts(&e->vector.matchers[i], TEXT("")))
			return true;
	return false;
}

static void check_selector(struct parser *p, const struct expr *e)
{
	uint32_t at = e->span.start;
	if (!e->vector.name.len) {
		if (!selects_something(e))
			parser_complain(p, at, "vector selector must contain at least one non-empty matcher");
		return;
	}
	/* The last one is the name before the braces. */
	for (size_t i = 0; i + 1 < e->vector.n_matchers; i++) {
		const struct matcher *m = &e->vector.matchers[i];
		if (!text_is(m->name, LABEL_NAME))
			continue;
		auto_buf struct buf names = { 0 };
		quote_add(&names, e->vector.name.p, e->vector.name.len);
		buf_add_str(&names, " or ");
		quote_add(&names, m->value.p, m->value.len);
		parser_complain(p, at, "metric name must not be set twice: %s", buf_str(&names));
		return;
	}
}

static void check_unary(struct parser *p, struct expr *e)
{
	check_expr(p, e->unary.inner);
	if (e->type != VALUE_SCALAR && e->type != VALUE_VECTOR)
		parser_complain(p, e->span.start,
			"unary expression only allowed on expressions of type scalar or instant vector, got "
			"\"%s\"",
			value_type_name(e->type));
}

static void check_subquery(struct parser *p, struct expr *e)
{
	check_expr(p, e->subquery.inner);
	if (e->subquery.inner->type != VALUE_VECTOR)
		parser_complain(p, e->span.start,
			"subquery is only allowed on instant vector, got %s instead",
			value_type_short_name(e->subquery.inner->type));
}

void check_expr(struct parser *p, struct expr *e)
{
	if (p->failed)
		return;
	switch (e->kind) {
	case EXPR_AGGREGATE: check_aggregate(p, e); break;
	case EXPR_BINARY: check_binary(p, e); break;
	case EXPR_CALL: check_call(p, e); break;
	case EXPR_PAREN: check_expr(p, e->paren); break;
	case EXPR_UNARY: check_unary(p, e); break;
	case EXPR_SUBQUERY: check_subquery(p, e); break;
	case EXPR_MATRIX_SELECTOR: check_expr(p, e->matrix.selector); break;
	case EXPR_VECTOR_SELECTOR: check_selector(p, e); break;
	case EXPR_NUMBER:
	case EXPR_STRING:
	case EXPR_DURATION: break;
	}
}
