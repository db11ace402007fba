/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merged time lines against what doc/dedup.md promises of them, each promise looked up sample by sample in all lines, and
 * penalty and chain against the plainest way of writing them down.
 *
 *	prop_timeline [CASES [SEED]]
 */
#include "dedup/timeline.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_LINES   5
#define MAX_SAMPLES 128
#define START       1000000
#define ENOUGH      8 /* distances of the base, for its interval to be beyond doubt */

struct samples {
	int64_t t[MAX_SAMPLES];
	uint8_t flags[MAX_SAMPLES];
	size_t n;
};

struct world {
	uint64_t seed;
	unsigned n;
	struct samples lines[MAX_LINES];
	int64_t interval, jitter; /* the base's */
	int64_t left, right;
};

struct output {
	struct pick data[MAX_LINES * MAX_SAMPLES];
	size_t n;
};

static uint64_t rng;

static uint64_t below(uint64_t n)
{
	return test_random(&rng) % n;
}

static bool chance(unsigned percent)
{
	return below(100) < percent;
}

__attribute__((noreturn)) static void fail(const struct world *w, const char *what, int64_t t)
{
	printf("seed %llu: %s at %lld (interval %lld, jitter %lld, left %lld, right %lld)\n",
		(unsigned long long)w->seed, what, (long long)t, (long long)w->interval, (long long)w->jitter,
		(long long)w->left, (long long)w->right);
	for (unsigned k = 0; k < w->n; k++) {
		printf("  line %u:", k);
		for (size_t i = 0; i < w->lines[k].n; i++)
			printf(" %lld%s%s", (long long)w->lines[k].t[i],
				w->lines[k].flags[i] & TIMELINE_STALE ? "x" : "",
				w->lines[k].flags[i] & TIMELINE_FIRST ? "|" : "");
		printf("\n");
	}
	exit(1);
}

/* Scrapes with outages, single misses, markers where they begin, and chunks. */
static void make_line(struct samples *s, int64_t interval, int64_t jitter, int64_t span, unsigned misses,
	unsigned outages, bool markers)
{
	bool down = chance(10), marked = false;
	s->n = 0;
	for (int64_t t = (int64_t)below((uint64_t)interval); t < span && s->n < MAX_SAMPLES; t += interval) {
		if (chance(down ? 20 : outages))
			down = !down;
		bool missed = down || chance(misses);
		if (missed && (!markers || marked || s->n == 0 || chance(30)))
			continue;
		int64_t at = START + t + (jitter ? (int64_t)below(2 * (uint64_t)jitter + 1) - jitter : 0);
		s->t[s->n] = at;
		s->flags[s->n] = (missed ? TIMELINE_STALE : 0) | (chance(2) ? TIMELINE_FIRST : 0);
		marked = missed;
		s->n++;
	}
	if (s->n)
		s->flags[0] &= (uint8_t)~TIMELINE_FIRST;
}

static void make_world(struct world *w, uint64_t seed)
{
	rng = seed;
	w->seed = seed;
	w->n = 1 + (unsigned)below(MAX_LINES);
	w->interval = (int64_t[]){ 15000, 60000, 5000, 40 }[below(4)];
	w->jitter = chance(60) ? 0 : w->interval / 100;
	bool markers = chance(50), mixed = chance(30);
	unsigned misses = chance(50) ? 0 : 8;
	int64_t span = w->interval * (int64_t)(2 + below(chance(20) ? 100 : 30));
	int64_t first = INT64_MAX, last = INT64_MIN;
	for (unsigned k = 0; k < w->n; k++) {
		int64_t interval = w->interval;
		if (k && mixed)
			interval = (int64_t[]){ w->interval / 2, w->interval, 2 * w->interval,
				4 * w->interval }[below(4)];
		make_line(&w->lines[k], interval, w->jitter, span, misses, chance(30) ? 0 : 8, markers);
		if (w->lines[k].n) {
			first = MIN_OF(first, w->lines[k].t[0]);
			last = MAX_OF(last, w->lines[k].t[w->lines[k].n - 1]);
		}
	}
	w->left = INT64_MIN;
	w->right = INT64_MAX;
	if (last != INT64_MIN && chance(40))
		w->left = first - 1 - (int64_t)below(3 * (uint64_t)w->interval);
	if (last != INT64_MIN && chance(40))
		w->right = last + 1 + (int64_t)below(3 * (uint64_t)w->interval);
}

