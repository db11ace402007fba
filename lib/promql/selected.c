/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/selected.h"

#define AHEAD 512u /* how many series are announced at a time */

struct selected *selected_new(const struct matcher *m, size_t n)
{
	struct selected *s = xcalloc(1, sizeof *s);
	s->matchers = m;
	s->n_matchers = n;
	s->mint = INT64_MAX;
	s->maxt = INT64_MIN;
	return s;
}

struct selected *selected_ref(struct selected *s)
{
	s->n_refs++;
	return s;
}

void selected_free(struct selected *s)
{
	if (!s || s->n_refs--)
		return;
	series_set_free(s->set);
	free(s);
}

bool selected_has(const struct selected *s, const struct matcher *m, size_t n)
{
	if (s->n_matchers != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s->matchers[i].kind != m[i].kind || !text_is(s->matchers[i].name, m[i].name) ||
			!text_is(s->matchers[i].value, m[i].value))
			return false;
	return true;
}

void selected_widen(struct selected *s, int64_t mint, int64_t maxt)
{
	s->mint = MIN_OF(s->mint, mint);
	s->maxt = MAX_OF(s->maxt, maxt);
}

int selected_open(struct selected *s, struct exec *x)
{
	if (s->set)
		return 0;
	struct err e = { 0 };
	struct selection what = {
		.matchers = s->matchers,
		.n_matchers = s->n_matchers,
		.mint = s->mint,
		.maxt = s->maxt,
		.step_ms = s->step_ms,
		.func = s->func,
		.budget = x->budget,
	};
	int r = x->source->ops->select(x->source, &what, &s->set, &e);
	int over = exec_check(x);
	if (over < 0)
		return over;
	return r < 0 ? exec_fail(x, r, "expanding series: %s", e.msg) : 0;
}

static void announce(struct selected *s, size_t i)
{
	size_t done = atomic_load_explicit(&s->announced, memory_order_relaxed);
	while (i + AHEAD > done && done < s->set->n) {
		size_t upto = MIN_OF(MAX_OF(done, i) + 2 * AHEAD, s->set->n);
		if (atomic_compare_exchange_weak_explicit(
			    &s->announced, &done, upto, memory_order_relaxed, memory_order_relaxed)) {
			s->set->ops->will_read(s->set, done, upto - done);
			return;
		}
	}
}

int selected_read(struct selected *s, struct worker *w, size_t i, int64_t mint, int64_t maxt)
{
	struct err e = { 0 };
	if (s->set->ops->will_read)
		announce(s, i);
	int r = s->set->ops->read(s->set, i, mint, maxt, &w->samples, &e);
	exec_count_samples(w->exec, (int64_t)w->samples.n);
	/* That the run is over is the reason that counts, also where the reader ended because of it. */
	int over = exec_check(w->exec);
	if (over < 0)
		r = over;
	else if (r < 0)
		exec_fail(w->exec, r, "%s", e.msg);
	if (r < 0)
		selected_let_go(w);
	return r;
}

void selected_let_go(struct worker *w)
{
	exec_count_samples(w->exec, -(int64_t)w->samples.n);
	samples_clear(&w->samples);
}
