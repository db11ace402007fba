/* SPDX-License-Identifier: Apache-2.0 */
/* What was picked of a slot's samples, encoded: one chunk if it can be, else what stands in until there are slots for its parts. */
#include "dedup/slot_merge_private.h"

/* A picked sample: of which decoded chunk, and its number there. */
struct place {
	const struct decoded_chunk *chunk;
	uint32_t index;
};

static inline struct place place_of(const struct slot_merger *m, const struct pick *p)
{
	const struct sample_line *line = &m->lines.data[p->line];
	if (!line->is_joined)
		return (struct place){ &m->decoded.data[line->chunk], p->index };
	const struct line_entry *e = &m->entries.data[line->first + p->index];
	return (struct place){ &m->decoded.data[e->chunk], e->index };
}

/* Encodes picks [at, ...) as one chunk in m->data; returns how many of them fit into it. */
static size_t encode_floats(struct slot_merger *m, size_t at, size_t n)
{
	struct xor_encoder x;
	xor_encoder_init(&x, &m->data);
	size_t i = 0;
	const struct decoded_chunk *before = NULL;
	for (; i < n && i < XOR_CHUNK_MAX_SAMPLES; i++) {
		struct place s = place_of(m, &m->picks.data[at + i]);
		if (s.chunk->kind != KIND_FLOAT)
			break;
		if (before && s.chunk != before)
			xor_encoder_switch(&x);
		before = s.chunk;
		xor_encoder_add(&x, m->picks.data[at + i].t, m->floats.v[s.chunk->first + s.index]);
	}
	xor_encoder_finish(&x);
	return i;
}

static size_t encode_histograms(struct slot_merger *m, size_t at, size_t n, uint8_t *encoding)
{
	const struct histogram_chunk *first = place_of(m, &m->picks.data[at]).chunk->histogram;
	bool gauge = first->header == HISTOGRAM_GAUGE;
	m->histogram_picks.len = 0;
	for (size_t i = 0; i < n && i < XOR_CHUNK_MAX_SAMPLES; i++) {
		struct place s = place_of(m, &m->picks.data[at + i]);
		const struct decoded_chunk *d = s.chunk;
		if (d->kind != KIND_HISTOGRAM || d->histogram->is_float != first->is_float ||
			(d->histogram->header == HISTOGRAM_GAUGE) != gauge)
			break;
		vec_push(&m->histogram_picks, (struct histogram_pick){ d->histogram, s.index });
	}
	*encoding = first->is_float ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM;
	return histogram_chunk_encode(m->histogram_picks.data, m->histogram_picks.len,
		gauge ? HISTOGRAM_GAUGE : HISTOGRAM_UNKNOWN_RESET, &m->data);
}

/* Encodes picks [at, n): one chunk in m->data; returns how many picks it took. */
static size_t encode(struct slot_merger *m, size_t at, size_t n, uint8_t *encoding)
{
	buf_reset(&m->data);
	*encoding = CHUNK_XOR;
	if (place_of(m, &m->picks.data[at]).chunk->kind == KIND_FLOAT)
		return encode_floats(m, at, n);
	return encode_histograms(m, at, n, encoding);
}

static void write_empty(struct buf *out)
{
	static const uint8_t no_samples[2] = { 0, 0 };
	chunk_frame_write(out, CHUNK_XOR, no_samples, sizeof no_samples);
}

/* What stands in the slot until the window is merged again with the parts it needs. */
static void write_fallback(struct slot_merger *m, const struct slot *slot, struct buf *out)
{
	if (m->base.len && m->base.len <= slot->capacity) {
		buf_add(out, m->base.data, m->base.len);
		return;
	}
	size_t start = out->len, kept = 0;
	for (size_t i = 0; i < m->picks.len; i++)
		if (m->picks.data[i].line == m->picks.data[0].line)
			m->picks.data[kept++] = m->picks.data[i];
	m->picks.len = kept;
	uint8_t encoding;
	encode(m, 0, kept, &encoding);
	chunk_frame_write(out, encoding, m->data.data, m->data.len);
	if (out->len - start > slot->capacity) {
		out->len = start;
		write_empty(out);
	}
}

void slot_encode(struct slot_merger *m, const struct slot *slot, struct buf *out, struct slot_result *result)
{
	size_t start = out->len, at = 0, n = m->picks.len;
	unsigned parts = 0;
	while (at < n && parts < SLOT_OVERRIDE_MAX_PARTS) {
		uint8_t encoding;
		size_t took = encode(m, at, n - at, &encoding);
		result->parts[parts++] = (struct slot_part){ .mint = m->picks.data[at].t,
			.maxt = m->picks.data[at + took - 1].t,
			.bytes = (uint32_t)chunk_frame_bytes(m->data.len) };
		if (parts == 1)
			chunk_frame_write(out, encoding, m->data.data, m->data.len);
		at += took;
	}
	result->output_samples = (uint32_t)n;
	if (parts == 0)
		write_empty(out);
	else if (parts > 1 || out->len - start > slot->capacity) {
		out->len = start;
		result->n_parts = parts;
		write_fallback(m, slot, out);
	}
}
