/* SPDX-License-Identifier: Apache-2.0 */
/*
 * True values in closed form. A counter is its rate times a level that rises by about one a minute: a line,
 * half a day's wave and noise at whole minutes, straight between them. Slopes of wave and noise together stay
 * below the line's, so it never falls. A gauge is a wave and noise that hold for a while.
 */
#include "tests/support/fleet.h"

#include "lib/tsdb/chunk.h"

#include <math.h>

#define MINUTE_MS 60000
#define WAVE_MIN  720.0
#define WAVE      (0.3 * WAVE_MIN / (2 * M_PI)) /* slope at most 0.3 */
#define NOISE     0.4
#define NO_MINUTE (-2) /* times are after 1970 */

/* The level of one stream, remembered for the minute that was asked last. */
struct level {
	uint64_t key;
	double phase;
	int64_t minute;
	double here, next;
};

static double level_at_minute(const struct level *l, int64_t minute)
{
	double wave = sin(2 * M_PI * ((double)minute / WAVE_MIN + l->phase));
	return (double)minute + WAVE * wave +
	       NOISE * fleet_uniform(fleet_mix(l->key ^ (uint64_t)minute * 0x9e3779b97f4a7c15u));
}

static struct level level_of(uint64_t key)
{
	return (struct level){ .key = key, .phase = fleet_uniform(fleet_mix(key + 1)), .minute = NO_MINUTE };
}

static double level_at(struct level *l, int64_t t)
{
	if (t < l->minute * MINUTE_MS || t >= (l->minute + 1) * MINUTE_MS) {
		int64_t minute = t / MINUTE_MS;
		l->here = minute == l->minute + 1 ? l->next : level_at_minute(l, minute);
		l->next = level_at_minute(l, minute + 1);
		l->minute = minute;
	}
	double part = (double)(t - l->minute * MINUTE_MS) / MINUTE_MS;
	/* Rounding must not take it past the next minute's start: it would fall there. */
	double v = l->here + (l->next - l->here) * part;
	return v < l->next ? v : l->next;
}

static int64_t start_of(const struct fleet_series *s, int64_t t)
{
	if (!s->restart_ms)
		return s->from;
	return (t - s->restart_at_ms) / s->restart_ms * s->restart_ms + s->restart_at_ms;
}

static uint64_t bits(double d)
{
	uint64_t u;
	memcpy(&u, &d, sizeof u);
	return u;
}

/* Rounds values down to multiples of a quantum. */
struct rounding {
	double up, down;
	bool is_fraction;
};

static struct rounding rounding_of(double quantum)
{
	bool is_fraction = quantum < 1;
	double inverse = is_fraction ? nearbyint(1 / quantum) : 1 / quantum;
	return (struct rounding){
		.up = inverse, .down = is_fraction ? inverse : quantum, .is_fraction = is_fraction
	};
}

/* Hundredths and the like come out as the nearest double of the decimal number, as a scrape would give them. */
static double rounded(double v, const struct rounding *r)
{
	double whole = (double)(int64_t)(v * r->up);
	return r->is_fraction ? whole / r->down : whole * r->down;
}

static void counter_values(const struct fleet_series *s, const int64_t *t, size_t n, uint64_t *v)
{
	struct level l = level_of(s->key);
	struct rounding r = rounding_of(s->quantum);
	double rate = s->per_minute * s->share;
	int64_t start = INT64_MIN;
	double zero = 0;
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || (s->restart_ms && t[i] >= start + s->restart_ms)) {
			struct level first = level_of(s->key);
			start = start_of(s, t[i]);
			zero = level_at(&first, start);
		}
		v[i] = bits(rounded((level_at(&l, t[i]) - zero) * rate, &r));
	}
}

static void gauge_values(const struct fleet_series *s, const int64_t *t, size_t n, uint64_t *v)
{
	double phase = fleet_uniform(fleet_mix(s->key + 1)), range = s->high - s->low, value = 0;
	struct rounding r = rounding_of(s->quantum);
	int64_t until = INT64_MIN;
	for (size_t i = 0; i < n; i++) {
		if (t[i] >= until) {
			int64_t k = t[i] / s->hold_ms, at = k * s->hold_ms;
			double wave = sin(2 * M_PI * ((double)at / (WAVE_MIN * MINUTE_MS) + phase));
			double noise =
				fleet_uniform(fleet_mix(s->key ^ (uint64_t)k * 0x9e3779b97f4a7c15u)) - 0.5;
			value = rounded(s->low + range * (0.5 + 0.3 * wave + 0.3 * noise), &r);
			until = at + s->hold_ms;
		}
		v[i] = bits(value);
	}
}

void fleet_values(const struct fleet_series *s, const int64_t *t, size_t n, uint64_t *v)
{
	switch (s->kind) {
	case FLEET_COUNTER: counter_values(s, t, n, v); return;
	case FLEET_GAUGE: gauge_values(s, t, n, v); return;
	case FLEET_START_TIME:
		for (size_t i = 0; i < n; i++)
			v[i] = bits((double)(start_of(s, t[i]) / 1000));
		return;
	default:
		for (size_t i = 0; i < n; i++)
			v[i] = bits(s->low);
	}
}

uint64_t fleet_histogram(
	const struct fleet_series *s, int64_t t, uint64_t counts[FLEET_BUCKETS], uint64_t *sum)
{
	static const double share[FLEET_BUCKETS] = { .02, .1, .2, .24, .2, .12, .06, .03, .015, .01, .004,
		.001 };
	struct level l = level_of(s->key), first = l;
	double n = (level_at(&l, t) - level_at(&first, start_of(s, t))) * s->per_minute, total = 0,
	       seconds = 0;
	uint64_t count = 0;
	for (int b = 0; b < FLEET_BUCKETS; b++) {
		double in_bucket = s->kind == FLEET_HISTOGRAM ? floor(n * share[b]) : n * share[b];
		count += (uint64_t)in_bucket;
		total += in_bucket;
		seconds += in_bucket * ldexp(0.75, b - 8);
		counts[b] = s->kind == FLEET_HISTOGRAM ? (uint64_t)in_bucket : bits(in_bucket);
	}
	*sum = bits(seconds);
	return s->kind == FLEET_HISTOGRAM ? count : bits(total);
}
