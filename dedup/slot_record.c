/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots of neighbouring series are made alike: of chunks of the same blocks in the same order, each of which was
 * either named by the slot before or follows, in its segment, the one that was. So what two slots have in common is
 * their shape, written out at its first use in a block and a number from then on; left are a few differences. A slot
 * of two replicas takes about ten bytes:
 *
 *	┌─────────┬──────────────────────────────┬───────────────────────────────────────┬──────────┬────────────────┐
 *	│ shape 1 │ the shape, where it is new   │ from, to, left, right, as flags say   │ capacity │ a source each  │
 *	└─────────┴──────────────────────────────┴───────────────────────────────────────┴──────────┴────────────────┘
 *
 * A shape: flags (a byte), number of sources, and for each the number of its block and rank << 4 | role << 2 | kind.
 * A source is, by its kind, nothing, or the length of its frame, or its ref's distance from where the last chunk named
 * of that block ends and the length of its frame; the ref of its series follows where flags speak of tombstones.
 * Numbers are varints; `to` is relative to `from` and to how long the last slot was, `left` likewise.
 */
#include "dedup/slot_record.h"

#include "lib/tsdb/varint.h"

enum {
	FROM_OPEN = 1, /* from is INT64_MIN */
	FROM_IS_T = 2, /* from is where the last slot ended */
	TO_OPEN = 4,   /* to is INT64_MAX */
	LEFT_OPEN = 8,
	RIGHT_OPEN = 16,
	RIGHT_IS_TO = 32,
	TOMBSTONES = 64
};

enum { KIND_FAR, KIND_NEXT, KIND_LAST, KIND_LAST_BUT_ONE };

#define RECORD_MAX_BYTES     96 /* without its sources */
#define SOURCE_MAX_BYTES     40
#define SHAPE_WORD_MAX_BYTES 16

static void name_chunk(struct known_source *k, const struct known_chunk *c)
{
	k->last[1] = k->last[0];
	k->last[0] = *c;
	k->next = c->ref + c->frame_bytes;
}

/* A shape that was written: words[first .. first + n), the flags and then a word a source. */
struct written_shape {
	size_t first, n;
	unsigned next; /* the shape that came after this one the last time */
};

struct slot_encoder {
	struct slot_times times;
	uint32_t block; /* counts blocks */
	struct known_source known[DEDUP_MAX_SOURCES];
	unsigned n_shapes, last_shape;
	struct written_shape shapes[SLOT_BLOCK_RECORDS];
	VEC(uint64_t) words; /* of all shapes; behind them, those of the record at hand */
	struct buf shape;    /* as it is written out */
};

struct slot_encoder *slot_encoder_new(void)
{
	return xcalloc(1, sizeof(struct slot_encoder));
}

void slot_encoder_free(struct slot_encoder *x)
{
	if (!x)
		return;
	vec_fini(&x->words);
	buf_fini(&x->shape);
	free(x);
}

void slot_encoder_start(struct slot_encoder *x)
{
	x->block++;
	x->times = (struct slot_times){ 0 };
	x->n_shapes = x->last_shape = 0;
	x->words.len = 0;
}

static struct known_source *known_source(struct slot_encoder *x, uint16_t source)
{
	struct known_source *k = &x->known[source];
	if (k->block != x->block)
		*k = (struct known_source){ .block = x->block };
	return k;
}

static bool is_chunk(const struct known_chunk *k, const struct slot_source *c)
{
	return k->ref == c->ref && k->frame_bytes == c->frame_bytes &&
	       k->tombstoned_series == c->tombstoned_series;
}

static unsigned kind_of(const struct known_source *k, const struct slot_source *c)
{
	if (is_chunk(&k->last[0], c))
		return KIND_LAST;
	if (is_chunk(&k->last[1], c))
		return KIND_LAST_BUT_ONE;
	return c->ref == k->next ? KIND_NEXT : KIND_FAR;
}

static uint8_t flags_of(const struct slot *s, const struct slot_times *times)
{
	unsigned flags = 0;
	if (s->from == INT64_MIN)
		flags |= FROM_OPEN;
	else if (s->from == times->t)
		flags |= FROM_IS_T;
	if (s->to == INT64_MAX)
		flags |= TO_OPEN;
	if (s->left == INT64_MIN)
		flags |= LEFT_OPEN;
	if (s->right == s->to)
		flags |= RIGHT_IS_TO;
	else if (s->right == INT64_MAX)
		flags |= RIGHT_OPEN;
	for (uint32_t i = 0; i < s->n_sources; i++) {
		if (s->sources[i].tombstoned_series)
			return (uint8_t)(flags | TOMBSTONES);
	}
	return (uint8_t)flags;
}

