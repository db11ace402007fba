/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations as they stand in brackets and behind `offset`: a number, or an expression of numbers, step(), range(), min_of() and
 * max_of(). Behind `offset` only what stands in parentheses goes on with an operator: "x offset 5m + y" adds y to x.
 */
#include "lib/promql/literal.h"
#include "lib/promql/parser.h"

/* What is being read, for messages, and how tightly operators must bind. */
struct duration {
	struct parser *p;
	const char *context, *expected;
};

static struct expr *unexpected(const struct duration *d)
{
	return parser_unexpected(d->p, d->context, d->expected);
}

static struct expr *expression(const struct duration *d, int precedence);

static int precedence_of(enum token_kind k)
{
	switch (k) {
	case TOKEN_ADD:
	case TOKEN_SUB: return 1;
	case TOKEN_MUL:
	case TOKEN_DIV:
	case TOKEN_MOD: return 2;
	case TOKEN_POW: return 3;
	default: return 0;
	}
}

/* e, if expressions are allowed; which is asked for when e has been read. */
static struct expr *experimental(struct parser *p, struct expr *e)
{
	if (e && !p->features.duration_expressions)
		return parser_complain(p, e->span.start, "experimental duration expression is not enabled");
	return e;
}

static struct expr *node(
	struct parser *p, enum duration_op op, struct span span, struct expr *left, struct expr *right)
{
	uint32_t below = MAX_OF(left ? left->height : 0, right ? right->height : 0);
	struct expr *e = parser_node(p, EXPR_DURATION, VALUE_SCALAR, span, below);
	if (e) {
		e->duration.op = op;
		e->duration.left = left;
		e->duration.right = right;
	}
	return e;
}

static bool is_number(enum token_kind k)
{
	return k == TOKEN_NUMBER || k == TOKEN_DURATION;
}

static struct expr *check_range(struct parser *p, struct expr *number, uint32_t at)
{
	if (seconds_are_too_many(number->number.value))
		return parser_complain(p, at, "duration out of range");
	return number;
}

static struct expr *number(const struct duration *d)
{
	struct expr *e = parse_number(d->p);
	return e ? check_range(d->p, e, e->span.start) : NULL;
}

/* step() or range(). */
static struct expr *step_or_range(const struct duration *d)
{
	struct token word = parser_take(d->p), close;
	if (!parser_accept(d->p, TOKEN_LEFT_PAREN, NULL) || !parser_accept(d->p, TOKEN_RIGHT_PAREN, &close))
		return unexpected(d);
	struct span span = { word.span.start, close.span.end };
	return node(d->p, word.kind == TOKEN_STEP ? DURATION_STEP : DURATION_RANGE, span, NULL, NULL);
}

/* min_of(a, b) or max_of(a, b). The span is that of a and b: so are upstream's messages. */
static struct expr *least_or_greatest(const struct duration *d)
{
	struct token word = parser_take(d->p);
	struct expr *left, *right;
	if (!parser_accept(d->p, TOKEN_LEFT_PAREN, NULL))
		return unexpected(d);
	if (!(left = expression(d, 0)))
		return NULL;
	if (!parser_accept(d->p, TOKEN_COMMA, NULL))
		return unexpected(d);
	if (!(right = expression(d, 0)))
		return NULL;
	if (!parser_accept(d->p, TOKEN_RIGHT_PAREN, NULL))
		return unexpected(d);
	struct span span = { left->span.start, right->span.end };
	return node(d->p, word.kind == TOKEN_MIN_OF ? DURATION_MIN : DURATION_MAX, span, left, right);
}

/* A word, its parentheses and what is in them. */
static struct expr *word(const struct duration *d, enum token_kind k)
{
	return k == TOKEN_STEP || k == TOKEN_RANGE ? step_or_range(d) : least_or_greatest(d);
}

static bool is_word(enum token_kind k)
{
	return k == TOKEN_STEP || k == TOKEN_RANGE || k == TOKEN_MIN_OF || k == TOKEN_MAX_OF;
}

/* Remembers the parentheses, for who prints it. */
static struct expr *wrap(struct parser *p, struct expr *e, uint32_t start)
{
	if (e->kind == EXPR_NUMBER)
		e = node(p, DURATION_PLUS, (struct span){ start, e->span.end }, NULL, e);
	if (e)
		e->duration.is_wrapped = true;
	return e;
}

/* "(a)". */
static struct expr *paren(const struct duration *d, struct span *open)
{
	*open = parser_take(d->p).span;
	struct expr *e = expression(d, 0);
	if (!e)
		return NULL;
	return parser_accept(d->p, TOKEN_RIGHT_PAREN, NULL) ? e : unexpected(d);
}

