/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of v and info series meet in their target: the values of job and instance. For each target that both have, the newest info series
 * of each name is found for every step; each set of them that occurs is a combination, and each row of v becomes a row for each of its
 * target's combinations.
 */
#include "lib/promql/info.h"

#include "lib/base/vec.h"

#include <errno.h>
#include <inttypes.h>

static const struct text identifying[] = { TEXT("instance"), TEXT("job") };

/* Info series of one name and one target: info[first, first + n) of the sorted ones. */
struct info_group {
	size_t first, n;
};

#define NO_SERIES SIZE_MAX

struct target {
	const struct info_group *groups;
	size_t n_groups;
	size_t *combinations; /* n_combinations x n_groups series, NO_SERIES where a name has none */
	size_t n_combinations;
	uint32_t *at; /* the combination of each step */
};

struct info_row {
	size_t inner;
	const struct target *target; /* NULL: the row as it is */
	uint32_t combination;
	struct text conflict; /* a label that two info series disagree in; len 0: none */
};

struct info_op {
	struct op op;
	struct op *inner;
	struct op *info; /* the times of the info series' samples */
	struct info_matchers matchers;
	struct exec *x;
	size_t *sorted_info; /* its rows, by target and name */
	size_t n_info;
	struct row *times; /* by info row; only those of targets that are met */
	VEC(struct info_row) rows;
};

static int cmp_target(const struct label_set *a, const struct label_set *b)
{
	for (size_t i = 0; i < ARRAY_LEN(identifying); i++) {
		int order = text_cmp(label_set_get(a, identifying[i]), label_set_get(b, identifying[i]));
		if (order)
			return order;
	}
	return 0;
}

static int by_target(const void *x, const void *y, void *arg)
{
	const struct label_set *labels = arg;
	size_t i = *(const size_t *)x, j = *(const size_t *)y;
	if (interrupt_after(LABELS_WORK) < 0)
		return 0;
	int order = cmp_target(&labels[i], &labels[j]);
	return order ? order : i < j ? -1 : i > j;
}

static int by_target_and_name(const void *x, const void *y, void *arg)
{
	const struct label_set *labels = arg;
	size_t i = *(const size_t *)x, j = *(const size_t *)y;
	if (interrupt_after(LABELS_WORK) < 0)
		return 0;
	int order = cmp_target(&labels[i], &labels[j]);
	if (!order)
		order = text_cmp(
			label_set_get(&labels[i], LABEL_NAME), label_set_get(&labels[j], LABEL_NAME));
	return order ? order : i < j ? -1 : i > j;
}

/* What is an info series itself isn't enriched. */
static bool is_info_series(const struct info_op *o, const struct label_set *labels)
{
	const struct info_matchers *m = &o->matchers;
	for (size_t i = m->n - m->n_named; i < m->n; i++)
		if (!matcher_accepts(&m->all[i], label_set_get(labels, LABEL_NAME)))
			return false;
	return true;
}

/* The info series that count, sorted. One that lacks what some row of v is identified by isn't anyone's. */
static void sort_info(struct info_op *o, const size_t *rows, size_t n)
{
	bool is_of_use[ARRAY_LEN(identifying)] = { false }, is_any = false;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_LEN(identifying); k++)
			is_of_use[k] |= label_set_get(&o->inner->labels[rows[i]], identifying[k]).len > 0;
	for (size_t k = 0; k < ARRAY_LEN(identifying); k++)
		is_any |= is_of_use[k];
	o->sorted_info = arena_alloc(o->x->arena, o->info->n_rows * sizeof o->sorted_info[0]);
	for (size_t i = 0; i < o->info->n_rows && is_any; i++) {
		bool counts = true;
		for (size_t k = 0; k < ARRAY_LEN(identifying); k++)
			counts &= !is_of_use[k] || label_set_get(&o->info->labels[i], identifying[k]).len > 0;
		if (counts)
			o->sorted_info[o->n_info++] = i;
	}
	qsort_r(o->sorted_info, o->n_info, sizeof o->sorted_info[0], by_target_and_name,
		(void *)(uintptr_t)o->info->labels);
}

static void find_groups(struct info_op *o, size_t first, size_t n, struct target *t)
{
	struct info_group *groups = arena_alloc(o->x->arena, n * sizeof *groups);
	const struct label_set *labels = o->info->labels;
	for (size_t i = first; i < first + n; i++) {
		struct info_group *last = t->n_groups ? &groups[t->n_groups - 1] : NULL;
		if (last && text_is(label_set_get(&labels[o->sorted_info[i]], LABEL_NAME),
				    label_set_get(&labels[o->sorted_info[last->first]], LABEL_NAME)))
			last->n++;
		else
			groups[t->n_groups++] = (struct info_group){ i, 1 };
	}
	t->groups = groups;
}

static int read_times(void *arg, struct worker *w, size_t i)
{
	struct info_op *o = arg;
	return op_row(o->info, w, o->sorted_info[i], &o->times[o->sorted_info[i]]);
}

