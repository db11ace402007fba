/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a block's index to series records: labels are edited, chunks that tombstones cover wholly are left
 * out, every chunk ref is held against the block's segments, and the order is restored.
 *
 * How long a chunk's frame is isn't in an index. Prometheus writes chunks in the order of the series, so the
 * distance to the next ref tells, which for a series' last chunk is known when the next series arrives.
 *
 * A series without labels can't be selected by any query, and Prometheus' index writer refuses it, so that no
 * compaction would get past it: it is left out.
 */
#include "dedup/index_source.h"

#include "dedup/series_order.h"

#include <errno.h>

#define FRAME_GUESS_BYTES 4096
#define FRAME_MOST_BYTES  (64 << 10)

struct index_source {
	const struct index_merge_input *in;
	const struct catalogue_block *block;
	struct index_stream *stream;
	const struct label_edit *edit;
	struct series_order *order;
	VEC(uint32_t) before; /* original pairs of the series that was pushed last */
	uint32_t n_before;    /* labels in it */
	bool any;             /* one was */
	bool ended;
	bool disk_failed;
	uint16_t number, replica;
	uint64_t series;
	uint64_t open_ref;    /* the last chunk seen, whose frame's length is still to be told */
	uint32_t *open_frame; /* and where it goes; NULL: nowhere */
};

struct index_source *index_source_new(const struct index_merge_input *in, uint16_t number,
	struct index_stream *stream, const struct label_edit *edit, const char *dir, size_t keep_bytes)
{
	struct index_source *s = xcalloc(1, sizeof *s);
	s->in = in;
	s->block = in->source.block;
	s->stream = stream;
	s->edit = edit;
	s->number = number;
	s->replica = (uint16_t)in->source.replica;
	s->order = series_order_new(dir, edit->may_reorder, keep_bytes);
	return s;
}

void index_source_free(struct index_source *s)
{
	if (!s)
		return;
	series_order_free(s->order);
	vec_fini(&s->before);
	free(s);
}

bool index_source_disk_failed(const struct index_source *s)
{
	return s->disk_failed;
}

uint64_t index_source_series(const struct index_source *s)
{
	return s->series;
}

/* From the chunk to what follows it in its segment, at `end`. */
static uint32_t frame_bytes(uint64_t ref, uint64_t end)
{
	uint64_t distance = end - chunk_ref_offset(ref);
	return distance - 1 < FRAME_MOST_BYTES ? (uint32_t)distance : FRAME_GUESS_BYTES;
}

/* `next`: the chunk that follows the last one seen; NULL: none. */
static void settle_open_frame(struct index_source *s, const uint64_t *next)
{
	if (!s->open_frame)
		return;
	uint32_t segment = chunk_ref_segment(s->open_ref);
	*s->open_frame = frame_bytes(s->open_ref, next && chunk_ref_segment(*next) == segment
							  ? chunk_ref_offset(*next)
							  : s->block->segment_bytes[segment]);
	s->open_frame = NULL;
}

static int check_ref(const struct index_source *s, const struct index_series *in, uint64_t ref, struct err *e)
{
	uint32_t segment = chunk_ref_segment(ref), offset = chunk_ref_offset(ref);
	if (segment < s->block->n_segments && offset >= SEGMENT_HEADER_BYTES &&
		offset < s->block->segment_bytes[segment])
		return 0;
	return err_set(e, -EBADMSG,
		"series %llu: chunk ref %llu (segment %u, offset %u) is outside the block's segments",
		(unsigned long long)in->ref, (unsigned long long)ref, segment, offset);
}

/* Compares with the series before: *common labels at the start are the same. -EBADMSG where the order is wrong. */
static int compare_with_before(
	const struct index_source *s, const struct index_series *in, uint32_t *common, struct err *e)
{
	const uint32_t *a = s->before.data, *b = in->pairs;
	uint32_t most = MIN_OF(s->n_before, in->n_labels), i = 0;
	for (; i < most; i++) {
		uint64_t x, y;
		memcpy(&x, a + 2 * (size_t)i, sizeof x);
		memcpy(&y, b + 2 * (size_t)i, sizeof y);
		if (x != y)
			break;
	}
	*common = i;
	bool rises = !s->any;
	if (i == s->n_before)
		rises |= in->n_labels > i;
	else if (i < in->n_labels)
		rises |= a[2 * i] != b[2 * i] ? a[2 * i] < b[2 * i] : a[2 * i + 1] < b[2 * i + 1];
	return rises ? 0
		     : err_set(e, -EBADMSG, "series %llu does not sort after the one before it",
			       (unsigned long long)in->ref);
}

