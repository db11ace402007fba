/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sorted array under a lock, and a text file with a line an override:
 *
 *	<ULID> <ref> <from> <to> <parts> <mint> <maxt> <bytes> ... <crc32c of the line so far, hex>
 *
 * What is lost of it is learned again, so anything that is wrong with the file costs a merge at most.
 */
#include "dedup/slot_overrides.h"

#include "lib/base/crc32c.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/sorted.h"
#include "lib/base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#define FILE_MAX_BYTES (64u << 20)

struct override {
	struct slot_key key;
	unsigned n;
	struct slot_part *parts;
	bool is_active;
};

struct slot_overrides {
	pthread_mutex_t lock;
	char *path;
	bool is_torn; /* the file's last line has no end */
	VEC(struct override) sorted;
};

static int key_cmp(const struct slot_key *a, const struct slot_key *b)
{
	int c = ulid_cmp(&a->source, &b->source);
	if (c)
		return c;
	if (a->ref != b->ref)
		return a->ref < b->ref ? -1 : 1;
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->to < b->to ? -1 : a->to > b->to;
}

/* The place of the key, or where it would go. */
static size_t place(const struct slot_overrides *o, const struct slot_key *key)
{
	return lower_bound(i, o->sorted.len, key_cmp(&o->sorted.data[i].key, key) < 0);
}

static bool is_at(const struct slot_overrides *o, size_t at, const struct slot_key *key)
{
	return at < o->sorted.len && key_cmp(&o->sorted.data[at].key, key) == 0;
}

static bool is_same(const struct override *o, const struct slot_part *parts, unsigned n)
{
	if (o->n != n)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (o->parts[i].mint != parts[i].mint || o->parts[i].maxt != parts[i].maxt ||
			o->parts[i].bytes != parts[i].bytes)
			return false;
	return true;
}

/* One after the other, inside the slot. */
static bool are_parts_of(const struct slot_key *key, const struct slot_part *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (parts[i].mint > parts[i].maxt || parts[i].mint < key->from || parts[i].maxt >= key->to ||
			(i && parts[i].mint <= parts[i - 1].maxt))
			return false;
	return true;
}

static bool insert(
	struct slot_overrides *o, const struct slot_key *key, const struct slot_part *parts, unsigned n)
{
	size_t at = place(o, key);
	if (is_at(o, at, key)) {
		struct override *was = &o->sorted.data[at];
		if (is_same(was, parts, n))
			return false;
		free(was->parts);
	} else {
		vec_push_slot(&o->sorted);
		memmove(&o->sorted.data[at + 1], &o->sorted.data[at],
			(o->sorted.len - 1 - at) * sizeof *o->sorted.data);
	}
	struct slot_part *copy = xcalloc(n, sizeof *copy); /* padding included: they are hashed as bytes */
	for (unsigned i = 0; i < n; i++) {
		copy[i].mint = parts[i].mint;
		copy[i].maxt = parts[i].maxt;
		copy[i].bytes = parts[i].bytes;
	}
	o->sorted.data[at] = (struct override){ .key = *key, .n = n, .parts = copy };
	return true;
}

static void write_line(struct buf *b, const struct slot_key *key, const struct slot_part *parts, unsigned n)
{
	char id[ULID_CHARS + 1];
	ulid_format(&key->source, id);
	size_t start = b->len;
	buf_printf(b, "%s %" PRIu64 " %" PRId64 " %" PRId64 " %u", id, key->ref, key->from, key->to, n);
	for (unsigned i = 0; i < n; i++)
		buf_printf(
			b, " %" PRId64 " %" PRId64 " %" PRIu32, parts[i].mint, parts[i].maxt, parts[i].bytes);
	buf_printf(b, " %08" PRIx32 "\n", crc32c(0, b->data + start, b->len - start));
}

static void read_line(struct slot_overrides *o, const char *line)
{
	struct slot_key key = { 0 };
	struct slot_part parts[SLOT_OVERRIDE_MAX_PARTS];
	char id[ULID_CHARS + 1];
	unsigned n;
	int used;
	const char *p = line;
	memset(parts, 0, sizeof parts);
	if (sscanf(p, "%26s %" SCNu64 " %" SCNd64 " %" SCNd64 " %u%n", id, &key.ref, &key.from, &key.to, &n,
		    &used) != 5 ||
		!ulid_parse(id, &key.source) || n == 0 || n > SLOT_OVERRIDE_MAX_PARTS)
		return;
	p += used;
	for (unsigned i = 0; i < n; i++, p += used)
		if (sscanf(p, " %" SCNd64 " %" SCNd64 " %" SCNu32 "%n", &parts[i].mint, &parts[i].maxt,
			    &parts[i].bytes, &used) != 3)
			return;
	uint32_t crc;
	if (sscanf(p, " %8" SCNx32, &crc) == 1 && crc == crc32c(0, line, (size_t)(p - line)) &&
		are_parts_of(&key, parts, n))
		insert(o, &key, parts, n);
}