static struct timeline_scratch scratch;
static struct picks picks;

static void merge(const struct world *w, enum dedup_func func, int64_t from, int64_t to, struct output *out)
{
	struct timeline lines[MAX_LINES];
	for (unsigned k = 0; k < w->n; k++)
		lines[k] = (struct timeline){ w->lines[k].t, w->lines[k].flags, w->lines[k].n };
	timeline_merge(func, lines, w->n, from, to, w->left, w->right, &scratch, &picks);
	out->n = picks.len;
	if (picks.len)
		memcpy(out->data, picks.data, picks.len * sizeof *picks.data);
}

static bool is_marker(const struct world *w, const struct pick *p)
{
	return w->lines[p->line].flags[p->index] & TIMELINE_STALE;
}

static bool has_pick(const struct output *o, unsigned line, size_t index)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->data[i].line == line && o->data[i].index == index)
			return true;
	return false;
}

/* Every pick is a sample of a line, at its time; times rise. */
static void check_picks(const struct world *w, const struct output *o, int64_t from, int64_t to)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct pick *p = &o->data[i];
		if (p->line >= w->n || p->index >= w->lines[p->line].n ||
			w->lines[p->line].t[p->index] != p->t)
			fail(w, "a pick that is no sample", p->t);
		if (i && p->t <= o->data[i - 1].t)
			fail(w, "times don't rise", p->t);
		if (p->t < from || p->t >= to)
			fail(w, "a pick outside the range", p->t);
	}
}

/* The live output with what is known on its sides, as times and lines (known ones count as the base's). */
struct live {
	int64_t t[MAX_LINES * MAX_SAMPLES + 2];
	uint32_t line[MAX_LINES * MAX_SAMPLES + 2];
	size_t n;
};

static void add_live(struct live *l, int64_t t, uint32_t line)
{
	l->t[l->n] = t;
	l->line[l->n++] = line;
}

static void find_live(const struct world *w, const struct output *o, struct live *l)
{
	l->n = 0;
	if (w->left != INT64_MIN)
		add_live(l, w->left, 0);
	for (size_t i = 0; i < o->n; i++)
		if (!is_marker(w, &o->data[i]))
			add_live(l, o->data[i].t, o->data[i].line);
	if (w->right != INT64_MAX)
		add_live(l, w->right, 0);
}

/* Whether the base shows its interval beyond doubt. */
static bool is_plain(const struct world *w)
{
	const struct samples *b = &w->lines[0];
	size_t deltas = 0, regular = 0;
	for (size_t i = 1; i < b->n; i++) {
		if (b->flags[i] & TIMELINE_FIRST)
			continue;
		deltas++;
		regular += b->t[i] - b->t[i - 1] <= w->interval + 2 * w->jitter;
	}
	return regular >= ENOUGH && 2 * regular > deltas;
}

/* Half an interval at the most, and at the least, as jitter lets it be measured. */
static int64_t half_most(const struct world *w)
{
	return (w->interval + 2 * w->jitter + 1) / 2;
}

static int64_t half_least(const struct world *w)
{
	return (w->interval - 2 * w->jitter) / 2;
}

static bool is_gap_for_sure(const struct world *w, int64_t x, int64_t y)
{
	return 2 * (y - x) > 3 * (w->interval + 2 * w->jitter);
}

