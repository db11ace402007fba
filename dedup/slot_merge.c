/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most slots have a base chunk without a gap: its times say so, and its frame is the slot's content as it
 * stands; the other replicas' chunks are not even fetched, or, at a window's edge, only looked at. Otherwise every
 * source is decoded into columns, a replica's chunks are joined to a line, the lines are merged by their times
 * (dedup/timeline.c), and the chosen samples encoded again.
 */
#include "dedup/slot_merge_private.h"

#include <errno.h>

#define FEW_SAMPLES 6 /* fewer say little of the interval */

struct slot_merger *slot_merger_new(enum dedup_func func)
{
	struct slot_merger *m = xcalloc(1, sizeof *m);
	m->func = func;
	/* Chunks may be empty, and places in columns are still computed. */
	float_columns_reserve(&m->floats, 1);
	vec_reserve(&m->entries, 1);
	return m;
}

static void reset(struct slot_merger *m)
{
	vec_each (d, &m->decoded)
		histogram_chunk_free(d->histogram);
	m->floats.len = m->decoded.len = m->entries.len = m->lines.len = m->times.len = m->flags.len = 0;
	m->timelines.len = m->picks.len = 0;
	buf_reset(&m->base);
}

void slot_merger_free(struct slot_merger *m)
{
	if (!m)
		return;
	reset(m);
	float_columns_fini(&m->floats);
	vec_fini(&m->decoded);
	vec_fini(&m->entries);
	vec_fini(&m->lines);
	vec_fini(&m->times);
	vec_fini(&m->flags);
	vec_fini(&m->timelines);
	vec_fini(&m->histogram_picks);
	timeline_scratch_fini(&m->scratch);
	vec_fini(&m->picks);
	buf_fini(&m->data);
	buf_fini(&m->base);
	slot_bases_fini(&m->expected);
	free(m);
}

void slot_merger_expect_none(struct slot_merger *m)
{
	slot_bases_clear(&m->expected);
}

bool slot_merger_expect(struct slot_merger *m, const struct slot *slot, struct slot_reader *reader)
{
	if (slot_bases_are_full(&m->expected))
		return false;
	slot_bases_add(&m->expected, slot, reader);
	return true;
}

void slot_merger_unexpect(struct slot_merger *m)
{
	slot_bases_forget_last(&m->expected);
}

void slot_merger_expect_end(struct slot_merger *m)
{
	slot_bases_decode(&m->expected);
}

bool slot_merger_expects(const struct slot_merger *m, const struct slot *slot)
{
	return slot_bases_find(&m->expected, &slot->sources[0]) != NULL;
}

static int fetch_base(
	struct slot_merger *m, const struct slot_source *s, struct slot_reader *reader, struct chunk *c)
{
	const struct slot_base *base = slot_bases_find(&m->expected, s);
	return base ? slot_base_chunk(&m->expected, base, c) : reader->chunk(reader, s, c);
}

/*
 * What is known of a base without a gap: the shortest distance of its samples, and whether another replica's may come before
 * the first or after the last of them, since nothing is known to stand on that side.
 */
struct whole_base {
	int64_t shortest;
	bool is_open_before, is_open_after;
};

/* Whether the base alone is the answer, but for what the others may have on its open sides. */
static bool base_is_whole(const struct slot *slot, const struct slot_merger *m, struct whole_base *whole)
{
	const struct decoded_chunk *d = &m->decoded.data[0];
	const int64_t *t = times_of(m, d);
	if (d->n < FEW_SAMPLES || t[0] < slot->from || t[d->n - 1] >= slot->to)
		return false;
	int64_t shortest = INT64_MAX, longest = 0;
	for (size_t i = 1; i < d->n; i++) {
		int64_t delta = t[i] - t[i - 1];
		shortest = MIN_OF(shortest, delta);
		longest = MAX_OF(longest, delta);
	}
	whole->shortest = shortest;
	whole->is_open_before = t[0] > slot->from && slot->left == INT64_MIN;
	whole->is_open_after = t[d->n - 1] + 1 < slot->to && slot->right == INT64_MAX;
	if (t[0] > slot->from && !whole->is_open_before)
		longest = MAX_OF(longest, t[0] - slot->left);
	if (t[d->n - 1] + 1 < slot->to && !whole->is_open_after)
		longest = MAX_OF(longest, slot->right - t[d->n - 1]);
	if (2 * longest > 3 * shortest)
		return false;
	for (size_t i = 0; i < d->n; i++)
		if (mark_of(m, d, i) == STALE_NAN_BITS)
			return false;
	return true;
}

/*
 * Whether nothing of another replica would be taken on an open side of the base: no sample that keeps half an interval away
 * from it, no marker behind it. So it mostly is in the first and the last slot of a series in its block.
 */
