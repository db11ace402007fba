/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A join is planned from labels alone (join_plan): its rows, and of which rows of the many side and with which labels from the one side each
 * is made. Mostly a row is made of one row of each side, and two columns become one. Else cell by cell:
 *
 *	of all rows of the many side in the match group, in their order, at each step
 *		is there one on the other side, or a fill value?		else nothing
 *		do the two go together?						else as if they hadn't met
 *		has another one been here at this step?				then an error
 *		is it this row that they give, and does a comparison hold?	then it's the value
 */
#include "lib/promql/binary_join.h"

#include "lib/base/mem.h"
#include "lib/promql/binary_value.h"
#include "lib/promql/join_plan.h"
#include "lib/promql/one_side.h"

#include <errno.h>

#define PAIRS_MANY (1u << 20)

struct join {
	struct op op;
	struct op *left, *right;
	struct match match;
	struct join_plan plan;
	struct one_side one;
	struct binary_cells cells;
};

/* How many pairs of rows meet in groups where a row of the many side could meet several. */
static uint64_t pairs_of(const struct join *j)
{
	uint64_t n = 0;
	for (uint32_t g = 0; g < j->match.groups.n; g++)
		if (match_count(j->one.side, g) > 1)
			n += (uint64_t)match_count(j->one.side, g) * match_count(j->one.many, g);
	return n;
}

/*
 * That rows of the one side are there at the same time is an error, which samples tell. A plan for what they would give if they weren't may be
 * as large as all pairs of rows: then it is seen to beforehand.
 */
static int refuse_cross_join(struct join *j, struct exec *x)
{
	if (pairs_of(j) < PAIRS_MANY)
		return 0;
	int r = op_prepare(j->left, x);
	if (r == 0)
		r = op_prepare(j->right, x);
	for (uint32_t g = 0; g < j->match.groups.n && r == 0; g++)
		if (match_count(j->one.side, g) > 1)
			one_side_keep(&j->one, g);
	return r < 0 ? r : one_side_prepare(&j->one);
}

static int open_join(struct op *op, struct exec *x)
{
	struct join *j = (struct join *)op;
	j->cells = (struct binary_cells){ .expr = op->expr, .exec = x };
	const struct vector_matching *how = op->expr->binary.matching;
	match_open(&j->match, x->arena, how, j->left, j->right);
	bool is_swapped = how->card == MATCH_ONE_TO_MANY;
	j->one = (struct one_side){
		.exec = x,
		.budget = x->budget,
		.match = &j->match,
		.side = is_swapped ? &j->match.left : &j->match.right,
		.many = is_swapped ? &j->match.right : &j->match.left,
		.name = is_swapped ? "left" : "right",
		.n_steps = op->steps.n,
		.needs_no_partner = how->fills_left || how->fills_right,
		.kept = arena_alloc(x->arena, j->match.groups.n * sizeof(uint32_t)),
		.rows = arena_calloc(x->arena, j->match.groups.n * sizeof(struct one_row *)),
	};
	int r = refuse_cross_join(j, x);
	if (r == 0)
		r = join_plan_make(&j->plan, x, op->expr, &j->match);
	if (r < 0)
		return r;
	const struct join_plan *p = &j->plan;
	for (uint32_t g = 0; g < j->match.groups.n; g++)
		if (!j->one.rows[g] && (match_count(p->one, g) > 1 ||
					       (match_count(p->one, g) && join_plan_rows_of(p, g) > 1)))
			one_side_keep(&j->one, g);
	op->labels = p->labels;
	op->n_rows = p->n_rows;
	if (x->delayed_name_removal && op->expr->binary.returns_bool) {
		bool *all = arena_alloc(x->arena, op->n_rows * sizeof *all);
		memset(all, true, op->n_rows);
		op->drops_name = all;
	}
	return 0;
}

/* Both sides in the order in which they are written. */
struct sides {
	const struct row *left, *right;
};

static void put_cell(
	struct join *j, struct worker *w, struct row *out, uint32_t t, struct value got, bool holds)
{
	if (j->op.expr->binary.returns_bool) {
		free((void *)(uintptr_t)got.h);
		row_set(out, t, holds);
	} else if (holds) {
		row_set_cell(w, out, t, got);
	}
}

