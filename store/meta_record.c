/* SPDX-License-Identifier: Apache-2.0 */
/* The binary form of a block's meta. A change of it needs another version in the catalogue file's magic. */
#include "store/meta_record.h"

#include "lib/base/dec.h"

#define FLAG_DELETABLE 1u
#define FLAG_FAILED    2u
#define FLAG_THANOS    4u
#define FLAG_SOURCE    8u

static void add_ulid(struct buf *out, const struct ulid *u)
{
	buf_add(out, u->bytes, sizeof u->bytes);
}

static void add_str(struct buf *out, const char *s)
{
	size_t n = strlen(s);
	buf_add_uvarint(out, n);
	buf_add(out, s, n);
}

void meta_record_write(const struct block_meta *m, struct buf *out)
{
	add_ulid(out, &m->ulid);
	buf_add_varint(out, m->min_time);
	buf_add_varint(out, m->max_time);
	buf_add_uvarint(out, m->stats.samples);
	buf_add_uvarint(out, m->stats.series);
	buf_add_uvarint(out, m->stats.chunks);
	buf_add_uvarint(out, m->stats.tombstones);
	buf_add_uvarint(out, m->stats.float_samples);
	buf_add_uvarint(out, m->stats.histogram_samples);
	buf_add_varint(out, m->compaction.level);
	buf_add_u8(out, (m->compaction.deletable ? FLAG_DELETABLE : 0) |
				(m->compaction.failed ? FLAG_FAILED : 0) |
				(m->thanos.present ? FLAG_THANOS : 0) | (m->thanos.source ? FLAG_SOURCE : 0));
	buf_add_uvarint(out, m->compaction.sources.len);
	vec_each (source, &m->compaction.sources)
		add_ulid(out, source);
	buf_add_uvarint(out, m->compaction.parents.len);
	vec_each (parent, &m->compaction.parents) {
		add_ulid(out, &parent->ulid);
		buf_add_varint(out, parent->min_time);
		buf_add_varint(out, parent->max_time);
	}
	buf_add_uvarint(out, m->compaction.hints.len);
	vec_each (hint, &m->compaction.hints)
		add_str(out, *hint);
	buf_add_uvarint(out, m->thanos.labels.len);
	vec_each (label, &m->thanos.labels) {
		add_str(out, label->name);
		add_str(out, label->value);
	}
	buf_add_varint(out, m->thanos.resolution_ms);
	if (m->thanos.source)
		add_str(out, m->thanos.source);
	buf_add_varint(out, m->thanos.upload_time_ms);
}

static struct ulid read_ulid(struct dec *d)
{
	struct ulid u = { 0 };
	const uint8_t *p = dec_bytes(d, sizeof u.bytes);
	if (p)
		memcpy(u.bytes, p, sizeof u.bytes);
	return u;
}

static char *read_str(struct dec *d)
{
	uint64_t n = dec_uvarint(d);
	const uint8_t *p = n <= dec_left(d) ? dec_bytes(d, n) : NULL;
	if (!p)
		dec_fail(d);
	return p ? xstrndup((const char *)p, n) : xstrdup("");
}

/* The length of a list whose elements take at least `least` bytes each. */
static size_t read_count(struct dec *d, size_t least)
{
	uint64_t n = dec_uvarint(d);
	if (n > dec_left(d) / least) {
		dec_fail(d);
		return 0;
	}
	return n;
}

/* Room for exactly n: there may be tens of thousands of these. */
#define vec_room(v, n)                                                                \
	do {                                                                          \
		(v)->cap = (n);                                                       \
		(v)->data = (n) ? xreallocarray(NULL, (n), sizeof *(v)->data) : NULL; \
	} while (0)

static void read_compaction(struct dec *d, struct block_meta *m)
{
	size_t n = read_count(d, sizeof(struct ulid));
	vec_room(&m->compaction.sources, n);
	for (size_t i = 0; i < n; i++)
		vec_push(&m->compaction.sources, read_ulid(d));
	n = read_count(d, sizeof(struct ulid) + 2);
	vec_room(&m->compaction.parents, n);
	for (size_t i = 0; i < n; i++) {
		struct meta_parent *parent = vec_push_slot(&m->compaction.parents);
		parent->ulid = read_ulid(d);
		parent->min_time = dec_varint(d);
		parent->max_time = dec_varint(d);
	}
	n = read_count(d, 1);
	vec_room(&m->compaction.hints, n);
	for (size_t i = 0; i < n; i++)
		vec_push(&m->compaction.hints, read_str(d));
}

static void read_labels(struct dec *d, struct labels *l)
{
	size_t n = read_count(d, 2);
	vec_room(l, n);
	for (size_t i = 0; i < n && !d->err; i++) {
		struct label *label = vec_push_slot(l);
		label->name = read_str(d);
		label->value = read_str(d);
		if (i > 0 && strcmp(l->data[i - 1].name, label->name) >= 0)
			dec_fail(d);
	}
}

int meta_record_read(const void *p, size_t n, struct block_meta **out)
{
	struct dec d = dec_over(p, n);
	auto_of(block_meta) struct block_meta *m = xcalloc(1, sizeof *m);
	m->ulid = read_ulid(&d);
	m->min_time = dec_varint(&d);
	m->max_time = dec_varint(&d);
	m->stats.samples = dec_uvarint(&d);
	m->stats.series = dec_uvarint(&d);
	m->stats.chunks = dec_uvarint(&d);
	m->stats.tombstones = dec_uvarint(&d);
	m->stats.float_samples = dec_uvarint(&d);
	m->stats.histogram_samples = dec_uvarint(&d);
	m->compaction.level = (int)dec_varint(&d);
	unsigned flags = dec_u8(&d);
	m->compaction.deletable = flags & FLAG_DELETABLE;
	m->compaction.failed = flags & FLAG_FAILED;
	m->thanos.present = flags & FLAG_THANOS;
	read_compaction(&d, m);
	read_labels(&d, &m->thanos.labels);
	m->thanos.resolution_ms = dec_varint(&d);
	if (flags & FLAG_SOURCE)
		m->thanos.source = read_str(&d);
	m->thanos.upload_time_ms = dec_varint(&d);
	if (d.err || dec_left(&d) > 0)
		return dec_fail(&d);
	*out = take(m);
	return 0;
}
