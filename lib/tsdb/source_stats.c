/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/source_stats.h"

#include <string.h>

static struct source_top top_of(size_t most, struct arena *a)
{
	return (struct source_top){ arena_calloc(a, (most + 1) * sizeof(struct source_stat)), 0, most };
}

void source_stats_init(struct source_stats *s, size_t most, struct arena *a)
{
	*s = (struct source_stats){ .min_time = INT64_MAX,
		.max_time = INT64_MIN,
		.series_by_metric = top_of(most, a),
		.values_by_name = top_of(most, a),
		.bytes_by_name = top_of(most, a),
		.series_by_pair = top_of(most, a) };
}

bool source_top_takes(const struct source_top *t, uint64_t value)
{
	return t->n < t->most || (t->n && t->list[t->n - 1].value < value);
}

void source_top_add(struct source_top *t, struct text name, uint64_t value)
{
	size_t at = t->n;
	if (!source_top_takes(t, value))
		return;
	while (at > 0 && t->list[at - 1].value < value)
		at--;
	memmove(t->list + at + 1, t->list + at, (t->n - at) * sizeof *t->list);
	t->list[at] = (struct source_stat){ name, value };
	t->n += t->n < t->most;
}
