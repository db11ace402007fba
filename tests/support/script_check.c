/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As upstream compares (promqltest/test.go, compareResult): numbers nearly, histograms without their empty buckets, reset hints where
 * the script has them, order where it is asked for.
 */
#include "tests/support/script_check.h"

#include "lib/base/almost.h"
#include "lib/promql/annotations.h"
#include "lib/tsdb/histogram_sum.h"

static const char *const level_names[] = { [ANNOTATION_WARNING] = "warning", [ANNOTATION_INFO] = "info" };

bool script_check_error(const struct script_eval *s, const struct kept_answer *got, struct buf *why)
{
	struct buf *message = (struct buf *)&got->message;
	if (got->error && !s->fails) {
		buf_printf(why, "failed: %s", buf_str(message));
		return false;
	}
	if (!got->error && s->fails) {
		buf_add_str(why, "didn't fail");
		return false;
	}
	vec_each (w, &s->error)
		if (!wanted_words_are(w, buf_str(message))) {
			buf_printf(why, "failed with \"%s\", wanted \"%s\"", buf_str(message), w->text.p);
			return false;
		}
	return true;
}

static bool is_among(const struct wanted_list *wanted, const char *note)
{
	vec_each (w, wanted)
		if (wanted_words_are(w, note))
			return true;
	return false;
}

static bool check_level(const struct script_eval *s, const struct kept_answer *got,
	enum annotation_level level, struct buf *why)
{
	const char *name = level_names[level];
	size_t n = got->notes[level].len;
	char **notes = got->notes[level].data;
	const struct wanted_list *wanted = &s->notes[level];
	if ((s->has_notes[level] || wanted->len) && !n) {
		buf_printf(why, "no %s, wanted \"%s\"", name,
			wanted->len && wanted->data[0].text.len ? wanted->data[0].text.p : "any");
		return false;
	}
	if (s->lacks_notes[level] && n) {
		buf_printf(why, "unwanted %s \"%s\"", name, notes[0]);
		return false;
	}
	vec_each (w, wanted) {
		bool is_there = false;
		for (size_t i = 0; i < n && !is_there; i++)
			is_there = wanted_words_are(w, notes[i]);
		if (!is_there) {
			buf_printf(why, "%s \"%s\", wanted \"%s\"", name, notes[0], w->text.p);
			return false;
		}
	}
	for (size_t i = 0; wanted->len && i < n; i++)
		if (!is_among(wanted, notes[i])) {
			buf_printf(why, "unwanted %s \"%s\"", name, notes[i]);
			return false;
		}
	return true;
}

bool script_check_notes(const struct script_eval *s, const struct kept_answer *got, struct buf *why)
{
	return check_level(s, got, ANNOTATION_WARNING, why) && check_level(s, got, ANNOTATION_INFO, why);
}

static bool is_same_histogram(const struct noted_point *want, const struct float_histogram *got)
{
	struct histogram_sum a = { 0 }, b = { 0 };
	histogram_sum_set(&a, want->h);
	histogram_sum_set(&b, got);
	histogram_sum_compact(&a);
	histogram_sum_compact(&b);
	bool is_same = float_histogram_is_near(&a.value, &b.value, SCRIPT_EPSILON) &&
		       (!want->has_hint || want->h->reset_hint == got->reset_hint);
	histogram_sum_fini(&a);
	histogram_sum_fini(&b);
	return is_same;
}

static bool is_same_point(const struct noted_point *want, double v, const struct float_histogram *h)
{
	if (!want->h != !h)
		return false;
	return h ? is_same_histogram(want, h) : is_almost(v, want->v, SCRIPT_EPSILON);
}

static void print_wanted(const struct noted_series *s, struct buf *out)
{
	vec_each (p, &s->points) {
		buf_add_u8(out, ' ');
		if (p->is_omitted)
			buf_add_u8(out, '_');
		else
			kept_point_print(p->v, p->h, out);
	}
}

static bool differ(const struct kept_series *got, const struct noted_series *want, struct buf *why)
{
	kept_series_print(got, want->points.len > 1, why);
	buf_add_str(why, ", wanted");
	print_wanted(want, why);
	return false;
}

/* NULL: there is none with these labels. */
static const struct noted_series *wanted_series(const struct script_eval *s, const struct label_set *labels)
{
	/* Of two with the same labels the second counts, as it does upstream. */
	const struct noted_series *found = NULL;
	vec_each (w, &s->series)
		if (label_set_is(&w->labels, labels))
			found = w;
	return found;
}

static bool check_steps(const struct script_eval *s, const struct kept_series *got,
	const struct noted_series *want, struct buf *why)
{
	size_t k = 0;
	for (size_t i = 0; i < want->points.len; i++) {
		const struct noted_point *p = &want->points.data[i];
		int64_t t = s->start + s->step * (int64_t)i;
		if (p->is_omitted)
			continue;
		if (k == got->n || got->t[k] != t || !is_same_point(p, got->v[k], got->h[k]))
			return differ(got, want, why);
		k++;
	}
	return k == got->n || differ(got, want, why);
}

