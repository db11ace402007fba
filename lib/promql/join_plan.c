/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/join_plan.h"

#include "lib/base/vec.h"
#include "lib/promql/binary_value.h"

/* The row that was made last with some labels, and for which group. */
struct newest {
	uint32_t group, row;
};

struct planner {
	struct join_plan *plan;
	struct exec *exec;
	const struct expr *expr;
	const struct vector_matching *how;
	const struct match *match;
	struct label_groups labels; /* that rows of the join have */
	VEC(struct newest) newest;  /* of each of them */
	VEC(struct join_part) parts;
	uint32_t group;
};

/* The labels of what these two give (Prometheus' resultMetric). `one`: where included labels come from. */
static struct label_set labels_of(
	const struct planner *p, const struct label_set *many, const struct label_set *one)
{
	const struct vector_matching *how = p->how;
	struct arena *a = p->exec->arena;
	struct label_set s = *many;
	bool is_bool = p->expr->binary.returns_bool && !p->exec->delayed_name_removal;
	if (is_bool || binary_op_changes_metric(p->expr->binary.op))
		s = labels_without_metadata(a, &s);
	if (p->plan->is_one_to_one) {
		struct label_choice c = p->match->by;
		c.drops_name = false;
		s = label_choice_of(a, &c, &s);
	}
	for (size_t i = 0; i < how->n_include; i++)
		s = label_set_put(a, &s, how->include[i], label_set_get(one, how->include[i]));
	return s;
}

/* The row of this group with these labels. */
static uint32_t row_with(struct planner *p, const struct label_set *labels)
{
	struct join_plan *plan = p->plan;
	uint32_t k = label_groups_put(&p->labels, labels);
	while (p->newest.len <= k)
		vec_push(&p->newest, (struct newest){ JOIN_NO_ROW, JOIN_NO_ROW });
	if (p->newest.data[k].row != JOIN_NO_ROW && p->newest.data[k].group == p->group)
		return p->newest.data[k].row;
	if (plan->n_rows == plan->cap) {
		plan->cap = plan->cap ? plan->cap * 2 : 64;
		struct join_row *rows = arena_alloc(p->exec->arena, plan->cap * sizeof *rows);
		struct label_set *sets = arena_alloc(p->exec->arena, plan->cap * sizeof *sets);
		if (plan->n_rows) {
			memcpy(rows, plan->rows, plan->n_rows * sizeof *rows);
			memcpy(sets, plan->labels, plan->n_rows * sizeof *sets);
		}
		plan->rows = rows;
		plan->labels = sets;
	}
	uint32_t row = plan->n_rows++;
	plan->rows[row] = (struct join_row){ p->group, JOIN_SEVERAL };
	plan->labels[row] = p->labels.sets[k];
	plan->rows_of_group[p->group]++;
	p->newest.data[k].group = p->group;
	p->newest.data[k].row = row;
	return row;
}

static uint32_t part_of(const struct join_part *parts, size_t from, size_t to, uint32_t included)
{
	for (size_t k = from; k < to; k++)
		if (parts[k].included == included)
			return parts[k].row;
	return JOIN_NO_ROW;
}

/* What row m of the many side can give. */
static int plan_many_row(struct planner *p, uint32_t m)
{
	struct join_plan *plan = p->plan;
	const struct label_set *labels = &plan->many->op->labels[m];
	const uint32_t *ones = match_rows(plan->one, p->group);
	size_t first = p->parts.len;
	for (uint32_t k = 0; k < match_count(plan->one, p->group); k++) {
		uint32_t included = plan->included[ones[k]];
		int r = interrupt_after(1 + p->parts.len - first);
		if (r < 0)
			return r;
		if (part_of(p->parts.data, first, p->parts.len, included) != JOIN_NO_ROW)
			continue;
		struct label_set s = labels_of(p, labels, &plan->one->op->labels[ones[k]]);
		vec_push(&p->parts, (struct join_part){ included, row_with(p, &s) });
		r = interrupt_after(3 * LABELS_WORK);
		if (r < 0)
			return r;
	}
	if (plan->filled) {
		struct label_set one = label_choice_of(p->exec->arena, &p->match->by, labels),
				 s = labels_of(p, labels, &one);
		plan->filled[m] = row_with(p, &s);
	}
	return interrupt_after(LABELS_WORK);
}

static void plan_lonely_row(struct planner *p, uint32_t o)
{
	const struct label_set *one = &p->plan->one->op->labels[o];
	struct label_set many = label_choice_of(p->exec->arena, &p->match->by, one),
			 s = labels_of(p, &many, one);
	p->plan->lonely[o] = row_with(p, &s);
}

