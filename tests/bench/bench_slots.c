/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making slots, in input samples a second of one core: 120-sample chunks of two replicas, the first of which was silent for a
 * while, so that both are checked, decoded, merged and encoded again; and, beside it, slots whose base has no gap. The mixture
 * is that of a node exporter: half of the series stand still, a third are counters, the rest are gauges. Medians of nine runs
 * of processor time.
 */
#include "dedup/slot_merge.h"
#include "lib/tsdb/xor.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLOTS    2000
#define AT_ONCE  16 /* whose bases are decoded together */
#define SAMPLES  120
#define GAP      12 /* samples that the base misses */
#define REPLICAS 2
#define RUNS     9
#define ROUNDS   10
#define STEP_MS  15000
#define PHASE_MS 7000
#define BEGIN_MS 1700000000000
#define CAPACITY 4096

enum kind { CONSTANT, COUNTER, GAUGE };

struct frames {
	struct slot_reader reader;
	struct buf bytes;
	size_t at[SLOTS][REPLICAS];
	struct slot_source sources[SLOTS][REPLICAS];
};

static enum kind kind_of(size_t slot)
{
	return slot % 6 < 3 ? CONSTANT : slot % 6 < 5 ? COUNTER : GAUGE;
}

/* What the series is worth at a time, so that both replicas see the same one. */
static uint64_t value_at(size_t slot, int64_t t)
{
	uint64_t seed = (uint64_t)slot << 32 ^ (uint64_t)(t / STEP_MS);
	double value = 1000 + (double)slot;
	if (kind_of(slot) == COUNTER)
		value += (double)((t - BEGIN_MS) / STEP_MS * (int64_t)(100 + slot % 37) +
				  (int64_t)(test_random(&seed) % 90));
	else if (kind_of(slot) == GAUGE)
		value += (double)(test_random(&seed) >> 11) / 9007199254740992.0;
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static void add_frame(struct frames *f, size_t slot, unsigned replica, bool has_gap)
{
	auto_buf struct buf data = { 0 };
	struct xor_encoder x;
	uint64_t seed = slot * REPLICAS + replica;
	xor_encoder_init(&x, &data);
	for (int i = 0; i < SAMPLES; i++) {
		if (has_gap && i >= SAMPLES / 3 && i < SAMPLES / 3 + GAP)
			continue;
		int64_t late = test_random(&seed) % 8 == 0 ? (int64_t)(test_random(&seed) % 5) : 0;
		int64_t t = BEGIN_MS + (int64_t)i * STEP_MS + (int64_t)replica * PHASE_MS + late;
		xor_encoder_add(&x, t, value_at(slot, t));
	}
	xor_encoder_finish(&x);
	size_t begin = f->bytes.len;
	f->at[slot][replica] = begin;
	chunk_frame_write(&f->bytes, CHUNK_XOR, data.data, data.len);
	f->sources[slot][replica] = (struct slot_source){ .ref = (uint64_t)slot * REPLICAS + replica,
		.frame_bytes = (uint32_t)(f->bytes.len - begin),
		.source = (uint16_t)replica,
		.rank = (uint16_t)replica };
}

static int read_chunk(struct slot_reader *r, const struct slot_source *s, struct chunk *out)
{
	struct frames *f = (struct frames *)r;
	size_t need, at = f->at[s->ref / REPLICAS][s->ref % REPLICAS];
	struct err e;
	return chunk_frame_read(f->bytes.data + at, f->bytes.len - at, out, &need, &e);
}

static void corrupt(struct slot_reader *r, const struct slot_source *s, const char *why)
{
	(void)r;
	(void)s;
	fprintf(stderr, "bench_slots: a chunk is corrupt: %s\n", why);
	exit(1);
}

static const struct tombstones *no_tombstones(struct slot_reader *r, uint16_t source)
{
	(void)r;
	(void)source;
	return NULL;
}

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

static struct slot slot_of(const struct frames *f, size_t i)
{
	return (struct slot){ .from = BEGIN_MS,
		.to = BEGIN_MS + SAMPLES * STEP_MS,
		.left = BEGIN_MS - STEP_MS,
		.right = BEGIN_MS + SAMPLES * STEP_MS,
		.capacity = CAPACITY,
		.n_sources = REPLICAS,
		.sources = f->sources[i] };
}

/* As the mount does with the slots of a block of its map. */
static void expect(struct slot_merger *m, struct frames *f, size_t from)
{
	slot_merger_expect_none(m);
	for (size_t i = from; i < MIN_OF(from + AT_ONCE, (size_t)SLOTS); i++) {
		struct slot slot = slot_of(f, i);
		slot_merger_expect(m, &slot, &f->reader);
	}
	slot_merger_expect_end(m);
}

static void measure(const char *name, bool has_gap)
{
	struct frames *f = xcalloc(1, sizeof *f);
	f->reader =
		(struct slot_reader){ .chunk = read_chunk, .corrupt = corrupt, .tombstones = no_tombstones };
	for (size_t slot = 0; slot < SLOTS; slot++)
		for (unsigned replica = 0; replica < REPLICAS; replica++)
			add_frame(f, slot, replica, has_gap && replica == 0);
	/* What the replicas hold of the slots' time, whether it has to be decoded or not. */
	double input = (double)SLOTS * (REPLICAS * SAMPLES - (has_gap ? GAP : 0)) * ROUNDS;

	auto_of(slot_merger) struct slot_merger *m = slot_merger_new(DEDUP_COMPLETE);
	auto_buf struct buf out = { 0 };
	double rate[RUNS];
	uint64_t decoded = 0, made = 0;
	for (unsigned run = 0; run < RUNS; run++) {
		double began = seconds();
		decoded = made = 0;
		for (unsigned round = 0; round < ROUNDS; round++) {
			for (size_t i = 0; i < SLOTS; i++) {
				struct slot slot = slot_of(f, i);
				struct slot_result result;
				buf_reset(&out);
				if (i % AT_ONCE == 0)
					expect(m, f, i);
				slot_merge(m, &slot, &f->reader, &out, &result);
				decoded += result.input_samples;
				made += result.output_samples;
			}
		}
		rate[run] = input / (seconds() - began);
	}
	qsort(rate, RUNS, sizeof *rate, by_value);
	printf("%-24s %.1f M input samples/s, %.1f of %.1f samples decoded a slot, %.1f made\n", name,
		rate[RUNS / 2] / 1e6, (double)decoded / (SLOTS * ROUNDS), input / (SLOTS * ROUNDS),
		(double)made / (SLOTS * ROUNDS));
	buf_fini(&f->bytes);
	free(f);
}

int main(void)
{
	measure("the base has a gap", true);
	measure("the base has none", false);
	return 0;
}
