/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the chunks of a slot: what is made of them is one frame that fits and decodes to rising samples of the
 * slot's time, each of them some source's, or nothing. What doesn't fit names parts, and the parts then fit and hold all
 * of it.
 *
 * The input: function, flags, sources, capacity (u16), from and to as hundreds of seconds (u16 each); for each source
 * rank, role and encoding, length (u16), and, at the end, all their data.
 */
#include "dedup/slot_merge.h"
#include "lib/base/dec.h"
#include "lib/tsdb/histogram.h"
#include "lib/tsdb/xor.h"

#include <errno.h>

#define MAX_SOURCES 4
#define HUNDRED_S   100000

enum {
	FLAG_FROM = 1,
	FLAG_TO = 2,
	FLAG_LEFT = 4,
	FLAG_RIGHT = 8,
	FLAG_TOMBSTONES = 16,
	FLAG_UNAVAILABLE = 32
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct input {
	struct slot_reader base;
	struct chunk chunks[MAX_SOURCES];
	bool is_unavailable;
	struct tombstone deleted;
	struct tombstones tombstones;
	struct float_columns floats; /* of all sources */
};

static int chunk_of(struct slot_reader *r, const struct slot_source *s, struct chunk *out)
{
	struct input *in = (struct input *)r;
	if (in->is_unavailable && s->source == 1)
		return -EIO;
	*out = in->chunks[s->source];
	return 0;
}

static void corrupt(struct slot_reader *r, const struct slot_source *s, const char *why)
{
	(void)r;
	if (s->source >= MAX_SOURCES || !*why)
		abort();
}

static const struct tombstones *tombstones_for(struct slot_reader *r, uint16_t source)
{
	(void)source;
	return &((struct input *)r)->tombstones;
}

static bool has_float(const struct input *in, int64_t t, uint64_t v)
{
	for (size_t i = 0; i < in->floats.len; i++)
		if (in->floats.t[i] == t && in->floats.v[i] == v)
			return true;
	return false;
}

static void check_times(const struct slot *slot, bool is_copy, const int64_t *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((i && t[i] <= t[i - 1]) || (!is_copy && (t[i] < slot->from || t[i] >= slot->to)))
			abort();
}

/* The number of samples in the one frame that `out` must be. */
static size_t check_frame(const struct input *in, const struct slot *slot, const struct buf *out)
{
	struct chunk c;
	size_t need, n;
	if (chunk_frame_read(out->data, out->len, &c, &need, NULL) != (int)out->len)
		abort();
	if (c.encoding == CHUNK_XOR) {
		struct float_columns f = { 0 };
		if (float_chunk_decode(c.encoding, c.data, c.size, &f, NULL) < 0)
			abort();
		check_times(slot, false, f.t, f.len);
		for (size_t i = 0; i < f.len; i++)
			if (!has_float(in, f.t[i], f.v[i]))
				abort();
		n = f.len;
		float_columns_fini(&f);
	} else {
		struct histogram_chunk *h;
		if (c.encoding > CHUNK_FLOAT_HISTOGRAM ||
			histogram_chunk_decode(c.encoding, c.data, c.size, &h, NULL) < 0)
			abort();
		check_times(slot, false, h->t, h->n);
		n = h->n;
		histogram_chunk_free(h);
	}
	return n;
}

static void check_parts(
	struct slot_merger *m, struct input *in, const struct slot *slot, const struct slot_result *whole)
{
	size_t n = 0;
	for (unsigned i = 0; i < whole->n_parts; i++) {
		auto_buf struct buf out = { 0 };
		struct slot_result r;
		struct slot part = *slot;
		const struct slot_part *p = &whole->parts[i];
		if (p->mint > p->maxt || p->mint < slot->from || p->maxt >= slot->to ||
			(i && p->mint <= whole->parts[i - 1].maxt))
			abort();
		part.capacity = MAX_OF(p->bytes, 16u);
		if (i > 0)
			part.from = p->mint;
		if (i + 1 < whole->n_parts)
			part.to = whole->parts[i + 1].mint;
		slot_merge(m, &part, &in->base, &out, &r);
		if (r.n_parts && i + 1 == SLOT_OVERRIDE_MAX_PARTS)
			return; /* more parts than are learned at once */
		if (r.no_data || r.n_parts || out.len > part.capacity)
			abort();
		n += check_frame(in, &part, &out);
	}
	if (whole->n_parts && n != whole->output_samples)
		abort();
}

/* A base that was decoded in company changes nothing. */
static void check_expected(
	struct slot_merger *m, struct input *in, const struct slot *slot, const struct buf *want)
{
	auto_buf struct buf out = { 0 };
	struct slot_result r;
	slot_merger_expect_none(m);
	while (slot_merger_expect(m, slot, &in->base))
		;
	slot_merger_expect_end(m);
	slot_merge(m, slot, &in->base, &out, &r);
	slot_merger_expect_none(m);
	if (out.len != want->len || (out.len && memcmp(out.data, want->data, out.len)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dec d = dec_over(data, n);
	struct input in = { .base = { chunk_of, corrupt, tombstones_for } };
	struct slot_source sources[MAX_SOURCES] = { 0 };
	size_t sizes[MAX_SOURCES];
	enum dedup_func func = dec_u8(&d) % 3;
	uint8_t flags = dec_u8(&d);
	uint32_t n_sources = 2 + dec_u8(&d) % (MAX_SOURCES - 1);
	struct slot slot = { .capacity = 16u + dec_be16(&d), .n_sources = n_sources, .sources = sources };
	int64_t from = (int64_t)dec_be16(&d) * HUNDRED_S, to = (int64_t)dec_be16(&d) * HUNDRED_S;
	slot.from = flags & FLAG_FROM ? from : INT64_MIN;
	slot.to = flags & FLAG_TO ? MAX_OF(to, from + 1) : INT64_MAX;
	slot.left = flags & FLAG_LEFT ? from - 1 : INT64_MIN;
	slot.right = flags & FLAG_RIGHT && flags & FLAG_TO ? slot.to : INT64_MAX;
	in.is_unavailable = flags & FLAG_UNAVAILABLE;
	for (uint32_t i = 0; i < n_sources; i++) {
		uint8_t b = dec_u8(&d);
		sources[i].source = (uint16_t)i;
		sources[i].rank = MAX_OF(i ? sources[i - 1].rank : 0u, (b & 3u));
		sources[i].role = i < 2 ? SLOT_MEMBER : MAX_OF(sources[i - 1].role, (b >> 2 & 3) % 3);
		if (sources[i].role != SLOT_MEMBER)
			sources[i].rank = b & 3;
		in.chunks[i].encoding = b >> 4;
		sizes[i] = dec_be16(&d);
	}
	if (flags & FLAG_TOMBSTONES) {
		sources[0].tombstoned_series = 1;
		in.deleted = (struct tombstone){ 1, { from + HUNDRED_S, from + 3 * HUNDRED_S } };
		in.tombstones = (struct tombstones){ &in.deleted, 1 };
	}
	if (d.err)
		return 0;
	for (uint32_t i = 0; i < n_sources; i++) {
		size_t size = MIN_OF(sizes[i], dec_left(&d));
		in.chunks[i].data = dec_bytes(&d, size);
		in.chunks[i].size = size;
		float_chunk_decode(in.chunks[i].encoding, in.chunks[i].data, size, &in.floats, NULL);
	}

	struct slot_merger *m = slot_merger_new(func);
	struct slot_result r;
	auto_buf struct buf out = { 0 };
	slot_merge(m, &slot, &in.base, &out, &r);
	check_expected(m, &in, &slot, &out);
	if (r.no_data && out.len)
		abort();
	if (out.len > slot.capacity || r.n_parts > SLOT_OVERRIDE_MAX_PARTS)
		abort();
	if (!r.no_data) {
		size_t samples = check_frame(&in, &slot, &out);
		if (!r.n_parts && samples != r.output_samples)
			abort();
		check_parts(m, &in, &slot, &r);
	}
	slot_merger_free(m);
	float_columns_fini(&in.floats);
	return 0;
}
