/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks of a segment of any bytes, at any place of it: what is given lies within the segment, and is what the reader of frames gives.
 */
#include "lib/tsdb/block_read.h"

#include <stdlib.h>

#define MOST_PLACES 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool promise)
{
	if (!promise)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct segment_map segment = { n ? data : NULL, n };
	struct block_read b = { .name = "fuzzed" };
	vec_push(&b.segments, segment);
	for (uint64_t at = 0; at <= n && at < MOST_PLACES; at++) {
		struct err e;
		struct chunk c, frame;
		size_t need;
		if (block_read_chunk(&b, at, &c, &e) < 0)
			continue;
		must(c.data > data && c.data + c.size + 4 <= data + n);
		must(chunk_frame_read(data + at, n - at, &frame, &need, &e) > 0);
		must(frame.encoding == c.encoding && frame.data == c.data && frame.size == c.size);
	}
	must(block_read_chunk(&b, 1ull << 32, &(struct chunk){ 0 }, NULL) < 0);
	vec_fini(&b.segments);
	return 0;
}
