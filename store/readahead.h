/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognises sequential readers among the reads of one object, a few at once, and says what to fetch ahead of them: as much
 * as they have read so far, from 128 KiB up to a limit. So the window doubles with each round trip of a steady reader, and
 * who stops has never caused more to be fetched than that. Reads that overtake each other, as those of several threads do,
 * are still one stream.
 */
#ifndef STORE_READAHEAD_H
#define STORE_READAHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READAHEAD_STREAMS     4
#define READAHEAD_FIRST_BYTES (128u << 10)

struct readahead_stream {
	uint64_t begin; /* where its first read began */
	uint64_t next;  /* where the furthest read ended */
	uint64_t until; /* announced up to here */
	uint64_t used;  /* the read that came last; 0: not in use */
};

/* Zero-initialise it. */
struct readahead {
	struct readahead_stream streams[READAHEAD_STREAMS];
	uint64_t reads;
};

/*
 * Notes a read of [at, at + n) of an object of `size` bytes; true: [*from, *to) is to be fetched ahead, none of which
 * was announced to this stream before. `most` is the largest window.
 */
bool readahead_note(struct readahead *ra, uint64_t at, size_t n, uint64_t size, uint32_t most, uint64_t *from,
	uint64_t *to);

#endif
