/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/planner.h"

#include "lib/promql/extended_range.h"

/* Times and durations beyond it are cut off there, so that a few of them added up don't overflow: 73 million years. */
#define TIME_MAX ((int64_t)1 << 61)

struct lookup plan_lookup(const struct planner *p, const struct range_modifiers *m)
{
	int64_t end = p->q->is_range ? p->q->end : p->q->start;
	int64_t fixed = m->at == AT_START ? p->q->start : m->at == AT_END ? end : m->at_ms;
	return (struct lookup){
		.is_fixed = m->at != AT_NONE,
		.fixed = MIN_OF(MAX_OF(fixed, -TIME_MAX), TIME_MAX),
		.offset = MIN_OF(MAX_OF(m->offset_ms, -TIME_MAX), TIME_MAX),
	};
}

static bool lookup_of_args(const struct planner *p, const struct expr *e, struct lookup *out)
{
	for (size_t i = 0; i < e->call.n_args; i++)
		if (plan_lookup_of_first(p, e->call.args[i], out))
			return true;
	return false;
}

bool plan_lookup_of_first(const struct planner *p, const struct expr *e, struct lookup *out)
{
	switch (e->kind) {
	case EXPR_VECTOR_SELECTOR: *out = plan_lookup(p, &e->vector.modifiers); return true;
	case EXPR_MATRIX_SELECTOR: return plan_lookup_of_first(p, e->matrix.selector, out);
	case EXPR_PAREN: return plan_lookup_of_first(p, e->paren, out);
	case EXPR_UNARY: return plan_lookup_of_first(p, e->unary.inner, out);
	case EXPR_CALL: return lookup_of_args(p, e, out);
	case EXPR_AGGREGATE:
		return plan_lookup_of_first(p, e->aggregate.inner, out) ||
		       (e->aggregate.param && plan_lookup_of_first(p, e->aggregate.param, out));
	case EXPR_BINARY:
		return plan_lookup_of_first(p, e->binary.left, out) ||
		       plan_lookup_of_first(p, e->binary.right, out);
	case EXPR_SUBQUERY: {
		struct lookup around = plan_lookup(p, &e->subquery.modifiers);
		if (!plan_lookup_of_first(p, e->subquery.inner, out))
			return false;
		if (!out->is_fixed)
			*out = (struct lookup){ around.is_fixed, around.fixed, out->offset + around.offset };
		return true;
	}
	case EXPR_NUMBER:
	case EXPR_STRING:
	case EXPR_DURATION: break;
	}
	return false;
}

struct selected *plan_select(struct planner *p, const struct expr *selector, int64_t mint, int64_t maxt)
{
	const struct matcher *m = selector->vector.matchers;
	size_t n = selector->vector.n_matchers;
	vec_each (it, &p->selected)
		if (selected_has(*it, m, n) && mint <= (*it)->maxt && maxt >= (*it)->mint)
			return selected_ref(*it);
	struct selected *s = selected_new(m, n);
	selected_widen(s, mint, maxt);
	s->step_ms = p->step_ms;
	s->func = p->func;
	vec_push(&p->selected, s);
	return s;
}

struct op *plan_selector(
	struct planner *p, const struct expr *e, const struct steps *steps, enum select_what what)
{
	struct lookup at = plan_lookup(p, &e->vector.modifiers);
	int64_t mint = lookup_at(&at, steps, 0) - p->lookback_ms + 1;
	int64_t maxt = lookup_at(&at, steps, steps->n - 1);
	struct selected *from = plan_select(p, e, mint, maxt);
	if (what == SELECT_VALUES && e->vector.modifiers.is_smoothed)
		return smooth_new(e, from, steps, &at, p->lookback_ms, plan_wants_stats(p));
	if (what == SELECT_VALUES && plan_wants_stats(p))
		what = SELECT_STATS;
	return select_new(e, from, steps, &at, p->lookback_ms, what);
}