static struct expr *wrapped(const struct duration *d)
{
	struct span open;
	struct expr *e = experimental(d->p, paren(d, &open));
	return e ? wrap(d->p, e, open.start) : NULL;
}

/* A number takes the sign in. */
static struct expr *apply_sign(struct parser *p, const struct token *sign, struct expr *e)
{
	bool is_minus = sign->kind == TOKEN_SUB;
	if (e->kind == EXPR_NUMBER) {
		e->number.value *= is_minus ? -1 : 1;
		if (!check_range(p, e, sign->span.start))
			return NULL;
		e->span.start = sign->span.start;
		return e;
	}
	struct span span = { sign->span.start, e->span.end };
	return is_minus ? node(p, DURATION_NEGATE, span, NULL, e) : e;
}

static struct expr *operand(const struct duration *d)
{
	enum token_kind k = parser_kind(d->p);
	if (k == TOKEN_ADD || k == TOKEN_SUB) {
		struct token sign = parser_take(d->p);
		struct expr *e = expression(d, 3);
		return e ? apply_sign(d->p, &sign, e) : NULL;
	}
	if (is_number(k))
		return number(d);
	if (is_word(k))
		return experimental(d->p, word(d, k));
	return k == TOKEN_LEFT_PAREN ? wrapped(d) : unexpected(d);
}

static struct expr *binary(const struct duration *d, struct expr *left)
{
	struct token op = parser_take(d->p);
	struct expr *right = expression(d, precedence_of(op.kind) + (op.kind != TOKEN_POW));
	if (!right || !experimental(d->p, left))
		return NULL;
	bool is_zero = right->kind == EXPR_NUMBER && right->number.value == 0;
	if (is_zero && op.kind == TOKEN_DIV)
		return parser_complain(d->p, op.span.start, "division by zero");
	if (is_zero && op.kind == TOKEN_MOD)
		return parser_complain(d->p, op.span.start, "modulo by zero");
	struct span span = { left->span.start, right->span.end };
	struct expr *e = node(d->p, DURATION_ARITHMETIC, span, left, right);
	if (e)
		e->duration.arithmetic = (enum binary_op)(op.kind - TOKEN_FIRST_OPERATOR);
	return e;
}

/* With all operators that bind at least that tightly. */
static struct expr *rest(const struct duration *d, struct expr *e, int precedence)
{
	for (int of; e && (of = precedence_of(parser_kind(d->p))) && of >= precedence;)
		e = binary(d, e);
	return e;
}

static struct expr *expression(const struct duration *d, int precedence)
{
	if (!parser_enter(d->p))
		return NULL;
	struct expr *e = rest(d, operand(d), precedence);
	parser_leave(d->p);
	return e;
}

struct expr *parse_positive_duration(struct parser *p, const char *context, const char *expected)
{
	struct duration d = { p, context, expected };
	struct expr *e = expression(&d, 0);
	if (e && e->kind == EXPR_NUMBER && e->number.value <= 0)
		return parser_complain(p, e->span.start, "duration must be greater than 0");
	return e;
}

/* A sign behind `offset`, which only a second sign makes the start of a longer expression. */
static struct expr *signed_offset(const struct duration *d)
{
	struct token sign = parser_take(d->p);
	enum token_kind k = parser_kind(d->p);
	struct expr *e;
	struct span open;
	if (is_word(k)) {
		if (!(e = word(d, k)))
			return NULL;
		struct span span = { sign.span.start, e->span.end };
		bool is_minus = sign.kind == TOKEN_SUB;
		return experimental(
			d->p, node(d->p, is_minus ? DURATION_NEGATE : DURATION_PLUS, span, NULL, e));
	}
	if (k == TOKEN_LEFT_PAREN) {
		e = paren(d, &open);
		e = e ? wrap(d->p, e, e->span.start) : NULL;
		return e ? apply_sign(d->p, &sign, e) : NULL;
	}
	if (is_number(k)) {
		e = parse_number(d->p);
		return e ? apply_sign(d->p, &sign, e) : NULL;
	}
	e = expression(d, 3);
	return e ? rest(d, apply_sign(d->p, &sign, e), 0) : NULL;
}

struct expr *parse_offset_duration(struct parser *p, const char *context, const char *expected)
{
	struct duration d = { p, context, expected };
	enum token_kind k = parser_kind(p);
	if (k == TOKEN_ADD || k == TOKEN_SUB)
		return signed_offset(&d);
	return k == TOKEN_LEFT_PAREN ? rest(&d, wrapped(&d), 0) : operand(&d);
}
