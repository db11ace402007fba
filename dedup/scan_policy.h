/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to read ahead, decided from the reads there were. Knows runs of metrics (dedup/metric_runs.h) and times; no bytes,
 * no files, no locks, no clock.
 *
 *	first touch of a run		a little around it, and the matching place in the blocks beside it: a query that needs few
 *					series asks for that much in each block
 *	again, where that ends		where it may still be the same series: as much as a series takes. Otherwise the run is
 *					being scanned: the rest of it, in windows that double, also in all blocks where its
 *					metric was touched lately, up to where the kernel's reads will end
 *	first touch of a run that is	the rest of it
 *	scanned in another block
 *	again, somewhere else		once or twice: as the first time. Then it counts as a scan
 *	the end of a window is near	the next one
 *	a reader that came straight	nothing: it reads the file, not the metric
 *	from the run before
 */
#ifndef DEDUP_SCAN_POLICY_H
#define DEDUP_SCAN_POLICY_H

#include "lib/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define SCAN_FIRST_BYTES  (192u << 10) /* around a first touch */
#define SCAN_PAD_BYTES    (64u << 10)  /* the kernel reads this much around a page */
#define SCAN_READ_BYTES   (128u << 10) /* and this much at once */
#define SCAN_WINDOW_BYTES (8u << 20)   /* the first of a scan */
#define SCAN_WINDOW_MAX   (64u << 20)
#define SCAN_AT_ONCE      (256u << 20) /* bytes that one touch sets off, in all blocks */
#define SCAN_FORGET_US    (10 * 1000000ll)
#define SCAN_FIRST_BLOCKS \
	3 /* on each side: Prometheus 2.42 goes from the newest to the oldest, others the other way */
#define SCAN_MAX_BLOCKS 48

/* A run of a metric in a segment of a block. */
struct scan_run {
	uint64_t block, metric;
	uint64_t group; /* runs with equal ones, in different blocks, are of the same sources */
	uint32_t segment;
	uint64_t from, to;     /* to: at most the segment's size */
	uint64_t series_bytes; /* that one series takes in it, on average */
};

/* A range to announce; is_scan: it will be read as a whole, so its slots are worth making. */
struct scan_advice {
	uint64_t block;
	uint32_t segment;
	uint64_t from, to;
	bool is_scan;
};

struct scan_advices {
	struct scan_advice *data;
	size_t len, cap;
};

/*
 * Blocks beside the touched one in time where the metric's matching place is wanted: `last` of them on one side, 0: none;
 * and `others` on the other side.
 */
struct scan_wave {
	unsigned last, others;
	int side;     /* -1: older blocks, 1: newer ones */
	double place; /* in the run: 0 to 1 */
	bool is_scan;
};

/*
 * Where the fault is that a read of the kernel's is for: pages are read around it, but for those that are there already. Of
 * the page's bytes the last: of two runs that share it, the second is more likely to be new.
 */
static inline uint64_t scan_point(uint64_t at, uint64_t n)
{
	uint64_t page = n > SCAN_PAD_BYTES ? n / 2 : 0;
	return at + MIN_OF(page + 4095, n - 1);
}

struct scan_policy;

struct scan_policy *scan_policy_new(void);
void scan_policy_free(struct scan_policy *p);

/* Somebody reads n bytes at `at`, which lies in or near the run. Appends to `out`. */
void scan_policy_touch(struct scan_policy *p, const struct scan_run *run, uint64_t at, uint64_t n,
	int64_t now_us, struct scan_advices *out, struct scan_wave *wave);

/* The wave reached this run, `hop` blocks from where it started. */
void scan_policy_match(struct scan_policy *p, const struct scan_run *run, const struct scan_wave *wave,
	unsigned hop, int64_t now_us, struct scan_advices *out);

/* Whether somebody still scans this metric. */
bool scan_policy_is_scanned(const struct scan_policy *p, uint64_t metric, int64_t now_us);

#endif