/* Differences wrap around: whatever the times are, they come back. */
static uint8_t *put_difference(uint8_t *p, uint64_t a, uint64_t b)
{
	return varint_put(p, zigzag((int64_t)(a - b)));
}

static uint8_t *put_times(uint8_t *p, struct slot_times *times, const struct slot *s, uint8_t flags)
{
	if (!(flags & (FROM_OPEN | FROM_IS_T))) {
		p = put_difference(p, (uint64_t)s->from, (uint64_t)times->t);
		times->t = s->from;
	}
	uint64_t from = (uint64_t)times->t;
	if (!(flags & TO_OPEN)) {
		uint64_t span = (uint64_t)s->to - from;
		p = put_difference(p, span, times->span);
		times->span = span;
		times->t = s->to;
	}
	if (!(flags & LEFT_OPEN)) {
		uint64_t gap = from - (uint64_t)s->left;
		p = put_difference(p, gap, times->gap);
		times->gap = gap;
	}
	if (!(flags & (RIGHT_OPEN | RIGHT_IS_TO)))
		p = put_difference(p, (uint64_t)s->right, (uint64_t)times->t);
	return p;
}

/* Writes the sources, and their part of the shape to `words`. */
static uint8_t *put_sources(
	struct slot_encoder *x, uint8_t *p, const struct slot *s, uint8_t flags, uint64_t *words)
{
	for (uint32_t i = 0; i < s->n_sources; i++) {
		const struct slot_source *c = &s->sources[i];
		struct known_source *k = known_source(x, c->source);
		unsigned kind = kind_of(k, c);
		words[i] = (uint64_t)c->source << 32 | (uint32_t)c->rank << 4 | (uint32_t)c->role << 2 | kind;
		if (kind >= KIND_LAST)
			continue;
		if (kind == KIND_FAR)
			p = put_difference(p, c->ref, k->next);
		p = varint_put(p, c->frame_bytes);
		if (flags & TOMBSTONES)
			p = varint_put(p, c->tombstoned_series);
		name_chunk(k, &(struct known_chunk){ c->ref, c->tombstoned_series, c->frame_bytes });
	}
	return p;
}

static bool is_shape(const struct slot_encoder *x, unsigned number, const uint64_t *words, size_t n)
{
	const struct written_shape *shape = &x->shapes[number];
	const uint64_t *others = x->words.data + shape->first;
	if (shape->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (words[i] != others[i])
			return false;
	}
	return true;
}

/* The number of the shape that is n words behind all others; n_shapes where it is new. Shapes come in turns. */
static unsigned find_shape(const struct slot_encoder *x, const uint64_t *words, size_t n)
{
	if (x->n_shapes && is_shape(x, x->shapes[x->last_shape].next, words, n))
		return x->shapes[x->last_shape].next;
	unsigned number = 0;
	while (number < x->n_shapes && !is_shape(x, number, words, n))
		number++;
	return number;
}

/* Writes the shape out, between the record's first byte and the rest of it. Returns the record's new end. */
static uint8_t *insert_shape(
	struct slot_encoder *x, uint8_t *rest, uint8_t *end, const uint64_t *words, size_t n)
{
	uint8_t *p = buf_reserve(&x->shape, n * SHAPE_WORD_MAX_BYTES + VARINT_SLACK);
	*p++ = (uint8_t)words[0];
	p = varint_put(p, n - 1);
	for (size_t i = 1; i < n; i++)
		p = varint_put(varint_put(p, words[i] >> 32), (uint32_t)words[i]);
	size_t bytes = (size_t)(p - x->shape.data);
	memmove(rest + bytes, rest, (size_t)(end - rest));
	memcpy(rest, x->shape.data, bytes);
	return end + bytes;
}

void slot_encoder_add(struct slot_encoder *x, const struct slot *s, struct buf *out)
{
	size_t n = 1 + (size_t)s->n_sources;
	vec_reserve(&x->words, x->words.len + n);
	uint64_t *words = x->words.data + x->words.len;
	uint8_t *record = buf_reserve(out, RECORD_MAX_BYTES + n * SOURCE_MAX_BYTES), *rest = record + 1;
	uint8_t flags = flags_of(s, &x->times);
	words[0] = flags;
	uint8_t *end = put_times(rest, &x->times, s, flags);
	end = varint_put(end, s->capacity);
	end = put_sources(x, end, s, flags, words + 1);

	unsigned number = find_shape(x, words, n);
	if (number == x->n_shapes) {
		end = insert_shape(x, rest, end, words, n);
		x->shapes[x->n_shapes++] = (struct written_shape){ .first = x->words.len, .n = n };
		x->words.len += n;
	}
	x->shapes[x->last_shape].next = number;
	x->last_shape = number;
	*record = (uint8_t)number;
	out->len += (size_t)(end - record);
}