/* One row of each side is all there is to it. */
static void join_columns(struct join *j, struct worker *w, struct sides s, struct row *out)
{
	const struct expr *e = j->op.expr;
	uint32_t n = out->n;
	if (!s.left->h && !s.right->h && !binary_op_is_trim(e->binary.op)) {
		uint8_t *holds = arena_alloc(w->scratch, n);
		binary_columns(e->binary.op, n, s.left->v, s.right->v, out->v, holds);
		binary_kinds(e, n, s.left->kind, s.right->kind, holds, out->kind, out->v);
		return;
	}
	for (uint32_t t = 0; t < n; t++) {
		struct value got;
		if (!s.left->kind[t] || !s.right->kind[t])
			continue;
		if (interrupt_after(CELL_WORK) < 0)
			break;
		enum binary_outcome o =
			binary_cell(&j->cells, row_cell(s.left, t), row_cell(s.right, t), &got);
		if (o != BINARY_REFUSED)
			put_cell(j, w, out, t, got, o == BINARY_KEPT);
	}
}

/* What is known while one row is joined cell by cell. */
struct cellwise {
	struct join *j;
	struct worker *w;
	struct row *out;
	size_t number; /* of the row */
	uint32_t group;
	struct row one;
	const uint32_t *from; /* see one_row */
	bool has_one;
	uint8_t *is_matched; /* flags of each step: by what cells were matched */
#define BY_THIS_ROW 1
#define BY_ANOTHER  2
};

static uint32_t one_row_at(const struct cellwise *c, uint32_t t)
{
	return c->from ? c->from[t] : match_rows(c->j->plan.one, c->group)[0];
}

static int clash(struct cellwise *c)
{
	return exec_fail(c->w->exec, -EINVAL, "multiple matches for labels: %s",
		c->j->plan.is_one_to_one ? "many-to-one matching must be explicit (group_left/group_right)"
					 : "grouping labels must ensure unique matches");
}

/* Two cells meet at step t and give row `number`. */
static int meet(struct cellwise *c, uint32_t t, struct value many, struct value one, size_t number)
{
	struct join *j = c->j;
	bool is_swapped = j->plan.is_swapped, is_mine = number == c->number;
	struct value got;
	enum binary_outcome o =
		binary_cell(&j->cells, is_swapped ? one : many, is_swapped ? many : one, &got);
	if (o == BINARY_REFUSED)
		return 0;
	/* Of many-to-one only what gives the same row clashes. */
	bool clashes = is_mine && c->is_matched[t] & BY_THIS_ROW;
	clashes |= j->plan.is_one_to_one && c->is_matched[t];
	if (clashes || !is_mine) {
		free((void *)(uintptr_t)got.h);
		c->is_matched[t] |= BY_ANOTHER;
		return clashes ? clash(c) : 0;
	}
	c->is_matched[t] |= BY_THIS_ROW;
	put_cell(j, c->w, c->out, t, got, o == BINARY_KEPT);
	return 0;
}

static int join_many_row(struct cellwise *c, uint32_t m)
{
	const struct join_plan *p = &c->j->plan;
	const struct vector_matching *how = c->j->op.expr->binary.matching;
	struct row row = row_new(c->w, c->out->n);
	int r = op_row(p->many->op, c->w, m, &row);
	for (uint32_t t = 0; t < row.n && r == 0; t++) {
		if (!row.kind[t])
			continue;
		if (row.h && (r = interrupt_after(CELL_WORK)) < 0)
			break;
		if (c->has_one && c->one.kind[t])
			r = meet(c, t, row_cell(&row, t), row_cell(&c->one, t),
				join_plan_row(p, m, one_row_at(c, t)));
		else if (how->fills_right)
			r = meet(c, t, row_cell(&row, t), float_cell(how->fill_right),
				join_plan_filled_row(p, m));
	}
	row_fini(&row);
	return r;
}