static bool is_missing(const struct script_eval *s, const struct kept_answer *got, struct buf *why)
{
	vec_each (w, &s->series) {
		bool is_there = false;
		vec_each (g, &got->series)
			is_there = is_there || label_set_is(&g->labels, &w->labels);
		if (!is_there) {
			buf_add_str(why, "no ");
			label_set_print(&w->labels, why);
			buf_add_str(why, ", wanted");
			print_wanted(w, why);
			return true;
		}
	}
	return false;
}

static bool unwanted(const struct kept_series *got, struct buf *why)
{
	buf_add_str(why, "unwanted ");
	kept_series_print(got, true, why);
	return false;
}

/* The first series that comes in another place than it should, or twice. */
static bool is_sorted(const struct kept_answer *got, struct buf *why)
{
	for (size_t i = 1; i < got->series.len; i++) {
		const struct label_set *a = &got->series.data[i - 1].labels, *b = &got->series.data[i].labels;
		if (label_set_cmp(a, b) < 0)
			continue;
		label_set_print(a, why);
		buf_add_str(why, " comes before ");
		label_set_print(b, why);
		return false;
	}
	return true;
}

static bool check_matrix(const struct script_eval *s, const struct kept_answer *got, struct buf *why)
{
	if (!is_sorted(got, why))
		return false;
	vec_each (g, &got->series) {
		const struct noted_series *want = wanted_series(s, &g->labels);
		if (!want)
			return unwanted(g, why);
		if (!check_steps(s, g, want, why))
			return false;
	}
	return !is_missing(s, got, why);
}

static bool check_vector(
	const struct script_eval *s, const struct kept_answer *got, bool is_ordered, struct buf *why)
{
	for (size_t i = 0; i < got->series.len; i++) {
		const struct kept_series *g = &got->series.data[i];
		const struct noted_series *want = wanted_series(s, &g->labels);
		if (!want)
			return unwanted(g, why);
		if (g->n != 1 || !is_same_point(&want->points.data[0], g->v[0], g->h[0]))
			return differ(g, want, why);
		size_t place = (size_t)(want - s->series.data);
		if (is_ordered && place != i) {
			label_set_print(&g->labels, why);
			buf_printf(why, " in place %zu, wanted in %zu", i + 1, place + 1);
			return false;
		}
	}
	return !is_missing(s, got, why);
}

static bool check_scalar(const struct script_eval *s, double got, struct buf *why)
{
	if (s->wants_scalar && is_almost(got, s->scalar, SCRIPT_EPSILON))
		return true;
	buf_add_str(why, "scalar ");
	kept_point_print(got, NULL, why);
	buf_add_str(why, s->wants_scalar ? ", wanted " : ", wanted no scalar");
	if (s->wants_scalar)
		kept_point_print(s->scalar, NULL, why);
	return false;
}

static bool check_string(const struct script_eval *s, const struct kept_answer *got, struct buf *why)
{
	struct text text = { (const char *)got->string.data, (uint32_t)got->string.len };
	if (s->wants_string && text_is(text, s->string))
		return true;
	buf_printf(why, "string \"%.*s\", wanted \"%.*s\"", (int)text.len, text.p, (int)s->string.len,
		s->string.p);
	return false;
}

bool script_check_value(const struct script_eval *s, const struct kept_answer *got, struct buf *why)
{
	if (got->type == VALUE_STRING)
		return check_string(s, got, why);
	if (got->type == VALUE_SCALAR)
		return got->series.len == 1 ? check_scalar(s, got->series.data[0].v[0], why)
					    : (buf_add_str(why, "a scalar without a value"), false);
	if (s->wants_scalar || s->wants_string) {
		buf_printf(why, "a %s, wanted a %s", value_type_short_name(got->type),
			s->wants_scalar ? "scalar" : "string");
		return false;
	}
	return got->type == VALUE_MATRIX ? check_matrix(s, got, why)
					 : check_vector(s, got, s->is_ordered, why);
}

bool script_check_value_at(const struct script_eval *s, const struct kept_answer *got, enum value_type type,
	int64_t t, struct buf *why)
{
	if (!is_sorted(got, why))
		return false;
	struct kept_answer at = { .type = VALUE_VECTOR };
	vec_each (g, &got->series) {
		size_t i = 0;
		while (i < g->n && g->t[i] < t)
			i++;
		if (i < g->n && g->t[i] == t)
			vec_push(&at.series,
				(struct kept_series){ g->labels, 1, g->t + i, g->v + i, g->h + i });
	}
	bool is_right;
	if (type != VALUE_SCALAR)
		is_right = check_vector(s, &at, false, why);
	else if (at.series.len)
		is_right = check_scalar(s, at.series.data[0].v[0], why);
	else
		is_right = (buf_add_str(why, "no scalar"), false);
	vec_fini(&at.series);
	return is_right;
}
