/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two replicas that scrape the same targets have about the same chunks, a little apart: each chunk of the base becomes
 * one slot, up to where the next one starts, and the other replica's chunks are walked beside it. This is what the
 * general way (layout.c) comes to in this case, without its runs, ranks and searches.
 */
#include "dedup/layout_pair.h"

#include "dedup/layout_rules.h"

/* A replica's chunks. */
struct side {
	const struct layout_input *chunks;
	size_t n;
	uint64_t coverage;
};

struct pair {
	const struct dedup_source *sources;
	struct side base, other;
	size_t next; /* of the other side: the first chunk that ends in the slot at hand or after it */
	struct planned_chunk *out;
	struct slot_source *pool;
};

/* Takes a replica's chunks from the front of `in`; false where they aren't simple. */
static bool take_side(const struct layout_input *in, size_t n, struct side *s)
{
	const struct layout_input *c = in, *end = in + n;
	s->chunks = in;
	for (; c < end && c->replica == in->replica; c++) {
		if (c->tombstoned_series || !is_within_limits(c) ||
			(c > in && c->meta.mint <= c[-1].meta.maxt))
			return false;
		s->coverage += chunk_coverage(c);
	}
	s->n = (size_t)(c - in);
	return true;
}

static bool find_sides(struct pair *p, const struct layout_input *in, size_t n)
{
	struct side *a = &p->base, *b = &p->other;
	if (n == 0 || !take_side(in, n, a) || !take_side(in + a->n, n - a->n, b) || a->n + b->n != n)
		return false;
	if (b->n == 0)
		return true;
	if (b->chunks->replica < a->chunks->replica)
		return false;
	if (b->coverage > a->coverage && b->coverage - a->coverage >= coverage_step(b->coverage)) {
		struct side swapped = *a;
		*a = *b;
		*b = swapped;
	}
	return true;
}

/* Where the slot of base chunk c ends; false where a gap follows that is large enough to be filled. */
static bool find_end(struct pair *p, const struct layout_input *c, int64_t next_t, int64_t *to)
{
	const struct layout_input *o = p->other.chunks + p->next, *end = p->other.chunks + p->other.n;
	int64_t b = c->meta.maxt, lower_to = b;
	for (; o < end && o->meta.mint < next_t; o++)
		lower_to = o->meta.maxt;
	lower_to = MIN_OF(lower_to, next_t);
	*to = lower_to > b ? next_t : b + 1;
	return lower_to <= b || is_small_gap(lower_to - b, b - c->meta.mint);
}

/* Whether the slot of the base's first chunk starts with the window, since the other side is there before it. */
static bool find_start(const struct pair *p, int64_t *from)
{
	const struct chunk_meta *first = &p->base.chunks->meta;
	*from = first->mint;
	if (p->other.n == 0 || p->other.chunks->meta.mint >= first->mint)
		return true;
	*from = INT64_MIN;
	return is_small_gap(first->mint - p->other.chunks->meta.mint, first->maxt - first->mint);
}

/* Adds the other side's chunks that fall into the slot; returns the bytes of theirs that do, about. */
static uint64_t add_other(struct pair *p, struct planned_chunk *planned, struct slot_source **to)
{
	const struct layout_input *o = p->other.chunks + p->next, *end = p->other.chunks + p->other.n;
	uint64_t bytes = 0;
	for (; o < end && o->meta.mint < planned->slot.to; o++) {
		int64_t a = MAX_OF(o->meta.mint, planned->slot.from),
			b = MIN_OF(o->meta.maxt, planned->slot.to - 1);
		bytes += bytes_between(o, a, b);
		planned->mint = MIN_OF(planned->mint, a);
		planned->maxt = MAX_OF(planned->maxt, b);
		*(*to)++ = slot_source_of(o, 1, SLOT_MEMBER);
	}
	return bytes;
}

static void add_chunk(struct pair *p, size_t i, int64_t from, int64_t to)
{
	const struct layout_input *c = &p->base.chunks[i], *end = p->base.chunks + p->base.n;
	struct slot_source *source = p->pool;
	struct planned_chunk *planned = p->out++;
	planned->mint = c->meta.mint;
	planned->maxt = c->meta.maxt;
	planned->slot.from = from;
	planned->slot.to = to;
	*source++ = slot_source_of(c, 0, SLOT_MEMBER);
	uint64_t other_bytes = add_other(p, planned, &source);
	bool is_alone = other_bytes == 0, has_before = i > 0 && !is_alone,
	     has_after = c + 1 < end && !is_alone;
	planned->is_slot = !is_alone || !p->sources[c->source].passthrough;
	if (!planned->is_slot) {
		planned->source = c->source;
		planned->ref = c->meta.ref;
		return;
	}
	if (has_before)
		*source++ = slot_source_of(c - 1, 0, SLOT_BEFORE);
	if (has_after)
		*source++ = slot_source_of(c + 1, 0, SLOT_AFTER);
	planned->slot.left = has_before ? c[-1].meta.maxt : INT64_MIN;
	planned->slot.right = has_after ? c[1].meta.mint : INT64_MAX;
	planned->slot.capacity = slot_capacity(MAX_OF(c->frame_bytes + 1ull, other_bytes), !is_alone);
	planned->slot.n_sources = (uint32_t)(source - p->pool);
	planned->slot.sources = p->pool;
	p->pool = source;
}

static bool add_chunks(struct pair *p)
{
	int64_t from, to;
	if (!find_start(p, &from))
		return false;
	for (size_t i = 0; i < p->base.n; i++) {
		const struct layout_input *c = &p->base.chunks[i];
		if (i)
			from = c->meta.mint;
		while (p->next < p->other.n && p->other.chunks[p->next].meta.maxt < from)
			p->next++;
		if (!find_end(p, c, i + 1 < p->base.n ? c[1].meta.mint : INT64_MAX, &to))
			return false;
		add_chunk(p, i, from, to);
	}
	return true;
}

bool layout_pair(const struct dedup_source *sources, const struct layout_input *in, size_t n,
	struct planned_chunks *out, struct slot_sources *pool)
{
	struct pair p = { .sources = sources };
	if (!find_sides(&p, in, n))
		return false;
	/* Slots don't overlap, so each one's end adds at most one to the other side's members. */
	vec_reserve(out, p.base.n);
	vec_reserve(pool, 4 * p.base.n + p.other.n);
	p.out = out->data;
	p.pool = pool->data;
	out->len = p.base.n;
	return add_chunks(&p);
}
