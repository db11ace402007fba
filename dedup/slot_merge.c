/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most slots have a base chunk without a gap: its times say so, and its frame is the slot's content as it
 * stands; the other replicas' chunks are not even fetched. Otherwise every source is decoded into columns, a
 * replica's chunks are joined to a line, the lines are merged by their times (dedup/timeline.c), and the
 * chosen samples encoded again.
 */
#include "dedup/slot_merge.h"

#include "dedup/timeline.h"
#include "lib/tsdb/histogram.h"
#include "lib/tsdb/xor.h"

#include <errno.h>

#define FEW_SAMPLES 6 /* fewer say little of the interval */

enum kind { KIND_FLOAT, KIND_HISTOGRAM };

/* A decoded source chunk. */
struct decoded {
	const struct slot_source *source;
	enum kind kind;
	size_t first, n; /* floats: where its samples stand in the merger's columns; both: how many */
	struct histogram_chunk *histogram;
	bool is_restored; /* its times did not rise */
};

struct entry {
	int64_t t;
	uint32_t chunk, index; /* of the decoded chunk, and the sample in it */
	uint8_t stale;
};

/* A replica's samples: one decoded chunk's as they are, or entries[first .. first + n). */
struct line {
	uint32_t chunk;
	bool is_joined; /* from several chunks, or without some of its samples: then by entries */
	size_t first, n;
};

struct slot_merger {
	enum dedup_func func;
	struct float_columns floats;
	VEC(struct decoded) decoded;
	VEC(struct entry) entries;
	VEC(struct line) lines;
	VEC(int64_t) times;
	VEC(uint8_t) flags;
	VEC(struct timeline) timelines;
	VEC(struct histogram_pick) histogram_picks;
	struct timeline_scratch scratch;
	struct picks picks;
	struct buf data; /* of the chunk that is being encoded */
	struct buf base; /* the base's frame, for when the merge doesn't fit */
};

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
	free(m);
}

static bool is_histogram(uint8_t encoding)
{
	return encoding == CHUNK_HISTOGRAM || encoding == CHUNK_FLOAT_HISTOGRAM ||
	       encoding == CHUNK_HISTOGRAM_ST || encoding == CHUNK_FLOAT_HISTOGRAM_ST;
}

static const int64_t *times_of(const struct slot_merger *m, const struct decoded *d)
{
	return d->kind == KIND_FLOAT ? m->floats.t + d->first : d->histogram->t;
}

static uint64_t mark_of(const struct slot_merger *m, const struct decoded *d, size_t i)
{
	return d->kind == KIND_FLOAT ? m->floats.v[d->first + i] : d->histogram->sum[i];
}

/* Sorts a float chunk whose times don't rise (old Prometheus versions wrote some) and drops what repeats a
 * time. */
static void restore_order(struct float_columns *c, size_t first)
{
	size_t n = first;
	for (size_t i = first; i < c->len; i++) {
		int64_t t = c->t[i];
		uint64_t v = c->v[i];
		size_t k = n;
		while (k > first && c->t[k - 1] > t)
			k--;
		if (k > first && c->t[k - 1] == t)
			continue;
		memmove(c->t + k + 1, c->t + k, (n - k) * sizeof *c->t);
		memmove(c->v + k + 1, c->v + k, (n - k) * sizeof *c->v);
		c->t[k] = t;
		c->v[k] = v;
		n++;
	}
	c->len = n;
}

static const char *check_times(const int64_t *t, size_t n, bool *rises)
{
	*rises = true;
	for (size_t i = 0; i < n; i++) {
		if (t[i] < -TIMELINE_LIMIT || t[i] > TIMELINE_LIMIT)
			return "a time is out of range";
		*rises &= i == 0 || t[i] > t[i - 1];
	}
	return NULL;
}

