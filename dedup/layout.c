/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of one merged series.
 *
 * A replica's chunks form runs: chunks that overlap each other (as after a backfill) are one. Replicas are ranked by
 * how much of the window they cover. The best one's runs cut the time line; where it is silent, the next one's runs
 * cut that gap, and so on:
 *
 *	rank 0   |--a--||--b--|              |--c--|
 *	rank 1  |---d---||---e---||--f--||--g---|
 *	slots   [  a,d  )[ b,d,e )[  f  )[ g )[ c,g)	e and g reach over the gap's edges; f, clear of them, passes
 *							through
 *
 * A piece that nothing but one chunk touches passes through (or, where its source is no passthrough one, becomes a
 * slot that copies it). Gaps that are short beside the run before them belong to that run's slot: two replicas never
 * scrape at the same moment, so there is such a gap after every chunk. A slot also names the chunks on its two sides:
 * what looks like a sample there may be a stale marker.
 */
#include "dedup/layout.h"

#include "dedup/layout_pair.h"
#include "dedup/layout_rules.h"
#include "dedup/slot_overrides.h"

/* One or more chunks of one replica that overlap each other; l->chunks[first .. first + count). */
struct run {
	int64_t mint, maxt;
	uint32_t first, count;
	bool tombstoned;
};

/* A replica's runs: l->runs[first .. first + count), sorted, not overlapping. */
struct rank {
	size_t first, count;
	size_t at; /* where the last search ended: the next one's times are near */
	uint64_t coverage;
	uint16_t replica;
};

/* One side of a gap: the time of the sample there and the run it belongs to. */
struct edge {
	int64_t t; /* INT64_MIN or INT64_MAX: the window's end */
	const struct run *run;
	size_t rank;
};

static const struct edge window_start = { .t = INT64_MIN }, window_end = { .t = INT64_MAX };

struct layout {
	const struct dedup_source *sources;
	size_t n_sources;
	enum dedup_func func;
	const struct slot_overrides *overrides;
	const struct layout_input *chunks; /* the caller's, or, where these weren't in order, `sorted` */
	VEC(struct layout_input) sorted;
	VEC(struct run) runs;
	VEC(struct rank) ranks;
	struct planned_chunks out;
	struct slot_sources pool;
	VEC(size_t) out_first; /* of each planned slot's sources in pool */
};

static bool has_overrides(
	const struct slot_overrides *overrides, const struct dedup_source *sources, size_t n_sources)
{
	if (!overrides)
		return false;
	uint64_t hash;
	auto_free struct ulid *ulids = xcalloc(n_sources, sizeof *ulids);
	for (size_t i = 0; i < n_sources; i++)
		ulids[i] = sources[i].block->meta->ulid;
	return slot_overrides_of_sources(overrides, ulids, n_sources, &hash) > 0;
}

struct layout *layout_new(const struct dedup_source *sources, size_t n_sources, enum dedup_func func,
	const struct slot_overrides *overrides)
{
	struct layout *l = xcalloc(1, sizeof *l);
	l->sources = sources;
	l->n_sources = n_sources;
	l->func = func;
	l->overrides = has_overrides(overrides, sources, n_sources) ? overrides : NULL;
	return l;
}

void layout_free(struct layout *l)
{
	if (!l)
		return;
	vec_fini(&l->sorted);
	vec_fini(&l->runs);
	vec_fini(&l->ranks);
	vec_fini(&l->out);
	vec_fini(&l->out_first);
	vec_fini(&l->pool);
	free(l);
}

static int input_cmp(const void *pa, const void *pb)
{
	const struct layout_input *a = pa, *b = pb;
	if (a->replica != b->replica)
		return a->replica < b->replica ? -1 : 1;
	if (a->meta.mint != b->meta.mint)
		return a->meta.mint < b->meta.mint ? -1 : 1;
	if (a->meta.maxt != b->meta.maxt)
		return a->meta.maxt < b->meta.maxt ? -1 : 1;
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	return a->meta.ref < b->meta.ref ? -1 : a->meta.ref > b->meta.ref;
}

static void sort_inputs(struct layout *l, const struct layout_input *in, size_t n)
{
	vec_reserve(&l->sorted, n);
	l->sorted.len = n;
	for (size_t i = 0; i < n; i++) {
		struct layout_input *c = &l->sorted.data[i];
		*c = in[i];
		c->meta.mint = MAX_OF(MIN_OF(c->meta.mint, TIME_LIMIT), -TIME_LIMIT);
		c->meta.maxt = MAX_OF(MIN_OF(c->meta.maxt, TIME_LIMIT), -TIME_LIMIT);
	}
	vec_sort(&l->sorted, input_cmp);
}

