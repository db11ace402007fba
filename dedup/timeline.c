/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merges themselves. "complete" is ours: the base replica is followed; each further replica is laid under
 * what stands already and shows through in its gaps. "penalty" and "chain" choose as Thanos does
 * (pkg/dedup/iter.go there), within a slot.
 */
#include "dedup/timeline.h"

#include "lib/base/sorted.h"

#define KNOWN            UINT32_MAX /* line of a sample that is known to be there but isn't ours to emit */
#define ENOUGH_DELTAS    4          /* for a median to be believed */
#define PENALTY_FIRST_MS 5000

void timeline_scratch_fini(struct timeline_scratch *s)
{
	vec_fini(&s->a);
	vec_fini(&s->b);
	vec_fini(&s->markers);
	vec_fini(&s->deltas);
}

/* Quickselect: the k-th smallest. */
static int64_t kth(int64_t *v, size_t n, size_t k)
{
	size_t lo = 0, hi = n - 1;
	while (lo < hi) {
		int64_t pivot = v[lo + (hi - lo) / 2];
		size_t i = lo, j = hi;
		for (;; i++, j--) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i >= j)
				break;
			int64_t swap = v[i];
			v[i] = v[j];
			v[j] = swap;
		}
		if (k <= j)
			hi = j;
		else
			lo = j + 1;
	}
	return v[k];
}

/* What a line tells of its scrape interval. */
struct rhythm {
	size_t deltas;    /* distances of neighbours in one chunk */
	int64_t quartile; /* the lower one */
	int64_t shortest;
};

/*
 * The lower quartile, since scrapes that were missed make distances longer and nothing makes them shorter. Markers
 * count: they are written at the time of a scrape that failed.
 */
static struct rhythm rhythm_of(const struct timeline *line, struct timeline_scratch *scratch)
{
	size_t n = 0;
	struct rhythm r = { 0 };
	vec_reserve(&scratch->deltas, line->n);
	for (size_t i = 1; i < line->n; i++)
		if (!(line->flags[i] & TIMELINE_FIRST)) {
			int64_t delta = line->t[i] - line->t[i - 1];
			r.shortest = n == 0 || delta < r.shortest ? delta : r.shortest;
			scratch->deltas.data[n++] = delta;
		}
	r.deltas = n;
	r.quartile = n ? kth(scratch->deltas.data, n, (n - 1) / 4) : 0;
	return r;
}

/* The shorter of two intervals, of which those that aren't above 0 are none. */
static int64_t shorter(int64_t a, int64_t b)
{
	return b > 0 && (a == 0 || b < a) ? b : a;
}

/*
 * The scrape interval that gaps are measured by: the base's own. Where it has too few samples to tell (two samples
 * around an outage look like a long interval), the shortest that any replica shows; and where it misses so many scrapes
 * that the others go by a shorter interval, which its own shortest distance confirms, theirs.
 */
static int64_t interval_of(
	const struct timeline *lines, size_t n, int64_t left, int64_t right, struct timeline_scratch *scratch)
{
	struct rhythm base = rhythm_of(&lines[0], scratch);
	if (base.deltas >= ENOUGH_DELTAS && 2 * base.quartile <= 3 * base.shortest)
		return base.quartile;
	int64_t others = 0, shortest = base.quartile;
	for (size_t i = 1; i < n; i++) {
		struct rhythm r = rhythm_of(&lines[i], scratch);
		shortest = shorter(shortest, r.quartile);
		others = r.deltas >= ENOUGH_DELTAS ? shorter(others, r.quartile) : others;
	}
	if (base.deltas >= ENOUGH_DELTAS) {
		bool misses = others && others < base.quartile && 2 * base.shortest <= 3 * others;
		return misses ? others : base.quartile;
	}
	if (others)
		return shortest;
	/* Hardly any samples: distances from chunk to chunk count too, and where there are none, from what is known to stand on the sides. */
	for (size_t i = 0; i < n; i++)
		for (size_t k = 1; k < lines[i].n; k++)
			shortest = shorter(shortest, lines[i].t[k] - lines[i].t[k - 1]);
	for (size_t i = 0; i < n && !shortest; i++) {
		shortest = lines[i].n && right != INT64_MAX ? right - lines[i].t[lines[i].n - 1] : 0;
		shortest =
			lines[i].n && left != INT64_MIN ? shorter(shortest, lines[i].t[0] - left) : shortest;
	}
	return shortest;
}

