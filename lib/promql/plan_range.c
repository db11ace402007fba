/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/planner.h"

#include "lib/promql/empty.h"

#include <errno.h>

#define SUBQUERY_STEP_MS 60000

/* The steps of a subquery: the multiples of its step that its windows see. False: there are none; *out has one then. */
static bool subquery_steps(
	const struct planner *p, const struct expr *e, int64_t first_end, int64_t last_end, struct steps *out)
{
	int64_t step = e->subquery.step_ms ? e->subquery.step_ms : p->o->default_step_ms;
	if (!step)
		step = SUBQUERY_STEP_MS;
	int64_t behind = first_end - e->subquery.range_ms, start = behind / step * step;
	if (start <= behind)
		start += step;
	*out = (struct steps){ .start = start, .step = step, .n = 1 };
	if (last_end < start)
		return false;
	uint64_t n = (uint64_t)(last_end - start) / (uint64_t)step + 1;
	out->n = n > PLAN_STEPS_MAX ? UINT32_MAX : (uint32_t)n;
	return true;
}

static int build_subquery(
	struct planner *p, const struct expr *e, const struct steps *steps, struct range_input *out)
{
	struct lookup at = plan_lookup(p, &e->subquery.modifiers);
	struct steps inner;
	int64_t step_before = p->step_ms;
	bool has_steps =
		subquery_steps(p, e, lookup_at(&at, steps, 0), lookup_at(&at, steps, steps->n - 1), &inner);
	if (inner.n == UINT32_MAX)
		return err_set(p->e, -EDOM, "a subquery may have %d steps, not more", PLAN_STEPS_MAX);
	*out = (struct range_input){ .expr = e, .at = at, .range_ms = e->subquery.range_ms };
	p->step_ms = inner.step;
	p->needs_buckets++; /* a subquery sees too few samples to find resets without */
	int r = plan_build(p, e->subquery.inner, &inner, &out->inner);
	p->step_ms = step_before;
	p->needs_buckets--;
	if (r == 0 && !has_steps)
		out->inner = empty_new(e->subquery.inner, out->inner);
	return r;
}

/* How far a matrix selector looks beyond its window. */
static void extend(const struct planner *p, struct range_input *in, const struct range_modifiers *m)
{
	in->is_anchored = m->is_anchored;
	in->is_smoothed = m->is_smoothed;
	in->before_ms = m->is_anchored || m->is_smoothed ? p->lookback_ms : 0;
	in->after_ms = m->is_smoothed ? p->lookback_ms : 0;
}

int plan_range(struct planner *p, const struct expr *e, const struct steps *steps, struct range_input *out)
{
	if (e->kind == EXPR_SUBQUERY)
		return build_subquery(p, e, steps, out);
	const struct expr *selector = e->matrix.selector;
	*out = (struct range_input){
		.expr = e,
		.at = plan_lookup(p, &selector->vector.modifiers),
		.range_ms = e->matrix.range_ms,
		.wants_stats = plan_wants_stats(p),
	};
	extend(p, out, &selector->vector.modifiers);
	int64_t mint = lookup_at(&out->at, steps, 0) - out->range_ms - out->before_ms + 1;
	int64_t maxt = lookup_at(&out->at, steps, steps->n - 1) + out->after_ms;
	out->from = plan_select(p, selector, mint, maxt);
	selected_widen(out->from, mint, maxt);
	return 0;
}
