/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue's file. It is read once, from front to back through one buffer, and then only appended to,
 * one write a sync. The first record that is damaged ends it.
 */
#include "store/catalogue_file.h"

#include "lib/base/crc32c.h"
#include "lib/base/dec.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/tsdb/meta.h"
#include "store/block_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC            "TFSCAT\0\1"
#define MAGIC_BYTES      8
#define FRAME_BYTES      8
#define PAYLOAD_MAX      (META_JSON_MAX_BYTES + 64 + BLOCK_MAX_SEGMENTS * 10)
#define WINDOW_BYTES     (256u << 10)
#define SMALL_FILE_BYTES (64u << 10) /* garbage in less than this isn't worth a rewrite */
#define FLAG_GONE        1u
#define FLAG_TOMBSTONES  2u

struct catalogue_file {
	char *path;
	int fd;
	uint64_t size;    /* of the file, as far as it is good */
	uint64_t garbage; /* bytes of it that no place refers to */
	struct buf pending;
};

static bool parse_payload(const uint8_t *p, size_t n, struct catalogue_record *out)
{
	struct dec d = dec_over(p, n);
	const uint8_t *ulid = dec_bytes(&d, sizeof out->ulid.bytes);
	uint8_t flags = dec_u8(&d);
	out->index_bytes = dec_uvarint(&d);
	uint64_t segments = dec_uvarint(&d);
	if (d.err || segments > dec_left(&d) || segments > BLOCK_MAX_SEGMENTS)
		return false;
	memcpy(out->ulid.bytes, ulid, sizeof out->ulid.bytes);
	out->is_gone = flags & FLAG_GONE;
	out->has_tombstones = flags & FLAG_TOMBSTONES;
	out->n_segments = (unsigned)segments;
	out->segment_bytes = xmalloc((segments + 1) * sizeof *out->segment_bytes);
	for (unsigned i = 0; i < out->n_segments; i++)
		out->segment_bytes[i] = dec_uvarint(&d);
	out->meta = d.p;
	out->meta_bytes = dec_left(&d);
	return !d.err;
}

static uint32_t be32_at(const uint8_t *p)
{
	struct dec d = dec_over(p, 4);
	return dec_be32(&d);
}

/* The length of the good record at p, of which n bytes are there; 0: there is none, or *need is what it
 * takes. */
static size_t read_record(
	const uint8_t *p, size_t n, uint64_t at, catalogue_file_fn *fn, void *arg, size_t *need)
{
	*need = FRAME_BYTES;
	if (n < FRAME_BYTES)
		return 0;
	uint32_t len = be32_at(p);
	if (len > PAYLOAD_MAX) {
		*need = 0;
		return 0;
	}
	*need = FRAME_BYTES + len;
	if (n < *need)
		return 0;
	struct catalogue_record record = { 0 };
	bool is_good = crc32c(0, p + FRAME_BYTES, len) == be32_at(p + 4) &&
		       parse_payload(p + FRAME_BYTES, len, &record);
	if (is_good)
		fn(arg, &record, (struct catalogue_place){ .at = at, .bytes = (uint32_t)*need });
	free(record.segment_bytes);
	size_t used = is_good ? *need : 0;
	*need = 0;
	return used;
}

/* Reads records until one is bad or the file ends; f->size is where. */
static int read_records(
	struct catalogue_file *f, uint64_t file_bytes, catalogue_file_fn *fn, void *arg, struct err *e)
{
	auto_buf struct buf window = { 0 };
	buf_reserve(&window, WINDOW_BYTES);
	size_t used = 0; /* of the window, which ends at file offset `end` */
	uint64_t end = f->size;
	for (;;) {
		size_t need;
		size_t n = read_record(window.data + used, window.len - used, f->size, fn, arg, &need);
		if (n > 0) {
			used += n;
			f->size += n;
			continue;
		}
		if (need == 0 || need > file_bytes - f->size)
			return 0;
		if (used > 0)
			memmove(window.data, window.data + used, window.len - used);
		window.len -= used;
		used = 0;
		size_t more = MIN_OF(MAX_OF(need, WINDOW_BYTES) - window.len, file_bytes - end);
		int r = file_pread_all(f->fd, buf_reserve(&window, more), more, end);
		if (r < 0)
			return err_errno(e, r, "reading %s", f->path);
		window.len += more;
		end += more;
	}
}

static int begin_anew(struct catalogue_file *f, struct err *e)
{
	int r = ftruncate(f->fd, 0) < 0 ? -errno : file_pwrite_all(f->fd, MAGIC, MAGIC_BYTES, 0);
	f->size = MAGIC_BYTES;
	return r < 0 ? err_errno(e, r, "writing %s", f->path) : 0;
}

static int load(struct catalogue_file *f, catalogue_file_fn *fn, void *arg, struct err *e)
{
	struct stat st;
	char magic[MAGIC_BYTES];
	f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return err_errno(e, -errno, "opening %s", f->path);
	if (st.st_size < MAGIC_BYTES)
		return begin_anew(f, e);
	int r = file_pread_all(f->fd, magic, MAGIC_BYTES, 0);
	if (r < 0)
		return err_errno(e, r, "reading %s", f->path);
	if (memcmp(magic, MAGIC, MAGIC_BYTES) != 0) {
		log_warn("not a catalogue of this version, beginning a new one", KV("file", f->path));
		return begin_anew(f, e);
	}
	f->size = MAGIC_BYTES;
	r = read_records(f, (uint64_t)st.st_size, fn, arg, e);
	if (r < 0 || f->size == (uint64_t)st.st_size)
		return r;
	log_warn("the end of the catalogue is damaged, dropping it", KV("file", f->path),
		KV_U64("from", f->size), KV_U64("bytes", (uint64_t)st.st_size - f->size));
	return ftruncate(f->fd, (off_t)f->size) < 0 ? err_errno(e, -errno, "truncating %s", f->path) : 0;
}

