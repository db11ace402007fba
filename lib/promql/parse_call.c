/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of functions and aggregations. */
#include "lib/promql/parser.h"

struct args {
	struct expr **list;
	size_t n;
	uint32_t height; /* of the highest */
};

/* "(a, b)". */
static bool parse_args(struct parser *p, struct args *args)
{
	*args = (struct args){ 0 };
	if (!parser_accept(p, TOKEN_LEFT_PAREN, NULL)) {
		parser_unexpected(p, NULL, NULL);
		return false;
	}
	if (parser_accept(p, TOKEN_RIGHT_PAREN, NULL))
		return true;
	for (;;) {
		struct expr *e = parse_expr(p, 0);
		if (!e)
			return false;
		args->list = parser_room(p->arena, args->list, args->n, sizeof(struct expr *));
		args->list[args->n++] = e;
		args->height = MAX_OF(args->height, e->height);
		struct token comma;
		if (!parser_accept(p, TOKEN_COMMA, &comma))
			break;
		if (!parser_starts_expr(parser_kind(p))) {
			parser_complain(
				p, comma.span.start, "trailing commas not allowed in function call args");
			return false;
		}
	}
	if (parser_accept(p, TOKEN_RIGHT_PAREN, NULL))
		return true;
	parser_unexpected(p, NULL, NULL);
	return false;
}

struct expr *parse_call(struct parser *p, const struct token *name)
{
	struct args args;
	if (!parse_args(p, &args))
		return NULL;
	const struct function *f = function_find(name->text);
	int len = (int)name->text.len;
	if (!f)
		return parser_complain(
			p, name->span.start, "unknown function with name \"%.*s\"", len, name->text.p);
	if (f->is_experimental && !p->features.experimental_functions)
		return parser_complain(
			p, name->span.start, "function \"%.*s\" is not enabled", len, name->text.p);
	struct span span = { name->span.start, p->last_closing };
	struct expr *e = parser_node(p, EXPR_CALL, f->returns, span, args.height);
	if (e) {
		e->call.function = f;
		e->call.args = args.list;
		e->call.n_args = args.n;
	}
	return e;
}

static bool takes_param(enum aggregate_op op)
{
	return op >= AGG_TOPK;
}

struct by {
	bool is_there, is_without;
	struct text *labels;
	size_t n;
};

/* by (...), without (...), if they stand here. */
static bool parse_by(struct parser *p, struct by *by)
{
	enum token_kind k = parser_kind(p);
	by->is_there = k == TOKEN_BY || k == TOKEN_WITHOUT;
	by->is_without = k == TOKEN_WITHOUT;
	if (!by->is_there)
		return true;
	parser_take(p);
	return parse_grouping(p, &by->labels, &by->n);
}

/* Whether the arguments are what the aggregation takes; else that is said. */
static bool check_args(struct parser *p, enum aggregate_op op, uint32_t at, size_t n)
{
	size_t wanted = takes_param(op) ? 2 : 1;
	if (!n)
		parser_complain(p, at, "no arguments for aggregate expression provided");
	else if (op >= AGG_LIMITK && !p->features.experimental_functions)
		parser_complain(p, at,
			"%s() is experimental and must be enabled with "
			"--enable-feature=promql-experimental-functions",
			aggregate_op_text(op));
	else if (n != wanted)
		parser_complain(p, at,
			"wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
			wanted, n);
	return !p->failed;
}

struct expr *parse_aggregation(struct parser *p, const struct token *name)
{
	enum aggregate_op op = (enum aggregate_op)(name->kind - TOKEN_FIRST_AGGREGATOR);
	struct args args;
	struct by by = { 0 };
	p->aggregations++;
	bool ok = parse_by(p, &by) && parse_args(p, &args) && (by.is_there || parse_by(p, &by));
	p->aggregations--;
	if (!ok || !check_args(p, op, name->span.start, args.n))
		return NULL;
	struct span span = { name->span.start, p->last_closing };
	struct expr *e = parser_node(p, EXPR_AGGREGATE, VALUE_VECTOR, span, args.height);
	if (!e)
		return NULL;
	e->aggregate.op = op;
	e->aggregate.inner = args.list[args.n - 1];
	e->aggregate.param = args.n == 2 ? args.list[0] : NULL;
	e->aggregate.is_without = by.is_without;
	e->aggregate.written = by.labels;
	e->aggregate.n_written = by.n;
	e->aggregate.labels = parser_sorted(p->arena, by.labels, by.n, &e->aggregate.n_labels);
	return e;
}
