/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/histogram_stats.h"

static struct float_histogram *stripped(const struct float_histogram *h, const struct float_histogram *before)
{
	struct float_histogram shape = {
		.reset_hint = h->reset_hint,
		.schema = h->schema,
		.count = h->count,
		.sum = h->sum,
	};
	if (before && h->reset_hint == RESET_UNKNOWN)
		shape.reset_hint = float_histogram_is_reset(h, before) ? RESET_YES : RESET_NO;
	return float_histogram_new(&shape);
}

void histogram_stats(struct samples *s)
{
	const struct float_histogram *before = NULL;
	for (size_t i = 0; s->h && i < s->n; i++) {
		const struct float_histogram *h = s->h[i];
		if (!h || float_histogram_is_stale(h))
			continue;
		s->h[i] = stripped(h, before);
		free((void *)(uintptr_t)before);
		before = h;
	}
	free((void *)(uintptr_t)before);
}
