/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PromQL: whatever is refused is refused with a place and words; whatever parses prints as what parses to the same, on one line and
 * over several. But for what upstream's printer, whose ours is, can't tell apart: see is_ambiguous.
 */
#include "lib/promql/duration_expr.h"
#include "lib/promql/parse.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct promql_features all = { true, true, true, true };

/* "Inf ^ 2" prints with a sign, which then binds less. Ranges and offsets are ms, and "offset (5)" goes on with what follows. */
static bool modifiers_are_ambiguous(const struct range_modifiers *m)
{
	return llabs(m->at_ms) > INT64_C(1) << 50 || m->offset_expr;
}

static bool is_ambiguous(const struct expr *e)
{
	switch (e->kind) {
	case EXPR_VECTOR_SELECTOR: return modifiers_are_ambiguous(&e->vector.modifiers);
	case EXPR_MATRIX_SELECTOR:
		return (!e->matrix.range_expr && !e->matrix.range_ms) || is_ambiguous(e->matrix.selector);
	case EXPR_SUBQUERY:
		return (!e->subquery.range_expr && !e->subquery.range_ms) ||
		       modifiers_are_ambiguous(&e->subquery.modifiers) || is_ambiguous(e->subquery.inner);
	case EXPR_CALL:
		for (size_t i = 0; i < e->call.n_args; i++)
			if (is_ambiguous(e->call.args[i]))
				return true;
		return false;
	case EXPR_AGGREGATE:
		return is_ambiguous(e->aggregate.inner) ||
		       (e->aggregate.param && is_ambiguous(e->aggregate.param));
	case EXPR_BINARY: return is_ambiguous(e->binary.left) || is_ambiguous(e->binary.right);
	case EXPR_UNARY: return is_ambiguous(e->unary.inner);
	case EXPR_PAREN: return is_ambiguous(e->paren);
	case EXPR_NUMBER: return isinf(e->number.value);
	case EXPR_STRING:
	case EXPR_DURATION: break;
	}
	return false;
}

static bool has_replacement_char(const struct buf *b)
{
	return memmem(b->data, b->len, "\xef\xbf\xbd", 3); /* is printed as it is, and refused when read */
}

static int parse(const void *text, size_t n, struct arena *a, struct expr **e)
{
	auto_buf struct buf error = { 0 };
	int r = promql_parse(text, n, &all, a, e, &error);
	if ((r < 0) != (error.len > 0) || (r < 0 && !strstr(buf_str(&error), ": parse error: ")))
		abort();
	return r;
}

/* The text parses, and prints as `line`. */
static void check(const struct buf *text, const struct buf *line)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	auto_buf struct buf again = { 0 };
	struct expr *e;
	int r = parse(text->data, text->len, a, &e);
	if (r == -E2BIG)
		return; /* what was just short enough may be printed longer */
	if (r < 0)
		abort();
	promql_print(e, &again);
	if (again.len != line->len || memcmp(again.data, line->data, line->len) != 0)
		abort();
	promql_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct promql_features none = { 0 };
	auto_of(arena) struct arena *a = arena_new(NULL);
	auto_buf struct buf line = { 0 }, pretty = { 0 }, json = { 0 }, error = { 0 };
	struct expr *e;
	if (promql_parse((const char *)data, size, &none, a, &e, &error) == 0)
		promql_free(e);
	struct matcher *m;
	size_t n;
	buf_reset(&error);
	if (promql_parse_selector((const char *)data, size, a, &m, &n, &error) == 0)
		for (size_t i = 0; i < n; i++)
			matcher_fini(&m[i]);
	if (parse(data, size, a, &e) < 0)
		return 0;
	promql_print(e, &line);
	promql_print_pretty(e, &pretty);
	promql_print_json(e, &json);
	if (!is_ambiguous(e) && !has_replacement_char(&line)) {
		check(&line, &line);
		check(&pretty, &line);
	}
	buf_reset(&error);
	int r = duration_exprs_evaluate(e, 0, 3600000, 15000, &error);
	if ((r < 0) != (error.len > 0))
		abort();
	promql_free(e);
	return 0;
}
