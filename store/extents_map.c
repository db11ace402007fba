/* SPDX-License-Identifier: Apache-2.0 */
#include "store/extents_map.h"

#include "lib/base/crc32c.h"
#include "lib/base/dec.h"

#include <errno.h>
#include <stdbool.h>

#define MAGIC        "TFSEXT1\n"
#define REGION_BYTES 20 /* of a region's fixed part */

void extents_map_fini(struct extents_map *m)
{
	free(m->name);
	free(m->version);
	vec_fini(&m->regions);
	vec_fini(&m->crcs);
	*m = (struct extents_map){ 0 };
}

uint64_t extents_map_region_mask(uint64_t size, uint32_t block_bytes, uint64_t index)
{
	uint64_t begin = index * EXTENTS_REGION_BYTES;
	if (begin >= size)
		return 0;
	uint64_t bytes = MIN_OF(size - begin, EXTENTS_REGION_BYTES);
	uint64_t blocks = (bytes + block_bytes - 1) / block_bytes;
	return blocks >= 64 ? UINT64_MAX : (1ull << blocks) - 1;
}

void extents_map_write(const struct extents_map *m, struct buf *out)
{
	size_t begin = out->len, name = strlen(m->name), version = strlen(m->version);
	buf_add(out, MAGIC, sizeof MAGIC - 1);
	buf_add_be32(out, m->block_bytes);
	buf_add_be64(out, m->size);
	buf_add_be64(out, m->used);
	buf_add_uvarint(out, name);
	buf_add(out, m->name, name);
	buf_add_uvarint(out, version);
	buf_add(out, m->version, version);
	buf_add_be32(out, (uint32_t)m->regions.len);
	vec_each (r, &m->regions) {
		buf_add_be32(out, r->index);
		buf_add_be64(out, r->used);
		buf_add_be64(out, r->present);
		for (int i = 0; i < __builtin_popcountll(r->present); i++)
			buf_add_be32(out, m->crcs.data[r->crc + (size_t)i]);
	}
	buf_add_be32(out, crc32c(0, out->data + begin, out->len - begin));
}

/* A string of 1 to `most` bytes (or 0 where that is allowed) without a NUL; NULL makes the cursor fail. */
static char *read_string(struct dec *d, size_t most, bool may_be_empty)
{
	uint64_t n = dec_uvarint(d);
	const uint8_t *p = n <= most ? dec_bytes(d, (size_t)n) : NULL;
	if (!p || (n == 0 && !may_be_empty) || memchr(p, 0, (size_t)n)) {
		dec_fail(d);
		return NULL;
	}
	return xstrndup((const char *)p, (size_t)n);
}

static void read_region(struct dec *d, struct extents_map *m)
{
	struct extents_map_region r = { .index = dec_be32(d), .used = dec_be64(d), .present = dec_be64(d) };
	size_t blocks = (size_t)__builtin_popcountll(r.present);
	bool is_rising = m->regions.len == 0 || m->regions.data[m->regions.len - 1].index < r.index;
	if (!is_rising || blocks == 0 || dec_left(d) < 4 * blocks ||
		(r.present & ~extents_map_region_mask(m->size, m->block_bytes, r.index))) {
		dec_fail(d);
		return;
	}
	r.crc = m->crcs.len;
	for (size_t i = 0; i < blocks; i++)
		vec_push(&m->crcs, dec_be32(d));
	vec_push(&m->regions, r);
}

static void read_all(struct dec *d, struct extents_map *m)
{
	const uint8_t *magic = dec_bytes(d, sizeof MAGIC - 1);
	if (!magic || memcmp(magic, MAGIC, sizeof MAGIC - 1) != 0) {
		dec_fail(d);
		return;
	}
	m->block_bytes = dec_be32(d);
	m->size = dec_be64(d);
	m->used = dec_be64(d);
	bool is_power = m->block_bytes && !(m->block_bytes & (m->block_bytes - 1));
	if (!is_power || m->block_bytes < EXTENTS_REGION_BYTES / 64 ||
		m->block_bytes > EXTENTS_REGION_BYTES || m->size == 0 || m->size > EXTENTS_OBJECT_MAX_BYTES)
		dec_fail(d);
	m->name = read_string(d, EXTENTS_NAME_MAX, false);
	m->version = read_string(d, EXTENTS_VERSION_MAX, true);
	uint32_t regions = dec_be32(d);
	if (regions > dec_left(d) / REGION_BYTES)
		dec_fail(d);
	for (uint32_t i = 0; i < regions && !d->err; i++)
		read_region(d, m);
	if (dec_left(d) > 0)
		dec_fail(d);
}

int extents_map_parse(const char *path, const void *p, size_t n, struct extents_map *m, struct err *e)
{
	if (n < 4)
		return err_set(e, -EBADMSG, "%s: %zu bytes are no map of extents", path, n);
	struct dec tail = dec_over((const uint8_t *)p + n - 4, 4), d = dec_over(p, n - 4);
	if (crc32c(0, p, n - 4) != dec_be32(&tail))
		return err_set(e, -EBADMSG, "%s: the checksum is wrong", path);
	read_all(&d, m);
	if (d.err) {
		extents_map_fini(m);
		return err_set(e, -EBADMSG, "%s is not a map of extents", path);
	}
	return 0;
}