static inline bool is_gap(int64_t x, int64_t y, int64_t interval)
{
	return 2 * (y - x) > 3 * interval;
}

static inline void emit(struct picks *out, const struct timeline *line, uint32_t number, size_t i)
{
	vec_push(out, (struct pick){ line->t[i], number, (uint32_t)i });
}

/* The samples of one line between x and y that aren't markers. */
struct candidates {
	const struct timeline *line;
	uint32_t number;
	const uint32_t *index; /* of the line's samples */
	size_t n;
};

static int64_t time_of(const struct candidates *c, size_t i)
{
	return c->line->t[c->index[i]];
}

/*
 * Fills the gap between x and y (INT64_MIN, INT64_MAX: nothing stands there): with the candidates that keep
 * half an interval away from its sides, and with one more on a side where there would still be a gap that a
 * candidate lies in.
 */
static void fill_gap(struct picks *out, const struct candidates *c, int64_t x, int64_t y, int64_t interval)
{
	bool has_x = x != INT64_MIN, has_y = y != INT64_MAX;
	size_t lo = 0, hi = c->n; /* the middle: lo <= i < hi */
	while (has_x && lo < c->n && 2 * (time_of(c, lo) - x) < interval)
		lo++;
	while (has_y && hi > 0 && 2 * (y - time_of(c, hi - 1)) < interval)
		hi--;
	if (lo < hi) {
		if (has_x && lo > 0 && is_gap(x, time_of(c, lo), interval))
			lo--;
		if (has_y && hi < c->n && is_gap(time_of(c, hi - 1), y, interval))
			hi++;
	} else if (!has_x || !has_y) {
		return;
	} else {
		/* All lie near a side: the last of those near x, the first of those near y, or both. */
		size_t near_x = lo ? lo - 1 : SIZE_MAX, near_y = lo < c->n ? lo : SIZE_MAX;
		if (near_x != SIZE_MAX && near_y != SIZE_MAX) {
			bool prefer_x = time_of(c, near_x) - x >= y - time_of(c, near_y);
			if (prefer_x && !is_gap(time_of(c, near_x), y, interval))
				near_y = SIZE_MAX;
			else if (!prefer_x && !is_gap(x, time_of(c, near_y), interval))
				near_x = SIZE_MAX;
		}
		lo = near_x != SIZE_MAX ? near_x : near_y;
		hi = (near_y != SIZE_MAX ? near_y : near_x) + 1;
	}
	for (size_t i = lo; i < hi; i++)
		emit(out, c->line, c->number, c->index[i]);
}

/* Lays one more line under `over`. */
static void lay_under(struct picks *out, const struct picks *over, const struct timeline *line,
	uint32_t number, int64_t interval, struct picks *scratch)
{
	size_t next = 0;
	uint32_t *index;
	/* room for one index a sample, borrowed from the scratch picks */
	scratch->len = 0;
	vec_reserve(scratch, line->n + 1);
	index = (uint32_t *)scratch->data;
	out->len = 0;
	for (size_t i = 0; i <= over->len; i++) {
		int64_t x = i ? over->data[i - 1].t : INT64_MIN,
			y = i < over->len ? over->data[i].t : INT64_MAX;
		if (x == INT64_MIN || y == INT64_MAX || is_gap(x, y, interval)) {
			struct candidates c = { line, number, index, 0 };
			while (next < line->n && line->t[next] <= x)
				next++;
			for (; next < line->n && line->t[next] < y; next++)
				if (!(line->flags[next] & TIMELINE_STALE))
					index[c.n++] = (uint32_t)next;
			if (c.n)
				fill_gap(out, &c, x, y, interval);
		}
		if (i < over->len)
			vec_push(out, over->data[i]);
	}
}