static bool others_add_nothing(const struct slot_merger *m, const struct whole_base *whole)
{
	const struct decoded_chunk *base = &m->decoded.data[0];
	int64_t first = times_of(m, base)[0], last = times_of(m, base)[base->n - 1];
	for (size_t i = 1; i < m->decoded.len; i++) {
		const struct decoded_chunk *d = &m->decoded.data[i];
		const int64_t *t = times_of(m, d);
		if (whole->is_open_before && d->n && 2 * (first - t[0]) >= whole->shortest)
			return false;
		for (size_t k = d->n; whole->is_open_after && k-- > 0 && t[k] > last;)
			if (2 * (t[k] - last) >= whole->shortest || mark_of(m, d, k) == STALE_NAN_BITS)
				return false;
	}
	return true;
}

/* A histogram's first sample follows one of another replica: whether there was a reset between them is to be
 * found out. */
static void write_base(struct buf *out, const struct chunk *c)
{
	if (is_histogram_encoding(c->encoding) && c->size > 2 && (c->data[2] & 0xc0) != HISTOGRAM_GAUGE) {
		auto_buf struct buf copy = { 0 };
		buf_add(&copy, c->data, c->size);
		copy.data[2] = (uint8_t)((copy.data[2] & 0x3f) | HISTOGRAM_UNKNOWN_RESET);
		chunk_frame_write(out, c->encoding, copy.data, copy.len);
	} else {
		chunk_frame_write(out, c->encoding, c->data, c->size);
	}
}

/* Fetches and decodes one source; false where it is no use. *c is what was fetched. */
static bool take_source(struct slot_merger *m, const struct slot_source *s, struct slot_reader *reader,
	struct chunk *c, struct slot_result *result)
{
	int r = reader->chunk(reader, s, c);
	result->unavailable |= r < 0 && r != -EBADMSG;
	if (r < 0 || slot_decode(m, s, c, reader) < 0)
		return false;
	result->input_samples += (uint32_t)m->decoded.data[m->decoded.len - 1].n;
	return true;
}

static bool starts_with_marker(
	const struct slot_source *s, struct slot_reader *reader, struct slot_result *result)
{
	struct chunk c;
	if (s->tombstoned_series)
		return true; /* which sample comes first is not plain to see */
	int r = reader->chunk(reader, s, &c);
	result->unavailable |= r < 0 && r != -EBADMSG;
	if (r < 0)
		return false;
	if (is_histogram_encoding(c.encoding)) /* rare enough to decode it */
		return true;
	uint64_t v;
	r = float_chunk_first(c.encoding, c.data, c.size, &v);
	return r == -ENOTSUP || (r == 0 && v == STALE_NAN_BITS);
}

/* Whether the base starts with a live sample at the slot's very start, so that nothing before the slot matters. */
static bool starts_live(const struct slot_merger *m, const struct slot *slot, uint16_t base_rank)
{
	vec_each (d, &m->decoded) {
		if (d->source->rank != base_rank || d->n == 0)
			continue;
		const int64_t *t = times_of(m, d);
		if (t[0] == slot->from && mark_of(m, d, 0) != STALE_NAN_BITS && !d->source->tombstoned_series)
			return true;
	}
	return false;
}

