/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/one_side.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <stdatomic.h>

#define CELL_TWICE 4 /* in one_row.kind until prepare ends: two rows of the group have a sample here */

void one_side_keep(struct one_side *s, uint32_t g)
{
	s->kept[s->n_kept++] = g;
}

static size_t bytes_of(const struct one_side *s, const struct one_row *o)
{
	size_t a_cell = sizeof o->v[0] + sizeof o->kind[0] + (o->h ? sizeof o->h[0] : 0) +
			(o->from ? sizeof o->from[0] : 0);
	return sizeof *o + s->n_steps * a_cell + o->held;
}

static struct one_row *one_row_new(const struct one_side *s, bool has_several)
{
	struct one_row *o = xcalloc(1, sizeof *o);
	o->v = xcalloc(s->n_steps, sizeof o->v[0]);
	o->kind = xcalloc(s->n_steps, sizeof o->kind[0]);
	if (has_several)
		o->from = xcalloc(s->n_steps, sizeof o->from[0]);
	return o;
}

static void one_row_free(struct one_side *s, struct one_row *o)
{
	if (!o)
		return;
	budget_give(s->budget, bytes_of(s, o));
	for (uint32_t t = 0; o->h && t < s->n_steps; t++)
		free((void *)(uintptr_t)o->h[t]);
	free(o->h);
	free(o->from);
	free(o->kind);
	free(o->v);
	free(o);
}

static void keep_cells(const struct one_side *s, struct one_row *o, uint32_t number, struct row *r)
{
	if (r->h && !o->h)
		o->h = xcalloc(s->n_steps, sizeof o->h[0]);
	for (uint32_t t = 0; t < s->n_steps; t++) {
		if (!r->kind[t])
			continue;
		if (o->kind[t]) {
			o->kind[t] |= CELL_TWICE;
			continue;
		}
		o->kind[t] = r->kind[t];
		o->v[t] = r->v[t];
		if (r->kind[t] == CELL_HISTOGRAM)
			o->h[t] = take(r->h[t]);
		if (r->kind[t] == CELL_HISTOGRAM)
			o->held += float_histogram_bytes(o->h[t]);
		if (o->from)
			o->from[t] = number;
	}
}

static int keep_group(void *arg, struct worker *w, size_t i)
{
	struct one_side *s = arg;
	uint32_t g = s->kept[s->n_prepared + i], n = match_count(s->side, g);
	const uint32_t *rows = match_rows(s->side, g);
	struct one_row *o = one_row_new(s, n > 1);
	int r = exec_need(w->exec, bytes_of(s, o));
	for (uint32_t k = 0; k < n && r == 0; k++) {
		struct arena_mark mark = arena_mark(w->scratch);
		struct row row = row_new(w, s->n_steps);
		r = op_row(s->side->op, w, rows[k], &row);
		if (r == 0)
			keep_cells(s, o, rows[k], &row);
		row_fini(&row);
		arena_release(w->scratch, mark);
	}
	budget_take(s->budget, bytes_of(s, o));
	exec_count_samples(s->exec, s->n_steps);
	s->rows[g] = o;
	return r;
}

/* At which steps has the many side anything? */
struct presence {
	const struct one_side *side;
	atomic_bool *has;
};

static int see_row(void *arg, struct worker *w, size_t i)
{
	struct presence *p = arg;
	struct row row = row_new(w, p->side->n_steps);
	int r = op_row(p->side->many->op, w, i, &row);
	for (uint32_t t = 0; t < row.n && r == 0; t++)
		if (row.kind[t])
			atomic_store_explicit(&p->has[t], true, memory_order_relaxed);
	row_fini(&row);
	return r;
}

/* The row that is the second one to have a sample of group g at step t; of all groups', upstream meets the lowest. */
struct twice {
	const struct one_side *side;
	uint32_t step, group, first, second;
};