static void start_run(struct layout *l, uint32_t i)
{
	const struct layout_input *c = &l->chunks[i];
	struct rank *rank = &l->ranks.data[l->ranks.len - 1];
	rank->count++;
	rank->coverage += chunk_coverage(c);
	l->runs.data[l->runs.len++] = (struct run){
		.mint = c->meta.mint,
		.maxt = c->meta.maxt,
		.first = i,
		.count = 1,
		.tombstoned = c->tombstoned_series != 0,
	};
}

/* Adds a chunk to the last run where it overlaps it. */
static bool join_run(struct layout *l, const struct layout_input *c)
{
	struct run *run = &l->runs.data[l->runs.len - 1];
	if (c->meta.mint > run->maxt)
		return false;
	if (c->meta.maxt > run->maxt) {
		l->ranks.data[l->ranks.len - 1].coverage += (uint64_t)c->meta.maxt - (uint64_t)run->maxt;
		run->maxt = c->meta.maxt;
	}
	run->count++;
	run->tombstoned |= c->tombstoned_series != 0;
	return true;
}

/* Makes runs and ranks of the chunks; false where these turn out to need sorting first. */
static bool find_runs(struct layout *l, const struct layout_input *chunks, size_t n)
{
	l->chunks = chunks;
	l->runs.len = l->ranks.len = 0;
	vec_reserve(&l->runs, n);
	for (size_t i = 0; i < n; i++) {
		const struct layout_input *c = &chunks[i];
		bool is_new = i == 0 || c->replica != c[-1].replica;
		if (!is_within_limits(c) || (i && input_cmp(c - 1, c) > 0))
			return false;
		if (is_new)
			vec_push(&l->ranks, (struct rank){ .replica = c->replica, .first = l->runs.len });
		if (is_new || !join_run(l, c))
			start_run(l, (uint32_t)i);
	}
	return true;
}

/* How far a replica's coverage is behind the best one's, in steps. */
static uint64_t steps_behind(uint64_t coverage, uint64_t best, uint64_t step)
{
	return coverage == best ? 0 : (best - coverage) / step;
}

/* Best first. Ranks come in the order of their replicas, which an insertion sort keeps among equals. */
static void sort_ranks(struct layout *l)
{
	if (l->func != DEDUP_COMPLETE)
		return;
	uint64_t best = 1;
	vec_each (rank, &l->ranks)
		best = MAX_OF(best, rank->coverage);
	uint64_t step = coverage_step(best);
	for (size_t i = 1; i < l->ranks.len; i++) {
		struct rank r = l->ranks.data[i];
		size_t k = i;
		uint64_t behind = steps_behind(r.coverage, best, step);
		for (; k > 0 && steps_behind(l->ranks.data[k - 1].coverage, best, step) > behind; k--)
			l->ranks.data[k] = l->ranks.data[k - 1];
		l->ranks.data[k] = r;
	}
}

/* The runs of a rank that have something in p < t < q. */
static size_t runs_between(
	const struct layout *l, size_t rank, int64_t p, int64_t q, const struct run **first)
{
	struct rank *r = &l->ranks.data[rank];
	const struct run *runs = &l->runs.data[r->first];
	size_t at = r->at, n = 0;
	while (at > 0 && runs[at - 1].maxt > p)
		at--;
	while (at < r->count && runs[at].maxt <= p)
		at++;
	r->at = at;
	while (at + n < r->count && runs[at + n].mint < q)
		n++;
	*first = &runs[at];
	return n;
}

/* Where the lower ranks' chunks in p < t < q start and end at the outermost; false: there are none. */
static bool extent_of_lower(
	const struct layout *l, size_t rank, int64_t p, int64_t q, int64_t *from, int64_t *to)
{
	bool any = false;
	for (size_t r = rank + 1; r < l->ranks.len; r++) {
		const struct run *runs;
		size_t n = runs_between(l, r, p, q, &runs);
		if (n == 0)
			continue;
		*from = any ? MIN_OF(*from, runs[0].mint) : runs[0].mint;
		*to = any ? MAX_OF(*to, runs[n - 1].maxt) : runs[n - 1].maxt;
		any = true;
	}
	return any;
}

/* A slot that is being planned, from <= t < to. */
struct slot_plan {
	int64_t from, to;
	int64_t mint, maxt; /* of its members, cut to it */
	size_t pool_first;  /* where its sources start in the pool */
	uint64_t most,
		all; /* bytes of the members' frames that fall into it, about: of one replica, of all */
	unsigned replicas;
};

static void add_source(struct layout *l, const struct layout_input *c, size_t rank, enum slot_role role)
{
	struct slot_source *to = vec_push_slot(&l->pool);
	*to = slot_source_of(c, rank, role);
}

