/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may stand behind an expression: [5m], [1h:5m], offset 5m, @ 1, @ start(), anchored, smoothed. The grammar allows all of them
 * behind anything; what they make no sense behind is said here.
 */
#include "lib/promql/literal.h"
#include "lib/promql/parser.h"

#include <math.h>

#define A_DURATION "number, duration, step(), or range()"

/* NULL: an expression that has none. */
static struct range_modifiers *modifiers_of(struct expr *e)
{
	switch (e->kind) {
	case EXPR_VECTOR_SELECTOR: return &e->vector.modifiers;
	case EXPR_MATRIX_SELECTOR: return &e->matrix.selector->vector.modifiers;
	case EXPR_SUBQUERY: return &e->subquery.modifiers;
	default: return NULL;
	}
}

/* A duration is a number, or an expression that has to be evaluated first. */
static void put_duration(struct expr *d, int64_t *ms, const struct expr **expr)
{
	if (d->kind == EXPR_NUMBER)
		*ms = seconds_to_ms(d->number.value);
	else
		*expr = d;
}

static struct expr *matrix(struct parser *p, struct expr *e, struct expr *range, uint32_t bracket)
{
	const struct range_modifiers *m = &e->vector.modifiers;
	if (e->kind != EXPR_VECTOR_SELECTOR)
		return parser_complain(p, bracket, "ranges only allowed for vector selectors");
	if (m->offset_ms || m->offset_expr)
		return parser_complain(p, bracket, "no offset modifiers allowed before range");
	if (m->at != AT_NONE)
		return parser_complain(p, bracket, "no @ modifiers allowed before range");
	struct span span = { e->span.start, p->last_closing };
	struct expr *out = parser_node(p, EXPR_MATRIX_SELECTOR, VALUE_MATRIX, span, e->height);
	if (out) {
		out->matrix.selector = e;
		put_duration(range, &out->matrix.range_ms, &out->matrix.range_expr);
	}
	return out;
}

/* step: NULL is the default. */
static struct expr *subquery(struct parser *p, struct expr *e, struct expr *range, struct expr *step)
{
	struct span span = { e->span.start, p->last_closing };
	struct expr *out = parser_node(p, EXPR_SUBQUERY, VALUE_MATRIX, span, e->height);
	if (!out)
		return NULL;
	out->subquery.inner = e;
	put_duration(range, &out->subquery.range_ms, &out->subquery.range_expr);
	if (step)
		put_duration(step, &out->subquery.step_ms, &out->subquery.step_expr);
	return out;
}

static struct expr *bracket(struct parser *p, struct expr *e)
{
	uint32_t at = parser_take(p).span.start;
	struct expr *range = parse_positive_duration(p, "subquery or range selector", A_DURATION), *step;
	if (!range)
		return NULL;
	if (parser_accept(p, TOKEN_RIGHT_BRACKET, NULL))
		return matrix(p, e, range, at);
	if (!parser_accept(p, TOKEN_COLON, NULL))
		return parser_unexpected(p, "subquery or range", "\":\" or \"]\"");
	if (parser_accept(p, TOKEN_RIGHT_BRACKET, NULL))
		return subquery(p, e, range, NULL);
	step = parse_positive_duration(p, "subquery selector", "number, duration, step(), range(), or \"]\"");
	if (!step)
		return NULL;
	if (!parser_accept(p, TOKEN_RIGHT_BRACKET, NULL))
		return parser_unexpected(p, "subquery selector", "\"]\"");
	return subquery(p, e, range, step);
}

static struct expr *offset(struct parser *p, struct expr *e)
{
	parser_take(p);
	struct expr *d = parse_offset_duration(p, "offset", A_DURATION);
	if (!d)
		return NULL;
	struct range_modifiers *m = modifiers_of(e);
	if (!m)
		return parser_complain(p, e->span.start,
			"offset modifier must be preceded by an instant vector selector or range vector "
			"selector or a subquery");
	if (m->offset_ms || m->offset_expr)
		return parser_complain(p, e->span.start, "offset may not be set multiple times");
	put_duration(d, &m->offset_ms, &m->offset_expr);
	e->span.end = p->last_closing;
	return e;
}

