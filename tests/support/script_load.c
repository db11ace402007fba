/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/script_load.h"

#include "lib/base/duration.h"
#include "tests/support/classic_histograms.h"
#include "tests/support/noted_starts.h"

#include <errno.h>

#define CHUNK_RANGE_MS 86400000 /* of upstream's test storage: no chunk crosses a multiple of it */

static int parse_command(const char *line, int64_t *step_ms, bool *with_histograms, struct err *e)
{
	const char *p = line + strlen("load");
	*with_histograms = strncmp(p, "_with_nhcb", strlen("_with_nhcb")) == 0;
	if (*with_histograms)
		p += strlen("_with_nhcb");
	size_t blank = strspn(p, " \t");
	if (!blank)
		return err_set(e, -EINVAL, "load is followed by an interval");
	return duration_parse(p + blank, step_ms, e);
}

/*
 * What a storage knows of the reset hint once the histogram was in a chunk: a gauge's; NO behind the first of a chunk, which begins
 * where something else came before or there was a reset.
 */
static enum reset_hint hint_kept(
	const struct float_histogram *h, int64_t t, const struct float_histogram *before, int64_t before_t)
{
	if (h->reset_hint == RESET_GAUGE)
		return RESET_GAUGE;
	if (!before || before->reset_hint == RESET_GAUGE || before_t / CHUNK_RANGE_MS != t / CHUNK_RANGE_MS)
		return RESET_UNKNOWN;
	if (h->schema != before->schema || h->zero_threshold != before->zero_threshold ||
		h->n_custom != before->n_custom)
		return RESET_UNKNOWN;
	if (h->n_custom && memcmp(h->custom, before->custom, h->n_custom * sizeof h->custom[0]) != 0)
		return RESET_UNKNOWN;
	struct float_histogram counted = *h;
	counted.reset_hint = h->reset_hint == RESET_YES ? RESET_YES : RESET_UNKNOWN;
	return float_histogram_is_reset(&counted, before) ? RESET_UNKNOWN : RESET_NO;
}

static int add_series(struct memory_source *to, const struct noted_series *s, int64_t step_ms, struct err *e)
{
	size_t id = memory_source_series_of(to, &s->labels);
	const struct float_histogram *before = NULL;
	int64_t before_t = 0;
	for (size_t i = 0; i < s->points.len; i++) {
		const struct noted_point *p = &s->points.data[i];
		int64_t t = step_ms * (int64_t)i;
		if (p->is_omitted)
			continue;
		if (t <= memory_source_last(to, id)) {
			auto_buf struct buf name = { 0 };
			label_set_print(&s->labels, &name);
			return err_set(e, -EINVAL, "%s has a sample at or behind %lld ms already",
				buf_str(&name), (long long)t);
		}
		if (p->h) {
			struct float_histogram *h = float_histogram_copy(p->h);
			h->reset_hint = hint_kept(p->h, t, before, before_t);
			memory_source_add_histogram(to, id, t, h);
		} else {
			memory_source_add(to, id, t, p->v);
		}
		if (p->has_start)
			memory_source_set_start(to, id, t + p->start);
		before = p->h;
		before_t = t;
	}
	return 0;
}

/* Of two lines with the same labels the second counts. */
static void keep(struct noted_list *list, const struct noted_series *s)
{
	vec_each (other, list)
		if (label_set_is(&other->labels, &s->labels)) {
			noted_series_fini(other);
			*other = *s;
			return;
		}
	vec_push(list, *s);
}

/* The line before said from when the series' samples count. */
static int set_starts(struct noted_series *s, const struct noted_series *starts, struct err *e)
{
	if (!label_set_is(&s->labels, &starts->labels) || s->points.len != starts->points.len)
		return err_set(e, -EINVAL, "the line before is of another series, or has not as many points");
	for (size_t i = 0; i < s->points.len; i++) {
		s->points.data[i].has_start = starts->points.data[i].has_start;
		s->points.data[i].start = starts->points.data[i].start;
	}
	return 0;
}

/* A series' line, or two of them; *i is the last one's number. */
static int parse_series(const char *const *lines, size_t n, size_t *i, struct arena *a,
	struct noted_series *out, struct err *e)
{
	if (!noted_starts_are(lines[*i]))
		return noted_series_parse(lines[*i], a, out, e);
	__attribute__((cleanup(mem_auto_noted_series))) struct noted_series starts;
	*out = (struct noted_series){ 0 };
	int r = noted_starts_parse(lines[*i], a, &starts, e);
	if (r == 0 && ++*i == n)
		r = err_set(e, -EINVAL, "the series' own line is missing");
	if (r == 0)
		r = noted_series_parse(lines[*i], a, out, e);
	return r < 0 ? r : set_starts(out, &starts, e);
}

int script_load(const char *const *lines, size_t n, struct memory_source *to, size_t *bad, struct err *e)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	struct noted_list list = { 0 };
	int64_t step_ms;
	bool with_histograms;
	int r = parse_command(lines[0], &step_ms, &with_histograms, e);
	*bad = 0;
	for (size_t i = 1; r == 0 && i < n; i++) {
		struct noted_series s;
		r = parse_series(lines, n, &i, a, &s, e);
		*bad = MIN_OF(i, n - 1);
		keep(&list, &s);
	}
	if (r == 0 && with_histograms)
		r = classic_histograms_add(&list, list.len, a, e);
	for (size_t i = 0; r == 0 && i < list.len; i++)
		r = add_series(to, &list.data[i], step_ms, e);
	vec_each (s, &list)
		noted_series_fini(s);
	vec_fini(&list);
	return r;
}