/* Makes a rank's chunks that fall into the slot, which are in these runs, members of it. */
static void add_runs(struct layout *l, struct slot_plan *s, size_t rank, const struct run *runs, size_t n)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < n; i++) {
		const struct layout_input *c = &l->chunks[runs[i].first], *end = c + runs[i].count;
		for (; c < end; c++) {
			if (c->meta.maxt < s->from || c->meta.mint >= s->to)
				continue;
			int64_t a = MAX_OF(c->meta.mint, s->from), b = MIN_OF(c->meta.maxt, s->to - 1);
			bytes += bytes_between(c, a, b);
			s->mint = MIN_OF(s->mint, a);
			s->maxt = MAX_OF(s->maxt, b);
			add_source(l, c, rank, SLOT_MEMBER);
		}
	}
	s->most = MAX_OF(s->most, bytes);
	s->all += bytes;
	s->replicas += bytes > 0;
}

/* The parts that the slot is known to need; 0: it is as planned. */
static unsigned parts_of(const struct layout *l, const struct slot_source *base, const struct slot *s,
	struct slot_part parts[SLOT_OVERRIDE_MAX_PARTS])
{
	struct slot_key key = { .ref = base->ref, .from = s->from, .to = s->to };
	if (!l->overrides)
		return 0;
	key.source = l->sources[base->source].block->meta->ulid;
	return slot_overrides_find(l->overrides, &key, parts);
}

static struct planned_chunk *add_planned(struct layout *l, size_t pool_first)
{
	vec_push(&l->out_first, pool_first);
	return vec_push_slot(&l->out);
}

/*
 * Puts the parts of the slot that was planned last in its place. Each of them may need parts in turn: where sources
 * came since they were learned, or where there were too many to be learned at once. So parts cover all of the slot's
 * time.
 */
static void split_slot(struct layout *l)
{
	struct slot_part parts[SLOT_OVERRIDE_MAX_PARTS];
	struct planned_chunk *last = &l->out.data[l->out.len - 1], c = *last;
	size_t pool_first = l->out_first.data[l->out.len - 1];
	unsigned n = parts_of(l, &l->pool.data[pool_first], &c.slot, parts);
	if (n == 1)
		last->slot.capacity = MIN_OF(MAX_OF(parts[0].bytes, MIN_CAPACITY), CHUNK_MAX_BYTES);
	if (n <= 1)
		return;
	l->out.len--;
	l->out_first.len--;
	for (unsigned i = 0; i < n; i++) {
		struct planned_chunk part = c;
		part.slot.capacity = MIN_OF(MAX_OF(parts[i].bytes, MIN_CAPACITY), CHUNK_MAX_BYTES);
		if (i > 0)
			part.mint = part.slot.from = parts[i].mint;
		if (i + 1 < n) {
			part.slot.to = parts[i + 1].mint;
			part.maxt = part.slot.to - 1;
		}
		*add_planned(l, pool_first) = part;
		split_slot(l);
	}
}

/*
 * A slot of what `run`, of `rank`, and the ranks below it have in from <= t < to; p and q are what stands before and
 * after it.
 */
static void plan_slot(struct layout *l, size_t rank, const struct run *run, int64_t from, int64_t to,
	const struct edge *p, const struct edge *q)
{
	struct slot_plan s = {
		.from = from, .to = to, .mint = INT64_MAX, .maxt = INT64_MIN, .pool_first = l->pool.len
	};
	add_runs(l, &s, rank, run, 1);
	for (size_t r = rank + 1; r < l->ranks.len; r++) {
		const struct run *runs;
		size_t n = runs_between(l, r, from == INT64_MIN ? from : from - 1, to, &runs);
		add_runs(l, &s, r, runs, n);
	}
	size_t members = l->pool.len - s.pool_first;
	bool mixes = s.replicas > 1 || (p->run && p->rank < rank) || (q->run && q->rank < rank);
	if (mixes && l->func == DEDUP_COMPLETE) {
		if (p->run)
			add_source(l, &l->chunks[p->run->first + p->run->count - 1], p->rank, SLOT_BEFORE);
		if (q->run)
			add_source(l, &l->chunks[q->run->first], q->rank, SLOT_AFTER);
	}
	bool switches = mixes || members > 1 || l->pool.data[s.pool_first].tombstoned_series;
	struct planned_chunk *c = add_planned(l, s.pool_first);
	c->mint = s.mint;
	c->maxt = s.maxt;
	c->is_slot = true;
	c->slot.from = from;
	c->slot.to = to;
	c->slot.left = p->t;
	c->slot.right = q->t;
	c->slot.capacity = slot_capacity(l->func == DEDUP_COMPLETE ? s.most : s.all, switches);
	c->slot.n_sources = (uint32_t)(l->pool.len - s.pool_first);
	if (l->overrides)
		split_slot(l);
}

