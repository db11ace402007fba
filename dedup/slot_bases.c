/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/slot_bases.h"

void slot_bases_fini(struct slot_bases *b)
{
	buf_fini(&b->bytes);
	float_columns_fini(&b->samples);
}

void slot_bases_clear(struct slot_bases *b)
{
	b->n = 0;
	b->are_decoded = false;
	b->samples.len = 0;
	buf_reset(&b->bytes);
	xor_lanes_clear(&b->lanes);
}

void slot_bases_add(struct slot_bases *b, const struct slot *slot, struct slot_reader *reader)
{
	const struct slot_source *s = &slot->sources[0];
	struct chunk c;
	struct slot_base *base = &b->base[b->n++];
	*base = (struct slot_base){
		.ref = s->ref, .source = s->source, .at = b->bytes.len, .lane = XOR_LANES
	};
	base->r = reader->chunk(reader, s, &c);
	if (base->r < 0)
		return;
	base->encoding = c.encoding;
	base->size = c.size;
	buf_reserve(&b->bytes, 1); /* chunks may be empty, and still have a place */
	buf_add(&b->bytes, c.data, c.size);
	size_t lane = b->lanes.n;
	if (c.encoding != CHUNK_XOR || !xor_lanes_add(&b->lanes, c.data, c.size, b->samples.len))
		return;
	float_columns_reserve(&b->samples, b->lanes.lane[lane].n);
	b->samples.len += b->lanes.lane[lane].n;
	base->lane = lane;
}

void slot_bases_forget_last(struct slot_bases *b)
{
	const struct slot_base *last = &b->base[--b->n];
	b->bytes.len = last->at;
	if (last->lane == XOR_LANES)
		return;
	b->samples.len = b->lanes.lane[last->lane].place;
	b->lanes.n = last->lane;
}

void slot_bases_decode(struct slot_bases *b)
{
	size_t bad;
	/* Where one is garbled each is decoded by whoever merges it, who says which it is. */
	b->are_decoded = xor_lanes_decode(&b->lanes, b->samples.t, b->samples.v, &bad) == 0;
}

const struct slot_base *slot_bases_find(const struct slot_bases *b, const struct slot_source *s)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->base[i].ref == s->ref && b->base[i].source == s->source)
			return &b->base[i];
	return NULL;
}

int slot_base_chunk(const struct slot_bases *b, const struct slot_base *base, struct chunk *out)
{
	if (base->r < 0)
		return base->r;
	*out = (struct chunk){
		.encoding = base->encoding, .data = b->bytes.data + base->at, .size = base->size
	};
	return 0;
}

bool slot_base_samples(const struct slot_bases *b, const struct slot_base *base, struct float_columns *out)
{
	if (!b->are_decoded || base->lane == XOR_LANES)
		return false;
	const struct xor_lane *lane = &b->lanes.lane[base->lane];
	float_columns_reserve(out, lane->n);
	memcpy(out->t + out->len, b->samples.t + lane->place, lane->n * sizeof *out->t);
	memcpy(out->v + out->len, b->samples.v + lane->place, lane->n * sizeof *out->v);
	out->len += lane->n;
	return true;
}
