/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/block_stats.h"

#include "lib/base/fault_guard.h"
#include "lib/base/interrupt.h"

#include <errno.h>

#define METRIC_NAME "__name__"
#define LIST_WORK   100u /* that one is: see interrupt_after */

struct job {
	const struct block_read *block;
	struct arena *arena;
	struct source_stats *out;
};

static struct text kept(struct job *j, struct text t)
{
	return (struct text){ arena_strndup(j->arena, t.p, t.len), t.len };
}

static struct text pair(struct job *j, struct text name, struct text value)
{
	char *p = arena_alloc(j->arena, (size_t)name.len + 1 + value.len);
	memcpy(p, name.p, name.len);
	p[name.len] = '=';
	memcpy(p + name.len + 1, value.p, value.len);
	return (struct text){ p, name.len + 1 + value.len };
}

static int add_name(struct job *j, const struct index_name *name, struct err *e)
{
	struct source_stats *s = j->out;
	bool is_metric = text_is(name->name, text_of(METRIC_NAME));
	struct index_values values;
	struct text value;
	uint64_t at, n = 0, bytes = 0;
	int r = index_values_begin(j->block->index, name, (struct text){ 0 }, &values, e);
	while (r >= 0 && (r = index_values_next(&values, &value, &at, e)) > 0) {
		struct postings list;
		r = index_read_list(j->block->index, at, &list, e);
		if (r == 0 && interrupt_after(LIST_WORK) < 0)
			r = err_set(e, -ECANCELED, "nobody wants the rest");
		if (r < 0)
			break;
		if (is_metric && source_top_takes(&s->series_by_metric, list.n))
			source_top_add(&s->series_by_metric, kept(j, value), list.n);
		if (source_top_takes(&s->series_by_pair, list.n))
			source_top_add(&s->series_by_pair, pair(j, name->name, value), list.n);
		bytes += (uint64_t)value.len * list.n;
		n++;
	}
	if (r < 0)
		return r;
	s->label_pairs += n;
	source_top_add(&s->values_by_name, kept(j, name->name), n);
	source_top_add(&s->bytes_by_name, kept(j, name->name), bytes);
	return 0;
}

static int add_all(void *arg, struct err *e)
{
	struct job *j = arg;
	struct postings all;
	size_t n;
	const struct index_name *names = index_read_names(j->block->index, &n);
	int r = index_read_all(j->block->index, &all, e);
	if (r < 0)
		return r;
	j->out->series = all.n;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_name(j, &names[i], e);
	return r;
}

int block_stats(const struct block_read *b, struct arena *a, struct source_stats *out, struct err *e)
{
	struct job j = { b, a, out };
	int r = fault_guard_run(add_all, &j, e);
	return r < 0 ? err_wrap(e, r, "block %s", b->name) : 0;
}
