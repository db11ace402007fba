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

#include "dedup/slot_overrides.h"

#define SMALL_GAP_MS 30000
#define SWITCH_BYTES \
	64 /* what changing the source costs: times and windows written anew, some more than once */
#define MIN_CAPACITY 16                 /* an empty chunk's frame has 9 bytes */
#define TIME_LIMIT   ((int64_t)1 << 61) /* times beyond it are cut to it, so that no difference overflows */
#define COVERAGE_STEPS \
	64 /* replicas whose coverage differs by less than a 64th of the best count as equal \
			   */

/* One or more chunks of one replica that overlap each other; l->sorted[first .. first + count). */
struct run {
	int64_t mint, maxt;
	size_t first, count;
	bool tombstoned;
};

/* A replica's runs: l->runs[first .. first + count), sorted, not overlapping. */
struct rank {
	uint16_t replica;
	size_t first, count;
	uint64_t coverage;
};

/* One side of a gap: the time of the sample there and the run it belongs to. */
struct edge {
	int64_t t; /* INT64_MIN or INT64_MAX: the window's end */
	const struct run *run;
	size_t rank;
};

struct layout {
	const struct dedup_source *sources;
	size_t n_sources;
	enum dedup_func func;
	const struct slot_overrides *overrides;
	VEC(struct layout_input) sorted;
	VEC(struct run) runs;
	VEC(struct rank) ranks;
	VEC(struct planned_chunk) out;
	VEC(size_t) out_first; /* of each planned slot's sources in pool */
	VEC(struct slot_source) pool;
};

struct layout *layout_new(const struct dedup_source *sources, size_t n_sources, enum dedup_func func,
	const struct slot_overrides *overrides)
{
	struct layout *l = xcalloc(1, sizeof *l);
	l->sources = sources;
	l->n_sources = n_sources;
	l->func = func;
	l->overrides = overrides;
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
	bool sorted = true;
	l->sorted.len = 0;
	vec_reserve(&l->sorted, n);
	for (size_t i = 0; i < n; i++) {
		struct layout_input *c = &l->sorted.data[i];
		*c = in[i];
		c->meta.mint = MAX_OF(MIN_OF(c->meta.mint, TIME_LIMIT), -TIME_LIMIT);
		c->meta.maxt = MAX_OF(MIN_OF(c->meta.maxt, TIME_LIMIT), -TIME_LIMIT);
		sorted &= i == 0 || input_cmp(&in[i - 1], &in[i]) <= 0;
	}
	l->sorted.len = n;
	if (!sorted)
		vec_sort(&l->sorted, input_cmp);
}

static void find_runs(struct layout *l)
{
	l->runs.len = l->ranks.len = 0;
	for (size_t i = 0; i < l->sorted.len; i++) {
		const struct layout_input *c = &l->sorted.data[i];
		bool new_rank = l->ranks.len == 0 || l->ranks.data[l->ranks.len - 1].replica != c->replica;
		if (new_rank)
			vec_push(&l->ranks, (struct rank){ .replica = c->replica, .first = l->runs.len });
		struct rank *rank = &l->ranks.data[l->ranks.len - 1];
		struct run *last = new_rank ? NULL : &l->runs.data[l->runs.len - 1];
		if (last && c->meta.mint <= last->maxt) {
			last->maxt = MAX_OF(last->maxt, c->meta.maxt);
			last->count++;
			last->tombstoned |= c->tombstoned_series != 0;
			continue;
		}
		vec_push(&l->runs, (struct run){ .mint = c->meta.mint,
					   .maxt = c->meta.maxt,
					   .first = i,
					   .count = 1,
					   .tombstoned = c->tombstoned_series != 0 });
		rank->count++;
	}
	vec_each (rank, &l->ranks) {
		rank->coverage = 0;
		for (size_t i = 0; i < rank->count; i++) {
			const struct run *run = &l->runs.data[rank->first + i];
			rank->coverage += (uint64_t)run->maxt - (uint64_t)run->mint + 1;
		}
	}
}

/* Best first. Ranks come in the order of their replicas, which an insertion sort keeps among equals. */
static void sort_ranks(struct layout *l)
{
	if (l->func != DEDUP_COMPLETE)
		return;
	uint64_t best = 1;
	vec_each (rank, &l->ranks)
		best = MAX_OF(best, rank->coverage);
	uint64_t step = best / COVERAGE_STEPS + 1;
	for (size_t i = 1; i < l->ranks.len; i++) {
		struct rank r = l->ranks.data[i];
		size_t k = i;
		for (; k > 0 && (best - l->ranks.data[k - 1].coverage) / step > (best - r.coverage) / step;
			k--)
			l->ranks.data[k] = l->ranks.data[k - 1];
		l->ranks.data[k] = r;
	}
}

