/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators: what a plan is made of. An operator knows the label sets of its rows before any sample is read, and computes a row, the
 * values of one series at all steps of the query, whenever it is asked for one, from any thread:
 *
 *	open	selects series, matches, groups: labels and n_rows are there afterwards. One thread, children first
 *	prepare	what needs all rows of a child: aggregations, topk. One thread, children first, after everything is open; it hands the
 *		rows out to the others by exec_rows
 *	row	row i. Several threads at a time, each with a worker of its own
 *
 * So a chain of them over 20,000 series needs memory for one row a thread, an aggregation for groups x steps, and work is shared out
 * by rows. No operator waits for another thread's work in row(): what is shared was computed in prepare. An operator whose very labels
 * depend on samples (count_values, sort in an instant query) prepares its children in open (op_prepare) and reads them there.
 *
 * Nothing may go on for long after the run is over (exec_check). op_row asks once a row; what takes longer than to go through the steps of a
 * row, or through the rows of an operator, calls interrupt_after (lib/base/interrupt.h) and ends when it is told to. Where nothing can be
 * returned a loop may just end: the run has failed then, and whatever was made of it is thrown away.
 */
#ifndef PROMQL_OP_H
#define PROMQL_OP_H

#include "lib/base/arena.h"
#include "lib/base/interrupt.h"
#include "lib/promql/annotations.h"
#include "lib/promql/ast.h"
#include "lib/tsdb/series_source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct thread_pool;

/* The times at which a (sub)query is evaluated: start, start + step, ... n of them, n >= 1. ms */
struct steps {
	int64_t start, step;
	uint32_t n;
};

static inline int64_t steps_at(const struct steps *s, uint32_t i)
{
	return s->start + s->step * (int64_t)i;
}

enum cell { CELL_NONE = 0, CELL_FLOAT = 1, CELL_HISTOGRAM = 2 };

/* One series at all steps. The caller of row() provides v and kind, for steps.n cells, kind zeroed. */
struct row {
	double *v;
	uint8_t *kind; /* enum cell */
	const struct float_histogram *
		*h; /* NULL until a step has one (row_histograms); owned, one free() each */
	uint32_t n;
	struct budget *budget; /* of the run, where h isn't NULL */
	uint64_t held;         /* bytes that it was charged for histograms, until row_fini */
};

/* What one thread works with. */
struct worker {
	struct exec *exec;
	unsigned number;            /* 0 .. exec->threads - 1 */
	struct arena *scratch;      /* marked before and released after each row */
	struct samples samples;     /* of the series that is being read */
	struct interrupt interrupt; /* asks exec_check; the thread's while it works for the run */
};

/* One run of a query. */
struct exec {
	struct series_source *source; /* borrowed */
	struct budget *budget;        /* borrowed; may be NULL */
	struct arena *arena;          /* lives as long as the run; not for workers */
	struct annotations *annotations;
	unsigned threads;
	uint64_t max_samples; /* at a time; 0: no limit */
	_Atomic uint64_t samples_now, samples_peak, samples_total;
	_Atomic int64_t until_us;  /* by the monotonic clock; 0: no limit */
	const atomic_bool *cancel; /* the asker's; may be NULL */
	atomic_int failed;         /* 0, or -errno: the first failure, whose words are in error */
	struct err error;
	bool delayed_name_removal;

	pthread_mutex_t lock; /* of error */
	struct worker *workers;
	int64_t alone_until_us; /* by the monotonic clock: before it no thread is started; 0: they are at once */
	bool has_called_others;
	struct thread_pool *pool; /* made when it is first of use */
};

struct op {
	const struct op_ops *ops;
	const struct expr *expr; /* for messages */
	struct steps steps;      /* at which its rows are computed */
	const struct label_set
		*labels; /* after open: n_rows of them, not necessarily sorted or without duplicates */
	size_t n_rows;
	/*
	 * Only where names are removed at the end of the query (exec->delayed_name_removal): rows whose labels still have the name that
	 * they are to lose. NULL: none.
	 */
	const bool *drops_name;
	bool is_scalar; /* one row without labels, a float at every step */
	bool is_open, is_prepared;
	bool is_read_in_part; /* op_read_in_part */
	unsigned n_refs;      /* beyond the first: an operator may have several parents */
};

struct op_ops {
	const char *name; /* in --explain */
	int (*open)(struct op *op, struct exec *x);
	int (*prepare)(struct op *op, struct exec *x); /* NULL: nothing to do */
	/* 0, or -errno with exec_fail called. Row i as it is at each step; cells that have no sample stay CELL_NONE. */
	int (*row)(struct op *op, struct worker *w, size_t i, struct row *out);
	/* Appends what it does, on one line, for people; may be NULL. */
	void (*explain)(const struct op *op, struct buf *out);
	size_t (*children)(const struct op *op, struct op **out, size_t room);
	void (*free)(struct op *op); /* its children too */
};