/* The first pick at or after t. */
static size_t pick_at(const struct picks *p, int64_t t)
{
	return lower_bound(i, p->len, p->data[i].t < t);
}

/*
 * Stale markers say that a series ended; where another replica goes on, it did not. The base's stay where
 * nothing was filled in around them; any other marker stays where a gap begins that has none yet.
 */
static void choose_markers(const struct timeline *lines, size_t n, const struct picks *real, int64_t interval,
	struct picks *markers)
{
	markers->len = 0;
	for (uint32_t k = 0; k < n; k++)
		for (size_t i = 0; i < lines[k].n; i++) {
			if (!(lines[k].flags[i] & TIMELINE_STALE))
				continue;
			int64_t t = lines[k].t[i];
			size_t after = pick_at(real, t);
			const struct pick *x = after ? &real->data[after - 1] : NULL;
			const struct pick *y = after < real->len ? &real->data[after] : NULL;
			bool taken = false, untouched = k == 0 && (!x || x->line == 0 || x->line == KNOWN) &&
							(!y || y->line == 0 || y->line == KNOWN);
			if (y && y->t == t)
				continue;
			for (size_t m = 0; m < markers->len; m++) {
				int64_t mt = markers->data[m].t;
				taken |= mt == t || ((!x || mt > x->t) && (!y || mt < y->t));
			}
			bool begins_gap = x ? !y || is_gap(x->t, y->t, interval) : !y;
			if (untouched || (begins_gap && !taken))
				emit(markers, &lines[k], k, i);
		}
}

static int pick_cmp(const void *a, const void *b)
{
	int64_t x = ((const struct pick *)a)->t, y = ((const struct pick *)b)->t;
	return x < y ? -1 : x > y;
}

static void merge_complete(const struct timeline *lines, size_t n, int64_t left, int64_t right,
	struct timeline_scratch *scratch, struct picks *out)
{
	int64_t interval = interval_of(lines, n, left, right, scratch);
	struct picks *a = &scratch->a, *b = &scratch->b;
	bool any_marker = false;
	int64_t first = INT64_MAX, last = INT64_MIN;

	a->len = 0;
	vec_push(a, (struct pick){ left, KNOWN, 0 });
	for (size_t i = 0; i < lines[0].n; i++)
		if (!(lines[0].flags[i] & TIMELINE_STALE))
			emit(a, &lines[0], 0, i);
	if (lines[0].n) {
		first = lines[0].t[0];
		last = lines[0].t[lines[0].n - 1];
	}
	/* What the base itself shows beyond left and right (a gap's sides) is known better than they are. */
	if (left == INT64_MIN || left >= first) {
		a->len--;
		memmove(a->data, a->data + 1, a->len * sizeof *a->data);
	}
	if (right != INT64_MAX && right > last)
		vec_push(a, (struct pick){ right, KNOWN, 0 });
	/* A second round, because a sample near an end that was not needed may be once a third replica goes on beyond it. */
	for (unsigned round = 0; round < (n > 2 ? 2u : 1u); round++)
		for (uint32_t k = 1; k < n; k++) {
			lay_under(b, a, &lines[k], k, interval, &scratch->markers);
			struct picks *swap = a;
			a = b;
			b = swap;
		}
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < lines[k].n; i++)
			any_marker |= lines[k].flags[i] & TIMELINE_STALE;
	if (any_marker)
		choose_markers(lines, n, a, interval, &scratch->markers);
	for (size_t i = 0; i < a->len; i++)
		if (a->data[i].line != KNOWN)
			vec_push(out, a->data[i]);
	if (any_marker && scratch->markers.len) {
		for (size_t i = 0; i < scratch->markers.len; i++)
			vec_push(out, scratch->markers.data[i]);
		vec_sort(out, pick_cmp);
	}
}

