/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks a piece of a source segment that is handed through as it is: the checksums of those chunk frames that lie wholly
 * in it, from the first one that can be found. Where frames begin is not known here; but a checksum that is right tells,
 * and the frames after it follow one another. What is before that, and the frame that the end cuts, go unchecked.
 *
 * 128 KiB take 33 us, whatever the length of their frames (measured by tests/bench/bench_chunks.c).
 */
#ifndef DEDUP_FRAME_CHECK_H
#define DEDUP_FRAME_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The n bytes at offset `at` of a segment. False: a frame's checksum is wrong. *frames: how many were right; may be NULL. */
bool frame_check(const uint8_t *p, size_t n, uint64_t at, size_t *frames);

#endif
