/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A series' samples as columns: floats apart from histograms, without stale markers. Floats of a selector stay in the arrays that
 * they were decoded into.
 */
#include "lib/promql/range.h"

#include "lib/promql/histogram_stats.h"

/* Stale markers are NaN, and NaN is rare: all samples are looked at together, and the answer is a double for vectors of them. */
static bool has_nan(const double *restrict v, size_t n)
{
	double is_nan = 0;
	for (size_t k = 0; k < n; k++)
		is_nan = v[k] != v[k] ? 1 : is_nan;
	return is_nan != 0;
}

static int load_selected(const struct range_input *in, struct worker *w, size_t i, int64_t mint, int64_t maxt,
	struct range_columns *out)
{
	int r = selected_read(in->from, w, i, mint, maxt);
	if (r < 0)
		return r;
	struct samples *s = &w->samples;
	if (in->wants_stats)
		histogram_stats(s);
	int64_t *starts = in->wants_starts ? s->start : NULL;
	if (!s->h && !has_nan(s->v, s->n)) {
		*out = (struct range_columns){
			.n_floats = s->n, .float_t = s->t, .float_start = starts, .v = s->v
		};
		return 0;
	}
	int64_t *t = NULL, *h_starts = NULL;
	const struct float_histogram **h = NULL;
	if (s->h) {
		t = arena_alloc(w->scratch, s->n * sizeof *t);
		h_starts = starts ? arena_alloc(w->scratch, s->n * sizeof *h_starts) : NULL;
		h = arena_alloc(w->scratch, s->n * sizeof *h);
	}
	size_t nf = 0, nh = 0;
	for (size_t k = 0; k < s->n; k++) {
		if (sample_is_stale(s->v[k]))
			continue;
		if (s->h && s->h[k]) {
			t[nh] = s->t[k];
			if (starts)
				h_starts[nh] = starts[k];
			h[nh++] = s->h[k];
		} else {
			s->t[nf] = s->t[k];
			if (starts)
				starts[nf] = starts[k];
			s->v[nf++] = s->v[k];
		}
	}
	*out = (struct range_columns){
		.n_floats = nf,
		.n_histograms = nh,
		.float_t = s->t,
		.histogram_t = t,
		.float_start = starts,
		.histogram_start = h_starts,
		.v = s->v,
		.h = h,
	};
	return 0;
}

/*
 * What the source said about resets between samples says nothing about those that the subquery picked: some may have been left out,
 * others taken twice.
 */
static void forget_resets(const struct float_histogram *h)
{
	struct float_histogram *own = (struct float_histogram *)(uintptr_t)h; /* the row's, which is ours */
	if (own->reset_hint != RESET_GAUGE)
		own->reset_hint = RESET_UNKNOWN;
}

#define SUBQUERY_STEP_BYTES (sizeof(double) + 1 + sizeof(int64_t)) /* of a row, and the time */

static int load_subquery(const struct range_input *in, struct worker *w, size_t i, struct range_columns *out)
{
	const struct steps *steps = &in->inner->steps;
	int r = exec_need(w->exec, steps->n * SUBQUERY_STEP_BYTES);
	if (r < 0)
		return r;
	struct row row = row_new(w, steps->n);
	r = op_row(in->inner, w, i, &row);
	if (r < 0) {
		row_fini(&row);
		return r;
	}
	int64_t *t = arena_alloc(w->scratch, row.n * sizeof *t), *ht = NULL;
	const struct float_histogram **h = NULL;
	if (row.h) {
		ht = arena_alloc(w->scratch, row.n * sizeof *ht);
		h = arena_alloc(w->scratch, row.n * sizeof *h);
	}
	size_t nf = 0, nh = 0;
	for (uint32_t k = 0; k < row.n; k++) {
		if (row.kind[k] == CELL_FLOAT) {
			t[nf] = steps_at(steps, k);
			row.v[nf++] = row.v[k];
		} else if (row.kind[k] == CELL_HISTOGRAM) {
			forget_resets(row.h[k]);
			ht[nh] = steps_at(steps, k);
			h[nh++] = row.h[k];
		}
	}
	exec_count_samples(w->exec, (int64_t)(nf + nh));
	*out = (struct range_columns){
		.row = row,
		.n_floats = nf,
		.n_histograms = nh,
		.float_t = t,
		.histogram_t = ht,
		.v = row.v,
		.h = h,
	};
	return 0;
}

int range_load(const struct range_input *in, struct worker *w, size_t i, int64_t mint, int64_t maxt,
	struct range_columns *out)
{
	return in->inner ? load_subquery(in, w, i, out) : load_selected(in, w, i, mint, maxt, out);
}

void range_let_go(const struct range_input *in, struct worker *w, struct range_columns *c)
{
	if (!in->inner) {
		selected_let_go(w);
		return;
	}
	exec_count_samples(w->exec, -(int64_t)(c->n_floats + c->n_histograms));
	row_fini(&c->row);
}

void range_input_fini(struct range_input *in)
{
	selected_free(in->from);
	op_free(in->inner);
}