/* Whether ranges cover the chunk wholly; *touched: or in part. */
static bool is_deleted(const struct chunk_meta *c, const struct tombstone *ranges, size_t n, bool *touched)
{
	bool is_gone = false;
	for (size_t i = 0; i < n; i++) {
		const struct interval *range = &ranges[i].range;
		is_gone |= range->mint <= c->mint && c->maxt <= range->maxt;
		*touched |= range->mint <= c->maxt && c->mint <= range->maxt;
	}
	return is_gone;
}

/* The chunks that count. The length of the last one's frame stays open. */
static int add_chunks(
	struct index_source *s, const struct index_series *in, struct series_record *out, struct err *e)
{
	struct layout_input *to = series_record_chunks(out);
	const struct tombstone *ranges = NULL;
	size_t n_ranges = 0;
	if (s->in->tombstones && s->in->tombstones->len)
		n_ranges = tombstones_of(s->in->tombstones, in->ref, &ranges);
	for (uint32_t i = 0; i < in->n_chunks; i++) {
		const struct chunk_meta *c = &in->chunks[i];
		int r = check_ref(s, in, c->ref, e);
		if (r < 0)
			return r;
		settle_open_frame(s, &c->ref);
		bool touched = false;
		if (n_ranges && is_deleted(c, ranges, n_ranges, &touched))
			continue;
		*to = (struct layout_input){
			.meta = *c,
			.tombstoned_series = touched ? in->ref : 0,
			.source = s->number,
			.replica = s->replica,
		};
		s->open_ref = c->ref;
		s->open_frame = &to->frame_bytes;
		to++;
	}
	out->n_chunks = (uint32_t)(to - series_record_chunks(out));
	return 0;
}

static void remember(struct index_source *s, const struct index_series *in)
{
	size_t words = 2 * (size_t)in->n_labels;
	vec_reserve(&s->before, words);
	if (words)
		memcpy(s->before.data, in->pairs, words * sizeof(uint32_t));
	s->n_before = in->n_labels;
	s->any = true;
}

/* Enters a series into the order. */
static int take_series(struct index_source *s, const struct index_series *in, struct err *e)
{
	uint32_t common = 0;
	int r = compare_with_before(s, in, &common, e);
	if (r < 0)
		return r;
	/* Before the slot: a full sort buffer is written out there. */
	settle_open_frame(s, &in->chunks[0].ref);

	size_t bytes =
		series_record_bytes((size_t)in->n_labels + s->edit->n_set, s->edit->n_identity, in->n_chunks);
	if (in->n_chunks > INDEX_SOURCE_MAX_CHUNKS || bytes > SERIES_RECORD_MAX_BYTES)
		return err_set(e, -EBADMSG, "series %llu has %u labels and %u chunks, which is too much",
			(unsigned long long)in->ref, in->n_labels, in->n_chunks);
	struct series_record *out = NULL;
	r = series_order_slot(s->order, bytes, &out, e);
	if (r < 0) {
		s->disk_failed = s->edit->may_reorder;
		return r;
	}
	/* The identity's place depends on the number of labels, which is known only afterwards. */
	uint32_t identity[64], *taken = identity;
	auto_free uint32_t *more = NULL;
	if (s->edit->n_identity > ARRAY_LEN(identity))
		taken = more = xcalloc(s->edit->n_identity, sizeof *more);
	bool touched = label_edit_apply(s->edit, in->pairs, in->n_labels, out->words, &out->n_labels, taken);
	out->n_identity = s->edit->n_identity;
	if (out->n_identity)
		memcpy(out->words + 2 * (size_t)out->n_labels, taken, out->n_identity * sizeof *taken);
	r = add_chunks(s, in, out, e);
	if (r < 0)
		return r;
	if (out->n_labels == 0 || out->n_chunks == 0) {
		s->open_frame = NULL;
		return 0;
	}
	out->bytes = (uint32_t)series_record_bytes(out->n_labels, out->n_identity, out->n_chunks);
	series_order_push(s->order, common, in->n_labels, touched);
	remember(s, in);
	return 0;
}

/* Reads one more series, or comes to the end. */
static int advance(struct index_source *s, struct err *e)
{
	struct index_series in = { 0 };
	int r = index_stream_series(s->stream, &in, e);
	if (r < 0)
		return r;
	if (r > 0) {
		s->series++;
		return in.n_chunks ? take_series(s, &in, e) : 0;
	}
	settle_open_frame(s, NULL);
	s->ended = true;
	r = series_order_end(s->order, e);
	s->disk_failed = r < 0;
	return r;
}

int index_source_next(struct index_source *s, const struct series_record **out, struct err *e)
{
	for (;;) {
		int r = series_order_pop(s->order, out, e);
		s->disk_failed = r < 0;
		if (r != 0 || s->ended)
			return r;
		r = advance(s, e);
		if (r < 0)
			return r;
	}
}