static void merge_chain(
	const struct timeline *lines, size_t n, struct timeline_scratch *scratch, struct picks *out)
{
	struct picks *at = &scratch->a; /* where each line is */
	at->len = 0;
	for (uint32_t k = 0; k < n; k++)
		vec_push(at, (struct pick){ 0, k, 0 });
	for (;;) {
		uint32_t best = KNOWN;
		for (uint32_t k = 0; k < n; k++)
			if (at->data[k].index < lines[k].n &&
				(best == KNOWN ||
					lines[k].t[at->data[k].index] < lines[best].t[at->data[best].index]))
				best = k;
		if (best == KNOWN)
			return;
		int64_t t = lines[best].t[at->data[best].index];
		emit(out, &lines[best], best, at->data[best].index);
		for (uint32_t k = 0; k < n; k++)
			at->data[k].index +=
				at->data[k].index < lines[k].n && lines[k].t[at->data[k].index] == t;
	}
}

/* Folds the second timeline into what was picked so far. */
static void fold_penalty(const struct picks *a, const struct timeline *b, uint32_t number, struct picks *out)
{
	size_t i = 0, k = 0;
	int64_t last = INT64_MIN, penalty_a = 0, penalty_b = 0;
	out->len = 0;
	for (;;) {
		if (last != INT64_MIN) {
			while (i < a->len && a->data[i].t < last + 1 + penalty_a)
				i++;
			while (k < b->n && b->t[k] < last + 1 + penalty_b)
				k++;
		}
		bool has_a = i < a->len, has_b = k < b->n;
		if (!has_a && !has_b)
			return;
		bool use_a = has_a && (!has_b || a->data[i].t <= b->t[k]);
		int64_t t = use_a ? a->data[i].t : b->t[k];
		if (has_a && has_b) {
			int64_t penalty = last == INT64_MIN ? PENALTY_FIRST_MS : 2 * (t - last);
			penalty_a = use_a ? 0 : penalty;
			penalty_b = use_a ? penalty : 0;
		} else {
			*(use_a ? &penalty_a : &penalty_b) = 0;
		}
		if (use_a)
			vec_push(out, a->data[i]);
		else
			emit(out, b, number, k);
		last = t;
	}
}

static void merge_penalty(
	const struct timeline *lines, size_t n, struct timeline_scratch *scratch, struct picks *out)
{
	struct picks *a = &scratch->a, *b = &scratch->b;
	a->len = 0;
	for (size_t i = 0; i < lines[0].n; i++)
		emit(a, &lines[0], 0, i);
	for (uint32_t k = 1; k < n; k++) {
		fold_penalty(a, &lines[k], k, b);
		struct picks *swap = a;
		a = b;
		b = swap;
	}
	for (size_t i = 0; i < a->len; i++)
		vec_push(out, a->data[i]);
}

void timeline_merge(enum dedup_func func, const struct timeline *lines, size_t n, int64_t from, int64_t to,
	int64_t left, int64_t right, struct timeline_scratch *scratch, struct picks *out)
{
	out->len = 0;
	if (n == 0)
		return;
	switch (func) {
	case DEDUP_COMPLETE: merge_complete(lines, n, left, right, scratch, out); break;
	case DEDUP_PENALTY: merge_penalty(lines, n, scratch, out); break;
	case DEDUP_CHAIN: merge_chain(lines, n, scratch, out); break;
	}
	size_t first = pick_at(out, from), end = to == INT64_MAX ? out->len : pick_at(out, to);
	if (first) {
		end = MAX_OF(first, end);
		memmove(out->data, out->data + first, (end - first) * sizeof *out->data);
	}
	out->len = end > first ? end - first : 0;
}
