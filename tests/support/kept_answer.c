/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/kept_answer.h"

#include "lib/base/go_float.h"
#include "lib/promql/annotations.h"
#include "lib/tsdb/histogram_text.h"

static int on_begin(void *arg, enum value_type type)
{
	struct kept_answer *a = arg;
	a->type = type;
	return 0;
}

static int on_series(void *arg, const struct promql_series *s)
{
	struct kept_answer *a = arg;
	struct kept_series k = {
		.labels = label_set_copy(a->arena, s->labels),
		.n = s->n,
		.t = arena_copy(a->arena, s->t, s->n * sizeof s->t[0]),
		.v = arena_copy(a->arena, s->v, s->n * sizeof s->v[0]),
		.h = arena_calloc(a->arena, (s->n + 1) * sizeof k.h[0]),
	};
	for (size_t i = 0; i < s->n; i++)
		if (s->h && s->h[i])
			k.h[i] = float_histogram_copy(s->h[i]);
	vec_push(&a->series, k);
	return 0;
}

static int on_string(void *arg, int64_t t, struct text value)
{
	struct kept_answer *a = arg;
	(void)t;
	buf_add(&a->string, value.p, value.len);
	return 0;
}

static void on_warning(void *arg, const char *text)
{
	struct kept_answer *a = arg;
	vec_push(&a->notes[ANNOTATION_WARNING], xstrdup(text));
}

static void on_info(void *arg, const char *text)
{
	struct kept_answer *a = arg;
	vec_push(&a->notes[ANNOTATION_INFO], xstrdup(text));
}

void kept_answer_of(struct series_source *source, const struct promql_options *o,
	const struct promql_query *q, struct kept_answer *out)
{
	*out = (struct kept_answer){ .arena = arena_new(NULL) };
	struct promql_sink sink = { .begin = on_begin, .series = on_series, .string = on_string, .arg = out };
	struct promql_result r;
	promql_run(source, o, q, &sink, &r);
	out->error = r.error;
	buf_add(&out->message, r.message.data, r.message.len);
	if (r.annotations) {
		struct text query = { q->text, (uint32_t)q->n };
		annotations_each(r.annotations, ANNOTATION_WARNING, query, 0, on_warning, out);
		annotations_each(r.annotations, ANNOTATION_INFO, query, 0, on_info, out);
	}
	promql_result_fini(&r);
}

void kept_answer_fini(struct kept_answer *a)
{
	vec_each (s, &a->series)
		for (size_t i = 0; i < s->n; i++)
			free(s->h[i]);
	vec_fini(&a->series);
	for (size_t level = 0; level < ARRAY_LEN(a->notes); level++) {
		vec_each (note, &a->notes[level])
			free(*note);
		vec_fini(&a->notes[level]);
	}
	buf_fini(&a->string);
	buf_fini(&a->message);
	arena_free(a->arena);
}

void kept_point_print(double v, const struct float_histogram *h, struct buf *out)
{
	if (h)
		histogram_print_test(h, out);
	else
		go_float_add(out, v, 'g');
}

void kept_series_print(const struct kept_series *s, bool has_times, struct buf *out)
{
	label_set_print(&s->labels, out);
	for (size_t i = 0; i < s->n; i++) {
		buf_add_u8(out, ' ');
		kept_point_print(s->v[i], s->h[i], out);
		if (has_times)
			buf_printf(out, "@%g", (double)s->t[i] / 1000);
	}
}