/* A file that a crash left full of zeros in places still has lines behind them. */
static void read_text(struct slot_overrides *o, struct buf *text)
{
	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] == 0)
			text->data[i] = '\n';
	o->is_torn = text->len && text->data[text->len - 1] != '\n';
	buf_add_u8(text, 0);
	char *rest = (char *)text->data;
	for (char *line; (line = strsep(&rest, "\n"));)
		read_line(o, line);
}

int slot_overrides_open(const char *path, struct slot_overrides **out, struct err *e)
{
	struct slot_overrides *o = xcalloc(1, sizeof *o);
	pthread_mutex_init(&o->lock, NULL);
	o->path = xstrdup(path);
	auto_buf struct buf text = { 0 };
	if (file_exists(path)) {
		int r = file_read(path, FILE_MAX_BYTES, &text, e);
		if (r == -EFBIG) {
			log_warn("too many exact sizes of slots, they are learned anew", KV("file", path));
			buf_reset(&text);
			r = unlink(path) < 0 ? err_errno(e, -errno, "removing %s", path) : 0;
		}
		if (r < 0) {
			slot_overrides_close(o);
			return r;
		}
		read_text(o, &text);
		slot_overrides_activate(o);
	}
	*out = o;
	return 0;
}

void slot_overrides_close(struct slot_overrides *o)
{
	if (!o)
		return;
	vec_each (v, &o->sorted)
		free(v->parts);
	vec_fini(&o->sorted);
	pthread_mutex_destroy(&o->lock);
	free(o->path);
	free(o);
}

int slot_overrides_add(struct slot_overrides *o, const struct slot_key *key, const struct slot_part *parts,
	unsigned n, struct err *e)
{
	if (n == 0 || n > SLOT_OVERRIDE_MAX_PARTS || !are_parts_of(key, parts, n))
		return err_set(e, -EINVAL, "a slot of %u parts that are none", n);
	auto_buf struct buf line = { 0 };
	pthread_mutex_lock(&o->lock);
	bool news = insert(o, key, parts, n);
	if (news && o->is_torn)
		buf_add_u8(&line, '\n');
	o->is_torn &= !news;
	pthread_mutex_unlock(&o->lock);
	if (!news)
		return 0;
	write_line(&line, key, parts, n);
	auto_close_fd int fd = open(o->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : file_write_all(fd, line.data, line.len);
	return r < 0 ? err_errno(e, r, "writing %s", o->path) : 1;
}

void slot_overrides_activate(struct slot_overrides *o)
{
	pthread_mutex_lock(&o->lock);
	vec_each (v, &o->sorted)
		v->is_active = true;
	pthread_mutex_unlock(&o->lock);
}

unsigned slot_overrides_find(const struct slot_overrides *o, const struct slot_key *key,
	struct slot_part out[SLOT_OVERRIDE_MAX_PARTS])
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&o->lock;
	unsigned n = 0;
	pthread_mutex_lock(lock);
	size_t at = place(o, key);
	if (is_at(o, at, key) && o->sorted.data[at].is_active) {
		n = o->sorted.data[at].n;
		memcpy(out, o->sorted.data[at].parts, n * sizeof *out);
	}
	pthread_mutex_unlock(lock);
	return n;
}

unsigned slot_overrides_of_sources(
	const struct slot_overrides *o, const struct ulid *sources, size_t n, uint64_t *hash)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&o->lock;
	unsigned count = 0;
	*hash = 0;
	pthread_mutex_lock(lock);
	for (size_t i = 0; i < n; i++) {
		struct slot_key first = {
			.source = sources[i], .ref = 0, .from = INT64_MIN, .to = INT64_MIN
		};
		for (size_t at = place(o, &first); at < o->sorted.len; at++) {
			const struct override *v = &o->sorted.data[at];
			if (ulid_cmp(&v->key.source, &sources[i]) != 0)
				break;
			if (!v->is_active)
				continue;
			*hash += XXH3_64bits_withSeed(
				v->parts, v->n * sizeof *v->parts, XXH3_64bits(&v->key, sizeof v->key));
			count++;
		}
	}
	pthread_mutex_unlock(lock);
	return count;
}
