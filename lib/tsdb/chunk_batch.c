/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/chunk_batch.h"

#include "lib/tsdb/xor.h"

#include <string.h>

void chunk_batch_init(struct chunk_batch *b, struct samples *out)
{
	b->out = out;
	b->at_fault = NULL;
	xor_lanes_clear(&b->lanes);
}

int chunk_batch_fail(struct chunk_batch *b, struct chunk_origin of, int r, struct err *e)
{
	b->at_fault = of.block;
	return err_wrap(
		e, r, "cannot populate chunk %llu from block %s", (unsigned long long)of.ref, of.block->name);
}

/* Counts n samples more, which are floats without start times until somebody knows better. */
static void take_places(struct samples *s, size_t n)
{
	if (s->h)
		memset(s->h + s->n, 0, n * sizeof(*s->h));
	if (s->start)
		memset(s->start + s->n, 0, n * sizeof *s->start);
	s->n += n;
}

/* Decodes into the very arrays of the samples: doubles are their bits. */
static int decode_now(struct samples *s, const struct chunk *c, size_t n, struct err *e)
{
	if (!s->start && n && float_chunk_has_starts(c->encoding, c->data, c->size))
		samples_set_start(s, 0, 0);
	struct float_columns columns = {
		.t = s->t, .v = (uint64_t *)s->v, .start = s->start, .len = s->n, .cap = s->cap
	};
	int r = float_chunk_decode(c->encoding, c->data, c->size, &columns, e);
	if (r == 0 && s->h)
		memset(s->h + s->n, 0, n * sizeof(*s->h));
	if (r == 0)
		s->n = columns.len;
	return r;
}

int chunk_batch_flush(struct chunk_batch *b, struct err *e)
{
	size_t bad = 0;
	int r = xor_lanes_decode(&b->lanes, b->out->t, (uint64_t *)b->out->v, &bad);
	/* What was stored as uint64_t is read as double from here on: the compiler may not move one past the other. */
	__asm__ volatile("" ::: "memory");
	const struct xor_lane *lane = &b->lanes.lane[bad];
	if (r < 0) {
		err_set(e, r, "float chunk of %u bytes and %u samples ends early or is garbled",
			lane->to - lane->from, lane->n);
		chunk_batch_fail(b, b->of[bad], r, e);
	}
	xor_lanes_clear(&b->lanes);
	return r;
}

int chunk_batch_add(struct chunk_batch *b, struct chunk_origin of, const struct chunk *c, struct err *e)
{
	struct samples *s = b->out;
	int n = chunk_sample_count(c->data, c->size);
	samples_reserve(s, s->n + (size_t)MAX_OF(n, 0));
	if (c->encoding == CHUNK_XOR && xor_lanes_add(&b->lanes, c->data, c->size, s->n)) {
		b->of[b->lanes.n - 1] = of;
		take_places(s, (size_t)n);
		return xor_lanes_are_full(&b->lanes) ? chunk_batch_flush(b, e) : 0;
	}
	int r = decode_now(s, c, (size_t)MAX_OF(n, 0), e);
	__asm__ volatile("" ::: "memory");
	return r < 0 ? chunk_batch_fail(b, of, r, e) : 0;
}
