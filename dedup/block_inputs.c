/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every request that the start of a merge takes is an item of one list, and the items are worked off in parallel: a window
 * costs a distant bucket two round trips, however many blocks and segments it has.
 */
#include "dedup/block_inputs.h"

#include "lib/base/blob_ahead.h"
#include "store/parallel.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>

#define REQUESTS_AT_ONCE 32
#define PART_LEAST_BYTES (64u << 10)
#define PART_MOST_BYTES  (1u << 20)
#define AHEAD_THREADS    8u

enum item_kind { ITEM_SEGMENT, ITEM_TOMBSTONES, ITEM_INDEX };

struct item {
	size_t source;
	enum item_kind kind;
	unsigned segment;
	int r;
	struct err err;
};

struct opening {
	struct bucket *bucket;
	const struct window *window;
	struct block_inputs *in;
	size_t ahead_bytes; /* a source */
	VEC(struct item) items;
};

static const char *const reasons[] = { [ITEM_SEGMENT] = "corrupt-segment",
	[ITEM_TOMBSTONES] = "corrupt-tombstones",
	[ITEM_INDEX] = "corrupt-index" };

/* Prometheus refuses a whole directory of blocks over one bad segment header. */
static int check_segment(
	struct bucket *bucket, const struct catalogue_block *b, unsigned segment, struct err *e)
{
	char name[ULID_CHARS + 32];
	auto_of(blob) struct blob *blob = NULL;
	uint8_t header[SEGMENT_HEADER_BYTES];
	uint32_t magic;
	snprintf(name, sizeof name, "%s/chunks/%06u", b->ulid, segment + 1);
	int r = bucket_open_sized(bucket, name, b->segment_bytes[segment], &blob, e);
	if (r < 0 || (r = blob_read(blob, header, sizeof header, 0, e)) < 0)
		return r;
	memcpy(&magic, header, sizeof magic);
	if (be32toh(magic) != SEGMENT_MAGIC || header[4] != SEGMENT_VERSION)
		return err_set(e, -EBADMSG, "%s does not start as a version %d chunk segment", name,
			SEGMENT_VERSION);
	if (blob->size != b->segment_bytes[segment])
		return err_set(e, -EBADMSG, "%s has %llu bytes, not the %llu it was listed with", name,
			(unsigned long long)blob->size, (unsigned long long)b->segment_bytes[segment]);
	return 0;
}

static int load_tombstones(
	struct bucket *bucket, const struct catalogue_block *b, struct tombstones *out, struct err *e)
{
	char name[ULID_CHARS + 16];
	auto_buf struct buf bytes = { 0 };
	snprintf(name, sizeof name, "%s/tombstones", b->ulid);
	int r = bucket_get(bucket, name, TOMBSTONES_MAX_BYTES, &bytes, e);
	if (r < 0)
		return r;
	r = tombstones_parse(bytes.data, bytes.len, out, e);
	return r < 0 ? err_wrap(e, r, "%s", name) : 0;
}

static int open_index(
	const struct opening *o, const struct catalogue_block *b, struct blob **out, struct err *e)
{
	char name[ULID_CHARS + 16];
	snprintf(name, sizeof name, "%s/index", b->ulid);
	int r = bucket_open_sized(o->bucket, name, b->index_bytes, out, e);
	if (r < 0 || blob_fd(*out) >= 0)
		return r;
	size_t part = o->ahead_bytes / 4;
	part = part < PART_LEAST_BYTES ? PART_LEAST_BYTES : MIN_OF(part, (size_t)PART_MOST_BYTES);
	unsigned parts = (unsigned)MAX_OF(o->ahead_bytes / part, (size_t)2);
	*out = blob_ahead_new(
		*out, &(struct blob_ahead_options){
			      .part_bytes = part, .parts = parts, .threads = MIN_OF(parts, AHEAD_THREADS) });
	return 0;
}

static void work_off(void *arg, size_t i)
{
	struct opening *o = arg;
	struct item *item = &o->items.data[i];
	const struct catalogue_block *b = o->window->sources[item->source].block;
	struct index_merge_input *in = &o->in->data[item->source];
	switch (item->kind) {
	case ITEM_SEGMENT: item->r = check_segment(o->bucket, b, item->segment, &item->err); break;
	case ITEM_TOMBSTONES:
		in->tombstones = &o->in->tombstones[item->source];
		item->r = load_tombstones(o->bucket, b, &o->in->tombstones[item->source], &item->err);
		break;
	case ITEM_INDEX: item->r = open_index(o, b, &in->index, &item->err); break;
	}
}

int block_inputs_open(struct bucket *bucket, const struct window *w, size_t ahead_bytes,
	struct block_inputs *out, int *bad_source, const char **reason, struct err *e)
{
	struct opening o = { .bucket = bucket, .window = w, .in = out, .ahead_bytes = ahead_bytes / w->n };
	*out = (struct block_inputs){ .data = xcalloc(w->n, sizeof *out->data),
		.tombstones = xcalloc(w->n, sizeof *out->tombstones),
		.n = w->n };
	for (size_t i = 0; i < w->n; i++) {
		const struct catalogue_block *b = w->sources[i].block;
		out->data[i].source = w->sources[i];
		for (unsigned k = 0; k < b->n_segments; k++)
			vec_push(&o.items, (struct item){ .source = i, .kind = ITEM_SEGMENT, .segment = k });
		if (b->has_tombstones)
			vec_push(&o.items, (struct item){ .source = i, .kind = ITEM_TOMBSTONES });
		vec_push(&o.items, (struct item){ .source = i, .kind = ITEM_INDEX });
	}
	parallel_each(o.items.len, bucket->flat_listing ? REQUESTS_AT_ONCE : 1, work_off, &o);
	int r = 0;
	vec_each (item, &o.items)
		if (r == 0 && item->r < 0) { /* the first of the list, whichever failed first */
			r = item->r;
			*bad_source = (int)item->source;
			*reason = reasons[item->kind];
			if (e)
				*e = item->err;
		}
	vec_fini(&o.items);
	return r;
}

void block_inputs_fini(struct block_inputs *in)
{
	for (size_t i = 0; i < in->n; i++) {
		blob_close(in->data[i].index);
		tombstones_fini(&in->tombstones[i]);
	}
	free(in->data);
	free(in->tombstones);
}