static int plan_group(struct planner *p)
{
	struct join_plan *plan = p->plan;
	uint32_t n_many = match_count(plan->many, p->group), n_one = match_count(plan->one, p->group);
	for (uint32_t k = 0; k < n_many; k++) {
		uint32_t m = match_rows(plan->many, p->group)[k];
		uint32_t first = (uint32_t)p->parts.len;
		int r = plan_many_row(p, m);
		plan->parts_of[m] = (struct join_parts){ first, (uint32_t)p->parts.len - first };
		if (r < 0)
			return r;
	}
	int r = 0;
	for (uint32_t k = 0; k < n_one && plan->lonely && r == 0; k++) {
		plan_lonely_row(p, match_rows(plan->one, p->group)[k]);
		r = interrupt_after(3 * LABELS_WORK);
	}
	return r;
}

/* Rows to which one row of each side contributes, and nobody can clash with them nor be missed. */
static void find_simple_rows(struct planner *p)
{
	struct join_plan *plan = p->plan;
	if (plan->filled || plan->lonely)
		return;
	uint32_t *parts = arena_calloc(p->exec->arena, plan->n_rows * sizeof *parts);
	for (size_t k = 0; k < p->parts.len; k++)
		parts[p->parts.data[k].row]++;
	for (uint32_t m = 0; m < plan->many->op->n_rows; m++) {
		struct join_parts of = plan->parts_of[m];
		bool is_alone = !plan->is_one_to_one || match_count(plan->many, plan->many->group[m]) == 1;
		if (of.n == 1 && is_alone && parts[p->parts.data[of.first].row] == 1)
			plan->rows[p->parts.data[of.first].row].only = m;
	}
}

static int number_included(struct planner *p)
{
	struct join_plan *plan = p->plan;
	struct op *one = plan->one->op;
	plan->included = arena_calloc(p->exec->arena, one->n_rows * sizeof *plan->included);
	if (!p->how->n_include)
		return 0;
	struct label_groups sets = { .arena = p->exec->arena };
	struct label_set none = { NULL, 0 };
	for (size_t i = 0; i < one->n_rows; i++) {
		struct label_set s = none;
		for (size_t k = 0; k < p->how->n_include; k++)
			s = label_set_put(p->exec->arena, &s, p->how->include[k],
				label_set_get(&one->labels[i], p->how->include[k]));
		plan->included[i] = label_groups_put(&sets, &s);
		int r = interrupt_after(LABELS_WORK * p->how->n_include);
		if (r < 0)
			return r;
	}
	return 0;
}

int join_plan_make(struct join_plan *plan, struct exec *x, const struct expr *e, const struct match *m)
{
	const struct vector_matching *how = e->binary.matching;
	struct arena *a = x->arena;
	bool is_swapped = how->card == MATCH_ONE_TO_MANY;
	*plan = (struct join_plan){
		.many = is_swapped ? &m->right : &m->left,
		.one = is_swapped ? &m->left : &m->right,
		.is_swapped = is_swapped,
		.is_one_to_one = how->card == MATCH_ONE_TO_ONE,
		.rows_of_group = arena_calloc(a, m->groups.n * sizeof(uint32_t)),
	};
	size_t n_many = plan->many->op->n_rows, n_one = plan->one->op->n_rows;
	plan->parts_of = arena_calloc(a, n_many * sizeof *plan->parts_of);
	if (how->fills_right)
		plan->filled = arena_calloc(a, n_many * sizeof *plan->filled);
	if (how->fills_left)
		plan->lonely = arena_calloc(a, n_one * sizeof *plan->lonely);

	struct planner p = {
		.plan = plan, .exec = x, .expr = e, .how = how, .match = m, .labels = { .arena = a }
	};
	int r = number_included(&p);
	for (p.group = 0; p.group < m->groups.n && r == 0; p.group++)
		r = plan_group(&p);
	if (r == 0) {
		find_simple_rows(&p);
		plan->parts = arena_copy(a, p.parts.data, p.parts.len * sizeof *p.parts.data);
	}
	vec_fini(&p.parts);
	vec_fini(&p.newest);
	return r;
}

uint32_t join_plan_row(const struct join_plan *p, uint32_t m, uint32_t o)
{
	struct join_parts of = p->parts_of[m];
	return part_of(p->parts, of.first, of.first + of.n, p->included[o]);
}

bool join_plan_gives(const struct join_plan *p, uint32_t m, uint32_t row)
{
	struct join_parts of = p->parts_of[m];
	for (uint32_t k = of.first; k < of.first + of.n; k++)
		if (p->parts[k].row == row)
			return true;
	return p->filled && p->filled[m] == row;
}
