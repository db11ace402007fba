/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of labels, and the modifiers of binary operators. */
#include "lib/base/quote.h"
#include "lib/base/utf8.h"
#include "lib/promql/lex_string.h"
#include "lib/promql/parser.h"

/* Words of the language may be labels; a few can't, as nobody thought of them upstream. */
static bool is_label(enum token_kind k)
{
	return k == TOKEN_IDENTIFIER || k == TOKEN_METRIC_IDENTIFIER || k == TOKEN_AND || k == TOKEN_OR ||
	       k == TOKEN_UNLESS || k == TOKEN_ATAN2 || (k >= TOKEN_FIRST_AGGREGATOR && k != TOKEN_WITHOUT);
}

static bool unexpected(struct parser *p, const char *expected)
{
	parser_unexpected(p, "grouping opts", expected);
	return false;
}

static bool parse_label(struct parser *p, struct text *out)
{
	enum token_kind k = parser_kind(p);
	if (k != TOKEN_STRING && !is_label(k))
		return unexpected(p, "label");
	struct token t = parser_take(p);
	*out = k == TOKEN_STRING ? string_value(t.text, p->arena) : t.text;
	if (out->len && utf8_is_valid(out->p, out->len))
		return true;
	auto_buf struct buf name = { 0 };
	quote_add(&name, out->p, out->len);
	parser_complain(p, t.span.start, "invalid label name for grouping: %s", buf_str(&name));
	return false;
}

bool parse_grouping(struct parser *p, struct text **out, size_t *n)
{
	*out = NULL;
	*n = 0;
	if (!parser_accept(p, TOKEN_LEFT_PAREN, NULL))
		return unexpected(p, "\"(\"");
	while (!parser_accept(p, TOKEN_RIGHT_PAREN, NULL)) {
		if (*n && !parser_accept(p, TOKEN_COMMA, NULL))
			return unexpected(p, "\",\" or \")\"");
		if (*n && parser_accept(p, TOKEN_RIGHT_PAREN, NULL))
			break;
		struct text label;
		if (!parse_label(p, &label))
			return false;
		*out = parser_room(p->arena, *out, *n, sizeof **out);
		(*out)[(*n)++] = label;
	}
	return true;
}

/* "(0)", "(-Inf)", "(5m)". */
static bool parse_fill_value(struct parser *p, double *out)
{
	bool ok = parser_accept(p, TOKEN_LEFT_PAREN, NULL);
	enum token_kind k = parser_kind(p);
	double sign = k == TOKEN_SUB ? -1 : 1;
	if (ok && (k == TOKEN_SUB || k == TOKEN_ADD)) {
		parser_take(p);
		k = parser_kind(p);
	}
	if (ok && (k == TOKEN_NUMBER || k == TOKEN_DURATION)) {
		const struct expr *e = parse_number(p);
		if (!e)
			return false;
		*out = sign * e->number.value;
		ok = parser_accept(p, TOKEN_RIGHT_PAREN, NULL);
	} else {
		ok = false;
	}
	if (!ok)
		parser_unexpected(p, NULL, NULL);
	return ok;
}

static bool parse_fill(struct parser *p, struct vector_matching *m)
{
	if (parser_accept(p, TOKEN_FILL, NULL)) {
		m->fills_left = m->fills_right = true;
		bool ok = parse_fill_value(p, &m->fill_left);
		m->fill_right = m->fill_left;
		return ok;
	}
	/* Both sides in either order, each once. */
	for (;;) {
		enum token_kind k = parser_kind(p);
		bool is_left = k == TOKEN_FILL_LEFT, is_right = k == TOKEN_FILL_RIGHT;
		if ((!is_left && !is_right) || (is_left ? m->fills_left : m->fills_right))
			return true;
		parser_take(p);
		if (!parse_fill_value(p, is_left ? &m->fill_left : &m->fill_right))
			return false;
		m->fills_left |= is_left;
		m->fills_right |= is_right;
	}
}

static bool parse_group_side(struct parser *p, struct vector_matching *m)
{
	enum token_kind k = parser_kind(p);
	if (k != TOKEN_GROUP_LEFT && k != TOKEN_GROUP_RIGHT)
		return true;
	parser_take(p);
	m->card = k == TOKEN_GROUP_LEFT ? MATCH_MANY_TO_ONE : MATCH_ONE_TO_MANY;
	k = parser_kind(p);
	bool is_left_out = k != TOKEN_LEFT_PAREN && parser_starts_expr(k); /* also fill */
	return is_left_out || parse_grouping(p, &m->include, &m->n_include);
}

bool parse_matching(struct parser *p, struct vector_matching **out, bool *returns_bool)
{
	struct vector_matching *m = *out = arena_calloc(p->arena, sizeof *m);
	m->card = MATCH_ONE_TO_ONE;
	*returns_bool = parser_accept(p, TOKEN_BOOL, NULL);
	enum token_kind k = parser_kind(p);
	if (k == TOKEN_ON || k == TOKEN_IGNORING) {
		parser_take(p);
		m->is_on = k == TOKEN_ON;
		if (!parse_grouping(p, &m->written, &m->n_written) || !parse_group_side(p, m))
			return false;
		m->labels = parser_sorted(p->arena, m->written, m->n_written, &m->n_labels);
	}
	return parse_fill(p, m);
}
