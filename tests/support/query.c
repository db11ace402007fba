/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/query.h"

#include "lib/base/go_float.h"
#include "lib/promql/annotations.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>

struct writing {
	struct buf *out;
	int64_t start, step;
	size_t n; /* steps; 0: times are written too */
};

static int on_begin(void *arg, enum value_type type)
{
	(void)arg, (void)type;
	return 0;
}

static void write_point(struct buf *out, const struct promql_series *s, size_t i)
{
	const struct float_histogram *h = s->h ? s->h[i] : NULL;
	if (!h) {
		go_float_add(out, s->v[i], 'g');
		return;
	}
	buf_add_str(out, "{count:");
	go_float_add(out, h->count, 'g');
	buf_add_str(out, " sum:");
	go_float_add(out, h->sum, 'g');
	buf_add_str(out, "}");
}

static int on_series(void *arg, const struct promql_series *s)
{
	struct writing *w = arg;
	label_set_print(s->labels, w->out);
	for (size_t i = 0, k = 0; k < MAX_OF(w->n, s->n); k++) {
		buf_add_u8(w->out, ' ');
		if (w->n && (i == s->n || s->t[i] != w->start + w->step * (int64_t)k)) {
			buf_add_u8(w->out, '_');
			continue;
		}
		write_point(w->out, s, i);
		if (!w->n)
			buf_printf(w->out, "@%g", (double)s->t[i] / 1000);
		i++;
	}
	buf_add_u8(w->out, '\n');
	return 0;
}

static int on_string(void *arg, int64_t t, struct text value)
{
	struct writing *w = arg;
	(void)t;
	buf_printf(w->out, "\"%.*s\"\n", (int)value.len, value.p);
	return 0;
}

struct annotating {
	struct buf *out;
	const char *level;
};

static void on_annotation(void *arg, const char *text)
{
	struct annotating *a = arg;
	const char *words = strstr(text, ": ");
	buf_printf(a->out, "%s%s\n", a->level, words ? words : text);
}

void query_run(struct memory_source *m, const struct query_env *env, const char *text, struct buf *out)
{
	struct promql_query q = {
		.text = text,
		.n = strlen(text),
		.is_range = env->step != 0,
		.start = (int64_t)(env->start * 1000),
		.end = (int64_t)(env->end * 1000),
		.step = (int64_t)(env->step * 1000),
		.cancel = env->cancel,
	};
	struct writing w = { .out = out, .start = q.start, .step = q.step };
	if (q.is_range)
		w.n = (size_t)((q.end - q.start) / q.step + 1);
	struct promql_sink sink = { .begin = on_begin, .series = on_series, .string = on_string, .arg = &w };
	struct promql_result r;
	buf_reset(out);
	promql_run(memory_source_of(m), &env->options, &q, &sink, &r);
	if (r.error)
		buf_printf(out, "error: %s\n", buf_str(&r.message));
	struct text query = { text, (uint32_t)q.n };
	if (r.annotations) {
		annotations_each(r.annotations, ANNOTATION_WARNING, query, 0, on_annotation,
			&(struct annotating){ out, "warning" });
		annotations_each(r.annotations, ANNOTATION_INFO, query, 0, on_annotation,
			&(struct annotating){ out, "info" });
	}
	promql_result_fini(&r);
}

void query_check(
	struct memory_source *m, const struct query_env *env, const struct query_case *cases, size_t n)
{
	auto_buf struct buf got = { 0 };
	for (size_t i = 0; i < n; i++)
		for (unsigned threads = 1; threads <= 4; threads += 3) {
			struct query_env e = *env;
			e.options.threads = threads;
			e.options.features = (struct promql_features){ true, true, true, true };
			query_run(m, &e, cases[i].text, &got);
			if (strcmp(buf_str(&got), cases[i].want) != 0)
				test_fail(__FILE__, __LINE__, "%s on %u threads gave\n%s\nwant\n%s",
					cases[i].text, threads, buf_str(&got), cases[i].want);
		}
}

static double stale(void)
{
	uint64_t bits = STALE_NAN_BITS;
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

void query_load(struct memory_source *m, double step, const char *series, const char *values)
{
	size_t id = memory_source_series(m, series);
	int64_t t = 0, step_ms = (int64_t)(step * 1000);
	for (const char *p = values + strspn(values, " "); *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " "), more = 0;
		const char *x = memchr(p, 'x', len);
		if (x)
			more = strtoul(x + 1, NULL, 10);
		if (*p == '_') {
			t += step_ms * (int64_t)(x ? more : 1);
		} else if (strncmp(p, "stale", 5) == 0) {
			memory_source_add(m, id, t, stale());
			t += step_ms;
		} else {
			char *end;
			double v = strtod(p, &end),
			       add = end < p + len && *end != 'x' ? strtod(end, NULL) : 0;
			for (size_t k = 0; k <= more; k++, v += add, t += step_ms)
				memory_source_add(m, id, t, v);
		}
		p += len;
	}
}

struct memory_source *query_gauges(void)
{
	struct memory_source *m = memory_source_new();
	query_load(m, 60, "m{job=\"a\",n=\"2\"}", "-1.5 2.5 NaN 100");
	query_load(m, 60, "m{job=\"a\",n=\"10\"}", "0 1e9 4 -0.5");
	query_load(m, 60, "other{job=\"b\",__type__=\"gauge\"}", "1 2 3 4");
	return m;
}
