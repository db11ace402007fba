/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding and encoding of float chunks, in samples a second of one core: 120-sample chunks, 2,000 of a kind,
 * so that the bytes come from the second-level cache, as they do behind a checksum. Medians of nine runs.
 */
#include "dedup/frame_check.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/xor.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHUNKS  2000
#define SAMPLES 120
#define RUNS    9
#define ROUNDS  20

struct kind {
	const char *name;
	uint64_t (*next)(uint64_t before, uint64_t *seed);
	bool has_jitter;
};

static uint64_t bits_of(double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}

static double value_of(uint64_t bits)
{
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

static uint64_t constant(uint64_t before, uint64_t *seed)
{
	(void)seed;
	return before;
}

static uint64_t counter(uint64_t before, uint64_t *seed)
{
	return bits_of(value_of(before) + (double)(test_random(seed) % 1000));
}

static uint64_t slow_counter(uint64_t before, uint64_t *seed)
{
	uint64_t r = test_random(seed);
	return r % 3 ? before : bits_of(value_of(before) + (double)(r >> 8 & 7));
}

static uint64_t gauge(uint64_t before, uint64_t *seed)
{
	(void)before;
	return bits_of(100 + 10 * (double)(test_random(seed) >> 11) / 9007199254740992.0);
}

static const struct kind kinds[] = {
	{ "constant", constant, false },
	{ "counter", counter, false },
	{ "slow counter", slow_counter, false },
	{ "random gauge", gauge, false },
	{ "constant, jitter", constant, true },
	{ "counter, jitter", counter, true },
	{ "random gauge, jitter", gauge, true },
};

/* Processor time of this thread: what else runs on the machine takes none of it. */
static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *runs)
{
	qsort(runs, RUNS, sizeof *runs, by_value);
	return runs[RUNS / 2];
}

static void measure(const struct kind *k)
{
	struct float_columns in = { 0 }, out = { 0 };
	struct buf chunks = { 0 };
	size_t *ends = xcalloc(CHUNKS, sizeof *ends);
	uint64_t seed = 1;
	float_columns_reserve(&in, CHUNKS * SAMPLES);
	for (size_t c = 0; c < CHUNKS; c++) {
		uint64_t v = bits_of((double)(test_random(&seed) % 100000));
		for (size_t i = 0; i < SAMPLES; i++, in.len++) {
			int64_t late = k->has_jitter && test_random(&seed) % 8 == 0
					       ? (int64_t)(test_random(&seed) % 5)
					       : 0;
			in.t[in.len] = 1700000000000 + (int64_t)i * 15000 + late;
			in.v[in.len] = v = k->next(v, &seed);
		}
	}
	double encode[RUNS], decode[RUNS], total = (double)CHUNKS * SAMPLES * ROUNDS;
	for (unsigned run = 0; run < RUNS; run++) {
		double began = seconds();
		for (unsigned round = 0; round < ROUNDS; round++) {
			buf_reset(&chunks);
			for (size_t c = 0, at = 0; c < CHUNKS; c++) {
				struct xor_encoder x;
				xor_encoder_init(&x, &chunks);
				for (size_t i = 0; i < SAMPLES; i++, at++)
					xor_encoder_add(&x, in.t[at], in.v[at]);
				xor_encoder_finish(&x);
				ends[c] = chunks.len;
			}
		}
		double encoded = seconds();
		encode[run] = total / (encoded - began) / 1e6;
		for (unsigned round = 0; round < ROUNDS; round++) {
			for (size_t c = 0, at = 0; c < CHUNKS; at = ends[c++]) {
				out.len = 0;
				if (float_chunk_decode(
					    CHUNK_XOR, chunks.data + at, ends[c] - at, &out, NULL) < 0)
					abort();
			}
		}
		decode[run] = total / (seconds() - encoded) / 1e6;
	}
	printf("%-22s %6.2f bytes/sample  decode %6.0f M/s  encode %6.0f M/s\n", k->name,
		(double)chunks.len / (CHUNKS * SAMPLES), median(decode), median(encode));
	float_columns_fini(&in);
	float_columns_fini(&out);
	buf_fini(&chunks);
	free(ends);
}

/* What checking the frames of a passed-through range adds to reading it: pieces that begin anywhere. */
static void measure_check(size_t frame_bytes)
{
	struct buf segment = { 0 };
	uint64_t seed = 1;
	uint8_t data[4096];
	while (segment.len < 64u << 20) {
		for (size_t i = 0; i < frame_bytes; i++)
			data[i] = (uint8_t)test_random(&seed);
		chunk_frame_write(&segment, CHUNK_XOR, data, frame_bytes);
	}
	static const size_t piece = 128u << 10;
	size_t n = 0, frames;
	double runs[RUNS];
	for (unsigned run = 0; run < RUNS; run++) {
		double began = seconds();
		n = 0;
		for (size_t at = 4099; at + piece <= segment.len; at += piece + 77, n++)
			if (!frame_check(segment.data + at, piece, at, &frames))
				abort();
		runs[run] = (seconds() - began) / (double)n * 1e6;
	}
	printf("checking 128 KiB of frames of %4zu bytes: %6.1f us\n", frame_bytes, median(runs));
	buf_fini(&segment);
}

int main(void)
{
	measure_check(150);
	measure_check(300);
	measure_check(1000);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		measure(&kinds[i]);
	return 0;
}
