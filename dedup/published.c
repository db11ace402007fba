/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/published.h"

#include "lib/base/crc32c.h"
#include "lib/base/dec.h"

#include <errno.h>

#define MAGIC       "TFSPUBL1"
#define MAGIC_BYTES (sizeof MAGIC - 1)

void published_fini(struct published *p)
{
	vec_fini(&p->blocks);
}

void published_write(const struct published *p, struct buf *out)
{
	size_t start = out->len;
	buf_add(out, MAGIC, MAGIC_BYTES);
	buf_add_be64(out, p->generation);
	buf_add_be64(out, p->blocks.len);
	for (size_t i = 0; i < p->blocks.len; i++) {
		const struct published_block *b = &p->blocks.data[i];
		buf_add(out, b->ulid.bytes, sizeof b->ulid.bytes);
		buf_add_be64(out, (uint64_t)b->min_time);
		buf_add_be64(out, (uint64_t)b->max_time);
	}
	buf_add_be32(out, crc32c(0, out->data + start, out->len - start));
}

int published_parse(const char *name, const void *bytes, size_t n, struct published *out, struct err *e)
{
	struct dec d = dec_over(bytes, n);
	const uint8_t *magic = dec_bytes(&d, MAGIC_BYTES);
	if (!magic || memcmp(magic, MAGIC, MAGIC_BYTES) != 0)
		return err_set(e, -EBADMSG, "%s is not a published set", name);
	struct published p = { .generation = dec_be64(&d) };
	uint64_t count = dec_be64(&d);
	if (d.err || count > PUBLISHED_MAX_BLOCKS || dec_left(&d) != count * 32 + 4)
		return err_set(e, -EBADMSG, "%s claims %llu blocks in %zu bytes", name,
			(unsigned long long)count, n);
	for (uint64_t i = 0; i < count && !d.err; i++) {
		struct published_block b;
		memcpy(b.ulid.bytes, dec_bytes(&d, sizeof b.ulid.bytes), sizeof b.ulid.bytes);
		b.min_time = (int64_t)dec_be64(&d);
		b.max_time = (int64_t)dec_be64(&d);
		if (i > 0 && ulid_cmp(&p.blocks.data[i - 1].ulid, &b.ulid) >= 0)
			dec_fail(&d);
		vec_push(&p.blocks, b);
	}
	if (d.err || dec_be32(&d) != crc32c(0, bytes, n - 4)) {
		published_fini(&p);
		return err_set(e, -EBADMSG, "%s is damaged", name);
	}
	*out = p;
	return 0;
}