/* Children first, each operator once, however many parents it has. 0, or -errno with exec_fail called. */
int op_open_tree(struct op *op, struct exec *x);
int op_prepare(struct op *op, struct exec *x);

int op_row(struct op *op, struct worker *w, size_t i, struct row *out);

/* Computes a row for what may fail or be said of it alone; the operator itself may be about to be prepared. */
int op_try_row(struct op *op, struct worker *w, size_t i);

/*
 * For constructors of operators that may leave rows of a child unread: it, and all below it, find in prepare what would fail because labels of
 * rows have become equal, as it fails upstream whoever needs the rows.
 */
void op_read_in_part(struct op *op);

struct op *op_ref(struct op *op);
void op_free(struct op *op); /* lets go of one reference; NULL is fine */

static inline bool op_row_drops_name(const struct op *op, size_t i)
{
	return op->drops_name && op->drops_name[i];
}

/* Gives op its inner's rows' labels, and their fate; or without names, now or at the end of the query. For open; returns as it does. */
void op_keep_labels(struct op *op, const struct op *inner);
int op_drop_names(struct op *op, struct exec *x, const struct op *inner);

/* What things are, about, for interrupt_after. */
#define LABELS_WORK 100u /* a label set, to compare, to change or to copy */
#define CELL_WORK   500u /* a cell that is, or may be, a histogram */

/* Without what describes the metric and not the series: __name__, __type__, __unit__. Over the same bytes. */
struct label_set labels_without_metadata(struct arena *a, const struct label_set *s);

/* A row whose cells lie in the worker's scratch, empty. row_fini frees its histograms. */
struct row row_new(struct worker *w, uint32_t n);
void row_fini(struct row *r);
void row_histograms(struct worker *w, struct row *r); /* makes r->h */

static inline void row_set(struct row *r, uint32_t i, double v)
{
	r->v[i] = v;
	r->kind[i] = CELL_FLOAT;
}

/* Takes h, and charges the run for it: whoever takes it out of the row before row_fini sees to that himself from then on. */
static inline void row_set_histogram(
	struct worker *w, struct row *r, uint32_t i, const struct float_histogram *h)
{
	if (!r->h)
		row_histograms(w, r);
	r->h[i] = h;
	r->kind[i] = CELL_HISTOGRAM;
	uint64_t bytes = float_histogram_bytes(h);
	r->held += bytes;
	budget_take(r->budget, bytes);
}

/* Zero everything else of x that isn't wanted. threads 0: one a core. */
void exec_init(struct exec *x, struct series_source *source, struct budget *budget, unsigned threads);
void exec_fini(struct exec *x);

/*
 * Calls fn for i = 0 .. n - 1, shared out over the run's threads, each with a worker of its own whose scratch is released after each call.
 * Ends early at the first failure, which it returns, or when the run is over (cancelled, too late, too much memory). Within fn of another
 * one it is done by the caller alone, with its worker.
 */
int exec_rows(struct exec *x, size_t n, int (*fn)(void *arg, struct worker *w, size_t i), void *arg);

/*
 * Rows that are given away in order while others are computed: compute(i) on any thread, as exec_rows calls it, then give(i) on the
 * caller's, for i = 0 .. n - 1. Whoever gives away computes, too, while there is nothing to give.
 */
struct in_order {
	size_t n;
	size_t ahead; /* row i + ahead isn't begun before row i was given away; at least 1 */
	/*
	 * Nor is a row begun where it is likely to be too much: compute says how many bytes wait for give, and the next row is taken to be
	 * like the last one, the first like `typical`. One row is always let through.
	 */
	uint64_t room, typical;
	int (*compute)(void *arg, struct worker *w, size_t i, uint64_t *held);
	int (*give)(void *arg, size_t i);
	const atomic_bool
		*is_waiting; /* NULL, or true while give() waits for somebody: no row is begun then */
	void *arg;
};

/* Returns as exec_rows. What was computed and not given away after a failure is the caller's to forget. Not within an fn. */
int exec_in_order(struct exec *x, const struct in_order *o);

/* Remembers the first failure of a run; returns r. The words are the whole message of the answer. */
int exec_fail(struct exec *x, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* 0, or why the run must end, with exec_fail called: asked for once a row. -ECANCELED, -ETIME, -ENOMEM (memory), -EDQUOT (samples). */
int exec_check(struct exec *x);

/*
 * 0, or -ENOMEM with exec_fail called: so much more memory would be more than the run may have. For what is large in one piece, before it is
 * taken: what comes in small pieces is counted as it is taken, and found out by exec_check.
 */
int exec_need(struct exec *x, uint64_t bytes);

/* Samples that are held, for max_samples and stats; negative when they are let go. */
void exec_count_samples(struct exec *x, int64_t n);

#endif
