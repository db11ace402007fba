/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs queries. The answer goes to a sink, series by series, so that it is never in memory as a whole where it needn't be.
 */
#ifndef PROMQL_PROMQL_H
#define PROMQL_PROMQL_H

#include "lib/promql/parse.h"
#include "lib/tsdb/series_source.h"

#include <stdatomic.h>

enum promql_error_kind {
	PROMQL_OK,
	PROMQL_BAD_DATA,  /* doesn't parse, or asks for what can't be asked */
	PROMQL_EXECUTION, /* ran, and failed */
	PROMQL_CANCELED,
	PROMQL_TIMEOUT,
	PROMQL_LIMIT,   /* samples or memory: answered as execution is */
	PROMQL_INTERNAL /* the source failed */
};

struct promql_options {
	int64_t lookback_ms;      /* 0: 5 min */
	int64_t timeout_ms;       /* 0: none */
	uint64_t max_samples;     /* 0: none */
	uint64_t memory_limit;    /* bytes; 0: none */
	unsigned threads;         /* 0: one a core */
	int64_t threads_after_us; /* a query that is over sooner takes one thread only */
	int64_t default_step_ms;  /* of subqueries without a step; 0: 1 min */
	struct promql_features features;
	bool delayed_name_removal;
	bool start_times; /* from when samples count is known where the source knows it: rate() and the like */
};

struct promql_query {
	const char *text;
	size_t n;
	bool is_range;
	int64_t start, end, step;  /* ms; of an instant query start is its time */
	const atomic_bool *cancel; /* NULL: can't be cancelled */
};

/* A series of the answer: n points, t rising. Point i is h[i] where h and h[i] aren't NULL, else v[i]. Borrowed during the call. */
struct promql_series {
	const struct label_set *labels;
	size_t n;
	const int64_t *t;
	const double *v;
	const struct float_histogram *const *h;
	const struct buf *
		encoded; /* what promql_sink.encode made of it, and then there are no t, v and h; else NULL */
};

/* begin, series and string are called by promql_run's thread and may return -errno, which ends the query with -ECANCELED: nobody listens. */
struct promql_sink {
	int (*begin)(
		void *arg, enum value_type type); /* once, before the first series and if there is none */
	int (*series)(void *arg, const struct promql_series *s); /* a scalar is a series without labels */
	int (*string)(void *arg, int64_t t, struct text value);
	void *arg;
	/*
	 * NULL, or makes of a series what can be made of it by itself, its text, say: appends it to `out`. On any thread, of several series at
	 * a time, and in any order; series() is given what was made, in order. False: it can't, or not in little memory, and series() is
	 * given the points.
	 */
	bool (*encode)(void *arg, const struct promql_series *s, struct buf *out);
	/* NULL, or true while series() waits until the asker takes more: no work is begun for him then. */
	const atomic_bool *is_waiting;
};

struct promql_stats {
	uint64_t samples_total, samples_peak, memory_peak_bytes, series;
	int64_t prepare_us, run_us;
};

struct promql_result {
	enum promql_error_kind error;
	struct buf message;              /* of an error */
	struct annotations *annotations; /* may be NULL */
	struct promql_stats stats;
	struct running *run; /* what the query has of memory and threads, until promql_result_fini */
};

/* Lets go of what the query has read and computed, which may take a while: the asker needn't wait for it. */
void promql_result_fini(struct promql_result *r);

/*
 * Runs the query; result->error says how it ended, and where that isn't PROMQL_OK the sink may have had a part already. Series of a
 * matrix come sorted by labels; of a vector in the order that upstream gives: by labels, or as sort() and topk leave them.
 */
void promql_run(struct series_source *source, const struct promql_options *o, const struct promql_query *q,
	const struct promql_sink *sink, struct promql_result *result);

/* Appends the plan, a line an operator, indented; 0, or -EINVAL with the error instead. */
int promql_explain(const struct promql_options *o, const struct promql_query *q, struct buf *out);

#endif