/* Decodes into the merger; 0, or -errno where the chunk is no use. */
static int decode(
	struct slot_merger *m, const struct slot_source *s, const struct chunk *c, struct slot_reader *reader)
{
	struct err e = { .msg = "" };
	struct decoded d = { .source = s, .first = m->floats.len };
	const char *why = NULL;
	bool rises = true;
	int r;
	if (is_histogram(c->encoding)) {
		d.kind = KIND_HISTOGRAM;
		r = histogram_chunk_decode(c->encoding, c->data, c->size, &d.histogram, &e);
		if (r == 0) {
			d.n = d.histogram->n;
			why = check_times(d.histogram->t, d.n, &rises);
			if (!rises)
				why = "times don't rise";
		}
	} else {
		r = float_chunk_decode(c->encoding, c->data, c->size, &m->floats, &e);
		if (r == 0) {
			why = check_times(m->floats.t + d.first, m->floats.len - d.first, &rises);
			d.is_restored = !rises;
			if (!why && !rises)
				restore_order(&m->floats, d.first);
			d.n = m->floats.len - d.first;
		}
	}
	if (r < 0 || why) {
		reader->corrupt(reader, s, why ? why : e.msg);
		histogram_chunk_free(d.histogram);
		m->floats.len = d.first;
		return -EBADMSG;
	}
	vec_push(&m->decoded, d);
	return 0;
}

/* Whether the base alone, without a look at the others, is the answer. */
static bool base_is_whole(const struct slot *slot, const struct slot_merger *m)
{
	const struct decoded *d = &m->decoded.data[0];
	const int64_t *t = times_of(m, d);
	if (d->n < FEW_SAMPLES || t[0] < slot->from || t[d->n - 1] >= slot->to)
		return false;
	int64_t shortest = INT64_MAX, longest = 0;
	for (size_t i = 1; i < d->n; i++) {
		int64_t delta = t[i] - t[i - 1];
		shortest = MIN_OF(shortest, delta);
		longest = MAX_OF(longest, delta);
	}
	if (t[0] > slot->from) {
		if (slot->left == INT64_MIN)
			return false;
		longest = MAX_OF(longest, t[0] - slot->left);
	}
	if (t[d->n - 1] + 1 < slot->to) {
		if (slot->right == INT64_MAX)
			return false;
		longest = MAX_OF(longest, slot->right - t[d->n - 1]);
	}
	if (2 * longest > 3 * shortest)
		return false;
	for (size_t i = 0; i < d->n; i++)
		if (mark_of(m, d, i) == STALE_NAN_BITS)
			return false;
	return true;
}

/* A histogram's first sample follows one of another replica: whether there was a reset between them is to be
 * found out. */
static void write_base(struct buf *out, const struct chunk *c)
{
	if (is_histogram(c->encoding) && c->size > 2 && (c->data[2] & 0xc0) != HISTOGRAM_GAUGE) {
		auto_buf struct buf copy = { 0 };
		buf_add(&copy, c->data, c->size);
		copy.data[2] = (uint8_t)((copy.data[2] & 0x3f) | HISTOGRAM_UNKNOWN_RESET);
		chunk_frame_write(out, c->encoding, copy.data, copy.len);
	} else {
		chunk_frame_write(out, c->encoding, c->data, c->size);
	}
}

static int entry_cmp(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	if (a->t != b->t)
		return a->t < b->t ? -1 : 1;
	return a->chunk < b->chunk ? -1 : a->chunk > b->chunk; /* decoded in a fixed order */
}

static bool is_deleted(const struct tombstone *ranges, size_t n, int64_t t)
{
	for (size_t i = 0; i < n; i++)
		if (t >= ranges[i].range.mint && t <= ranges[i].range.maxt)
			return true;
	return false;
}

