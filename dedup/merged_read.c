/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of a merged block's files: local files and source segments by descriptor; slots after those that are missing were
 * made and kept, or, where they can't be kept, put together in memory.
 */
#include "dedup/merged_private.h"
#include "dedup/slot_overrides.h"
#include "lib/base/clock.h"
#include "lib/base/complaint.h"
#include "lib/base/deadline.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

METRIC_COUNTER(slots_made, "thanosfs_slots_made_total", "Slots whose content was made.")
METRIC_COUNTER(samples_decoded, "thanosfs_slot_input_samples_total", "Source samples decoded to make slots.")
METRIC_COUNTER(samples_encoded, "thanosfs_slot_output_samples_total", "Samples in the slots that were made.")
METRIC_COUNTER(slots_overflowed, "thanosfs_slots_overflowed_total",
	"Slots that did not fit and hold the base replica's samples alone until their window is merged "
	"again.")
METRIC_COUNTER(slots_without_data, "thanosfs_slots_without_data_total",
	"Slots that are zeros because no source chunk was usable.")
METRIC_COUNTER(ranges_incomplete, "thanosfs_reads_incomplete_total",
	"Reads answered with zeros in place of bytes that could not be had.")

#define SETTLE_MS 5000 /* without zeros, before reads are said to be whole again */

static struct complaint zeros = COMPLAINT_INIT;

/* Bytes of sources have just been had. */
static void end_complaint(const struct merged_block *b)
{
	complaint_ends(
		&zeros, SETTLE_MS, "reads are answered whole again", KV("bucket", b->env->bucket->name));
}

/* A reference to the segment's made slots. */
static int made_of(
	struct merged_block *b, struct holdings *h, uint32_t segment, struct made_slots **out, struct err *e)
{
	int r = 0;
	pthread_mutex_lock(&b->lock);
	if (!h->made[segment]) {
		char name[32];
		snprintf(name, sizeof name, "segment-%u", segment);
		auto_free char *path = merged_block_path(b, name);
		uint64_t first = slot_map_segment_first(h->map, segment);
		uint64_t end = slot_map_segment_first(h->map, segment + 1);
		r = made_slots_open(path, slot_map_segment_bytes(h->map, segment), first, end - first,
			&h->made[segment], e);
	}
	if (r == 0)
		*out = made_slots_ref(h->made[segment]);
	pthread_mutex_unlock(&b->lock);
	return r;
}

static struct maker *take_maker(struct merged_block *b, struct holdings *h)
{
	pthread_mutex_lock(&b->lock);
	struct maker *k = h->idle;
	if (k)
		h->idle = k->next;
	pthread_mutex_unlock(&b->lock);
	if (!k) {
		k = xcalloc(1, sizeof *k);
		k->merger = slot_merger_new(b->env->func);
		k->reader = source_reader_new(h->chunks);
	}
	return k;
}

static void return_maker(struct merged_block *b, struct holdings *h, struct maker *k)
{
	pthread_mutex_lock(&b->lock);
	k->next = h->idle;
	h->idle = k;
	pthread_mutex_unlock(&b->lock);
}

static void learn_parts(struct merged_block *b, const struct slot *slot, const struct slot_result *result)
{
	struct err e;
	const struct slot_source *base = &slot->sources[0];
	struct catalogue_block *const *sources;
	if (base->source >= merged_block_sources(b, &sources))
		return;
	struct slot_key key = { .source = sources[base->source]->meta->ulid,
		.ref = base->ref,
		.from = slot->from,
		.to = slot->to };
	metric_add(slots_overflowed, 1);
	int r = slot_overrides_add(b->env->overrides, &key, result->parts, result->n_parts, &e);
	if (r < 0)
		log_error("a slot's exact size can't be kept", KV("err", e.msg));
	if (r > 0) {
		log_debug("slot needs more room than planned, its window will be merged again",
			KV("block", sources[base->source]->ulid), KV_U64("parts", result->n_parts),
			KV_U64("capacity", slot->capacity), KV_U64("bytes", result->parts[0].bytes));
		int64_t now = clock_monotonic_us(), none = 0;
		atomic_compare_exchange_strong(&b->env->news->first_us, &none, now);
		atomic_store(&b->env->news->last_us, now);
	}
}