/* Where `at` is put, if it may be. */
static struct range_modifiers *at_of(struct parser *p, struct expr *e)
{
	struct range_modifiers *m = modifiers_of(e);
	if (m && m->at == AT_NONE)
		return m;
	parser_complain(p, e->span.start, "%s",
		m ? "@ <timestamp> may not be set multiple times"
		  : "@ modifier must be preceded by an instant vector selector or range vector selector or a "
		    "subquery");
	return NULL;
}

static struct expr *at_time(struct parser *p, struct expr *e, double seconds)
{
	double limit = 9223372036854775808.0;
	if (isnan(seconds))
		return parser_complain(p, e->span.start, "timestamp out of bounds for @ modifier: NaN");
	if (isinf(seconds))
		return parser_complain(p, e->span.start, "timestamp out of bounds for @ modifier: %cInf",
			seconds < 0 ? '-' : '+');
	if (seconds >= limit || seconds <= -limit)
		return parser_complain(
			p, e->span.start, "timestamp out of bounds for @ modifier: %f", seconds);
	struct range_modifiers *m = at_of(p, e);
	if (!m)
		return NULL;
	double ms = round(seconds * 1000);
	m->at = AT_TIME;
	m->at_ms = ms < limit && ms >= -limit ? (int64_t)ms : INT64_MIN; /* as upstream's overflows */
	e->span.end = p->last_closing;
	return e;
}

static struct expr *at(struct parser *p, struct expr *e)
{
	parser_take(p);
	enum token_kind k = parser_kind(p);
	double sign = k == TOKEN_SUB ? -1 : 1;
	if (k == TOKEN_START || k == TOKEN_END_WORD) {
		parser_take(p);
		if (!parser_accept(p, TOKEN_LEFT_PAREN, NULL) || !parser_accept(p, TOKEN_RIGHT_PAREN, NULL))
			return parser_unexpected(p, "@", "timestamp");
		struct range_modifiers *m = at_of(p, e);
		if (!m)
			return NULL;
		m->at = k == TOKEN_START ? AT_START : AT_END;
		e->span.end = p->last_closing;
		return e;
	}
	if (k == TOKEN_SUB || k == TOKEN_ADD) {
		parser_take(p);
		k = parser_kind(p);
	}
	if (k != TOKEN_NUMBER && k != TOKEN_DURATION)
		return parser_unexpected(p, "@", "timestamp");
	const struct expr *time = parse_number(p);
	return time ? at_time(p, e, sign * time->number.value) : NULL;
}

static struct expr *extended(struct parser *p, struct expr *e)
{
	bool is_anchored = parser_take(p).kind == TOKEN_ANCHORED;
	const char *name = is_anchored ? "anchored" : "smoothed";
	uint32_t place = e->span.start;
	if (!p->features.extended_ranges)
		return parser_complain(p, place, "%s modifier is experimental and not enabled", name);
	if (e->kind == EXPR_SUBQUERY)
		return parser_complain(p, place, "%s modifier is not supported for subqueries", name);
	struct range_modifiers *m = modifiers_of(e);
	if (!m)
		return parser_complain(p, place, "%s modifier not implemented", name);
	if (is_anchored ? m->is_smoothed : m->is_anchored)
		return parser_complain(p, place, "anchored and smoothed modifiers cannot be used together");
	m->is_anchored |= is_anchored;
	m->is_smoothed |= !is_anchored;
	return e;
}

struct expr *parse_modifiers(struct parser *p, struct expr *e)
{
	while (e)
		switch (parser_kind(p)) {
		case TOKEN_LEFT_BRACKET: e = bracket(p, e); break;
		case TOKEN_OFFSET: e = offset(p, e); break;
		case TOKEN_AT: e = at(p, e); break;
		case TOKEN_ANCHORED:
		case TOKEN_SMOOTHED: e = extended(p, e); break;
		default: return e;
		}
	return NULL;
}