static void add_entries(struct slot_merger *m, uint32_t chunk, struct slot_reader *reader)
{
	const struct decoded *d = &m->decoded.data[chunk];
	const int64_t *t = times_of(m, d);
	const struct tombstone *ranges = NULL;
	size_t n_ranges = 0;
	if (d->source->tombstoned_series) {
		const struct tombstones *all = reader->tombstones(reader, d->source->source);
		n_ranges = all ? tombstones_of(all, d->source->tombstoned_series, &ranges) : 0;
	}
	vec_reserve(&m->entries, m->entries.len + d->n);
	for (size_t i = 0; i < d->n; i++)
		if (!is_deleted(ranges, n_ranges, t[i]))
			vec_push(&m->entries, (struct entry){ t[i], chunk, (uint32_t)i,
						      mark_of(m, d, i) == STALE_NAN_BITS });
}

/* Sorts entries that chunks out of order left, and keeps the first of each time. */
static size_t sort_entries(struct entry *e, size_t n)
{
	bool rises = true;
	for (size_t k = 1; k < n; k++)
		rises &= e[k].t > e[k - 1].t;
	if (rises)
		return n;
	qsort(e, n, sizeof *e, entry_cmp);
	size_t kept = 1;
	for (size_t k = 1; k < n; k++)
		if (e[k].t != e[kept - 1].t)
			e[kept++] = e[k];
	return kept;
}

/* The columns that the merge sees of a line. */
static void add_timeline(struct slot_merger *m, const struct line *line)
{
	const struct decoded *d = &m->decoded.data[line->chunk];
	const struct entry *e = m->entries.data + line->first;
	int64_t *t = m->times.data + m->times.len;
	uint8_t *flags = m->flags.data + m->flags.len;
	m->flags.len += line->n;
	if (line->is_joined) {
		m->times.len += line->n;
		for (size_t i = 0; i < line->n; i++) {
			t[i] = e[i].t;
			flags[i] = (e[i].stale ? TIMELINE_STALE : 0) |
				   (i && e[i].chunk != e[i - 1].chunk ? TIMELINE_FIRST : 0);
		}
		vec_push(&m->timelines, (struct timeline){ t, flags, line->n });
		return;
	}
	const uint64_t *marks = d->kind == KIND_FLOAT ? m->floats.v + d->first : d->histogram->sum;
	for (size_t i = 0; i < line->n; i++)
		flags[i] = marks[i] == STALE_NAN_BITS ? TIMELINE_STALE : 0;
	vec_push(&m->timelines, (struct timeline){ times_of(m, d), flags, line->n });
}

/* Makes one line of each rank's chunks. */
static void build_lines(struct slot_merger *m, struct slot_reader *reader)
{
	size_t samples = 0;
	for (uint32_t i = 0; i < m->decoded.len;) {
		uint16_t rank = m->decoded.data[i].source->rank;
		struct line line = { .chunk = i, .first = m->entries.len };
		while (i < m->decoded.len && m->decoded.data[i].source->rank == rank)
			i++;
		line.is_joined = i - line.chunk > 1 || m->decoded.data[line.chunk].source->tombstoned_series;
		line.n = m->decoded.data[line.chunk].n;
		if (line.is_joined) {
			for (uint32_t k = line.chunk; k < i; k++)
				add_entries(m, k, reader);
			line.n = sort_entries(m->entries.data + line.first, m->entries.len - line.first);
			m->entries.len = line.first + line.n;
		}
		samples += line.n;
		vec_push(&m->lines, line);
	}
	vec_reserve(&m->times, m->entries.len + 1);
	vec_reserve(&m->flags, samples + 1);
	vec_each (line, &m->lines)
		add_timeline(m, line);
}

/* A picked sample: of which decoded chunk, and its number there. */
struct place {
	const struct decoded *chunk;
	uint32_t index;
};

static inline struct place place_of(const struct slot_merger *m, const struct pick *p)
{
	const struct line *line = &m->lines.data[p->line];
	if (!line->is_joined)
		return (struct place){ &m->decoded.data[line->chunk], p->index };
	const struct entry *e = &m->entries.data[line->first + p->index];
	return (struct place){ &m->decoded.data[e->chunk], e->index };
}

