/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/source_chunks.h"

#include "lib/base/complaint.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define STRIDE_BYTES (256u << 10) /* read at once where reads follow each other */
#define NEAR_BYTES   (64u << 10)  /* a chunk this little past the last stride follows it */
#define FIRST_BYTES  (8u << 10)
#define WINDOWS      64 /* a reader keeps */

METRIC_COUNTER(chunks_corrupt, "thanosfs_chunks_corrupt_total",
	"Source chunks that failed their checksum or did not decode.")
METRIC_COUNTER(chunks_reread, "thanosfs_chunks_reread_total",
	"Source chunks that failed their checksum once, and not when they were fetched again.")
METRIC_COUNTER(reads_failed, "thanosfs_source_reads_failed_total", "Reads of source segments that failed.")
METRIC_COUNTER(
	bytes_read, "thanosfs_source_read_bytes_total", "Bytes read from source segments to make slots.")

#define SETTLE_MS 5000 /* without a failure, before sources are said to be readable again */

static struct complaint unreadable = COMPLAINT_INIT, unopened = COMPLAINT_INIT,
			no_tombstones = COMPLAINT_INIT, corrupt = COMPLAINT_INIT;

struct source {
	struct catalogue_block *block;
	struct blob *_Atomic *segments;
	struct tombstones tombstones;
	_Atomic bool has_tombstones; /* they are loaded */
};

struct source_chunks {
	pthread_mutex_t lock; /* opening */
	struct bucket *bucket;
	size_t n;
	struct source sources[];
};

struct source_chunks *source_chunks_new(
	struct bucket *bucket, struct catalogue_block *const *blocks, size_t n)
{
	struct source_chunks *s = xcalloc(1, sizeof *s + n * sizeof *s->sources);
	pthread_mutex_init(&s->lock, NULL);
	s->bucket = bucket;
	s->n = n;
	for (size_t i = 0; i < n; i++) {
		s->sources[i].block = catalogue_block_ref(blocks[i]);
		s->sources[i].segments = xcalloc(blocks[i]->n_segments + 1, sizeof *s->sources[i].segments);
	}
	return s;
}

void source_chunks_release(struct source_chunks *s)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n; i++)
		for (unsigned k = 0; k < s->sources[i].block->n_segments; k++)
			blob_close(atomic_exchange(&s->sources[i].segments[k], NULL));
	pthread_mutex_unlock(&s->lock);
}

