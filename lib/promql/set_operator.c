/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row of `and`, `unless`, and of the right side of `or`, is a row of one side where the other side has, or hasn't, a sample in the
 * match group. Where a group has a sample is kept as a bit a step: computed beforehand for groups that several rows ask for, on demand else.
 */
#include "lib/promql/set_operator.h"

#include "lib/base/mem.h"
#include "lib/promql/cell.h"
#include "lib/promql/match.h"

struct set_operator {
	struct op op;
	struct op *left, *right;
	struct match match;
	const struct match_side *asked; /* the side that decides: the right one, of `or` the left one */
	uint32_t *groups;               /* those that are computed beforehand */
	size_t n_groups;
	uint64_t **present; /* of each group: bits, or NULL */
	size_t n_words;     /* of each */
};

static bool is_or(const struct set_operator *s)
{
	return s->op.expr->binary.op == OP_OR;
}

static int open_set(struct op *op, struct exec *x)
{
	struct set_operator *s = (struct set_operator *)op;
	match_open(&s->match, x->arena, op->expr->binary.matching, s->left, s->right);
	s->asked = is_or(s) ? &s->match.left : &s->match.right;
	const struct match_side *asking = is_or(s) ? &s->match.right : &s->match.left;
	uint32_t n = s->match.groups.n;
	s->n_words = (op->steps.n + 63) / 64;
	s->groups = arena_alloc(x->arena, n * sizeof *s->groups);
	s->present = arena_calloc(x->arena, n * sizeof *s->present);
	for (uint32_t g = 0; g < n; g++)
		if (match_count(s->asked, g) && match_count(asking, g) > 1)
			s->groups[s->n_groups++] = g;

	op_keep_labels(op, s->left);
	if (!is_or(s))
		return 0;
	size_t nl = s->left->n_rows, nr = s->right->n_rows;
	struct label_set *labels = arena_alloc(x->arena, (nl + nr) * sizeof *labels);
	if (nl)
		memcpy(labels, s->left->labels, nl * sizeof *labels);
	if (nr)
		memcpy(labels + nl, s->right->labels, nr * sizeof *labels);
	op->labels = labels;
	op->n_rows = nl + nr;
	if (s->left->drops_name || s->right->drops_name) {
		bool *drops = arena_alloc(x->arena, op->n_rows * sizeof *drops);
		for (size_t i = 0; i < op->n_rows; i++)
			drops[i] =
				i < nl ? op_row_drops_name(s->left, i) : op_row_drops_name(s->right, i - nl);
		op->drops_name = drops;
	}
	return 0;
}

static int see_group(struct set_operator *s, struct worker *w, uint32_t g, uint64_t *bits)
{
	int r = 0;
	for (uint32_t k = 0; k < match_count(s->asked, g) && r == 0; k++) {
		struct arena_mark mark = arena_mark(w->scratch);
		struct row row = row_new(w, s->op.steps.n);
		r = op_row(s->asked->op, w, match_rows(s->asked, g)[k], &row);
		for (uint32_t t = 0; t < row.n && r == 0; t++)
			bits[t / 64] |= (uint64_t)(row.kind[t] != CELL_NONE) << (t % 64);
		row_fini(&row);
		arena_release(w->scratch, mark);
	}
	return r;
}

static int see_kept_group(void *arg, struct worker *w, size_t i)
{
	struct set_operator *s = arg;
	return see_group(s, w, s->groups[i], s->present[s->groups[i]]);
}

static int prepare_set(struct op *op, struct exec *x)
{
	struct set_operator *s = (struct set_operator *)op;
	for (size_t k = 0; k < s->n_groups; k++)
		s->present[s->groups[k]] = arena_calloc(x->arena, s->n_words * sizeof(uint64_t));
	return exec_rows(x, s->n_groups, see_kept_group, s);
}

/* Leaves of the row what lies where the bits are as they should be. */
static void mask_row(struct row *row, const uint64_t *bits, bool wanted)
{
	for (uint32_t t = 0; t < row->n; t++) {
		if ((bits[t / 64] >> (t % 64) & 1) == wanted)
			continue;
		row_drop(row, t);
	}
}

static int row_of_set(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct set_operator *s = (struct set_operator *)op;
	size_t nl = s->left->n_rows;
	if (is_or(s) && i < nl)
		return op_row(s->left, w, i, out);
	uint32_t g = is_or(s) ? s->match.right.group[i - nl] : s->match.left.group[i];
	bool is_wanted = op->expr->binary.op == OP_AND;
	if (!match_count(s->asked, g) && is_wanted)
		return 0;
	int r = op_row(is_or(s) ? s->right : s->left, w, is_or(s) ? i - nl : i, out);
	if (r < 0 || !match_count(s->asked, g))
		return r;
	uint64_t *bits = s->present[g];
	if (!bits) {
		bits = arena_calloc(w->scratch, s->n_words * sizeof *bits);
		r = see_group(s, w, g, bits);
	}
	if (r == 0)
		mask_row(out, bits, is_wanted);
	return r;
}

static size_t children_of_set(const struct op *op, struct op **out, size_t room)
{
	const struct set_operator *s = (const struct set_operator *)op;
	(void)room;
	out[0] = s->left;
	out[1] = s->right;
	return 2;
}

static void free_set(struct op *op)
{
	struct set_operator *s = (struct set_operator *)op;
	op_free(s->left);
	op_free(s->right);
	free(s);
}

static void explain_set(const struct op *op, struct buf *out)
{
	buf_add_str(out, binary_op_text(op->expr->binary.op));
}

static const struct op_ops set_ops = {
	.name = "set",
	.open = open_set,
	.prepare = prepare_set,
	.row = row_of_set,
	.explain = explain_set,
	.children = children_of_set,
	.free = free_set,
};

struct op *set_operator_new(const struct expr *e, struct op *left, struct op *right)
{
	struct set_operator *s = xcalloc(1, sizeof *s);
	s->op = (struct op){ .ops = &set_ops, .expr = e, .steps = left->steps };
	s->left = left;
	s->right = right;
	op_read_in_part(left);
	op_read_in_part(right);
	return &s->op;
}