static int decoded_cmp(const void *pa, const void *pb)
{
	const struct slot_source *a = ((const struct decoded_chunk *)pa)->source,
				 *b = ((const struct decoded_chunk *)pb)->source;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* The chunks on the slot's sides, where they matter: where markers may stand, or too few samples to know the interval by. */
static void take_sides(struct slot_merger *m, const struct slot *slot, uint32_t members,
	struct slot_reader *reader, struct slot_result *result)
{
	uint16_t base_rank = slot->sources[0].rank;
	size_t before = m->decoded.len, samples = 0;
	vec_each (d, &m->decoded)
		samples += d->source->rank == base_rank ? d->n : 0;
	for (uint32_t i = members; i < slot->n_sources; i++) {
		const struct slot_source *s = &slot->sources[i];
		struct chunk c;
		bool wanted = s->rank != base_rank || samples < FEW_SAMPLES ||
			      (s->role == SLOT_BEFORE ? !starts_live(m, slot, base_rank)
						      : starts_with_marker(s, reader, result));
		if (wanted)
			take_source(m, s, reader, &c, result);
	}
	if (m->decoded.len > before)
		vec_sort(&m->decoded, decoded_cmp);
}

bool slot_needs_all(const struct slot *slot, enum dedup_func func)
{
	const struct slot_source *base = &slot->sources[0];
	uint32_t i = 1;
	if (slot->n_sources < 2)
		return false;
	/* At a window's edge another replica may have samples before the base's first or after its last. */
	if (func != DEDUP_COMPLETE || base->tombstoned_series ||
		(slot->from == INT64_MIN && slot->left == INT64_MIN) ||
		(slot->to == INT64_MAX && slot->right == INT64_MAX))
		return true;
	for (; i < slot->n_sources && slot->sources[i].role == SLOT_MEMBER; i++)
		if (slot->sources[i].rank == base->rank)
			return true;
	for (; i < slot->n_sources; i++)
		if (slot->sources[i].rank != base->rank)
			return true;
	return false;
}

static bool is_base_alone(const struct slot *slot)
{
	return slot->n_sources == 1 && !slot->sources[0].tombstoned_series && slot->from != INT64_MIN &&
	       slot->left == INT64_MIN && slot->right == INT64_MAX;
}

bool slot_decodes_base(const struct slot *slot)
{
	return slot->n_sources && slot->sources[0].role == SLOT_MEMBER && !is_base_alone(slot);
}

static void serve_base(struct slot_merger *m, struct buf *out, struct slot_result *result)
{
	buf_add(out, m->base.data, m->base.len);
	result->output_samples = (uint32_t)m->decoded.data[0].n;
}

enum base_state { BASE_SERVED, BASE_UNLESS_OTHERS, BASE_MERGES };

/*
 * The base's frame as the whole content, where there is nothing to merge with it or no gap in it. Otherwise the base is
 * decoded, and its frame kept in m->base where it is the base's only one. UNLESS_OTHERS: m->base is the content if
 * others_add_nothing says so, once they are decoded.
 */
static enum base_state base_serves(struct slot_merger *m, const struct slot *slot, uint32_t members,
	struct slot_reader *reader, struct buf *out, struct whole_base *whole, struct slot_result *result)
{
	const struct slot_source *base = &slot->sources[0];
	bool is_alone = is_base_alone(slot);
	bool only_of_rank = members == 1 || slot->sources[1].rank != base->rank;
	struct chunk c;
	int r = fetch_base(m, base, reader, &c);
	result->unavailable |= r < 0 && r != -EBADMSG;
	if (r < 0)
		return BASE_MERGES;
	bool can_copy = c.encoding <= CHUNK_FLOAT_HISTOGRAM; /* older readers know no other */
	if (is_alone && can_copy) {
		size_t start = out->len;
		write_base(out, &c);
		if (out->len - start <= slot->capacity)
			return BASE_SERVED;
		out->len = start; /* a longer frame than the index made one think: takes the slower way */
	}
	if (slot_decode(m, base, &c, reader) < 0)
		return BASE_MERGES;
	const struct decoded_chunk *d = &m->decoded.data[0];
	result->input_samples += (uint32_t)d->n;
	bool inside = d->n && times_of(m, d)[0] >= slot->from && times_of(m, d)[d->n - 1] < slot->to;
	if (m->func != DEDUP_COMPLETE || base->tombstoned_series || !only_of_rank || !inside || !can_copy ||
		d->is_restored)
		return BASE_MERGES;
	write_base(&m->base, &c);
	if (m->base.len > slot->capacity || !base_is_whole(slot, m, whole))
		return BASE_MERGES;
	bool is_open = whole->is_open_before || whole->is_open_after;
	bool takes_before =
		is_open && times_of(m, d)[0] != slot->from; /* take_sides would, for the interval */
	for (uint32_t i = members; i < slot->n_sources; i++)
		if (slot->sources[i].rank != base->rank ||
			(slot->sources[i].role == SLOT_BEFORE && takes_before) ||
			(slot->sources[i].role == SLOT_AFTER &&
				starts_with_marker(&slot->sources[i], reader, result)))
			return BASE_MERGES;
	if (is_open)
		return BASE_UNLESS_OTHERS;
	serve_base(m, out, result);
	return BASE_SERVED;
}

void slot_merge(struct slot_merger *m, const struct slot *slot, struct slot_reader *reader, struct buf *out,
	struct slot_result *result)
{
	uint32_t members = 0;
	struct chunk c;
	reset(m);
	result->unavailable = result->no_data = false;
	result->input_samples = result->output_samples = 0;
	result->n_parts = 0;
	while (members < slot->n_sources && slot->sources[members].role == SLOT_MEMBER)
		members++;
	struct whole_base whole = { 0 };
	enum base_state base = BASE_MERGES;
	if (members)
		base = base_serves(m, slot, members, reader, out, &whole, result);
	if (base == BASE_SERVED)
		return;
	for (uint32_t i = 1; i < members; i++)
		take_source(m, &slot->sources[i], reader, &c, result);
	if (m->decoded.len == 0) {
		result->no_data = true;
		return;
	}
	if (base == BASE_UNLESS_OTHERS && others_add_nothing(m, &whole)) {
		serve_base(m, out, result);
		return;
	}
	take_sides(m, slot, members, reader, result);
	slot_build_lines(m, reader);
	if (m->lines.len == 1) /* one replica alone keeps all it has, markers too */
		timeline_merge(DEDUP_CHAIN, m->timelines.data, 1, slot->from, slot->to, slot->left,
			slot->right, &m->scratch, &m->picks);
	else
		timeline_merge(m->func, m->timelines.data, m->timelines.len, slot->from, slot->to, slot->left,
			slot->right, &m->scratch, &m->picks);
	slot_encode(m, slot, out, result);
}