/* Encodes picks [at, ...) as one chunk in m->data; returns how many of them fit into it. */
static size_t encode_floats(struct slot_merger *m, size_t at, size_t n)
{
	struct xor_encoder x;
	xor_encoder_init(&x, &m->data);
	size_t i = 0;
	const struct decoded *before = NULL;
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
		const struct decoded *d = s.chunk;
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

static void encode_parts(
	struct slot_merger *m, const struct slot *slot, struct buf *out, struct slot_result *result)
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

/* Fetches and decodes one source; false where it is no use. *c is what was fetched. */
static bool take_source(struct slot_merger *m, const struct slot_source *s, struct slot_reader *reader,
	struct chunk *c, struct slot_result *result)
{
	int r = reader->chunk(reader, s, c);
	result->unavailable |= r < 0 && r != -EBADMSG;
	if (r < 0 || decode(m, s, c, reader) < 0)
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
	if (is_histogram(c.encoding)) /* rare enough to decode it */
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
	const struct slot_source *a = ((const struct decoded *)pa)->source,
				 *b = ((const struct decoded *)pb)->source;
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

/*
 * The base's frame as the whole content: true where there is nothing to merge with it or no gap in it. Otherwise the base is
 * decoded, and its frame kept in m->base where it is the base's only one.
 */
static bool base_serves(struct slot_merger *m, const struct slot *slot, uint32_t members,
	struct slot_reader *reader, struct buf *out, struct slot_result *result)
{
	const struct slot_source *base = &slot->sources[0];
	bool is_alone = slot->n_sources == 1 && !base->tombstoned_series && slot->from != INT64_MIN &&
			slot->left == INT64_MIN && slot->right == INT64_MAX;
	bool only_of_rank = members == 1 || slot->sources[1].rank != base->rank;
	struct chunk c;
	int r = reader->chunk(reader, base, &c);
	result->unavailable |= r < 0 && r != -EBADMSG;
	if (r < 0)
		return false;
	bool can_copy = c.encoding <= CHUNK_FLOAT_HISTOGRAM; /* older readers know no other */
	if (is_alone && can_copy) {
		size_t start = out->len;
		write_base(out, &c);
		if (out->len - start <= slot->capacity)
			return true;
		out->len = start; /* a longer frame than the index made one think: takes the slower way */
	}
	if (decode(m, base, &c, reader) < 0)
		return false;
	const struct decoded *d = &m->decoded.data[0];
	result->input_samples += (uint32_t)d->n;
	bool inside = d->n && times_of(m, d)[0] >= slot->from && times_of(m, d)[d->n - 1] < slot->to;
	if (m->func != DEDUP_COMPLETE || base->tombstoned_series || !only_of_rank || !inside || !can_copy ||
		d->is_restored)
		return false;
	write_base(&m->base, &c);
	if (m->base.len > slot->capacity || !base_is_whole(slot, m))
		return false;
	for (uint32_t i = members; i < slot->n_sources; i++)
		if (slot->sources[i].rank != base->rank ||
			(slot->sources[i].role == SLOT_AFTER &&
				starts_with_marker(&slot->sources[i], reader, result)))
			return false;
	buf_add(out, m->base.data, m->base.len);
	result->output_samples = (uint32_t)d->n;
	return true;
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
	if (members && base_serves(m, slot, members, reader, out, result))
		return;
	for (uint32_t i = 1; i < members; i++)
		take_source(m, &slot->sources[i], reader, &c, result);
	if (m->decoded.len == 0) {
		result->no_data = true;
		return;
	}
	take_sides(m, slot, members, reader, result);
	build_lines(m, reader);
	if (m->lines.len == 1) /* one replica alone keeps all it has, markers too */
		timeline_merge(DEDUP_CHAIN, m->timelines.data, 1, slot->from, slot->to, slot->left,
			slot->right, &m->scratch, &m->picks);
	else
		timeline_merge(m->func, m->timelines.data, m->timelines.len, slot->from, slot->to, slot->left,
			slot->right, &m->scratch, &m->picks);
	encode_parts(m, slot, out, result);
}