/* A chunk that nothing else touches. */
static void plan_alone(struct layout *l, size_t rank, const struct run *run)
{
	const struct layout_input *c = &l->chunks[run->first];
	if (!l->sources[c->source].passthrough) {
		plan_slot(l, rank, run, run->mint, run->maxt + 1, &window_start, &window_end);
		return;
	}
	struct planned_chunk *planned = add_planned(l, 0);
	planned->mint = run->mint;
	planned->maxt = run->maxt;
	planned->is_slot = false;
	planned->source = c->source;
	planned->ref = c->meta.ref;
}

/* Whether a run in a gap keeps clear of the edge by half its scrape interval, whatever that is. */
static bool is_clear(const struct run *run, int64_t distance)
{
	return run->maxt > run->mint && distance >= (run->maxt - run->mint) / 2;
}

/* Whether a run of the rank, in the gap from p to q, comes too near to one of its edges to be taken as it is. */
static bool is_near_edge(const struct run *run, const struct edge *p, const struct edge *q)
{
	return (p->run && !is_clear(run, run->mint - p->t)) || (q->run && !is_clear(run, q->t - run->maxt));
}

static bool is_overlapped(const struct layout *l, size_t rank, int64_t from, int64_t to)
{
	int64_t lower_from, lower_to;
	return extent_of_lower(l, rank, from == INT64_MIN ? from : from - 1, to, &lower_from, &lower_to);
}

static void fill(struct layout *l, const struct edge *p, const struct edge *q, size_t rank);

/*
 * Plans one run of the rank that fills the gap from p to q, and what is free before it, if it is the first, and after
 * it: `before` and `next` are what stands there, which are p and q only at the gap's edges.
 */
static void plan_run(struct layout *l, size_t rank, const struct run *run, const struct edge *p,
	const struct edge *before, const struct edge *next, const struct edge *q)
{
	bool is_first = before == p, is_last = next == q, fill_after = false;
	bool is_clipped = run->mint <= p->t || run->maxt >= q->t;
	int64_t a = run->mint <= p->t ? p->t + 1 : run->mint, b = run->maxt >= q->t ? q->t - 1 : run->maxt;
	int64_t from = a, to = b + 1, lower_from, lower_to;

	if (is_first && extent_of_lower(l, rank, p->t, a, &lower_from, &lower_to)) {
		if (is_small_gap(a - MAX_OF(lower_from, p->t), b - a))
			from = p->t == INT64_MIN ? INT64_MIN : p->t + 1;
		else
			fill(l, p, &(struct edge){ a, run, rank }, rank + 1);
	}
	if (extent_of_lower(l, rank, b, next->t, &lower_from, &lower_to)) {
		if (is_small_gap(MIN_OF(lower_to, next->t) - b, b - a))
			to = next->t;
		else
			fill_after = true;
	}
	bool may_pass = run->count == 1 && !run->tombstoned && !is_clipped &&
			!is_near_edge(run, is_first ? p : &window_start, is_last ? q : &window_end);
	if (may_pass && !is_overlapped(l, rank, from, to))
		plan_alone(l, rank, run);
	else
		plan_slot(l, rank, run, from, to, before, next);
	if (fill_after)
		fill(l, &(struct edge){ b, run, rank }, next, rank + 1);
}

/* Plans what the gap from p to q holds of `rank` and those below it. */
static void fill(struct layout *l, const struct edge *p, const struct edge *q, size_t rank)
{
	const struct run *runs;
	size_t n = 0;
	for (; rank < l->ranks.len; rank++) {
		n = runs_between(l, rank, p->t, q->t, &runs);
		if (n)
			break;
	}
	struct edge before = *p;
	for (size_t i = 0; i < n; i++) {
		const struct run *run = &runs[i];
		struct edge next = i + 1 < n ? (struct edge){ run[1].mint, &run[1], rank } : *q;
		plan_run(l, rank, run, p, i ? &before : p, i + 1 < n ? &next : q, q);
		before = (struct edge){ MIN_OF(run->maxt, q->t - 1), run, rank };
	}
}

size_t layout_series_any(
	struct layout *l, const struct layout_input *in, size_t n, const struct planned_chunk **out)
{
	l->out.len = l->out_first.len = l->pool.len = 0;
	if (!find_runs(l, in, n)) {
		sort_inputs(l, in, n);
		find_runs(l, l->sorted.data, n);
	}
	sort_ranks(l);
	fill(l, &window_start, &window_end, 0);
	for (size_t i = 0; i < l->out.len; i++)
		if (l->out.data[i].is_slot)
			l->out.data[i].slot.sources = &l->pool.data[l->out_first.data[i]];
	*out = l->out.data;
	return l->out.len;
}

size_t layout_series(
	struct layout *l, const struct layout_input *in, size_t n, const struct planned_chunk **out)
{
	if (l->func != DEDUP_COMPLETE || l->overrides || !layout_pair(l->sources, in, n, &l->out, &l->pool))
		return layout_series_any(l, in, n, out);
	*out = l->out.data;
	return l->out.len;
}
