/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a counter was reset between two histograms: what could not have happened to one that only grew. */
#include "lib/tsdb/custom_bounds.h"
#include "lib/tsdb/float_histogram.h"
#include "lib/tsdb/histogram_zero.h"

static bool next_outside(struct bucket_cursor *c, int32_t first)
{
	bool has;
	do {
		has = bucket_cursor_next(c);
	} while (has && c->number < first);
	return has;
}

/* Whether a bucket fell, or a populated one is gone. */
static bool has_fallen(
	struct bucket_cursor now, int32_t now_first, struct bucket_cursor before, int32_t before_first)
{
	bool has = next_outside(&now, now_first);
	for (bool more = next_outside(&before, before_first); more; more = bucket_cursor_next(&before)) {
		while (has && now.number < before.number)
			has = bucket_cursor_next(&now);
		if (has && now.number == before.number ? now.count < before.count : before.count != 0)
			return true;
	}
	return false;
}

static bool has_side_fallen(
	const struct float_histogram *h, struct bucket_cursor now, struct bucket_cursor before)
{
	if (float_histogram_is_custom(h) || h->zero_threshold == 0)
		return has_fallen(now, INT32_MIN, before, INT32_MIN);
	return has_fallen(now, histogram_zero_first_outside(h->schema, h->zero_threshold, now), before,
		histogram_zero_first_outside(h->schema, h->zero_threshold, before));
}

static void pour(const struct float_histogram *h, const double *common, uint32_t n_common, double *counts,
	double *lost)
{
	struct bucket_cursor c = {
		.spans = h->positive_spans, .n_spans = h->n_positive_spans, .counts = h->positive
	};
	custom_bounds_pour(c, h->custom, h->n_custom, common, n_common, 1, counts, lost);
}

/* Compares as though both had only the bounds that are in both. */
static bool has_custom_fallen(const struct float_histogram *h, const struct float_histogram *previous)
{
	auto_free double *common =
		xreallocarray(NULL, (size_t)MAX_OF(h->n_custom, previous->n_custom) + 1, sizeof *common);
	uint32_t n_common =
		custom_bounds_common(h->custom, h->n_custom, previous->custom, previous->n_custom, common);
	size_t n = (size_t)n_common + 1;
	auto_free double *now = xcalloc(n, 3 * sizeof *now);
	double *before = now + n, *ignored = before + n;
	pour(h, common, n_common, now, ignored);
	pour(previous, common, n_common, before, ignored);
	for (size_t i = 0; i < n; i++)
		if (now[i] < before[i])
			return true;
	return false;
}

bool float_histogram_is_reset(const struct float_histogram *h, const struct float_histogram *previous)
{
	if (h->reset_hint == RESET_YES || h->reset_hint == RESET_NO)
		return h->reset_hint == RESET_YES;
	if (h->count < previous->count)
		return true;
	if (float_histogram_is_custom(h)) {
		if (!float_histogram_is_custom(previous))
			return true;
		if (!custom_bounds_are_equal(h->custom, h->n_custom, previous->custom, previous->n_custom))
			return has_custom_fallen(h, previous);
	}
	if (h->schema > previous->schema || h->zero_threshold < previous->zero_threshold)
		return true;
	if (!float_histogram_is_custom(h)) {
		struct histogram_zero z = histogram_zero_widened(previous, NULL, NULL, h->zero_threshold, 0);
		if (z.threshold != h->zero_threshold || h->zero_count < z.count)
			return true;
	}
	int shift = previous->schema - h->schema;
	struct bucket_cursor now = {
		.spans = h->positive_spans, .n_spans = h->n_positive_spans, .counts = h->positive
	};
	struct bucket_cursor before = { .spans = previous->positive_spans,
		.n_spans = previous->n_positive_spans,
		.counts = previous->positive,
		.shift = shift };
	if (has_side_fallen(h, now, before))
		return true;
	now = (struct bucket_cursor){
		.spans = h->negative_spans, .n_spans = h->n_negative_spans, .counts = h->negative
	};
	before = (struct bucket_cursor){ .spans = previous->negative_spans,
		.n_spans = previous->n_negative_spans,
		.counts = previous->negative,
		.shift = shift };
	return has_side_fallen(h, now, before);
}