void slot_decoder_start(struct slot_decoder *x)
{
	x->times = (struct slot_times){ 0 };
	x->known.len = x->shapes.len = x->parts.len = 0;
}

void slot_decoder_fini(struct slot_decoder *x)
{
	vec_fini(&x->known);
	vec_fini(&x->shapes);
	vec_fini(&x->parts);
}

/* A block has few sources, and they are looked for only when a shape is met: a list does. */
static uint32_t find_known(struct slot_decoder *x, uint16_t source)
{
	for (size_t i = 0; i < x->known.len; i++) {
		if (x->known.data[i].source == source)
			return (uint32_t)i;
	}
	vec_push(&x->known, (struct known_source){ .source = source });
	return (uint32_t)x->known.len - 1;
}

static void get_shape(struct slot_decoder *x, struct dec *d)
{
	struct slot_shape shape = { .first = x->parts.len };
	shape.flags = dec_u8(d);
	shape.n = dec_uvarint32(d);
	if (shape.n > dec_left(d) / 2)
		dec_fail(d);
	for (uint32_t i = 0; i < shape.n && !d->err; i++) {
		uint64_t source = dec_uvarint(d), rank = dec_uvarint(d);
		unsigned role = rank >> 2 & 3;
		if (source >= DEDUP_MAX_SOURCES || rank >> 4 > UINT16_MAX || role > SLOT_AFTER) {
			dec_fail(d);
			return;
		}
		vec_push(&x->parts, (struct shape_part){ .known = find_known(x, (uint16_t)source),
					    .rank = (uint16_t)(rank >> 4),
					    .role = (uint8_t)role,
					    .kind = rank & 3 });
	}
	vec_push(&x->shapes, shape);
}

static uint64_t get_difference(struct dec *d, uint64_t b)
{
	return b + (uint64_t)dec_varint(d);
}

static void get_times(struct slot_times *times, struct dec *d, uint8_t flags, struct slot *s)
{
	s->from = s->left = INT64_MIN;
	s->to = s->right = INT64_MAX;
	if (!(flags & (FROM_OPEN | FROM_IS_T)))
		times->t = (int64_t)get_difference(d, (uint64_t)times->t);
	uint64_t from = (uint64_t)times->t;
	if (!(flags & FROM_OPEN))
		s->from = times->t;
	if (!(flags & TO_OPEN)) {
		times->span = get_difference(d, times->span);
		s->to = times->t = (int64_t)(from + times->span);
	}
	if (!(flags & LEFT_OPEN)) {
		times->gap = get_difference(d, times->gap);
		s->left = (int64_t)(from - times->gap);
	}
	if (flags & RIGHT_IS_TO)
		s->right = s->to;
	else if (!(flags & RIGHT_OPEN))
		s->right = (int64_t)get_difference(d, (uint64_t)times->t);
}

/* The chunk that a source of the given kind is. */
static struct known_chunk get_chunk(struct known_source *k, unsigned kind, struct dec *d, uint8_t flags)
{
	if (kind >= KIND_LAST)
		return k->last[kind - KIND_LAST];
	struct known_chunk c = { .ref = k->next };
	if (kind == KIND_FAR)
		c.ref = get_difference(d, c.ref);
	c.frame_bytes = dec_uvarint32(d);
	if (flags & TOMBSTONES)
		c.tombstoned_series = dec_uvarint(d);
	name_chunk(k, &c);
	return c;
}

void slot_decoder_next(struct slot_decoder *x, struct dec *d, struct slot *s, struct slot_sources *sources)
{
	unsigned number = dec_u8(d);
	if (number == x->shapes.len)
		get_shape(x, d);
	if (number >= x->shapes.len)
		dec_fail(d);
	if (d->err)
		return;
	struct slot_shape shape = x->shapes.data[number];
	get_times(&x->times, d, shape.flags, s);
	s->capacity = dec_uvarint32(d);
	s->n_sources = shape.n;
	vec_reserve(sources, sources->len + shape.n);
	for (uint32_t i = 0; i < shape.n && !d->err; i++) {
		const struct shape_part *part = &x->parts.data[shape.first + i];
		struct known_source *k = &x->known.data[part->known];
		struct known_chunk c = get_chunk(k, part->kind, d, shape.flags);
		vec_push(sources, (struct slot_source){ .ref = c.ref,
					  .tombstoned_series = c.tombstoned_series,
					  .frame_bytes = c.frame_bytes,
					  .source = k->source,
					  .rank = part->rank,
					  .role = part->role });
	}
}
