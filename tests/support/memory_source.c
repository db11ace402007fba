/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/memory_source.h"

#include "lib/tsdb/chunk.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory_series {
	struct label_set labels;
	struct samples samples;
};

struct memory_source {
	struct series_source base;
	struct arena *arena; /* of labels */
	struct memory_series *series;
	size_t n;
	const char *fails;
	_Atomic uint64_t reads, selects;
};

struct memory_set {
	struct series_set base;
	struct memory_source *source;
	size_t *which; /* of the source's series */
	struct label_set *labels;
};

static int read_series(
	struct series_set *base, size_t i, int64_t mint, int64_t maxt, struct samples *out, struct err *e)
{
	struct memory_set *s = (struct memory_set *)base;
	struct memory_source *m = s->source;
	const struct samples *from = &m->series[s->which[i]].samples;
	atomic_fetch_add(&m->reads, 1);
	if (m->fails)
		return err_set(e, -EBADMSG, "%s", m->fails);
	for (size_t k = 0; k < from->n; k++) {
		if (from->t[k] < mint || from->t[k] > maxt)
			continue;
		samples_reserve(out, out->n + 1);
		out->t[out->n] = from->t[k];
		out->v[out->n] = from->v[k];
		const struct float_histogram *h = from->h ? from->h[k] : NULL;
		if (h && !out->h)
			out->h = xcalloc(out->cap, sizeof out->h[0]);
		if (out->h)
			out->h[out->n] = h ? float_histogram_copy(h) : NULL;
		if (h)
			samples_charge(out, float_histogram_bytes(h));
		out->n++;
		if (from->start)
			samples_set_start(out, out->n - 1, from->start[k]);
	}
	return 0;
}

static void set_free(struct series_set *base)
{
	struct memory_set *s = (struct memory_set *)base;
	free(s->which);
	free(s->labels);
	free(s);
}

static const struct series_set_ops set_ops = { .read = read_series, .free = set_free };

static int by_labels(const void *x, const void *y, void *arg)
{
	const struct memory_source *m = arg;
	const size_t *a = x, *b = y;
	return label_set_cmp(&m->series[*a].labels, &m->series[*b].labels);
}

