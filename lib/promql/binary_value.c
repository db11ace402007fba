/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/binary_value.h"

#include "lib/base/interrupt.h"
#include "lib/base/mem.h"
#include "lib/tsdb/histogram_sum.h"

#include <errno.h>
#include <math.h>

#define STRETCH        8192u /* cells of a long column, between two questions whether to go on */
#define OPERATION_WORK 8u    /* of a cell; powers take longer, additions don't */

#define COLUMN(expression)                 \
	for (uint32_t i = 0; i < n; i++) { \
		double a = l[i], b = r[i]; \
		out[i] = (expression);     \
	}                                  \
	return

#define COMPARED(condition)                     \
	for (uint32_t i = 0; i < n; i++) {      \
		double a = l[i], b = r[i];      \
		holds[i] = (condition) ? 1 : 0; \
		out[i] = a;                     \
	}                                       \
	return

static void columns(enum binary_op op, uint32_t n, const double *restrict l, const double *restrict r,
	double *restrict out, uint8_t *restrict holds)
{
	switch (op) {
	case OP_ADD: COLUMN(a + b);
	case OP_SUB: COLUMN(a - b);
	case OP_MUL: COLUMN(a * b);
	case OP_DIV: COLUMN(a / b);
	case OP_MOD: COLUMN(fmod(a, b));
	case OP_POW: COLUMN(pow(a, b));
	case OP_ATAN2: COLUMN(atan2(a, b));
	case OP_EQ: COMPARED(a == b);
	case OP_NE: COMPARED(a != b);
	case OP_GT: COMPARED(a > b);
	case OP_LT: COMPARED(a < b);
	case OP_GE: COMPARED(a >= b);
	case OP_LE: COMPARED(a <= b);
	case OP_AND:
	case OP_OR:
	case OP_UNLESS:
	case OP_TRIM_UPPER:
	case OP_TRIM_LOWER: break;
	}
}

void binary_columns(enum binary_op op, uint32_t n, const double *restrict l, const double *restrict r,
	double *restrict out, uint8_t *restrict holds)
{
	for (uint32_t from = 0, part; from < n; from += part) {
		part = MIN_OF(n - from, STRETCH);
		columns(op, part, l + from, r + from, out + from, holds + from);
		if (part == STRETCH && interrupt_after(OPERATION_WORK * STRETCH) < 0)
			break;
	}
}

void binary_kinds(const struct expr *e, uint32_t n, const uint8_t *restrict l, const uint8_t *restrict r,
	const uint8_t *restrict holds, uint8_t *restrict kind, double *restrict v)
{
	bool is_bool = e->binary.returns_bool;
	if (is_bool || !binary_op_is_comparison(e->binary.op))
		for (uint32_t i = 0; i < n; i++)
			kind[i] = l[i] & r[i];
	else
		for (uint32_t i = 0; i < n; i++)
			kind[i] = l[i] & r[i] & holds[i];
	for (uint32_t i = 0; is_bool && i < n; i++)
		v[i] = holds[i];
}

bool binary_op_changes_metric(enum binary_op op)
{
	switch (op) {
	case OP_ADD:
	case OP_SUB:
	case OP_MUL:
	case OP_DIV:
	case OP_MOD:
	case OP_POW:
	case OP_ATAN2: return true;
	default: return false;
	}
}

static const char *kind_name(enum cell kind)
{
	return kind == CELL_HISTOGRAM ? "histogram" : "float";
}

/* Bits of binary_cells.said; SAYS_REFUSED and the three above it by whether the sides are histograms. */
#define SAYS_INCOMPATIBLE 1u
#define SAYS_COLLIDED     2u
#define SAYS_RECONCILED   4u
#define SAYS_REFUSED      8u

static bool is_new(struct binary_cells *b, unsigned message)
{
	if (atomic_load_explicit(&b->said, memory_order_relaxed) & message)
		return false;
	return !(atomic_fetch_or(&b->said, message) & message);
}

static enum binary_outcome refuse(struct binary_cells *b, struct value l, struct value r)
{
	const char *op = binary_op_text(b->expr->binary.op);
	unsigned kinds = (l.kind == CELL_HISTOGRAM ? 1u : 0) + (r.kind == CELL_HISTOGRAM ? 2u : 0);
	if (is_new(b, SAYS_REFUSED << kinds))
		annotations_add(b->exec->annotations, ANNOTATION_INFO, b->expr->span,
			"incompatible sample types encountered for binary operator \"%s\": %s %s %s", op,
			kind_name(l.kind), op, kind_name(r.kind));
	return BINARY_REFUSED;
}

