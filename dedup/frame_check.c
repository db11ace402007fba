/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/frame_check.h"

#include "lib/base/mem.h"
#include "lib/tsdb/chunk.h"

#include <errno.h>

#define FIRST_MAX_BYTES (16u << 10) /* a longer frame is not looked for, only followed */

/* Cheap, so that few places have their checksum computed: a known encoding after a length that is not too long. */
static bool may_begin(const uint8_t *p, size_t n)
{
	size_t length = 0, head = 0;
	for (unsigned shift = 0; head < n && shift <= 14; shift += 7) {
		length |= (size_t)(p[head] & 0x7f) << shift;
		if (p[head++] < 0x80)
			return length > 2 && length <= FIRST_MAX_BYTES && head < n && p[head] >= CHUNK_XOR &&
			       p[head] <= CHUNK_FLOAT_HISTOGRAM_ST;
	}
	return false;
}

/* Where the first frame begins, or n. */
static size_t find_first(const uint8_t *p, size_t n, uint64_t at)
{
	struct chunk c;
	size_t need;
	if (at <= SEGMENT_HEADER_BYTES)
		return MIN_OF((size_t)(SEGMENT_HEADER_BYTES - at), n);
	for (size_t i = 0; i < n; i++)
		if (may_begin(p + i, n - i) && chunk_frame_read(p + i, n - i, &c, &need, NULL) >= 0)
			return i;
	return n;
}

bool frame_check(const uint8_t *p, size_t n, uint64_t at, size_t *frames)
{
	size_t right = 0;
	int r = 0;
	for (size_t i = find_first(p, n, at); i < n; i += (size_t)r, right++) {
		struct chunk c;
		size_t need;
		/* A segment may end in zeros, where its writer had reserved more than it took. */
		if (p[i] == 0)
			break;
		r = chunk_frame_read(p + i, n - i, &c, &need, NULL);
		if (r < 0)
			break;
	}
	if (frames)
		*frames = right;
	return r != -EBADMSG;
}
