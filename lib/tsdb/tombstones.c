/* SPDX-License-Identifier: Apache-2.0 */
/*
 * magic 0x0130ba30, version 1, then (series uvarint, mint varint, maxt varint) ..., and a CRC-32C over all
 * behind the version. Entries may come in any order; what is kept is sorted and joined, so that a lookup is a
 * binary search.
 */
#include "lib/tsdb/tombstones.h"

#include "lib/base/crc32c.h"
#include "lib/base/dec.h"
#include "lib/base/mem.h"
#include "lib/base/sorted.h"

#include <errno.h>

#define MAGIC        0x0130ba30u
#define VERSION      1
#define HEADER_BYTES 5
#define CRC_BYTES    4

static int compare(const void *a, const void *b)
{
	const struct tombstone *x = a, *y = b;
	if (x->series_ref != y->series_ref)
		return x->series_ref < y->series_ref ? -1 : 1;
	return (x->range.mint > y->range.mint) - (x->range.mint < y->range.mint);
}

static void sort_and_join(struct tombstones *t)
{
	size_t n = 0;
	if (t->len)
		qsort(t->data, t->len, sizeof *t->data, compare);
	for (size_t i = 0; i < t->len; i++) {
		const struct tombstone *next = &t->data[i];
		struct tombstone *last = n ? &t->data[n - 1] : NULL;
		if (last && last->series_ref == next->series_ref &&
			(last->range.maxt == INT64_MAX || next->range.mint <= last->range.maxt + 1))
			last->range.maxt = MAX_OF(last->range.maxt, next->range.maxt);
		else
			t->data[n++] = *next;
	}
	t->len = n;
}

/* How many entries there can be: each is three numbers, and a number ends with a byte below 0x80. */
static size_t count_entries(const uint8_t *p, size_t n)
{
	size_t ends = 0;
	for (size_t i = 0; i < n; i++)
		ends += p[i] < 0x80;
	return ends / 3;
}

static int check_frame(const uint8_t *p, size_t n, struct err *e)
{
	if (n > TOMBSTONES_MAX_BYTES)
		return err_set(e, -EBADMSG, "tombstones: %zu bytes, at most %u are allowed", n,
			TOMBSTONES_MAX_BYTES);
	if (n < HEADER_BYTES + CRC_BYTES)
		return err_set(e, -EBADMSG, "tombstones: %zu bytes are too few", n);
	struct dec head = dec_over(p, HEADER_BYTES), tail = dec_over(p + n - CRC_BYTES, CRC_BYTES);
	uint32_t magic = dec_be32(&head);
	if (magic != MAGIC)
		return err_set(e, -EBADMSG, "tombstones: the file starts with %08x", magic);
	uint8_t version = dec_u8(&head);
	if (version != VERSION)
		return err_set(e, -EBADMSG, "tombstones: version %u, only 1 is known", version);
	if (crc32c(0, p + HEADER_BYTES, n - HEADER_BYTES - CRC_BYTES) != dec_be32(&tail))
		return err_set(e, -EBADMSG, "tombstones: the checksum is wrong");
	return 0;
}

int tombstones_parse(const void *bytes, size_t n, struct tombstones *out, struct err *e)
{
	const uint8_t *p = bytes;
	*out = (struct tombstones){ 0 };
	int r = check_frame(p, n, e);
	if (r < 0)
		return r;
	struct dec d = dec_over(p + HEADER_BYTES, n - HEADER_BYTES - CRC_BYTES);
	struct tombstones t = { .data = xcalloc(count_entries(d.p, dec_left(&d)) + 1, sizeof *t.data) };
	while (dec_left(&d)) {
		struct tombstone one = { .series_ref = dec_uvarint(&d) };
		one.range.mint = dec_varint(&d);
		one.range.maxt = dec_varint(&d);
		/* A range that ends before it starts deletes nothing, in Prometheus too. */
		if (!d.err && one.range.mint <= one.range.maxt)
			t.data[t.len++] = one;
	}
	if (d.err) {
		tombstones_fini(&t);
		return err_set(e, -EBADMSG, "tombstones: an entry is cut off or malformed");
	}
	sort_and_join(&t);
	*out = t;
	return 0;
}

void tombstones_write(const struct tombstones *t, struct buf *out)
{
	buf_add_be32(out, MAGIC);
	buf_add_u8(out, VERSION);
	size_t from = out->len;
	for (size_t i = 0; i < t->len; i++) {
		buf_add_uvarint(out, t->data[i].series_ref);
		buf_add_varint(out, t->data[i].range.mint);
		buf_add_varint(out, t->data[i].range.maxt);
	}
	buf_add_be32(out, crc32c(0, out->data + from, out->len - from));
}

void tombstones_fini(struct tombstones *t)
{
	free(t->data);
	*t = (struct tombstones){ 0 };
}

size_t tombstones_of(const struct tombstones *t, uint64_t series_ref, const struct tombstone **first)
{
	size_t from = lower_bound(i, t->len, t->data[i].series_ref < series_ref);
	size_t to = lower_bound(i, t->len, t->data[i].series_ref <= series_ref);
	*first = t->data ? t->data + from : NULL;
	return to - from;
}
