/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic in seconds, on doubles, as upstream does it; only results are cut to ms. */
#include "lib/promql/duration_expr.h"

#include "lib/promql/literal.h"

#include <errno.h>
#include <math.h>

struct evaluation {
	double range_seconds, step_seconds;
	struct buf *error;
	bool failed;
};

static double fail(struct evaluation *v, const struct expr *e, const char *what)
{
	if (!v->failed)
		buf_printf(v->error, "%u:%u: %s", e->span.start, e->span.end, what);
	v->failed = true;
	return 0;
}

/* As Go's math.Min and math.Max: NaN if either is. */
static double least_or_greatest(bool is_least, double a, double b)
{
	if (isnan(a) || isnan(b))
		return NAN;
	return is_least ? fmin(a, b) : fmax(a, b);
}

static double arithmetic(struct evaluation *v, const struct expr *e, double a, double b)
{
	switch (e->duration.arithmetic) {
	case OP_ADD: return a + b;
	case OP_SUB: return a - b;
	case OP_MUL: return a * b;
	case OP_DIV: return b == 0 ? fail(v, e, "division by zero") : a / b;
	case OP_MOD: return b == 0 ? fail(v, e, "modulo by zero") : fmod(a, b);
	default: return pow(a, b);
	}
}

static double seconds_of(struct evaluation *v, const struct expr *e)
{
	if (e->kind == EXPR_NUMBER)
		return e->number.value;
	double left = e->duration.left ? seconds_of(v, e->duration.left) : 0;
	double right = e->duration.right ? seconds_of(v, e->duration.right) : 0;
	switch (e->duration.op) {
	case DURATION_STEP: return v->step_seconds;
	case DURATION_RANGE: return v->range_seconds;
	case DURATION_MIN:
	case DURATION_MAX: return least_or_greatest(e->duration.op == DURATION_MIN, left, right);
	case DURATION_NEGATE: return -right;
	case DURATION_PLUS: return right;
	case DURATION_ARITHMETIC: break;
	}
	return v->failed ? 0 : arithmetic(v, e, left, right);
}

static void evaluate(struct evaluation *v, const struct expr *e, bool may_be_negative, int64_t *ms)
{
	if (!e || v->failed)
		return;
	double seconds = seconds_of(v, e);
	if (v->failed)
		return;
	if (!isfinite(seconds))
		fail(v, e, "duration is NaN or infinite");
	else if (seconds <= 0 && !may_be_negative)
		fail(v, e, "duration must be greater than 0");
	else if (seconds_are_too_many(seconds))
		fail(v, e, "duration is out of range");
	else
		*ms = (int64_t)(seconds * 1000);
}

static void walk(struct evaluation *v, struct expr *e);

static void walk_subquery(struct evaluation *v, struct expr *e)
{
	struct range_modifiers *m = &e->subquery.modifiers;
	evaluate(v, m->offset_expr, true, &m->offset_ms);
	evaluate(v, e->subquery.step_expr, false, &e->subquery.step_ms);
	evaluate(v, e->subquery.range_expr, false, &e->subquery.range_ms);
	walk(v, e->subquery.inner);
}

/* Parents first, which decides what is said of several errors. */
static void walk(struct evaluation *v, struct expr *e)
{
	if (!e)
		return;
	switch (e->kind) {
	case EXPR_VECTOR_SELECTOR:
		evaluate(v, e->vector.modifiers.offset_expr, true, &e->vector.modifiers.offset_ms);
		break;
	case EXPR_MATRIX_SELECTOR:
		evaluate(v, e->matrix.range_expr, false, &e->matrix.range_ms);
		walk(v, e->matrix.selector);
		break;
	case EXPR_SUBQUERY: walk_subquery(v, e); break;
	case EXPR_CALL:
		for (size_t i = 0; i < e->call.n_args; i++)
			walk(v, e->call.args[i]);
		break;
	case EXPR_AGGREGATE:
		walk(v, e->aggregate.inner);
		walk(v, e->aggregate.param);
		break;
	case EXPR_BINARY:
		walk(v, e->binary.left);
		walk(v, e->binary.right);
		break;
	case EXPR_UNARY: walk(v, e->unary.inner); break;
	case EXPR_PAREN: walk(v, e->paren); break;
	case EXPR_NUMBER:
	case EXPR_STRING:
	case EXPR_DURATION: break;
	}
}

int duration_exprs_evaluate(
	struct expr *e, int64_t start_ms, int64_t end_ms, int64_t step_ms, struct buf *error)
{
	struct evaluation v = { (double)(end_ms - start_ms) / 1000, (double)step_ms / 1000, error, false };
	walk(&v, e);
	return v.failed ? -EINVAL : 0;
}