/*
 * Makes one slot, whose frame is appended to k->bytes. True: it is kept in `made`. False: it is only in k->bytes, as the
 * local disk is full, or nowhere, as a source was unavailable.
 */
static bool make_slot(struct merged_block *b, struct maker *k, struct made_slots *made,
	const struct mapped_slot *s, bool *incomplete)
{
	struct slot_result result;
	struct err e;
	size_t start = k->bytes.len;
	slot_merge(k->merger, &s->slot, source_reader_slots(k->reader), &k->bytes, &result);
	metric_add(slots_made, 1);
	metric_add(samples_decoded, result.input_samples);
	metric_add(samples_encoded, result.output_samples);
	if (result.no_data)
		metric_add(slots_without_data, 1);
	if (result.unavailable) { /* less than all there is would be a wrong answer, zeros are none */
		*incomplete = true;
		k->bytes.len = start;
		return false;
	}
	end_complaint(b);
	if (result.n_parts)
		learn_parts(b, &s->slot, &result);
	int r = made_slots_put(made, s->number, s->offset, k->bytes.data + start, k->bytes.len - start, &e);
	if (r < 0)
		log_warn("made slot can't be kept", KV("err", e.msg));
	return r == 0;
}

/* A made slot that isn't in the file. */
struct loose {
	uint64_t offset;
	size_t at, len; /* in the maker's bytes */
};

/* The range as bytes: what the file has, with the loose slots over it. */
static int compose(struct maker *k, struct made_slots *made, const struct loose *loose, size_t n_loose,
	uint64_t at, size_t n, struct buf *out)
{
	size_t start = out->len;
	int r = file_pread_all(made_slots_fd(made), buf_reserve(out, n), n, at);
	if (r < 0)
		return r;
	out->len += n;
	for (size_t i = 0; i < n_loose; i++) {
		uint64_t from = MAX_OF(loose[i].offset, at),
			 to = MIN_OF(loose[i].offset + loose[i].len, at + n);
		if (from < to)
			memcpy(out->data + start + (from - at),
				k->bytes.data + loose[i].at + (from - loose[i].offset), to - from);
	}
	return 0;
}

/* A slot map that its checksums disown: without block.json the next process merges the window again. */
static void give_up_map(struct merged_block *b, struct err *e)
{
	auto_free char *path = merged_block_path(b, "block.json");
	log_error(
		"local slot map is damaged, its window is merged again at the next start", KV("err", e->msg));
	unlink(path);
}

static int read_synthetic(struct merged_block *b, struct holdings *h, uint32_t segment, uint64_t at, size_t n,
	struct buf *out, struct merged_range *range, struct err *e)
{
	struct made_slots *made = NULL;
	int r = made_of(b, h, segment, &made, e);
	if (r < 0)
		return r;
	struct maker *k = take_maker(b, h);
	VEC(struct loose) loose = { 0 };
	buf_reset(&k->bytes);
	buf_reserve(&k->bytes, 1); /* a slot without data still has a place in it */
	made_slots_touch(made);
	for (r = slot_map_seek(h->map, &k->cursor, segment, at, e); r == 1;
		r = slot_map_next(h->map, &k->cursor, e)) {
		const struct mapped_slot *s = slot_cursor_get(&k->cursor);
		if (s->offset >= at + n)
			break;
		if (made_slots_has(made, s->number))
			continue;
		size_t start = k->bytes.len;
		if (make_slot(b, k, made, s, &range->incomplete))
			k->bytes.len = start;
		else
			vec_push(&loose, (struct loose){ s->offset, start, k->bytes.len - start });
	}
	r = MIN_OF(r, 0);
	if (r == -EBADMSG)
		give_up_map(b, e);
	if (r == 0 && loose.len == 0) {
		range->fd = made_slots_fd(made);
		range->fd_at = at;
		range->hold = made_slots_ref(made);
	} else if (r == 0) {
		r = compose(k, made, loose.data, loose.len, at, n, out);
		if (r < 0)
			err_errno(e, r, "reading made slots of %s", b->dir);
	}
	vec_fini(&loose);
	return_maker(b, h, k);
	made_slots_unref(made);
	return r;
}