/* The runs of a rank that have something in p < t < q. */
static size_t runs_between(
	const struct layout *l, size_t rank, int64_t p, int64_t q, const struct run **first)
{
	const struct rank *r = &l->ranks.data[rank];
	const struct run *runs = &l->runs.data[r->first];
	size_t lo = 0, hi = r->count;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (runs[mid].maxt <= p)
			lo = mid + 1;
		else
			hi = mid;
	}
	size_t n = 0;
	while (lo + n < r->count && runs[lo + n].mint < q)
		n++;
	*first = &runs[lo];
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

static bool is_small(int64_t gap, int64_t run_ms)
{
	return gap <= MAX_OF(run_ms / 4, SMALL_GAP_MS);
}

static void add_source(struct layout *l, const struct layout_input *c, size_t rank, enum slot_role role)
{
	vec_push(&l->pool, (struct slot_source){ .ref = c->meta.ref,
				   .tombstoned_series = c->tombstoned_series,
				   .frame_bytes = c->frame_bytes,
				   .source = c->source,
				   .rank = (uint16_t)rank,
				   .role = (uint8_t)role });
}

/* Adds a rank's chunks that overlap from <= t < to; returns the bytes of theirs that fall into it, about. */
static uint64_t add_overlapping(
	struct layout *l, size_t rank, int64_t from, int64_t to, int64_t *mint, int64_t *maxt)
{
	const struct run *runs;
	size_t n = runs_between(l, rank, from == INT64_MIN ? from : from - 1, to, &runs);
	uint64_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < runs[i].count; k++) {
			const struct layout_input *c = &l->sorted.data[runs[i].first + k];
			if (c->meta.maxt < from || c->meta.mint >= to)
				continue;
			int64_t a = MAX_OF(c->meta.mint, from), b = MIN_OF(c->meta.maxt, to - 1);
			double share = ((double)b - (double)a + 1) /
				       ((double)c->meta.maxt - (double)c->meta.mint + 1);
			bytes += (uint64_t)(share * c->frame_bytes) + 1;
			*mint = MIN_OF(*mint, a);
			*maxt = MAX_OF(*maxt, b);
			add_source(l, c, rank, SLOT_MEMBER);
		}
	return bytes;
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

/*
 * Adds a slot, or its parts, each of which may need parts in turn: where sources came since they were learned, or where
 * there were too many to be learned at once. So parts cover all of the slot's time.
 */
static void push_slot(struct layout *l, size_t pool_first, struct planned_chunk *c)
{
	struct slot_part parts[SLOT_OVERRIDE_MAX_PARTS];
	c->is_slot = true;
	c->slot.n_sources = (uint32_t)(l->pool.len - pool_first);
	unsigned n = parts_of(l, &l->pool.data[pool_first], &c->slot, parts);
	if (n == 1)
		c->slot.capacity = MIN_OF(MAX_OF(parts[0].bytes, MIN_CAPACITY), CHUNK_MAX_BYTES);
	if (n <= 1) {
		vec_push(&l->out, *c);
		vec_push(&l->out_first, pool_first);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct planned_chunk part = *c;
		part.slot.capacity = MIN_OF(MAX_OF(parts[i].bytes, MIN_CAPACITY), CHUNK_MAX_BYTES);
		if (i > 0)
			part.mint = part.slot.from = parts[i].mint;
		if (i + 1 < n) {
			part.slot.to = parts[i + 1].mint;
			part.maxt = part.slot.to - 1;
		}
		push_slot(l, pool_first, &part);
	}
}

/* A slot of what `rank` and the ranks below it have in from <= t < to; p and q are what stands before and after it. */
static void plan_slot(
	struct layout *l, size_t rank, int64_t from, int64_t to, const struct edge *p, const struct edge *q)
{
	size_t pool_first = l->pool.len;
	int64_t mint = INT64_MAX, maxt = INT64_MIN;
	uint64_t most = 0, all = 0;
	unsigned replicas = 0;

