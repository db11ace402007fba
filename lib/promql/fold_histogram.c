/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/fold_histogram.h"

#include "lib/promql/invariant.h"

#include "lib/base/mem.h"
#include "lib/tsdb/histogram_average.h"

struct fold_histogram {
	const struct expr *expr;
	struct histogram_sum sum;         /* of sum */
	struct histogram_average average; /* of avg */
	bool is_avg, is_begun, is_impossible;
	bool has_reset,
		has_no_reset; /* histograms that are known to be, and known not to be, counter resets */
	struct float_histogram *result;
	struct budget *budget;
	uint64_t held; /* bytes that it was charged for */
};

static void hold(struct fold_histogram *f, uint64_t bytes)
{
	f->held += bytes;
	budget_take(f->budget, bytes);
}

/* What a sum takes that begins with h: each bucket and what rounding took of it, and the result in the end. */
static uint64_t bytes_like(const struct float_histogram *h)
{
	return 3 * float_histogram_bytes(h);
}

struct fold_histogram *fold_histogram_new(const struct expr *e, struct budget *budget)
{
	struct fold_histogram *f = xcalloc(1, sizeof *f);
	f->budget = budget;
	hold(f, sizeof *f);
	f->expr = e;
	f->is_avg = e->aggregate.op == AGG_AVG;
	return f;
}

static void drop_sums(struct fold_histogram *f)
{
	histogram_sum_fini(&f->sum);
	histogram_average_fini(&f->average);
}

void fold_histogram_free(struct fold_histogram *f)
{
	if (!f)
		return;
	drop_sums(f);
	budget_give(f->budget, f->held);
	free(f->result);
	free(f);
}

static void note(struct fold_histogram *f, struct exec *x, int noted, struct text name)
{
	struct span at = expr_place(f->expr->aggregate.inner);
	f->is_impossible |= noted < 0;
	if (noted < 0)
		annotations_add(x->annotations, ANNOTATION_WARNING, at,
			"vector contains a mix of histograms with exponential and custom buckets schemas for "
			"metric name \"%.*s\"",
			(int)name.len, name.p);
	else if (noted & HISTOGRAM_BOUNDS_RECONCILED)
		annotations_add(x->annotations, ANNOTATION_INFO, at,
			"mismatched custom buckets were reconciled during aggregation");
}

void fold_histogram_add(
	struct fold_histogram *f, struct exec *x, const struct float_histogram *h, struct text name)
{
	if (f->is_impossible)
		return;
	f->has_reset |= h->reset_hint == RESET_YES;
	f->has_no_reset |= h->reset_hint == RESET_NO;
	int noted = 0;
	if (!f->is_begun)
		hold(f, bytes_like(h));
	if (f->is_avg)
		noted = histogram_average_add(&f->average, h);
	else if (!f->is_begun)
		histogram_sum_set(&f->sum, h);
	else
		noted = histogram_sum_add_exactly(&f->sum, h);
	f->is_begun = true;
	note(f, x, noted, name);
}

void fold_histogram_merge(
	struct fold_histogram *f, struct exec *x, struct fold_histogram *later, struct text name)
{
	f->is_impossible |= later->is_impossible;
	f->has_reset |= later->has_reset;
	f->has_no_reset |= later->has_no_reset;
	if (f->is_impossible)
		return;
	int noted = 0;
	if (!f->is_avg)
		histogram_sum_settle(&later->sum);
	if (!f->is_begun && !f->is_avg)
		hold(f, bytes_like(&later->sum.value));
	if (f->is_avg)
		noted = histogram_average_merge(&f->average, &later->average);
	else if (!f->is_begun)
		histogram_sum_set(&f->sum, &later->sum.value);
	else
		noted = histogram_sum_add_exactly(&f->sum, &later->sum.value);
	f->is_begun = true;
	note(f, x, noted, name);
}

void fold_histogram_finish(struct fold_histogram *f, struct exec *x, bool is_wanted)
{
	if (!f->is_impossible && is_wanted) {
		struct histogram_sum *s = f->is_avg ? histogram_average_get(&f->average) : &f->sum;
		if (!f->is_avg)
			histogram_sum_settle(s);
		histogram_sum_compact(s);
		f->result = float_histogram_copy(&s->value);
		if (f->has_reset && f->has_no_reset)
			annotations_add(x->annotations, ANNOTATION_WARNING,
				expr_place(f->expr->aggregate.inner),
				"conflicting counter resets during histogram aggregation");
	}
	drop_sums(f);
}

const struct float_histogram *fold_histogram_result(const struct fold_histogram *f)
{
	return f->result;
}
