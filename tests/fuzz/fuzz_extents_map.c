/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the companion of a cached object: what is taken is the same after it was written and read again, and its
 * blocks lie inside the object. Bytes that start with 'r' are what the right checksum is put behind.
 */
#include "lib/base/crc32c.h"
#include "store/extents_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct extents_map *m, const struct buf *file)
{
	auto_buf struct buf again = { 0 };
	size_t crcs = 0;
	vec_each (r, &m->regions) {
		if (r->present & ~extents_map_region_mask(m->size, m->block_bytes, r->index))
			abort();
		crcs += (size_t)__builtin_popcountll(r->present);
	}
	if (crcs != m->crcs.len || strlen(m->version) > EXTENTS_VERSION_MAX || !*m->name)
		abort();
	extents_map_write(m, &again);
	auto_extents_map struct extents_map second = { 0 };
	if (extents_map_parse("again", again.data, again.len, &second, NULL) < 0 ||
		second.crcs.len != m->crcs.len || second.size != m->size || again.len > file->len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_buf struct buf file = { 0 };
	auto_extents_map struct extents_map m = { 0 };
	if (n == 0)
		return 0;
	buf_add(&file, data + 1, n - 1);
	if (data[0] == 'r')
		buf_add_be32(&file, crc32c(0, file.data, file.len));
	if (extents_map_parse("file.map", file.data, file.len, &m, NULL) == 0)
		check(&m, &file);
	return 0;
}