void source_chunks_free(struct source_chunks *s)
{
	if (!s)
		return;
	source_chunks_release(s);
	for (size_t i = 0; i < s->n; i++) {
		free(s->sources[i].segments);
		tombstones_fini(&s->sources[i].tombstones);
		catalogue_block_unref(s->sources[i].block);
	}
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int source_chunks_segment(
	struct source_chunks *s, uint16_t source, uint32_t segment, struct blob **out, struct err *e)
{
	if (source >= s->n || segment >= s->sources[source].block->n_segments)
		return err_set(e, -EBADMSG, "segment %u of source %u does not exist", segment + 1, source);
	struct source *src = &s->sources[source];
	*out = atomic_load(&src->segments[segment]);
	if (*out)
		return 0;
	char name[ULID_CHARS + 32];
	struct blob *opened, *none = NULL;
	snprintf(name, sizeof name, "%s/chunks/%06u", src->block->ulid, segment + 1);
	int r = bucket_open_sized(s->bucket, name, src->block->segment_bytes[segment], &opened, e);
	if (r < 0)
		return r;
	if (atomic_compare_exchange_strong(&src->segments[segment], &none, opened)) {
		*out = opened;
	} else { /* another thread was faster */
		blob_close(opened);
		*out = none;
	}
	return 0;
}

/* Its descriptor is no answer: who asks a cached object for that keeps it from being evicted. */
static bool takes_hints(const struct blob *b)
{
	return b->ops->will_read != NULL;
}

bool source_chunks_takes_hints(struct source_chunks *s, uint16_t source, uint32_t segment)
{
	struct blob *b = NULL;
	return source_chunks_segment(s, source, segment, &b, NULL) == 0 && takes_hints(b);
}

void source_chunks_announce(struct source_chunks *s, const struct source_ranges *l)
{
	struct blob *b = NULL;
	vec_each (r, l)
		if (source_chunks_segment(s, r->source, r->segment, &b, NULL) == 0)
			blob_will_read(b, r->from, r->to - r->from);
}

void source_chunks_pin(struct source_chunks *s)
{
	struct err e;
	struct blob *b;
	for (size_t i = 0; i < s->n; i++)
		for (unsigned k = 0; k < s->sources[i].block->n_segments; k++) {
			int r = source_chunks_segment(s, (uint16_t)i, k, &b, &e);
			if (r == 0)
				continue;
			metric_add(reads_failed, 1);
			complain(&unopened, LOG_LEVEL_WARN, "source segment can't be opened", -r,
				KV("err", e.msg));
			return; /* read when needed, or not at all */
		}
}

/* A stretch of a segment in memory. */
struct stretch {
	uint16_t source;
	uint32_t segment;
	uint64_t at;
	struct buf bytes;
	uint64_t used; /* clock of last use */
};

struct source_reader {
	struct slot_reader slots;
	struct source_chunks *from;
	const struct source_ranges *announced; /* NULL: nothing */
	struct source_ranges *later;           /* NULL: everything is waited for */
	bool put_off;
	unsigned n;
	uint64_t clock;
	struct stretch stretches[WINDOWS];
};

static struct stretch *stretch_of(struct source_reader *r, const struct slot_source *s)
{
	struct stretch *oldest = NULL;
	uint32_t segment = chunk_ref_segment(s->ref);
	for (unsigned i = 0; i < r->n; i++) {
		struct stretch *w = &r->stretches[i];
		if (w->source == s->source && w->segment == segment)
			return w;
		if (!oldest || w->used < oldest->used)
			oldest = w;
	}
	if (r->n < WINDOWS)
		oldest = &r->stretches[r->n++];
	oldest->source = s->source;
	oldest->segment = segment;
	oldest->at = 0;
	buf_reset(&oldest->bytes);
	return oldest;
}

/* How much to read at once. */
static size_t read_bytes(
	const struct source_reader *r, const struct stretch *w, struct blob *b, uint64_t at, size_t need)
{
	if (takes_hints(b)) {
		const struct source_range *range =
			r->announced ? source_ranges_find(r->announced, w->source, w->segment, at) : NULL;
		return range ? MAX_OF(need, MIN_OF(range->to - at, STRIDE_BYTES)) : need;
	}
	bool follows = w->bytes.len && at >= w->at && at <= w->at + w->bytes.len + NEAR_BYTES;
	return MAX_OF(need, follows ? STRIDE_BYTES : FIRST_BYTES);
}

/* At least `need` bytes from offset `at` on, fewer only at the segment's end. */
static int fill(struct source_reader *r, struct stretch *w, uint64_t at, size_t need, struct err *e)
{
	uint64_t end = w->at + w->bytes.len;
	if (at >= w->at && at + need <= end)
		return 0;
	struct blob *b;
	int rc = source_chunks_segment(r->from, w->source, w->segment, &b, e);
	if (rc < 0)
		return rc;
	if (at >= b->size)
		return err_set(e, -EBADMSG, "%s has no byte %llu", b->name, (unsigned long long)at);
	size_t bytes = read_bytes(r, w, b, at, need);
	buf_reset(&w->bytes);
	w->at = at;
	rc = blob_read_buf(b, &w->bytes, bytes, at, e);
	metric_add(bytes_read, w->bytes.len);
	if (rc == 0)
		complaint_ends(&unreadable, SETTLE_MS, "source chunks can be read again",
			KV("bucket", r->from->bucket->name));
	return rc;
}

static void report(struct source_reader *r, const struct slot_source *s, const char *why)
{
	char ref[24];
	const struct catalogue_block *block = r->from->sources[s->source].block;
	int which; /* a block that is damaged is named, its thousandth chunk isn't */
	memcpy(&which, block->meta->ulid.bytes + sizeof block->meta->ulid.bytes - sizeof which, sizeof which);
	snprintf(ref, sizeof ref, "%u:%u", chunk_ref_segment(s->ref) + 1, chunk_ref_offset(s->ref));
	metric_add(chunks_corrupt, 1);
	complain(&corrupt, LOG_LEVEL_WARN, "corrupt chunk", which, KV("bucket", r->from->bucket->name),
		KV("block", block->ulid), KV("ref", ref), KV("err", why));
}

/*
 * The frame, fetched as far as it isn't in memory. The first try has the index's word for the length, the second the
 * frame's own; a third is for a longer varint.
 */
static int read_frame(struct source_reader *r, struct stretch *w, const struct slot_source *s,
	struct chunk *out, struct err *e)
{
	uint64_t at = chunk_ref_offset(s->ref);
	size_t need = MIN_OF(MAX_OF(s->frame_bytes, 16u), CHUNK_MAX_BYTES + CHUNK_FRAME_EXTRA);
	for (int tries = 0; tries < 3; tries++) {
		int rc = fill(r, w, at, need, e);
		if (rc < 0)
			return rc;
		size_t skip = (size_t)(at - w->at), have = w->bytes.len - skip;
		rc = chunk_frame_read(w->bytes.data + skip, have, out, &need, e);
		if (rc >= 0)
			return 0;
		if (rc != -EAGAIN)
			break;
		err_set(e, rc, "the segment ends inside it");
		if (need <= have || need > CHUNK_MAX_BYTES + CHUNK_FRAME_EXTRA)
			break;
	}
	return -EBADMSG;
}

/*
 * Wrong bytes are fetched once more, past whatever keeps some nearby: what the way here did to them passes, and a slot
 * made without the chunk would be kept. Only what is wrong in the same words twice, which tell the checksum of the bytes,
 * is wrong in the bucket.
 */
static int read_frame_again(struct source_reader *r, struct stretch *w, const struct slot_source *s,
	struct chunk *out, struct err *e)
{
	struct err first = *e;
	struct blob *b;
	int rc = source_chunks_segment(r->from, w->source, w->segment, &b, e);
	if (rc < 0)
		return rc;
	blob_forget(b, w->at, w->bytes.len);
	buf_reset(&w->bytes);
	rc = read_frame(r, w, s, out, e);
	if (rc == 0)
		metric_add(chunks_reread, 1);
	if (rc != -EBADMSG || !strcmp(first.msg, e->msg))
		return rc;
	return err_wrap(e, -EAGAIN, "%s: its bytes are others each time they are fetched", b->name);
}

/* Whether the chunk is one to come back to; it is noted then. */
static bool is_for_later(struct source_reader *r, const struct slot_source *s)
{
	uint32_t segment = chunk_ref_segment(s->ref);
	if (!r->later ||
		(r->announced &&
			source_ranges_find(r->announced, s->source, segment, chunk_ref_offset(s->ref))) ||
		!source_chunks_takes_hints(r->from, s->source, segment))
		return false;
	source_ranges_add(r->later, s);
	return r->put_off = true;
}

static int read_chunk(struct slot_reader *base, const struct slot_source *s, struct chunk *out)
{
	struct source_reader *r = (struct source_reader *)base;
	struct err e = { .msg = "" };
	if (s->source >= r->from->n) {
		log_error("slot map names a source that is not there", KV_U64("source", s->source));
		return -EBADMSG;
	}
	if (is_for_later(r, s))
		return -EINPROGRESS;
	if (s->tombstoned_series && !base->tombstones(base, s->source))
		return -EIO;
	struct stretch *w = stretch_of(r, s);
	w->used = ++r->clock;
	int rc = read_frame(r, w, s, out, &e);
	if (rc == -EBADMSG)
		rc = read_frame_again(r, w, s, out, &e);
	if (rc == -EBADMSG) {
		report(r, s, e.msg);
	} else if (rc < 0) {
		buf_reset(&w->bytes);
		metric_add(reads_failed, 1);
		complain(&unreadable, LOG_LEVEL_WARN, "source chunk can't be read", -rc,
			KV("bucket", r->from->bucket->name),
			KV("block", r->from->sources[s->source].block->ulid), KV("err", e.msg));
	}
	return rc;
}

static void chunk_is_corrupt(struct slot_reader *base, const struct slot_source *s, const char *why)
{
	report((struct source_reader *)base, s, why);
}

static const struct tombstones *tombstones_of_source(struct slot_reader *base, uint16_t source)
{
	struct source_chunks *all = ((struct source_reader *)base)->from;
	struct source *s = &all->sources[source];
	if (atomic_load(&s->has_tombstones))
		return &s->tombstones;
	char name[ULID_CHARS + 16];
	auto_buf struct buf b = { 0 };
	struct tombstones t = { 0 };
	struct err e;
	snprintf(name, sizeof name, "%s/tombstones", s->block->ulid);
	int r = bucket_get(all->bucket, name, TOMBSTONES_MAX_BYTES, &b, &e);
	if (r == 0)
		r = tombstones_parse(b.data, b.len, &t, &e);
	if (r < 0) {
		complain(&no_tombstones, LOG_LEVEL_WARN, "tombstones can't be read", -r,
			KV("bucket", all->bucket->name), KV("file", name), KV("err", e.msg));
		return NULL;
	}
	pthread_mutex_lock(&all->lock);
	if (!s->has_tombstones) {
		s->tombstones = t;
		t = (struct tombstones){ 0 };
		atomic_store(&s->has_tombstones, true);
	}
	pthread_mutex_unlock(&all->lock);
	tombstones_fini(&t);
	return &s->tombstones;
}

struct source_reader *source_reader_new(struct source_chunks *s)
{
	struct source_reader *r = xcalloc(1, sizeof *r);
	r->slots = (struct slot_reader){ read_chunk, chunk_is_corrupt, tombstones_of_source };
	r->from = s;
	return r;
}

void source_reader_free(struct source_reader *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->n; i++)
		buf_fini(&r->stretches[i].bytes);
	free(r);
}

struct slot_reader *source_reader_slots(struct source_reader *r)
{
	return &r->slots;
}

void source_reader_expect(
	struct source_reader *r, const struct source_ranges *announced, struct source_ranges *later)
{
	r->announced = announced;
	r->later = later;
	r->put_off = false;
}

bool source_reader_put_off(struct source_reader *r)
{
	bool was = r->put_off;
	r->put_off = false;
	return was;
}