static enum binary_outcome of_floats(
	struct binary_cells *b, struct value l, struct value r, struct value *out)
{
	if (binary_op_is_trim(b->expr->binary.op))
		return refuse(b, l, r);
	uint8_t holds = 1;
	out->kind = CELL_FLOAT;
	binary_columns(b->expr->binary.op, 1, &l.v, &r.v, &out->v, &holds);
	return holds ? BINARY_KEPT : BINARY_DROPPED;
}

/* Takes h. */
static enum binary_outcome keep(const struct float_histogram *h, struct value *out)
{
	*out = (struct value){ CELL_HISTOGRAM, 0, h };
	return BINARY_KEPT;
}

/* Says what had to be reconciled. Counters of which one was reset and the other wasn't have no sum. */
static int note(struct binary_cells *b, int noted)
{
	struct annotations *a = b->exec->annotations;
	struct span at = b->expr->span;
	const char *doing = b->expr->binary.op == OP_ADD ? "addition" : "subtraction";
	bool is_refused = noted < 0 || noted & HISTOGRAM_RESETS_COLLIDED;
	if (noted < 0 && is_new(b, SAYS_INCOMPATIBLE))
		annotations_add(a, ANNOTATION_WARNING, at,
			"incompatible bucket layout encountered for binary operator %s",
			binary_op_text(b->expr->binary.op));
	else if (noted > 0 && is_refused && is_new(b, SAYS_COLLIDED))
		annotations_add(
			a, ANNOTATION_WARNING, at, "conflicting counter resets during histogram %s", doing);
	else if (noted > 0 && !is_refused && is_new(b, SAYS_RECONCILED))
		annotations_add(
			a, ANNOTATION_INFO, at, "mismatched custom buckets were reconciled during %s", doing);
	return is_refused ? -EINVAL : 0;
}

static enum binary_outcome added(struct binary_cells *b, const struct float_histogram *l,
	const struct float_histogram *r, struct value *out)
{
	int noted = 0;
	bool adds = b->expr->binary.op == OP_ADD;
	struct float_histogram *h =
		adds ? float_histogram_add(l, r, &noted) : float_histogram_sub(l, r, &noted);
	if (note(b, h ? noted : -EINVAL) == 0)
		return keep(h, out);
	free(h);
	return BINARY_REFUSED;
}

static enum binary_outcome compared(const struct float_histogram *l, bool holds, struct value *out)
{
	return holds ? keep(float_histogram_copy(l), out) : BINARY_DROPPED;
}

static enum binary_outcome of_histograms(
	struct binary_cells *b, struct value l, struct value r, struct value *out)
{
	switch (b->expr->binary.op) {
	case OP_ADD:
	case OP_SUB: return added(b, l.h, r.h, out);
	case OP_EQ: return compared(l.h, float_histogram_is_equal(l.h, r.h), out);
	case OP_NE: return compared(l.h, !float_histogram_is_equal(l.h, r.h), out);
	default: return refuse(b, l, r);
	}
}

static enum binary_outcome of_histogram_and_float(
	struct binary_cells *b, struct value l, struct value r, struct value *out)
{
	switch (b->expr->binary.op) {
	case OP_MUL: return keep(float_histogram_mul(l.h, r.v), out);
	case OP_DIV: return keep(float_histogram_div(l.h, r.v), out);
	case OP_TRIM_UPPER: return keep(float_histogram_trim(l.h, r.v, true), out);
	case OP_TRIM_LOWER: return keep(float_histogram_trim(l.h, r.v, false), out);
	default: return refuse(b, l, r);
	}
}

enum binary_outcome binary_cell(struct binary_cells *b, struct value l, struct value r, struct value *out)
{
	*out = (struct value){ CELL_NONE, 0, NULL };
	if (!l.h && !r.h)
		return of_floats(b, l, r, out);
	if (l.h && r.h)
		return of_histograms(b, l, r, out);
	if (l.h)
		return of_histogram_and_float(b, l, r, out);
	return b->expr->binary.op == OP_MUL ? keep(float_histogram_mul(r.h, l.v), out) : refuse(b, l, r);
}
