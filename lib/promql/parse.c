/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: operators by precedence, and what stands between them. The way in. */
#include "lib/promql/parse.h"

#include "lib/promql/lex_string.h"
#include "lib/promql/parser.h"

#include <errno.h>

/* 0: no binary operator. A unary sign binds as * does. */
static int precedence_of(enum token_kind k)
{
	switch (k) {
	case TOKEN_OR: return 1;
	case TOKEN_AND:
	case TOKEN_UNLESS: return 2;
	case TOKEN_EQ:
	case TOKEN_NE:
	case TOKEN_GT:
	case TOKEN_LT:
	case TOKEN_GE:
	case TOKEN_LE:
	case TOKEN_TRIM_UPPER:
	case TOKEN_TRIM_LOWER: return 3;
	case TOKEN_ADD:
	case TOKEN_SUB: return 4;
	case TOKEN_MUL:
	case TOKEN_DIV:
	case TOKEN_MOD:
	case TOKEN_ATAN2: return 5;
	case TOKEN_POW: return PRECEDENCE_POW;
	default: return 0;
	}
}

/* A sign. What it stands before is done with its modifiers, and a number takes it in. */
static struct expr *unary(struct parser *p)
{
	struct token sign = parser_take(p);
	struct expr *inner = parse_expr(p, PRECEDENCE_POW);
	if (!inner)
		return NULL;
	if (inner->kind == EXPR_NUMBER) {
		inner->number.value *= sign.kind == TOKEN_SUB ? -1 : 1;
		inner->span.start = sign.span.start;
		return inner;
	}
	struct span span = { sign.span.start, inner->span.end };
	struct expr *e = parser_node(p, EXPR_UNARY, inner->type, span, inner->height);
	if (e) {
		e->unary.is_minus = sign.kind == TOKEN_SUB;
		e->unary.inner = inner;
	}
	return e;
}

static struct expr *paren(struct parser *p)
{
	struct token open = parser_take(p), close;
	struct expr *inner = parse_expr(p, 0);
	if (!inner)
		return NULL;
	if (!parser_accept(p, TOKEN_RIGHT_PAREN, &close))
		return parser_unexpected(p, NULL, NULL);
	struct span span = { open.span.start, close.span.end };
	struct expr *e = parser_node(p, EXPR_PAREN, inner->type, span, inner->height);
	if (e)
		e->paren = inner;
	return e;
}

static struct expr *string(struct parser *p)
{
	struct token t = parser_take(p);
	struct expr *e = parser_node(p, EXPR_STRING, VALUE_STRING, t.span, 0);
	if (e)
		e->string = string_value(t.text, p->arena);
	return e;
}

/* A word is a function or an aggregation before a parenthesis, else, if it may be, a metric. */
static struct expr *word(struct parser *p)
{
	struct token t = parser_take(p);
	enum token_kind next = parser_kind(p);
	bool is_aggregation = t.kind >= TOKEN_FIRST_AGGREGATOR && t.kind <= TOKEN_LAST_AGGREGATOR;
	if (is_aggregation && (next == TOKEN_LEFT_PAREN || next == TOKEN_BY || next == TOKEN_WITHOUT))
		return parse_aggregation(p, &t);
	if ((t.kind == TOKEN_IDENTIFIER || t.kind >= TOKEN_START) && next == TOKEN_LEFT_PAREN)
		return parse_call(p, &t);
	return parse_selector(p, &t);
}

/* Whether a metric, or a function, may be called so. Not words that may stand right behind an operator. */
static bool is_name(enum token_kind k)
{
	switch (k) {
	case TOKEN_BOOL:
	case TOKEN_ON:
	case TOKEN_IGNORING:
	case TOKEN_GROUP_LEFT:
	case TOKEN_GROUP_RIGHT: return false;
	case TOKEN_IDENTIFIER:
	case TOKEN_METRIC_IDENTIFIER:
	case TOKEN_AND:
	case TOKEN_OR:
	case TOKEN_UNLESS: return true;
	default: return k >= TOKEN_FIRST_AGGREGATOR;
	}
}

bool parser_starts_expr(enum token_kind k)
{
	return k == TOKEN_NUMBER || k == TOKEN_DURATION || k == TOKEN_STRING || k == TOKEN_LEFT_PAREN ||
	       k == TOKEN_LEFT_BRACE || k == TOKEN_ADD || k == TOKEN_SUB || is_name(k);
}

static struct expr *operand(struct parser *p)
{
	enum token_kind k = parser_kind(p);
	struct expr *e;
	if (k == TOKEN_ADD || k == TOKEN_SUB)
		return unary(p);
	if (k == TOKEN_NUMBER || k == TOKEN_DURATION)
		e = parse_number(p);
	else if (k == TOKEN_STRING)
		e = string(p);
	else if (k == TOKEN_LEFT_PAREN)
		e = paren(p);
	else if (k == TOKEN_LEFT_BRACE)
		e = parse_selector(p, NULL);
	else if (is_name(k))
		e = word(p);
	else
		return parser_unexpected(p, NULL, NULL);
	return e ? parse_modifiers(p, e) : NULL;
}