	for (size_t r = rank; r < l->ranks.len; r++) {
		uint64_t bytes = add_overlapping(l, r, from, to, &mint, &maxt);
		most = MAX_OF(most, bytes);
		all += bytes;
		replicas += bytes > 0;
	}
	size_t members = l->pool.len - pool_first;
	bool mixes = replicas > 1 || (p->run && p->rank < rank) || (q->run && q->rank < rank);
	if (mixes && l->func == DEDUP_COMPLETE) {
		if (p->run)
			add_source(
				l, &l->sorted.data[p->run->first + p->run->count - 1], p->rank, SLOT_BEFORE);
		if (q->run)
			add_source(l, &l->sorted.data[q->run->first], q->rank, SLOT_AFTER);
	}
	uint64_t capacity = l->func == DEDUP_COMPLETE ? most : all;
	if (mixes || members > 1 || l->pool.data[pool_first].tombstoned_series)
		capacity += SWITCH_BYTES + capacity / 16;
	capacity = MIN_OF(MAX_OF(capacity, MIN_CAPACITY), CHUNK_MAX_BYTES);
	struct planned_chunk c = { .mint = mint, .maxt = maxt };
	c.slot = (struct slot){
		.from = from, .to = to, .left = p->t, .right = q->t, .capacity = (uint32_t)capacity
	};
	push_slot(l, pool_first, &c);
}

/* A chunk that nothing else touches. */
static void plan_alone(struct layout *l, size_t rank, const struct run *run)
{
	const struct layout_input *c = &l->sorted.data[run->first];
	if (!l->sources[c->source].passthrough) {
		static const struct edge before = { .t = INT64_MIN }, after = { .t = INT64_MAX };
		plan_slot(l, rank, run->mint, run->maxt + 1, &before, &after);
		return;
	}
	vec_push(&l->out,
		(struct planned_chunk){
			.mint = run->mint, .maxt = run->maxt, .source = c->source, .ref = c->meta.ref });
	vec_push(&l->out_first, 0);
}

/* Whether a run in a gap keeps clear of the edge by half its scrape interval, whatever that is. */
static bool is_clear(const struct run *run, int64_t distance)
{
	return run->maxt > run->mint && distance >= (run->maxt - run->mint) / 2;
}

static void fill(struct layout *l, struct edge p, struct edge q, size_t rank)
{
	const struct run *runs;
	size_t n = 0;
	for (; rank < l->ranks.len && n == 0; rank++)
		n = runs_between(l, rank, p.t, q.t, &runs);
	if (n == 0)
		return;
	rank--;

	struct edge before = p;
	for (size_t i = 0; i < n; i++) {
		const struct run *run = &runs[i];
		bool first = i == 0, last = i + 1 == n;
		bool clipped = run->mint <= p.t || run->maxt >= q.t;
		int64_t a = run->mint <= p.t ? p.t + 1 : run->mint,
			b = run->maxt >= q.t ? q.t - 1 : run->maxt;
		int64_t from = a, to = b + 1, lower_from, lower_to;
		struct edge next = last ? q : (struct edge){ runs[i + 1].mint, &runs[i + 1], rank };
		bool fill_after = false;

		if (first && extent_of_lower(l, rank, p.t, a, &lower_from, &lower_to)) {
			if (is_small(a - MAX_OF(lower_from, p.t), b - a))
				from = p.t == INT64_MIN ? INT64_MIN : p.t + 1;
			else
				fill(l, p, (struct edge){ a, run, rank }, rank + 1);
		}
		if (extent_of_lower(l, rank, b, next.t, &lower_from, &lower_to)) {
			if (is_small(MIN_OF(lower_to, next.t) - b, b - a))
				to = next.t;
			else
				fill_after = true;
		}
		bool near_edge = (first && p.run && !is_clear(run, run->mint - p.t)) ||
				 (last && q.run && !is_clear(run, q.t - run->maxt));
		bool overlapped = extent_of_lower(
			l, rank, from == INT64_MIN ? from : from - 1, to, &lower_from, &lower_to);
		if (run->count == 1 && !run->tombstoned && !overlapped && !clipped && !near_edge)
			plan_alone(l, rank, run);
		else
			plan_slot(l, rank, from, to, &before, &next);
		if (fill_after)
			fill(l, (struct edge){ b, run, rank }, next, rank + 1);
		before = (struct edge){ b, run, rank };
	}
}

size_t layout_series(
	struct layout *l, const struct layout_input *in, size_t n, const struct planned_chunk **out)
{
	l->out.len = l->out_first.len = l->pool.len = 0;
	sort_inputs(l, in, n);
	find_runs(l);
	sort_ranks(l);
	fill(l, (struct edge){ .t = INT64_MIN }, (struct edge){ .t = INT64_MAX }, 0);
	for (size_t i = 0; i < l->out.len; i++)
		if (l->out.data[i].is_slot)
			l->out.data[i].slot.sources = &l->pool.data[l->out_first.data[i]];
	*out = l->out.data;
	return l->out.len;
}