/* A whole source segment, byte for byte. */
static int read_source(struct merged_block *b, struct holdings *h, const struct merged_segment_ref *s,
	uint64_t at, size_t n, struct buf *out, struct merged_range *range, struct err *e)
{
	struct blob *blob;
	struct stat st;
	int r = source_chunks_segment(h->chunks, s->source, s->segment, &blob, e);
	if (r < 0)
		return r;
	int fd = blob_fd(blob);
	if (fd < 0) {
		r = blob_read(blob, buf_reserve(out, n), n, at, e);
		out->len += r < 0 ? 0 : n;
		if (r == 0)
			end_complaint(b);
		return r;
	}
	/* A file that somebody cut short must not become a short read: the kernel would cut the mount's file
	 * too. */
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < at + n)
		return err_set(e, -EIO, "%s ends before byte %llu", blob->name, (unsigned long long)(at + n));
	range->fd = fd;
	range->fd_at = at;
	return 0;
}

static int read_file(struct merged_block *b, struct holdings *h, size_t file, uint64_t at, size_t n,
	struct buf *out, struct merged_range *range, struct err *e)
{
	if (file == FILE_META || file == FILE_TOMBSTONES) {
		auto_free char *path = merged_block_path(b, b->files[file].name);
		auto_buf struct buf text = { 0 };
		int r = file_read(path, META_JSON_MAX_BYTES, &text, e);
		if (r == 0 && text.len < at + n)
			r = err_set(e, -EIO, "%s became shorter", path);
		if (r == 0)
			buf_add(out, text.data + at, n);
		return r;
	}
	if (file == FILE_INDEX) {
		range->fd = blob_fd(h->index);
		range->fd_at = at;
		return 0;
	}
	const struct merged_segment_ref *s = &b->state.merge.segments.data[file - FILE_SEGMENTS];
	return s->is_synthetic ? read_synthetic(b, h, s->segment, at, n, out, range, e)
			       : read_source(b, h, s, at, n, out, range, e);
}

static void report_zeros(struct merged_block *b, const char *file, uint64_t at, int r, const struct err *e)
{
	metric_add(ranges_incomplete, 1);
	complain(&zeros, LOG_LEVEL_WARN, "read answered with zeros", -r, KV("bucket", b->env->bucket->name),
		KV("block", b->dir), KV("file", file), KV_U64("at", at),
		KV("err", r < 0 ? e->msg : "a slot's source can't be read now"));
}

void merged_block_read(struct merged_block *b, size_t file, uint64_t at, size_t n, struct buf *out,
	struct merged_range *range)
{
	struct holdings *h = NULL;
	struct err e = { .msg = "" };
	size_t start = out->len;
	*range = (struct merged_range){ .fd = -1 };
	struct deadline deadline = { 0 };
	if (b->env->read_deadline_ms)
		deadline.until_us = clock_monotonic_us() + b->env->read_deadline_ms * 1000;
	deadline = deadline_enter(deadline);
	int r = merged_block_acquire(b, &h, &e);
	range->is_held = r == 0;
	if (r == 0) {
		n = file < b->n_files && at < b->files[file].size ? MIN_OF(n, b->files[file].size - at) : 0;
		r = n ? read_file(b, h, file, at, n, out, range, &e) : 0;
	}
	deadline_leave(deadline);
	range->n = n;
	if (r < 0) {
		out->len = start;
		buf_add_zeros(out, n);
		range->fd = -1;
		range->incomplete = true;
	}
	if (range->incomplete)
		report_zeros(b, range->is_held ? b->files[file].name : NULL, at, r, &e);
}

void merged_block_range_done(struct merged_block *b, size_t file, struct merged_range *range)
{
	(void)file;
	made_slots_unref(range->hold);
	range->hold = NULL;
	if (range->is_held)
		merged_block_give_back(b);
	range->is_held = false;
}