static struct expr *binary(struct parser *p, struct expr *left)
{
	struct token op = parser_take(p);
	struct vector_matching *matching;
	bool returns_bool;
	if (!parse_matching(p, &matching, &returns_bool))
		return NULL;
	bool is_right_associative = op.kind == TOKEN_POW;
	struct expr *right = parse_expr(p, precedence_of(op.kind) + !is_right_associative);
	if (!right)
		return NULL;
	if (!p->features.fill_modifiers && (matching->fills_left || matching->fills_right))
		return parser_complain(
			p, left->span.start, "binop fill modifiers are experimental and not enabled");
	bool is_scalar = left->type == VALUE_SCALAR && right->type == VALUE_SCALAR;
	struct expr *e = parser_node(p, EXPR_BINARY, is_scalar ? VALUE_SCALAR : VALUE_VECTOR,
		(struct span){ left->span.start, right->span.end }, MAX_OF(left->height, right->height));
	if (!e)
		return NULL;
	e->binary.op = (enum binary_op)(op.kind - TOKEN_FIRST_OPERATOR);
	e->binary.left = left;
	e->binary.right = right;
	e->binary.returns_bool = returns_bool;
	e->binary.matching = matching;
	e->binary.op_span = op.span;
	return e;
}

struct expr *parse_expr(struct parser *p, int precedence)
{
	if (!parser_enter(p))
		return NULL;
	struct expr *e = operand(p);
	for (int of; e && (of = precedence_of(parser_kind(p))) && of >= precedence;)
		e = binary(p, e);
	parser_leave(p);
	return e;
}

static struct expr *whole(struct parser *p)
{
	if (p->query.len > QUERY_MAX_BYTES)
		return parser_refuse(p, 0, "the query is longer than %u bytes", QUERY_MAX_BYTES);
	if (parser_kind(p) == TOKEN_END)
		return parser_complain(p, 0, "no expression found in input");
	struct expr *e = parse_expr(p, 0);
	if (e && parser_kind(p) != TOKEN_END)
		return parser_unexpected(p, NULL, NULL);
	return e;
}

static int finish(struct parser *p)
{
	if (!p->failed)
		return 0;
	for (size_t i = 0; i < p->n_regexes; i++)
		regex_free(p->regexes[i]);
	return p->failed;
}

static void begin(struct parser *p, const char *query, size_t n, struct arena *a, struct buf *error)
{
	*p = (struct parser){
		.arena = a, .query = { query, (uint32_t)MIN_OF(n, UINT32_MAX) }, .error = error
	};
	lex_init(&p->lex, query, p->query.len, a);
}

int promql_parse(const char *query, size_t n, const struct promql_features *f, struct arena *a,
	struct expr **out, struct buf *error)
{
	struct parser p;
	begin(&p, query, n, a, error);
	p.features = *f;
	struct expr *e = whole(&p);
	if (e)
		check_expr(&p, e);
	*out = p.failed ? NULL : e;
	return finish(&p);
}

static void free_regexes(struct expr *e)
{
	for (size_t i = 0; i < e->vector.n_matchers; i++)
		matcher_fini(&e->vector.matchers[i]);
}

void promql_free(struct expr *e)
{
	if (!e)
		return;
	switch (e->kind) {
	case EXPR_VECTOR_SELECTOR: free_regexes(e); break;
	case EXPR_MATRIX_SELECTOR: promql_free(e->matrix.selector); break;
	case EXPR_SUBQUERY: promql_free(e->subquery.inner); break;
	case EXPR_CALL:
		for (size_t i = 0; i < e->call.n_args; i++)
			promql_free(e->call.args[i]);
		break;
	case EXPR_AGGREGATE:
		promql_free(e->aggregate.inner);
		promql_free(e->aggregate.param);
		break;
	case EXPR_BINARY:
		promql_free(e->binary.left);
		promql_free(e->binary.right);
		break;
	case EXPR_UNARY: promql_free(e->unary.inner); break;
	case EXPR_PAREN: promql_free(e->paren); break;
	case EXPR_NUMBER:
	case EXPR_STRING:
	case EXPR_DURATION: break;
	}
}

static struct expr *whole_selector(struct parser *p)
{
	if (p->query.len > QUERY_MAX_BYTES)
		return parser_refuse(p, 0, "the selector is longer than %u bytes", QUERY_MAX_BYTES);
	enum token_kind k = parser_kind(p);
	struct token name;
	struct expr *e;
	if (k == TOKEN_LEFT_BRACE)
		e = parse_selector(p, NULL);
	else if (is_name(k))
		e = (name = parser_take(p), parse_selector(p, &name));
	else
		return parser_unexpected(p, NULL, NULL);
	if (e && parser_kind(p) != TOKEN_END)
		return parser_unexpected(p, NULL, NULL);
	return e;
}

int promql_parse_selector(const char *text, size_t n, struct arena *a, struct matcher **out,
	size_t *n_matchers, struct buf *error)
{
	struct parser p;
	begin(&p, text, n, a, error);
	struct expr *e = whole_selector(&p);
	if (e) {
		*out = e->vector.matchers;
		*n_matchers = e->vector.n_matchers;
	}
	return finish(&p);
}