static bool may_be_gap(const struct world *w, int64_t x, int64_t y)
{
	return 2 * (y - x) > 3 * (w->interval - 2 * w->jitter);
}

/* The base is followed. */
static void check_base(const struct world *w, const struct output *o)
{
	for (size_t i = 0; i < w->lines[0].n; i++)
		if (!(w->lines[0].flags[i] & TIMELINE_STALE) && !has_pick(o, 0, i))
			fail(w, "a sample of the base is missing", w->lines[0].t[i]);
}

/*
 * A filling sample stands where the base is silent. (All better lines are when it is chosen; one of theirs may be taken
 * later, beside it, once it is needed.)
 */
static void check_fillers(const struct world *w, const struct output *o, const struct live *l)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct pick *p = &o->data[i];
		if (p->line == 0 || is_marker(w, p))
			continue;
		int64_t x = INT64_MIN, y = INT64_MAX;
		for (size_t k = 0; k < l->n; k++) {
			if (l->line[k] != 0)
				continue;
			if (l->t[k] < p->t)
				x = MAX_OF(x, l->t[k]);
			else
				y = MIN_OF(y, l->t[k]);
		}
		if (x != INT64_MIN && y != INT64_MAX && !may_be_gap(w, x, y))
			fail(w, "the base is not silent", p->t);
	}
}

/* Whether the line is silent for more than 1.5 intervals somewhere between x and y. */
static bool line_has_gap(const struct world *w, const struct samples *s, int64_t x, int64_t y)
{
	int64_t before = INT64_MIN;
	for (size_t i = 0; i <= s->n; i++) {
		if (i < s->n && s->flags[i] & TIMELINE_STALE)
			continue;
		int64_t t = i < s->n ? s->t[i] : INT64_MAX;
		if (t > x && before < y) {
			if (before == INT64_MIN || t == INT64_MAX || may_be_gap(w, before, t))
				return true;
		}
		before = t;
	}
	return false;
}

/* A gap of the output is a gap of every line. What lies in the middle of one was to be taken. */
static void check_complete(const struct world *w, const struct live *l)
{
	for (size_t i = 0; i + 1 < l->n; i++) {
		int64_t x = l->t[i], y = l->t[i + 1];
		if (!is_gap_for_sure(w, x, y))
			continue;
		for (unsigned k = 0; k < w->n; k++) {
			const struct samples *s = &w->lines[k];
			if (!line_has_gap(w, s, x, y))
				fail(w, "a gap that a line does not have", x);
			for (size_t j = 0; j < s->n; j++)
				if (!(s->flags[j] & TIMELINE_STALE) && s->t[j] - x >= half_most(w) &&
					y - s->t[j] >= half_most(w))
					fail(w, "a gap that a sample lies in", s->t[j]);
		}
	}
	for (unsigned k = 0; k < w->n; k++)
		for (size_t j = 0; j < w->lines[k].n; j++) {
			int64_t t = w->lines[k].t[j];
			if (w->lines[k].flags[j] & TIMELINE_STALE)
				continue;
			if (l->n == 0 || t < l->t[0] - half_most(w) || t > l->t[l->n - 1] + half_most(w))
				fail(w, "an end that a line reaches beyond", t);
		}
}

/* Samples stand closer than half an interval only where the line changes, and at most once a change. */
static void check_rate(const struct world *w, const struct live *l)
{
	unsigned close = 0, switches = 0;
	for (size_t i = 0; i + 1 < l->n; i++) {
		bool known = (i == 0 && w->left != INT64_MIN) || (i + 2 == l->n && w->right != INT64_MAX);
		bool is_switch = known || l->line[i] != l->line[i + 1];
		bool is_close = l->t[i + 1] - l->t[i] < half_least(w) - 2 * w->jitter;
		if (is_close && !is_switch)
			fail(w, "one line's samples closer than half an interval", l->t[i]);
		close += is_close;
		switches += is_switch;
	}
	if (close > switches)
		fail(w, "more than one extra sample a switch", l->t[0]);
}

