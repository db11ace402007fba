/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors: a metric's name, matchers in braces, or both. */
#include "lib/promql/lex_string.h"
#include "lib/promql/parser.h"
#include "lib/promql/regex_words.h"

/* What one query may have compiled. A few bytes of an expression may stand for megabytes: \pL{500}. */
#define REGEXES_MAX       4096
#define REGEXES_MAX_BYTES (32u << 20)

static struct matcher *add(struct parser *p, struct expr *e)
{
	e->vector.matchers =
		parser_room(p->arena, e->vector.matchers, e->vector.n_matchers, sizeof *e->vector.matchers);
	return &e->vector.matchers[e->vector.n_matchers++];
}

static void add_name(struct parser *p, struct expr *e, struct text name)
{
	*add(p, e) = (struct matcher){ .kind = MATCH_EQUAL, .name = LABEL_NAME, .value = name };
}

static bool match_op(enum token_kind k, enum matcher_kind *out)
{
	switch (k) {
	case TOKEN_EQUAL: *out = MATCH_EQUAL; return true;
	case TOKEN_NE: *out = MATCH_NOT_EQUAL; return true;
	case TOKEN_EQUAL_REGEX: *out = MATCH_REGEX; return true;
	case TOKEN_NOT_REGEX: *out = MATCH_NOT_REGEX; return true;
	default: return false;
	}
}

static bool unexpected(struct parser *p, const char *expected)
{
	parser_unexpected(p, "label matching", expected);
	return false;
}

static bool compile(struct parser *p, struct matcher *m, uint32_t at)
{
	if (p->n_regexes == REGEXES_MAX) {
		parser_refuse(p, at, "more than %d regular expressions", REGEXES_MAX);
		return false;
	}
	struct err e;
	if (matcher_init(m, m->kind, m->name, m->value, &e) < 0) {
		auto_buf struct buf words = { 0 };
		regex_words(m->value, e.msg, &words);
		parser_complain(p, at, "%s", buf_str(&words));
		return false;
	}
	if (m->regex) {
		p->regexes = parser_room(p->arena, p->regexes, p->n_regexes, sizeof(struct regex *));
		p->regexes[p->n_regexes++] = m->regex;
		p->regexes_bytes += regex_bytes(m->regex);
	}
	if (p->regexes_bytes > REGEXES_MAX_BYTES)
		parser_refuse(p, at, "regular expressions take more than %u bytes", REGEXES_MAX_BYTES);
	return !p->failed;
}

static bool parse_matcher(struct parser *p, struct expr *e)
{
	enum token_kind k = parser_kind(p);
	if (k != TOKEN_IDENTIFIER && k != TOKEN_STRING)
		return unexpected(p, "identifier or \"}\"");
	struct token t = parser_take(p), value;
	struct text name = k == TOKEN_STRING ? string_value(t.text, p->arena) : t.text;
	enum matcher_kind kind;
	if (!match_op(parser_kind(p), &kind)) {
		if (k == TOKEN_IDENTIFIER)
			return unexpected(p, "label matching operator");
		add_name(p, e, name); /* a metric's name that needs quotes */
		return true;
	}
	parser_take(p);
	if (!parser_accept(p, TOKEN_STRING, &value))
		return unexpected(p, "string");
	struct matcher m = { .kind = kind, .name = name, .value = string_value(value.text, p->arena) };
	if (!compile(p, &m, t.span.start))
		return false;
	*add(p, e) = m;
	return true;
}

static bool parse_braces(struct parser *p, struct expr *e)
{
	parser_take(p);
	for (bool is_first = true; !parser_accept(p, TOKEN_RIGHT_BRACE, NULL); is_first = false) {
		if (!is_first && !parser_accept(p, TOKEN_COMMA, NULL))
			return unexpected(p, "\",\" or \"}\"");
		if (!is_first && parser_accept(p, TOKEN_RIGHT_BRACE, NULL))
			break;
		if (!parse_matcher(p, e))
			return false;
	}
	e->span.end = p->last_closing;
	return true;
}

struct expr *parse_selector(struct parser *p, const struct token *name)
{
	struct span span = name ? name->span : parser_peek(p)->span;
	struct expr *e = parser_node(p, EXPR_VECTOR_SELECTOR, VALUE_VECTOR, span, 0);
	if (!e || (parser_kind(p) == TOKEN_LEFT_BRACE && !parse_braces(p, e)))
		return NULL;
	if (name) {
		e->vector.name = name->text;
		add_name(p, e, name->text);
	}
	return e;
}
