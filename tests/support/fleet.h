/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A made-up fleet of machines and pods: which series it has at a time and what their true values are. Both
 * are functions of (seed, cluster, series, time) alone, so any two that look at the same time see the same,
 * and ranges made one by one continue each other.
 *
 * Machines ("node-000:9100") stay; every fifth restarts every 5 hours, the others every 100 days, and their
 * counters with them. Pods live for 70 to 190 minutes, then, after up to 3 minutes of nothing, another one
 * with another name takes the place.
 */
#ifndef TESTS_FLEET_H
#define TESTS_FLEET_H

#include "lib/base/vec.h"
#include "lib/tsdb/labels.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_BUCKETS 12 /* of a native histogram: schema 0, from 2^-8 s on */

enum fleet_kind {
	FLEET_COUNTER,
	FLEET_GAUGE,
	FLEET_CONSTANT,
	FLEET_START_TIME,     /* when the counters were 0, in seconds */
	FLEET_HISTOGRAM,      /* native, integers */
	FLEET_FLOAT_HISTOGRAM /* native, floats */
};

struct fleet_series {
	struct labels labels;
	uint64_t key;     /* decides its values */
	uint64_t target;  /* key of what is scraped: series of one target share scrape times */
	int64_t from, to; /* ms; it is exposed from <= t < to */
	enum fleet_kind kind;
	double per_minute; /* of counters and histograms */
	double share;      /* of the counter: a classic histogram's buckets share one */
	double low, high;  /* of gauges; constants are low */
	double quantum;    /* values are multiples of it */
	int64_t hold_ms;   /* gauges change this often */
	int64_t restart_ms,
		restart_at_ms; /* counters start at 0 every so often, at this time of it; 0: at `from` */
};

struct fleet {
	VEC(struct fleet_series) series;
};

struct fleet_options {
	uint64_t seed;
	unsigned instances; /* machines; there are twice as many pods */
	bool histograms;    /* native ones too */
};

/* All series of a cluster that are exposed at some time in [from, to), in no order. */
void fleet_at(
	const struct fleet_options *o, const char *cluster, int64_t from, int64_t to, struct fleet *out);
void fleet_fini(struct fleet *f);

/* True values at rising times within the series' life, as bits of doubles. Not for histograms. */
void fleet_values(const struct fleet_series *s, const int64_t *t, size_t n, uint64_t *v);

/*
 * One histogram: `counts` has FLEET_BUCKETS counts, in integers or as bits of doubles; *sum is the bits of a
 * double. Returns the sum of the counts in the same form.
 */
uint64_t fleet_histogram(
	const struct fleet_series *s, int64_t t, uint64_t counts[FLEET_BUCKETS], uint64_t *sum);

/* A number that depends on all of it. */
uint64_t fleet_key(uint64_t seed, const char *a, const char *b);
uint64_t fleet_mix(uint64_t v);
double fleet_uniform(uint64_t v); /* from 0 to 1 */

#endif
