/* SPDX-License-Identifier: Apache-2.0 */
/* The parser's tokens, errors and nodes. */
#include "lib/promql/parser.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* "2:14", and of an empty query what upstream says. */
static void add_place(struct parser *p, uint32_t at)
{
	if (!p->query.len) {
		buf_add_str(p->error, "unknown position");
		return;
	}
	uint32_t line = 1, start = 0;
	for (uint32_t i = 0; i < at && i < p->query.len; i++)
		if (p->query.p[i] == '\n') {
			line++;
			start = i + 1;
		}
	buf_printf(p->error, "%u:%u", line, at - start + 1);
}

static void complain(struct parser *p, int r, uint32_t at, const char *fmt, va_list ap)
{
	if (p->failed)
		return;
	auto_free char *words = NULL;
	if (vasprintf(&words, fmt, ap) < 0)
		abort();
	p->failed = r;
	add_place(p, at);
	buf_printf(p->error, ": parse error: %s", words);
}

struct expr *parser_complain(struct parser *p, uint32_t at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	complain(p, -EINVAL, at, fmt, ap);
	va_end(ap);
	return NULL;
}

struct expr *parser_refuse(struct parser *p, uint32_t at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	complain(p, -E2BIG, at, fmt, ap);
	va_end(ap);
	return NULL;
}

const struct token *parser_peek(struct parser *p)
{
	if (!p->has_next) {
		lex_next(&p->lex, &p->next);
		p->has_next = true;
		if (p->next.kind == TOKEN_ERROR)
			parser_complain(p, p->next.span.start, "%.*s", (int)p->next.text.len, p->next.text.p);
	}
	return &p->next;
}

static bool is_closing(enum token_kind k)
{
	return k == TOKEN_RIGHT_PAREN || k == TOKEN_RIGHT_BRACE || k == TOKEN_RIGHT_BRACKET ||
	       k == TOKEN_DURATION || k == TOKEN_NUMBER;
}

struct token parser_take(struct parser *p)
{
	struct token t = *parser_peek(p);
	p->has_next = t.kind == TOKEN_ERROR; /* nothing comes behind it */
	if (is_closing(t.kind))
		p->last_closing = t.span.end;
	return t;
}

bool parser_accept(struct parser *p, enum token_kind kind, struct token *out)
{
	if (parser_kind(p) != kind)
		return false;
	struct token t = parser_take(p);
	if (out)
		*out = t;
	return true;
}

struct expr *parser_unexpected(struct parser *p, const char *context, const char *expected)
{
	const struct token *t = parser_peek(p);
	if (p->failed)
		return NULL;
	auto_buf struct buf b = { 0 };
	token_describe(t, &b);
	if (!context && p->aggregations)
		context = "aggregation";
	if (context)
		buf_printf(&b, " in %s", context);
	if (expected)
		buf_printf(&b, ", expected %s", expected);
	return parser_complain(p, t->span.start, "unexpected %s", buf_str(&b));
}

static struct expr *too_deep(struct parser *p, uint32_t at)
{
	return parser_refuse(p, at, "expressions are nested more than %d deep", QUERY_MAX_DEPTH);
}

bool parser_enter(struct parser *p)
{
	if (p->depth == QUERY_MAX_DEPTH) {
		too_deep(p, parser_peek(p)->span.start);
		return false;
	}
	p->depth++;
	return true;
}

void parser_leave(struct parser *p)
{
	p->depth--;
}

struct expr *parser_node(
	struct parser *p, enum expr_kind kind, enum value_type type, struct span span, uint32_t below)
{
	if (below >= QUERY_MAX_DEPTH)
		return too_deep(p, span.start);
	if (++p->nodes > QUERY_MAX_NODES)
		return parser_refuse(p, span.start, "more than %u expressions", QUERY_MAX_NODES);
	struct expr *e = arena_calloc(p->arena, sizeof *e);
	e->kind = kind;
	e->type = type;
	e->span = span;
	e->height = below + 1;
	return e;
}

void *parser_room(struct arena *a, void *data, size_t n, size_t size)
{
	if (n == 0)
		return arena_alloc(a, 4 * size);
	if (n < 4 || (n & (n - 1)))
		return data;
	void *more = arena_alloc(a, 2 * n * size);
	return memcpy(more, data, n * size);
}

static int by_text(const void *a, const void *b)
{
	return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

struct text *parser_sorted(struct arena *a, const struct text *list, size_t n, size_t *n_sorted)
{
	*n_sorted = 0;
	if (!n)
		return NULL;
	struct text *sorted = arena_copy(a, list, n * sizeof *list);
	qsort(sorted, n, sizeof *sorted, by_text);
	size_t kept = 1;
	for (size_t i = 1; i < n; i++)
		if (!text_is(sorted[i], sorted[kept - 1]))
			sorted[kept++] = sorted[i];
	*n_sorted = kept;
	return sorted;
}