/* The times of the samples of info[first, first + n), kept for the run. */
static int load_times(struct info_op *o)
{
	uint32_t steps = o->op.steps.n;
	int r = exec_need(o->x, o->n_info * steps * (sizeof(double) + 1ul));
	if (r < 0)
		return r;
	o->times = arena_calloc(o->x->arena, o->info->n_rows * sizeof o->times[0]);
	for (size_t i = 0; i < o->n_info; i++)
		o->times[o->sorted_info[i]] = (struct row){
			.v = arena_alloc(o->x->arena, steps * sizeof(double)),
			.kind = arena_calloc(o->x->arena, steps),
			.n = steps,
		};
	return exec_rows(o->x, o->n_info, read_times, o);
}

/* The series of a group with the newest sample at a step. */
static int find_newest(struct info_op *o, const struct info_group *g, uint32_t step, size_t *out)
{
	*out = NO_SERIES;
	for (size_t i = g->first; i < g->first + g->n; i++) {
		size_t row = o->sorted_info[i];
		if (!o->times[row].kind[step])
			continue;
		double t = o->times[row].v[step], best = *out == NO_SERIES ? t : o->times[*out].v[step];
		if (*out != NO_SERIES && t == best) {
			auto_buf struct buf a = { 0 }, b = { 0 };
			label_set_print(&o->info->labels[*out], &a);
			label_set_print(&o->info->labels[row], &b);
			return exec_fail(o->x, -EINVAL,
				"found duplicate series for info metric: existing %s @ %.0f, new %s @ %.0f",
				buf_str(&a), best * 1000, buf_str(&b), t * 1000);
		}
		if (t >= best)
			*out = row;
	}
	return 0;
}

/* Which combination each step has: one that was there before, or a new one. */
static int find_combinations(struct info_op *o, struct target *t)
{
	uint32_t steps = o->op.steps.n;
	VEC(size_t) all = { 0 };
	t->at = arena_alloc(o->x->arena, steps * sizeof t->at[0]);
	int r = 0;
	for (uint32_t k = 0; k < steps && r == 0; k++) {
		size_t old = 0, width = t->n_groups;
		vec_reserve(&all, all.len + width + 1);
		size_t *now = all.data + all.len;
		for (size_t g = 0; g < width && r == 0; g++)
			r = find_newest(o, &t->groups[g], k, &now[g]);
		if (r == 0)
			r = interrupt_after(10 * width + t->n_combinations);
		while (old < t->n_combinations &&
			memcmp(all.data + old * width, now, width * sizeof *now) != 0)
			old++;
		if (old == t->n_combinations) {
			all.len += width;
			t->n_combinations++;
		}
		t->at[k] = (uint32_t)old;
	}
	t->combinations = arena_copy(o->x->arena, all.data, all.len * sizeof all.data[0]);
	vec_fini(&all);
	return r;
}

/* Whether the selector names labels, and this one isn't among them. */
static bool is_left_out(const struct info_op *o, struct text name)
{
	size_t n = o->matchers.n - o->matchers.n_named;
	for (size_t i = 0; i < n; i++)
		if (text_is(o->matchers.all[i].name, name))
			return false;
	return n > 0;
}

/* A row without info series stays only if the selector doesn't ask for a label of theirs. */
static bool may_lack_info(const struct info_op *o)
{
	for (size_t i = 0; i < o->matchers.n - o->matchers.n_named; i++)
		if (!matcher_accepts(&o->matchers.all[i], (struct text){ "", 0 }))
			return false;
	return true;
}

/* The labels of `base` and those that these info series add; the first label that they disagree in. */
static struct label_set enrich(struct info_op *o, const struct label_set *base, const size_t *series,
	size_t n, struct text *conflict)
{
	struct label_set added = { 0 }, all = *base;
	for (size_t i = 0; i < n; i++) {
		if (series[i] == NO_SERIES)
			continue;
		const struct label_set *info = &o->info->labels[series[i]];
		for (size_t k = 0; k < info->n; k++) {
			struct text name = info->pairs[k].name, value = info->pairs[k].value;
			if (text_is(name, LABEL_NAME) || is_left_out(o, name))
				continue;
			struct text before = label_set_get(&added, name);
			if (before.len && !text_is(before, value))
				*conflict = name;
			if (before.len || label_set_get(base, name).p)
				continue;
			added = label_set_put(o->x->arena, &added, name, value);
			all = label_set_put(o->x->arena, &all, name, value);
		}
	}
	return all;
}

static bool has_info(const size_t *series, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (series[i] != NO_SERIES)
			return true;
	return false;
}