/* What of the one side has met nothing. */
static int fill_many_side(struct cellwise *c)
{
	const struct join_plan *p = &c->j->plan;
	const struct vector_matching *how = c->j->op.expr->binary.matching;
	struct value fill = float_cell(how->fill_left);
	int r = 0;
	for (uint32_t t = 0; t < c->out->n && r == 0; t++)
		if (c->has_one && c->one.kind[t] && !c->is_matched[t])
			r = meet(c, t, fill, row_cell(&c->one, t), join_plan_lonely_row(p, one_row_at(c, t)));
	return r;
}

static int join_cells(struct cellwise *c)
{
	const struct join_plan *p = &c->j->plan;
	const struct vector_matching *how = c->j->op.expr->binary.matching;
	/* What the others match matters where that is an error, and where what nobody matches is filled. */
	bool needs_all = p->is_one_to_one || how->fills_left;
	c->is_matched = arena_calloc(c->w->scratch, c->out->n);
	if (!c->out->h)
		row_histograms(c->w, c->out); /* it must not lie above the mark */
	int r = 0;
	for (uint32_t k = 0; k < match_count(p->many, c->group) && r == 0; k++) {
		uint32_t m = match_rows(p->many, c->group)[k];
		if (!needs_all && !join_plan_gives(p, m, c->number))
			continue;
		struct arena_mark mark = arena_mark(c->w->scratch);
		r = join_many_row(c, m);
		arena_release(c->w->scratch, mark);
	}
	return r == 0 && how->fills_left ? fill_many_side(c) : r;
}

static int row_of_join(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct join *j = (struct join *)op;
	const struct join_plan *p = &j->plan;
	uint32_t g = p->rows[i].group, only = p->rows[i].only;
	struct cellwise c = { .j = j, .w = w, .out = out, .number = i, .group = g };
	int r = 0;
	c.has_one = match_count(p->one, g) > 0;
	if (c.has_one)
		r = one_side_row(&j->one, w, g, &c.one, &c.from);
	if (r == 0 && only != JOIN_SEVERAL) {
		struct row many = row_new(w, out->n);
		r = op_row(p->many->op, w, only, &many);
		if (r == 0)
			join_columns(j, w,
				p->is_swapped ? (struct sides){ &c.one, &many }
					      : (struct sides){ &many, &c.one },
				out);
		row_fini(&many);
	} else if (r == 0) {
		r = join_cells(&c);
	}
	if (c.has_one)
		one_side_done(&j->one, g, &c.one);
	return r;
}

/* Only where several rows may meet there is something to fail. */
static int try_row(void *arg, struct worker *w, size_t i)
{
	struct join *j = arg;
	return j->plan.rows[i].only == JOIN_SEVERAL ? op_try_row(&j->op, w, i) : 0;
}

static int prepare_join(struct op *op, struct exec *x)
{
	struct join *j = (struct join *)op;
	int r = one_side_prepare(&j->one);
	return r == 0 && op->is_read_in_part ? exec_rows(x, op->n_rows, try_row, j) : r;
}

static size_t children_of_join(const struct op *op, struct op **out, size_t room)
{
	const struct join *j = (const struct join *)op;
	(void)room;
	out[0] = j->left;
	out[1] = j->right;
	return 2;
}

static void free_join(struct op *op)
{
	struct join *j = (struct join *)op;
	one_side_fini(&j->one);
	op_free(j->left);
	op_free(j->right);
	free(j);
}

static void explain_join(const struct op *op, struct buf *out)
{
	buf_add_str(out, binary_op_text(op->expr->binary.op));
}

static const struct op_ops join_ops = {
	.name = "join",
	.open = open_join,
	.prepare = prepare_join,
	.row = row_of_join,
	.explain = explain_join,
	.children = children_of_join,
	.free = free_join,
};

struct op *binary_join_new(const struct expr *e, struct op *left, struct op *right)
{
	struct join *j = xcalloc(1, sizeof *j);
	j->op = (struct op){ .ops = &join_ops, .expr = e, .steps = left->steps };
	j->left = left;
	j->right = right;
	op_read_in_part(left);
	op_read_in_part(right);
	return &j->op;
}
