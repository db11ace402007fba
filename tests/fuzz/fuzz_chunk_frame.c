/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame that is read lies inside the input and, unless its length is padded, is written again byte
 * for byte.
 */
#include "lib/tsdb/chunk.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct chunk c;
	size_t need = 0;
	int r = chunk_frame_read(data, n, &c, &need, NULL);
	if (r == -EAGAIN && need <= n)
		abort();
	/* Random bytes seldom have the right checksum: frame them too. */
	auto_buf struct buf frame = { 0 };
	chunk_frame_write(&frame, n ? data[0] : 0, data, n);
	if (chunk_frame_read(frame.data, frame.len, &c, &need, NULL) != (int)frame.len || c.size != n ||
		(n && memcmp(c.data, data, n) != 0))
		abort();
	if (r > 0) {
		chunk_frame_read(data, n, &c, &need, NULL);
		buf_reset(&frame);
		chunk_frame_write(&frame, c.encoding, c.data, c.size);
		if (frame.len > (size_t)r ||
			(frame.len == (size_t)r && memcmp(frame.data, data, frame.len) != 0))
			abort();
	}
	return 0;
}
