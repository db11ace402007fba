/* SPDX-License-Identifier: Apache-2.0 */
/* The one rare case of lib/tsdb/bits.h, out of line to keep the readers small. */
#include "lib/tsdb/bits.h"

uint64_t bits_word_at_end(const struct bit_reader *r, size_t at)
{
	uint8_t bytes[8] = { 0 };
	if (at < r->size)
		memcpy(bytes, r->p + at, r->size - at);
	uint64_t w;
	memcpy(&w, bytes, sizeof w);
	return be64toh(w);
}
