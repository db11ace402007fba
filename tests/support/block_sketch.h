/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole blocks with samples for tests, written down in a few words:
 *
 *	struct block_sketch *s = block_sketch_new(1, "cluster=eu,replica=a");
 *	sketch_series(s, "__name__=up");
 *	sketch_floats(s, T0, 15000, 120, 1);
 *	block_sketch_write(s, dir);
 */
#ifndef TESTS_BLOCK_SKETCH_H
#define TESTS_BLOCK_SKETCH_H

#include "lib/base/ulid.h"
#include "lib/base/vec.h"
#include "lib/tsdb/histogram.h"
#include "lib/tsdb/tombstones.h"

struct block_sketch;

struct sample {
	int64_t t;
	uint64_t v; /* bits of a double; of a histogram, its sum */
};

struct sample_list {
	VEC(struct sample) list;
};

uint64_t bits_of(double v);
double value_of(uint64_t bits);

/* A block of this number, which is its ULID's last byte, with these external labels. */
struct block_sketch *block_sketch_new(unsigned number, const char *external);

/* What follows goes to this series, each call to chunks of its own. */
void sketch_series(struct block_sketch *s, const char *words);
void sketch_list(struct block_sketch *s, const struct sample *samples, size_t n);

/* n samples from t on: a counter that rises with the time, value = t / 1000 + offset. */
void sketch_floats(struct block_sketch *s, int64_t t, int64_t step, size_t n, double offset);

/* n native histograms with one bucket, whose count is first, first + each, ...; sum = t / 1000 + offset. */
void sketch_histograms(struct block_sketch *s, bool is_float, uint8_t header, int64_t t, int64_t step,
	size_t n, uint64_t first, uint64_t each, double offset);

/* A chunk whose data somebody else encoded, in hexadecimal, with n samples from `first` to `last`. */
void sketch_chunk(
	struct block_sketch *s, uint8_t encoding, const char *hex, int64_t first, int64_t last, size_t n);

/* Deletes from the last series. */
void sketch_delete(struct block_sketch *s, int64_t mint, int64_t maxt);

/* The block's time range, where it isn't that of its samples. */
void sketch_times(struct block_sketch *s, int64_t min_time, int64_t max_time);

/* Writes the block below `dir` and frees the sketch; the ULID's text is borrowed until the next call. */
const char *block_sketch_write(struct block_sketch *s, const char *dir);

/* One histogram chunk as sketch_histograms makes it; histogram_chunk_free it. */
struct histogram_chunk *sketch_histogram_chunk(bool is_float, uint8_t header, int64_t t, int64_t step,
	size_t n, uint64_t first, uint64_t each, double offset);

#endif