/* Where the output ends or pauses and a line says so, the output says so; nowhere else. */
static void check_markers(const struct world *w, const struct output *o, const struct live *l)
{
	for (size_t i = 0; i < o->n; i++) {
		if (!is_marker(w, &o->data[i]))
			continue;
		size_t k = 0;
		while (k < l->n && l->t[k] < o->data[i].t)
			k++;
		bool open = k == 0 || k == l->n;
		bool among_base = o->data[i].line == 0 && (k == 0 || l->line[k - 1] == 0) &&
				  (k == l->n || l->line[k] == 0);
		if (!among_base && !open && !may_be_gap(w, l->t[k - 1], l->t[k]))
			fail(w, "a marker where a line goes on", o->data[i].t);
		if (!among_base && k == 0 && l->n)
			fail(w, "another line's marker before the first sample", o->data[i].t);
		bool one_before = i && is_marker(w, &o->data[i - 1]);
		if (one_before && !among_base &&
			(k == l->n || o->data[i - 1].t > (k ? l->t[k - 1] : INT64_MIN)))
			fail(w, "two markers in one gap", o->data[i].t);
	}
	for (size_t k = 0; k < l->n; k++) {
		int64_t x = l->t[k], y = k + 1 < l->n ? l->t[k + 1] : INT64_MAX;
		bool wanted = false, there = false;
		if (y != INT64_MAX && !is_gap_for_sure(w, x, y))
			continue;
		for (unsigned line = 0; line < w->n; line++)
			for (size_t j = 0; j < w->lines[line].n; j++)
				wanted |= w->lines[line].flags[j] & TIMELINE_STALE &&
					  w->lines[line].t[j] > x && w->lines[line].t[j] < y;
		for (size_t i = 0; i < o->n; i++)
			there |= is_marker(w, &o->data[i]) && o->data[i].t > x && o->data[i].t < y;
		if (wanted && !there)
			fail(w, "a gap that begins without its marker", x);
	}
}

/* A part of the range holds what the whole does there. */
static void check_clip(const struct world *w, enum dedup_func func, const struct output *whole)
{
	static struct output part;
	int64_t from = START + (int64_t)below(20 * (uint64_t)w->interval);
	int64_t to = from + 1 + (int64_t)below(30 * (uint64_t)w->interval);
	size_t k = 0;
	merge(w, func, from, to, &part);
	check_picks(w, &part, from, to);
	for (size_t i = 0; i < whole->n; i++) {
		const struct pick *p = &whole->data[i];
		if (p->t < from || p->t >= to)
			continue;
		if (k == part.n || part.data[k].t != p->t || part.data[k].line != p->line ||
			part.data[k].index != p->index)
			fail(w, "a part of the range differs", p->t);
		k++;
	}
	if (k != part.n)
		fail(w, "a part of the range has more", part.data[k].t);
}

static bool check_whole_promise(const struct world *w)
{
	static struct output o;
	static struct live l;
	merge(w, DEDUP_COMPLETE, INT64_MIN, INT64_MAX, &o);
	check_picks(w, &o, INT64_MIN, INT64_MAX);
	check_base(w, &o);
	check_clip(w, DEDUP_COMPLETE, &o);
	if (!is_plain(w))
		return false;
	find_live(w, &o, &l);
	check_fillers(w, &o, &l);
	check_complete(w, &l);
	check_rate(w, &l);
	check_markers(w, &o, &l);
	return true;
}

static void check_same(
	const struct world *w, const char *what, const struct output *got, const struct output *want)
{
	for (size_t i = 0; i < MIN_OF(got->n, want->n); i++)
		if (got->data[i].t != want->data[i].t || got->data[i].line != want->data[i].line ||
			got->data[i].index != want->data[i].index)
			fail(w, what, want->data[i].t);
	if (got->n != want->n)
		fail(w, what, got->n < want->n ? want->data[got->n].t : got->data[want->n].t);
}