/* Rows of v that are to be enriched, by target, meet the info series. of[i] becomes the target of row i, or NULL where it has none. */
static int meet(struct info_op *o, const size_t *rows, size_t n, const struct target **of)
{
	size_t i = 0, k = 0;
	while (i < n) {
		const struct label_set *base = &o->inner->labels[rows[i]];
		while (k < o->n_info && cmp_target(&o->info->labels[o->sorted_info[k]], base) < 0)
			k++;
		size_t first = k;
		while (k < o->n_info && cmp_target(&o->info->labels[o->sorted_info[k]], base) == 0)
			k++;
		struct target *t = arena_calloc(o->x->arena, sizeof *t);
		find_groups(o, first, k - first, t);
		int r = find_combinations(o, t);
		if (r < 0)
			return r;
		do
			of[rows[i++]] = t;
		while (i < n && cmp_target(&o->inner->labels[rows[i]], base) == 0);
		k = first; /* the next row has another target, and so needn't go back further */
	}
	return 0;
}

static int make_rows(struct info_op *o, const struct target *const *of)
{
	VEC(struct label_set) labels = { 0 };
	VEC(bool) drops = { 0 };
	bool may_lack = may_lack_info(o);
	int r = 0;
	for (size_t i = 0; i < o->inner->n_rows && r == 0; i++) {
		const struct target *t = of[i];
		for (uint32_t c = 0; c < (t ? t->n_combinations : 1) && r == 0; c++) {
			struct info_row row = { .inner = i, .target = t, .combination = c };
			struct label_set set = o->inner->labels[i];
			const size_t *series = t ? t->combinations + c * t->n_groups : NULL;
			if (t && !has_info(series, t->n_groups) && !may_lack)
				continue;
			if (t)
				set = enrich(o, &set, series, t->n_groups, &row.conflict);
			vec_push(&o->rows, row);
			vec_push(&labels, set);
			vec_push(&drops, op_row_drops_name(o->inner, i));
			r = interrupt_after(LABELS_WORK * (t ? t->n_groups + 1 : 1));
		}
	}
	o->op.n_rows = o->rows.len;
	o->op.labels = arena_copy(o->x->arena, labels.data, labels.len * sizeof labels.data[0]);
	o->op.drops_name = arena_copy(o->x->arena, drops.data, drops.len * sizeof drops.data[0]);
	vec_fini(&labels);
	vec_fini(&drops);
	return r;
}

static int info_open(struct op *op, struct exec *x)
{
	struct info_op *o = (struct info_op *)op;
	o->x = x;
	size_t n = 0, *rows = arena_alloc(x->arena, o->inner->n_rows * sizeof *rows);
	const struct target **of = arena_calloc(x->arena, o->inner->n_rows * sizeof *of);
	for (size_t i = 0; i < o->inner->n_rows; i++)
		if (!is_info_series(o, &o->inner->labels[i]))
			rows[n++] = i;
	qsort_r(rows, n, sizeof rows[0], by_target, (void *)(uintptr_t)o->inner->labels);
	sort_info(o, rows, n);
	int r = op_prepare(o->info, x);
	if (r == 0)
		r = load_times(o);
	if (r == 0)
		r = meet(o, rows, n, of);
	if (r == 0)
		r = make_rows(o, of);
	return r;
}

static int info_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct info_op *o = (struct info_op *)op;
	const struct info_row *row = &o->rows.data[i];
	int r = op_row(o->inner, w, row->inner, out);
	for (uint32_t k = 0; k < out->n && r == 0 && row->target; k++) {
		if (out->kind[k] == CELL_NONE)
			continue;
		if (row->target->at[k] == row->combination) {
			if (row->conflict.len)
				r = exec_fail(w->exec, -EINVAL, "conflicting label: %.*s",
					(int)row->conflict.len, row->conflict.p);
			continue;
		}
		if (out->kind[k] == CELL_HISTOGRAM) {
			free((void *)(uintptr_t)out->h[k]);
			out->h[k] = NULL;
		}
		out->kind[k] = CELL_NONE;
	}
	return r;
}

static size_t info_children(const struct op *op, struct op **out, size_t room)
{
	const struct info_op *o = (const struct info_op *)op;
	size_t n = 0;
	if (n < room)
		out[n++] = o->inner;
	if (n < room)
		out[n++] = o->info;
	return n;
}

static void info_free(struct op *op)
{
	struct info_op *o = (struct info_op *)op;
	op_free(o->inner);
	op_free(o->info);
	info_matchers_fini(&o->matchers);
	vec_fini(&o->rows);
	free(o);
}

struct op *info_new(const struct expr *call, struct op *inner, struct info_matchers *m, struct selected *from,
	const struct lookup *at, int64_t lookback_ms)
{
	static const struct op_ops ops = {
		.name = "info",
		.open = info_open,
		.row = info_row,
		.children = info_children,
		.free = info_free,
	};
	struct info_op *o = xcalloc(1, sizeof *o);
	o->op = (struct op){ .ops = &ops, .expr = call, .steps = inner->steps };
	o->inner = inner;
	o->info = select_new(call, from, &inner->steps, at, lookback_ms, SELECT_TIMES_NAMED);
	o->matchers = *m;
	*m = (struct info_matchers){ 0 };
	return &o->op;
}