static int find_twice(void *arg, struct worker *w, size_t i)
{
	struct twice *d = arg;
	const struct one_side *s = d->side;
	(void)i;
	d->second = UINT32_MAX;
	for (size_t k = 0; k < s->n_kept; k++) {
		uint32_t g = s->kept[k];
		const struct one_row *o = s->rows[g];
		if (!(o->kind[d->step] & CELL_TWICE))
			continue;
		for (uint32_t m = 0; m < match_count(s->side, g); m++) {
			uint32_t number = match_rows(s->side, g)[m];
			if (number <= o->from[d->step] || number >= d->second)
				continue;
			struct row row = row_new(w, s->n_steps);
			int r = op_row(s->side->op, w, number, &row);
			if (r == 0 && row.kind[d->step]) {
				d->group = g;
				d->first = o->from[d->step];
				d->second = number;
			}
			row_fini(&row);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int complain(const struct one_side *s, uint32_t step)
{
	struct twice d = { .side = s, .step = step };
	int r = exec_rows(s->exec, 1, find_twice, &d);
	if (r < 0)
		return r;
	struct buf group = { 0 }, one = { 0 }, other = { 0 };
	label_set_print(&s->match->groups.sets[d.group], &group);
	label_set_print(&s->side->op->labels[d.first], &one);
	label_set_print(&s->side->op->labels[d.second], &other);
	bool is_sorted = strcmp(buf_str(&one), buf_str(&other)) <= 0;
	r = exec_fail(s->exec, -EINVAL,
		"found duplicate series for the match group %s on the %s hand-side of the operation: [%s, %s]"
		";many-to-many matching not allowed: matching labels must be unique on one side",
		buf_str(&group), s->name, buf_str(is_sorted ? &one : &other),
		buf_str(is_sorted ? &other : &one));
	buf_fini(&group);
	buf_fini(&one);
	buf_fini(&other);
	return r;
}

/* Duplicates are an error at the first step at which they could meet anything at all; where they can't they are as good as not there. */
static int look_for_duplicates(struct one_side *s)
{
	bool has_any = false;
	for (size_t k = 0; k < s->n_kept && !has_any; k++)
		has_any = s->rows[s->kept[k]]->from &&
			  memchr(s->rows[s->kept[k]]->kind, CELL_FLOAT | CELL_TWICE, s->n_steps);
	for (size_t k = 0; k < s->n_kept && !has_any; k++)
		has_any = s->rows[s->kept[k]]->from &&
			  memchr(s->rows[s->kept[k]]->kind, CELL_HISTOGRAM | CELL_TWICE, s->n_steps);
	if (!has_any)
		return 0;
	atomic_bool *has = arena_calloc(s->exec->arena, s->n_steps * sizeof *has);
	struct presence p = { s, has };
	int r = s->needs_no_partner ? 0 : exec_rows(s->exec, s->many->op->n_rows, see_row, &p);
	for (uint32_t t = 0; t < s->n_steps && r == 0; t++)
		for (size_t k = 0; k < s->n_kept && r == 0; k++) {
			uint8_t *kind = &s->rows[s->kept[k]]->kind[t];
			if (*kind & CELL_TWICE && (s->needs_no_partner || atomic_load(&has[t])))
				r = complain(s, t);
			else
				*kind &= (uint8_t)~CELL_TWICE;
		}
	return r;
}

int one_side_prepare(struct one_side *s)
{
	int r = exec_rows(s->exec, s->n_kept - s->n_prepared, keep_group, s);
	s->n_prepared = s->n_kept;
	return r < 0 ? r : look_for_duplicates(s);
}

void one_side_fini(struct one_side *s)
{
	for (size_t k = 0; k < s->n_kept; k++)
		one_row_free(s, s->rows[s->kept[k]]);
	s->n_kept = 0;
}

int one_side_row(struct one_side *s, struct worker *w, uint32_t g, struct row *out, const uint32_t **from)
{
	struct one_row *o = s->rows[g];
	*from = NULL;
	if (o) {
		*out = (struct row){ .v = o->v, .kind = o->kind, .h = o->h, .n = s->n_steps };
		*from = o->from;
		return 0;
	}
	*out = row_new(w, s->n_steps);
	return op_row(s->side->op, w, match_rows(s->side, g)[0], out);
}
