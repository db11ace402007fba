/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of a merged block's files: local files and source segments by descriptor; slots after those that are missing were
 * made and kept (merged_slots.c), or, where they can't be kept, put together in memory. What is likely to be read next is
 * prefetch.c's to know.
 */
#include "dedup/frame_check.h"
#include "dedup/merged_private.h"
#include "dedup/merged_slots.h"
#include "dedup/prefetch.h"
#include "lib/base/complaint.h"
#include "lib/base/crc32c.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

METRIC_COUNTER(ranges_reread, "thanosfs_reads_repeated_total",
	"Ranges of source segments fetched again because a chunk in them failed its checksum.")
METRIC_COUNTER(ranges_incomplete, "thanosfs_reads_incomplete_total",
	"Reads answered with zeros in place of bytes that could not be had.")

#define SETTLE_MS 5000 /* without zeros, before reads are said to be whole again */

static struct complaint zeros = COMPLAINT_INIT, corrupt = COMPLAINT_INIT;

/* Bytes of sources have just been had. */
static void end_complaint(const struct merged_block *b)
{
	complaint_ends(
		&zeros, SETTLE_MS, "reads are answered whole again", KV("bucket", b->env->bucket->name));
}

/* The range as bytes: what the file has, with the loose slots over it. */
static int compose(struct maker *k, struct made_slots *made, uint64_t at, size_t n, struct buf *out)
{
	size_t start = out->len;
	int r = file_pread_all(made_slots_fd(made), buf_reserve(out, n), n, at);
	if (r < 0)
		return r;
	out->len += n;
	vec_each (loose, &k->loose) {
		uint64_t from = MAX_OF(loose->offset, at), to = MIN_OF(loose->offset + loose->len, at + n);
		if (from < to)
			memcpy(out->data + start + (from - at),
				k->bytes.data + loose->at + (from - loose->offset), to - from);
	}
	return 0;
}

static int read_synthetic(struct merged_block *b, struct holdings *h, uint32_t segment, uint64_t at, size_t n,
	struct buf *out, struct merged_range *range, struct err *e)
{
	struct made_slots *made = NULL;
	int r = merged_slots_open(b, h, segment, &made, e);
	if (r < 0)
		return r;
	struct maker *k = merged_slots_maker(b, h);
	made_slots_touch(made);
	r = merged_slots_make(b, h, k, made, segment, at, n, &range->incomplete, e);
	if (r == 0 && k->todo.len && !range->incomplete)
		end_complaint(b);
	if (r == 0 && k->loose.len == 0) {
		range->fd = made_slots_fd(made);
		range->fd_at = at;
		range->hold = made_slots_ref(made);
	} else if (r == 0) {
		r = compose(k, made, at, n, out);
		if (r < 0)
			err_errno(e, r, "reading made slots of %s", b->dir);
	}
	merged_slots_done(b, h, k);
	made_slots_unref(made);
	return r;
}

/*
 * A range of a segment without a descriptor. Wrong bytes are fetched once more, past what keeps them nearby, which must not
 * keep them for good: see read_frame_again in source_chunks.c. Those that the bucket has are handed on, for the reader's own
 * check to find.
 */
static int read_checked(
	struct merged_block *b, struct blob *blob, uint64_t at, size_t n, struct buf *out, struct err *e)
{
	uint8_t *p = buf_reserve(out, n);
	int r = blob_read(blob, p, n, at, e);
	if (r == 0 && !frame_check(p, n, at, NULL)) {
		uint32_t first = crc32c(0, p, n);
		metric_add(ranges_reread, 1);
		blob_forget(blob, at, n);
		r = blob_read(blob, p, n, at, e);
		if (r == 0 && !frame_check(p, n, at, NULL)) {
			if (crc32c(0, p, n) != first)
				return err_set(e, -EAGAIN,
					"%s: its bytes are others each time they are fetched", blob->name);
			complain(&corrupt, LOG_LEVEL_WARN, "corrupt chunk is passed on", 0,
				KV("bucket", b->env->bucket->name), KV("segment", blob->name),
				KV_U64("at", at), KV_U64("bytes", n));
		}
	}
	if (r == 0) {
		out->len += n;
		end_complaint(b);
	}
	return r;
}

/* A whole source segment, byte for byte. */
static int read_source(struct merged_block *b, struct blob *blob, uint64_t at, size_t n, struct buf *out,
	struct merged_range *range, struct err *e)
{
	struct stat st;
	int fd = blob_fd(blob);
	if (fd < 0)
		return read_checked(b, blob, at, n, out, e);
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
	struct blob *blob = NULL;
	int r = s->is_synthetic ? 0 : source_chunks_segment(h->chunks, s->source, s->segment, &blob, e);
	if (r < 0)
		return r;
	prefetch_read(b->env->prefetch, b, h, (uint32_t)(file - FILE_SEGMENTS), at, n);
	return s->is_synthetic ? read_synthetic(b, h, s->segment, at, n, out, range, e)
			       : read_source(b, blob, at, n, out, range, e);
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
	struct deadline deadline = merged_block_enter_deadline(b);
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

/*
 * The index alone: it never changes, and its file is at most unlinked. Slots can be discarded, what is cached of a source evicted,
 * and a bucket's files belong to others, who may cut them short; meta.json and tombstones are read once, and small.
 */
int merged_block_whole_file(struct merged_block *b, size_t file)
{
	struct holdings *h;
	struct err e;
	struct stat st;
	if (file != FILE_INDEX)
		return -EOPNOTSUPP;
	int r = merged_block_acquire(b, &h, &e);
	if (r < 0)
		return -EOPNOTSUPP; /* a read says why */
	int fd = blob_fd(h->index);
	if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != b->files[file].size)
		r = -EOPNOTSUPP;
	else
		r = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	merged_block_give_back(b);
	return r < 0 ? -EOPNOTSUPP : r;
}