static int source_select(
	struct series_source *base, const struct selection *what, struct series_set **out, struct err *e)
{
	(void)e;
	struct memory_source *m = (struct memory_source *)base;
	struct memory_set *s = xcalloc(1, sizeof *s);
	atomic_fetch_add(&m->selects, 1);
	s->base.ops = &set_ops;
	s->source = m;
	s->which = xcalloc(m->n + 1, sizeof s->which[0]);
	s->labels = xcalloc(m->n + 1, sizeof s->labels[0]);
	for (size_t i = 0; i < m->n; i++)
		if (matchers_accept(what->matchers, what->n_matchers, &m->series[i].labels))
			s->which[s->base.n++] = i;
	qsort_r(s->which, s->base.n, sizeof s->which[0], by_labels, m);
	for (size_t i = 0; i < s->base.n; i++)
		s->labels[i] = m->series[s->which[i]].labels;
	s->base.labels = s->labels;
	*out = &s->base;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

static size_t sort_once(struct text *all, size_t n, size_t limit)
{
	size_t kept = 0;
	if (n)
		qsort(all, n, sizeof all[0], by_text);
	for (size_t i = 0; i < n; i++)
		if (!kept || !text_is(all[kept - 1], all[i]))
			all[kept++] = all[i];
	return limit ? MIN_OF(kept, limit) : kept;
}

/* Of series that match: the values of the label, or for NULL the names of all. */
static void list(struct memory_source *m, const struct text *name, const struct selection *what, size_t limit,
	struct arena *a, struct text **out, size_t *n)
{
	size_t room = 0, len = 0;
	for (size_t i = 0; i < m->n; i++)
		room += m->series[i].labels.n;
	struct text *all = arena_alloc(a, (room + 1) * sizeof all[0]);
	for (size_t i = 0; i < m->n; i++) {
		const struct label_set *s = &m->series[i].labels;
		if (what->n_matchers && !matchers_accept(what->matchers, what->n_matchers, s))
			continue;
		for (size_t k = 0; k < s->n; k++)
			if (!name)
				all[len++] = s->pairs[k].name;
			else if (text_is(s->pairs[k].name, *name))
				all[len++] = s->pairs[k].value;
	}
	*out = all;
	*n = sort_once(all, len, limit);
}

static int source_names(struct series_source *s, const struct selection *what, size_t limit, struct arena *a,
	struct text **out, size_t *n, struct err *e)
{
	(void)e;
	list((struct memory_source *)s, NULL, what, limit, a, out, n);
	return 0;
}

static int source_values(struct series_source *s, struct text name, const struct selection *what,
	size_t limit, struct arena *a, struct text **out, size_t *n, struct err *e)
{
	(void)e;
	list((struct memory_source *)s, &name, what, limit, a, out, n);
	return 0;
}

static void keep(struct series_source *s)
{
	(void)s;
}

static const struct series_source_ops source_ops = {
	.select = source_select,
	.label_names = source_names,
	.label_values = source_values,
	.free = keep,
};

struct memory_source *memory_source_new(void)
{
	struct memory_source *m = xcalloc(1, sizeof *m);
	m->base.ops = &source_ops;
	m->arena = arena_new(NULL);
	return m;
}

void memory_source_free(struct memory_source *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		samples_fini(&m->series[i].samples);
	free(m->series);
	arena_free(m->arena);
	free(m);
}

struct series_source *memory_source_of(struct memory_source *m)
{
	return &m->base;
}

size_t memory_source_series_of(struct memory_source *m, const struct label_set *labels)
{
	for (size_t i = 0; i < m->n; i++)
		if (label_set_is(&m->series[i].labels, labels))
			return i;
	m->series = xreallocarray(m->series, m->n + 1, sizeof m->series[0]);
	m->series[m->n] = (struct memory_series){ .labels = label_set_copy(m->arena, labels) };
	return m->n++;
}

size_t memory_source_series(struct memory_source *m, const char *labels)
{
	struct label_set set = { 0 };
	size_t len = strcspn(labels, "{");
	if (len)
		set = label_set_put(m->arena, &set, LABEL_NAME, (struct text){ labels, (uint32_t)len });
	for (const char *p = labels[len] ? labels + len + 1 : ""; *p && *p != '}';) {
		p += strspn(p, ", ");
		const char *equals = strchr(p, '='), *end = equals ? strchr(equals + 2, '"') : NULL;
		assert(end && equals[1] == '"');
		struct text name = { p, (uint32_t)(equals - p) };
		struct text value = { equals + 2, (uint32_t)(end - equals - 2) };
		set = label_set_put(m->arena, &set, name, value);
		p = end + 1;
	}
	return memory_source_series_of(m, &set);
}

int64_t memory_source_last(const struct memory_source *m, size_t series)
{
	const struct samples *s = &m->series[series].samples;
	return s->n ? s->t[s->n - 1] : INT64_MIN;
}

static void add(struct memory_source *m, size_t series, int64_t t, double v, const struct float_histogram *h)
{
	struct memory_series *it = &m->series[series];
	struct samples *s = &it->samples;
	assert(!s->n || s->t[s->n - 1] < t);
	samples_reserve(s, s->n + 1);
	if (h && !s->h)
		s->h = xcalloc(s->cap, sizeof s->h[0]);
	s->t[s->n] = t;
	s->v[s->n] = v;
	if (s->h)
		s->h[s->n] = h;
	s->n++;
}

void memory_source_add(struct memory_source *m, size_t series, int64_t t, double v)
{
	add(m, series, t, v, NULL);
}

void memory_source_add_histogram(
	struct memory_source *m, size_t series, int64_t t, const struct float_histogram *h)
{
	add(m, series, t, h->sum, h);
}

void memory_source_set_start(struct memory_source *m, size_t series, int64_t start)
{
	struct samples *s = &m->series[series].samples;
	samples_set_start(s, s->n - 1, start);
}

void memory_source_add_values(
	struct memory_source *m, size_t series, int64_t t, int64_t step, const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		memory_source_add(m, series, t + step * (int64_t)i, v[i]);
}

void memory_source_fail(struct memory_source *m, const char *words)
{
	m->fails = words;
}

uint64_t memory_source_reads(struct memory_source *m)
{
	return atomic_load(&m->reads);
}

uint64_t memory_source_selects(struct memory_source *m)
{
	return atomic_load(&m->selects);
}