/* All samples by time; of equal times the best line's. */
static void check_chain(const struct world *w)
{
	static struct output got, want;
	merge(w, DEDUP_CHAIN, INT64_MIN, INT64_MAX, &got);
	want.n = 0;
	for (int64_t last = INT64_MIN;;) {
		struct pick next = { .t = INT64_MAX };
		for (unsigned k = 0; k < w->n; k++)
			for (size_t i = 0; i < w->lines[k].n; i++)
				if (w->lines[k].t[i] > last && w->lines[k].t[i] < next.t)
					next = (struct pick){ w->lines[k].t[i], k, (uint32_t)i };
		if (next.t == INT64_MAX)
			break;
		want.data[want.n++] = next;
		last = next.t;
	}
	check_same(w, "chain", &got, &want);
	check_clip(w, DEDUP_CHAIN, &got);
}

/* An iterator as Thanos has them: on its first sample to begin with; Seek never goes back. */
struct iterator {
	const struct output *of;
	size_t at;
};

static bool seek(struct iterator *it, int64_t t)
{
	while (it->at < it->of->n && it->of->data[it->at].t < t)
		it->at++;
	return it->at < it->of->n;
}

static void fold(const struct output *left, const struct output *right, struct output *out)
{
	struct iterator a = { left, 0 }, b = { right, 0 };
	bool is_first = true;
	int64_t last = 0, pen_a = 0, pen_b = 0;
	out->n = 0;
	for (;;) {
		int64_t from = INT64_MIN / 2;
		bool has_a = seek(&a, is_first ? from : last + 1 + pen_a);
		bool has_b = seek(&b, is_first ? from : last + 1 + pen_b);
		if (!has_a && !has_b)
			return;
		if (!has_a || !has_b) {
			struct iterator *it = has_a ? &a : &b;
			*(has_a ? &pen_a : &pen_b) = 0;
			out->data[out->n] = it->of->data[it->at];
		} else {
			int64_t ta = a.of->data[a.at].t, tb = b.of->data[b.at].t;
			bool use_a = ta <= tb;
			int64_t held_back = is_first ? 5000 : 2 * ((use_a ? ta : tb) - last);
			pen_a = use_a ? 0 : held_back;
			pen_b = use_a ? held_back : 0;
			out->data[out->n] = use_a ? a.of->data[a.at] : b.of->data[b.at];
		}
		last = out->data[out->n++].t;
		is_first = false;
	}
}

static void check_penalty(const struct world *w)
{
	static struct output got, so_far, next, line;
	merge(w, DEDUP_PENALTY, INT64_MIN, INT64_MAX, &got);
	so_far.n = 0;
	for (unsigned k = 0; k < w->n; k++) {
		line.n = w->lines[k].n;
		for (size_t i = 0; i < line.n; i++)
			line.data[i] = (struct pick){ w->lines[k].t[i], k, (uint32_t)i };
		if (k == 0) {
			so_far = line;
			continue;
		}
		fold(&so_far, &line, &next);
		so_far = next;
	}
	check_same(w, "penalty", &got, &so_far);
	check_clip(w, DEDUP_PENALTY, &got);
}

int main(int argc, char **argv)
{
	uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	uint64_t plain = 0;
	static struct world w;
	for (uint64_t c = 0; c < cases; c++) {
		make_world(&w, seed + c);
		plain += check_whole_promise(&w);
		check_chain(&w);
		check_penalty(&w);
	}
	timeline_scratch_fini(&scratch);
	vec_fini(&picks);
	printf("%llu time lines from seed %llu, %llu of them with a plain interval\n",
		(unsigned long long)cases, (unsigned long long)seed, (unsigned long long)plain);
	printf("1 passed, 0 failed\n");
	return 0;
}
