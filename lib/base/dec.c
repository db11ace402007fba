/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/dec.h"

#include <endian.h>
#include <errno.h>

int dec_fail(struct dec *d)
{
	return d->err = -EBADMSG;
}

uint16_t dec_be16(struct dec *d)
{
	uint16_t v = 0;
	const uint8_t *p = dec_bytes(d, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return be16toh(v);
}

uint32_t dec_be32(struct dec *d)
{
	uint32_t v = 0;
	const uint8_t *p = dec_bytes(d, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return be32toh(v);
}

uint64_t dec_be64(struct dec *d)
{
	uint64_t v = 0;
	const uint8_t *p = dec_bytes(d, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return be64toh(v);
}

uint64_t dec_uvarint_slow(struct dec *d)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t b = dec_u8(d);
		if (d->err)
			return 0;
		if (shift == 63 && b > 1)
			break; /* more than 64 bits */
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	dec_fail(d);
	return 0;
}

uint32_t dec_uvarint32(struct dec *d)
{
	uint64_t v = dec_uvarint(d);
	if (v > UINT32_MAX) {
		dec_fail(d);
		return 0;
	}
	return (uint32_t)v;
}