int catalogue_file_open(
	const char *dir, catalogue_file_fn *fn, void *arg, struct catalogue_file **out, struct err *e)
{
	int r = file_mkdirs(dir, 0755, e);
	if (r < 0)
		return r;
	auto_of(catalogue_file) struct catalogue_file *f = xcalloc(1, sizeof *f);
	f->fd = -1;
	f->path = xasprintf("%s/blocks", dir);
	r = load(f, fn, arg, e);
	if (r < 0)
		return r;
	*out = take(f);
	return 0;
}

void catalogue_file_close(struct catalogue_file *f)
{
	if (f) {
		if (f->fd >= 0)
			close(f->fd);
		buf_fini(&f->pending);
		free(f->path);
		free(f);
	}
}

struct catalogue_place catalogue_file_add(struct catalogue_file *f, const struct catalogue_record *record)
{
	struct buf *b = &f->pending;
	size_t start = b->len;
	buf_add_zeros(b, FRAME_BYTES);
	buf_add(b, record->ulid.bytes, sizeof record->ulid.bytes);
	buf_add_u8(b, (record->is_gone ? FLAG_GONE : 0) | (record->has_tombstones ? FLAG_TOMBSTONES : 0));
	buf_add_uvarint(b, record->index_bytes);
	buf_add_uvarint(b, record->n_segments);
	for (unsigned i = 0; i < record->n_segments; i++)
		buf_add_uvarint(b, record->segment_bytes[i]);
	buf_add(b, record->meta, record->meta_bytes);

	size_t end = b->len, len = end - start - FRAME_BYTES;
	uint32_t crc = crc32c(0, b->data + start + FRAME_BYTES, len);
	b->len = start;
	buf_add_be32(b, (uint32_t)len);
	buf_add_be32(b, crc);
	b->len = end;
	struct catalogue_place place = { .at = f->size + start, .bytes = (uint32_t)(end - start) };
	if (record->is_gone)
		catalogue_file_forget(f, place);
	return place;
}

int catalogue_file_flush(struct catalogue_file *f, struct err *e)
{
	if (f->pending.len == 0)
		return 0;
	int r = file_pwrite_all(f->fd, f->pending.data, f->pending.len, f->size);
	if (r == 0 && fdatasync(f->fd) < 0)
		r = -errno;
	if (r == 0)
		f->size += f->pending.len;
	buf_fini(&f->pending);
	f->pending = (struct buf){ 0 };
	return r < 0 ? err_errno(e, r, "writing %s", f->path) : 0;
}

void catalogue_file_forget(struct catalogue_file *f, struct catalogue_place place)
{
	f->garbage += place.bytes;
}

bool catalogue_file_is_mostly_garbage(const struct catalogue_file *f)
{
	return f->size > SMALL_FILE_BYTES && f->garbage > f->size / 2;
}

static int copy_live(struct catalogue_file *from, struct catalogue_file *to, struct catalogue_place **live,
	size_t n, uint64_t *places, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		size_t bytes = live[i]->bytes;
		places[i] = to->size + to->pending.len;
		int r = file_pread_all(from->fd, buf_reserve(&to->pending, bytes), bytes, live[i]->at);
		if (r < 0)
			return err_errno(e, r, "reading %s", from->path);
		to->pending.len += bytes;
		if (to->pending.len >= WINDOW_BYTES || i + 1 == n) {
			r = file_pwrite_all(to->fd, to->pending.data, to->pending.len, to->size);
			if (r < 0)
				return err_errno(e, r, "writing %s", to->path);
			to->size += to->pending.len;
			buf_reset(&to->pending);
		}
	}
	return 0;
}

int catalogue_file_rewrite(struct catalogue_file *f, struct catalogue_place **live, size_t n, struct err *e)
{
	auto_of(catalogue_file) struct catalogue_file *fresh = xcalloc(1, sizeof *fresh);
	auto_free uint64_t *places = xcalloc(n + 1, sizeof *places);
	fresh->path = xasprintf("%s.tmp", f->path);
	fresh->fd = open(fresh->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fresh->fd < 0)
		return err_errno(e, -errno, "creating %s", fresh->path);
	int r = begin_anew(fresh, e);
	if (r == 0)
		r = copy_live(f, fresh, live, n, places, e);
	if (r == 0 && (fsync(fresh->fd) < 0 || rename(fresh->path, f->path) < 0))
		r = err_errno(e, -errno, "replacing %s", f->path);
	if (r < 0) {
		unlink(fresh->path);
		return r;
	}
	for (size_t i = 0; i < n; i++)
		live[i]->at = places[i];
	close(f->fd);
	f->fd = fresh->fd;
	f->size = fresh->size;
	f->garbage = 0;
	fresh->fd = -1;
	return 0;
}
