/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions over ranges. A series is decoded once, its floats and its histograms go to columns of their own, and each step's window
 * (start, end] becomes two pairs of indices into them; a kernel then goes through all steps of the series in one call.
 */
#ifndef PROMQL_RANGE_H
#define PROMQL_RANGE_H

#include "lib/promql/select.h"
#include "lib/promql/start_time.h"

/* What windows look at: a selector's samples, or those that a subquery computes. */
struct range_input {
	const struct expr *expr; /* of the argument, for messages */
	struct selected *from;   /* a selector's series; owned. Or: */
	struct op *inner;        /* a subquery's expression at the subquery's steps; owned */
	struct lookup at;
	int64_t range_ms;
	bool is_anchored, is_smoothed;
	bool wants_starts;           /* from when samples count */
	bool wants_stats;            /* of histograms only count and sum (histogram_stats.h) */
	int64_t before_ms, after_ms; /* how much beyond its window a step wants to see: extended ranges */
};

/* Samples lo[i] <= k < hi[i] are step i's. */
struct range_floats {
	const int64_t *t;
	const int64_t *start; /* from when each counts; NULL: not wanted or not known */
	const double *v;
	size_t n;
	const uint32_t *lo, *hi;
};

struct range_histograms {
	const int64_t *t, *start;
	const struct float_histogram *const *h;
	size_t n; /* 0: lo and hi are NULL */
	const uint32_t *lo, *hi;
};

/* One series, as a kernel gets it. */
struct range_series {
	const struct range_input *input;
	const struct expr *call;
	const struct label_set *labels; /* with the name */
	struct worker *w;
	unsigned *said;              /* notes, so far */
	const double *const *params; /* the scalar arguments, each with a value a step */
	uint32_t n;                  /* steps */
	const int64_t *start, *end;  /* the windows of the steps: (start, end] */
	const int64_t *step_t;       /* the steps' own times */
	struct range_floats f;
	struct range_histograms h;
};

static inline uint32_t range_n_floats(const struct range_series *s, uint32_t i)
{
	return s->f.hi[i] - s->f.lo[i];
}

static inline uint32_t range_n_histograms(const struct range_series *s, uint32_t i)
{
	return s->h.n ? s->h.hi[i] - s->h.lo[i] : 0;
}

static inline struct started range_started(const int64_t *t, const int64_t *start, size_t k)
{
	return (struct started){ t[k], start ? start[k] : 0 };
}

#define RANGE_HISTOGRAM_WORK 500u /* that a histogram is, against a float's 1: see interrupt_after */

/* Fills the cells of the steps that have a result; kernels of floats look at windows with floats only. 0, or -errno with exec_fail called:
 * where it looks at each sample of each window, or at histograms, it asks whether to go on (interrupt_after). */
typedef int range_kernel_fn(const struct range_series *s, struct row *out);

enum range_flags {
	RANGE_KEEPS_NAME = 1 << 0, /* last_over_time and first_over_time: as an offset would */
	RANGE_IS_COUNTER = 1 << 1, /* names that aren't a counter's are remarked on */
	RANGE_ANCHORED = 1 << 2,   /* may stand over an anchored selector */
	RANGE_SMOOTHED = 1 << 3,
	RANGE_STARTS = 1 << 4, /* looks at the times from which samples count */
};

struct range_kernel {
	const char *name;
	range_kernel_fn *fn;
	unsigned flags;
};

/* Takes what `input` owns and the params, which are scalar operators at the same steps. */
struct op *range_new(const struct expr *call, const struct range_kernel *kernel,
	const struct range_input *input, const struct steps *steps, struct op **params, size_t n_params);

/* The samples of a row without stale markers, in the worker's scratch and samples, until range_let_go. */
struct range_columns {
	struct row row; /* a subquery's, which owns its histograms */
	size_t n_floats, n_histograms;
	const int64_t *float_t, *histogram_t;
	const int64_t *float_start, *histogram_start; /* NULL: not wanted or not known */
	const double *v;
	const struct float_histogram *const *h;
};
int range_load(const struct range_input *in, struct worker *w, size_t i, int64_t mint, int64_t maxt,
	struct range_columns *out);
void range_let_go(const struct range_input *in, struct worker *w, struct range_columns *c);

void range_input_fini(struct range_input *in);

/* What there may be to say of a series, each once, or once a window. */
enum range_note {
	RANGE_MIXED = 1 << 0,         /* floats and histograms: no result */
	RANGE_IGNORED = 1 << 1,       /* histograms among floats: left out */
	RANGE_MIXED_SCHEMAS = 1 << 2, /* exponential and custom buckets: no result */
	RANGE_NOT_COUNTER = 1 << 3,   /* histograms that are gauges */
	RANGE_NOT_GAUGE = 1 << 4,     /* histograms that aren't */
	RANGE_NAME_NOT_COUNTER = 1 << 5,
	RANGE_ADD_RECONCILED = 1 << 6, /* custom bounds that differ */
	RANGE_SUB_RECONCILED = 1 << 7,
	RANGE_AGG_RECONCILED = 1 << 8,
	RANGE_AGG_COLLIDED = 1 << 9, /* counter resets */
	RANGE_STARTS_OVERLAP = 1 << 10,
	RANGE_COUNTED = RANGE_STARTS_OVERLAP /* those of windows */
};
void range_say(const struct range_series *s, unsigned notes);

/* Where in the query upstream puts what it says of this call: at its first argument. */
struct span range_place(const struct range_series *s);

#endif
