/* SPDX-License-Identifier: Apache-2.0 */
/* A run: its workers, its limits, and how rows are shared out. */
#include "lib/promql/op.h"

#include "lib/base/clock.h"
#include "lib/promql/thread_pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 256u

/* Whose rows this thread is computing: an exec_rows within another one's fn stays on its thread. */
static _Thread_local struct worker *at_work;

typedef int row_fn(void *arg, struct worker *w, size_t i);

static int is_over(void *exec)
{
	return exec_check(exec);
}

/* Looked up once: the C library reads a file each time. */
static unsigned cores(void)
{
	static atomic_uint known;
	unsigned n = atomic_load_explicit(&known, memory_order_relaxed);
	if (!n) {
		long online = sysconf(_SC_NPROCESSORS_ONLN);
		n = online > 1 ? (unsigned)online : 1;
		atomic_store_explicit(&known, n, memory_order_relaxed);
	}
	return n;
}

void exec_init(struct exec *x, struct series_source *source, struct budget *budget, unsigned threads)
{
	threads = threads ? threads : cores();
	*x = (struct exec){
		.source = source,
		.budget = budget,
		.arena = arena_new(budget),
		.annotations = annotations_new(),
		.threads = MIN_OF(threads, THREADS_MAX),
	};
	pthread_mutex_init(&x->lock, NULL);
	x->workers = xcalloc(x->threads, sizeof x->workers[0]);
	for (unsigned i = 0; i < x->threads; i++)
		x->workers[i] = (struct worker){
			.exec = x,
			.number = i,
			.scratch = arena_new(budget),
			.samples = { .budget = budget },
			.interrupt = { .ask = is_over, .arg = x },
		};
}

void exec_fini(struct exec *x)
{
	thread_pool_free(x->pool);
	for (unsigned i = 0; i < x->threads; i++) {
		arena_free(x->workers[i].scratch);
		samples_fini(&x->workers[i].samples);
	}
	free(x->workers);
	arena_free(x->arena);
	annotations_free(x->annotations);
	pthread_mutex_destroy(&x->lock);
}

int exec_fail(struct exec *x, int r, const char *fmt, ...)
{
	pthread_mutex_lock(&x->lock);
	if (!atomic_load(&x->failed)) {
		va_list args;
		va_start(args, fmt);
		vsnprintf(x->error.msg, sizeof x->error.msg, fmt, args);
		va_end(args);
		atomic_store(&x->failed, r);
	}
	pthread_mutex_unlock(&x->lock);
	return r;
}

static int fail_of_memory(struct exec *x)
{
	return exec_fail(x, -ENOMEM, "query needs more memory than it may use, which is %" PRIu64 " bytes",
		x->budget->limit);
}

int exec_check(struct exec *x)
{
	int failed = atomic_load_explicit(&x->failed, memory_order_relaxed);
	if (failed)
		return failed;
	if (x->cancel && atomic_load_explicit(x->cancel, memory_order_relaxed))
		return exec_fail(x, -ECANCELED, "query was canceled in expression evaluation");
	int64_t until_us = atomic_load_explicit(&x->until_us, memory_order_relaxed);
	if (until_us && clock_monotonic_us() >= until_us)
		return exec_fail(x, -ETIME, "query timed out in expression evaluation");
	if (budget_is_exceeded(x->budget))
		return fail_of_memory(x);
	if (x->max_samples && atomic_load_explicit(&x->samples_now, memory_order_relaxed) > x->max_samples)
		return exec_fail(x, -EDQUOT,
			"query processing would load too many samples into memory in query execution");
	return 0;
}

int exec_need(struct exec *x, uint64_t bytes)
{
	const struct budget *b = x->budget;
	if (!b || !b->limit)
		return 0;
	uint64_t used = atomic_load_explicit(&b->used, memory_order_relaxed);
	return used > b->limit || bytes > b->limit - used ? fail_of_memory(x) : 0;
}

void exec_count_samples(struct exec *x, int64_t n)
{
	uint64_t now =
		atomic_fetch_add_explicit(&x->samples_now, (uint64_t)n, memory_order_relaxed) + (uint64_t)n;
	uint64_t peak = atomic_load_explicit(&x->samples_peak, memory_order_relaxed);
	while (n > 0 && now > peak &&
		!atomic_compare_exchange_weak_explicit(
			&x->samples_peak, &peak, now, memory_order_relaxed, memory_order_relaxed))
		;
}

struct share {
	struct exec *exec;
	size_t n, batch;
	_Atomic size_t next;
	atomic_int r;
	row_fn *fn;
	void *arg;
};

static int do_one(struct worker *w, row_fn *fn, void *arg, size_t i)
{
	int r = exec_check(w->exec);
	if (r < 0)
		return r;
	struct arena_mark mark = arena_mark(w->scratch);
	r = fn(arg, w, i);
	arena_release(w->scratch, mark);
	return r < 0 ? exec_fail(w->exec, r, "%s", strerror(-r)) : 0;
}

/* For the caller, where several rows are left: whether to leave them to itself and others. */
static bool calls_others(struct exec *x)
{
	x->has_called_others = !x->pool && x->threads > 1 && clock_monotonic_us() >= x->alone_until_us;
	return x->has_called_others;
}

/*
 * fn on as many threads as the run has, where it is more than one row: at first by the caller alone, which is quicker than to start
 * threads for little. fn goes on where it has left off.
 */
static void together(struct exec *x, size_t n, void (*fn)(void *arg, unsigned number), void *arg)
{
	x->has_called_others = false;
	bool is_for_all = n > 1 && (x->pool || calls_others(x));
	if (!is_for_all) {
		fn(arg, 0);
		is_for_all = x->has_called_others;
	}
	if (!is_for_all)
		return;
	if (!x->pool)
		x->pool = thread_pool_new(x->threads);
	thread_pool_run(x->pool, fn, arg);
}

/*
 * Rows are taken a few at a time, so that neighbours, which lie beside each other on the disk, are mostly read by one thread; but one by one
 * while there is one thread only, which is to see soon that it takes long.
 */
static void take_part(void *arg, unsigned number)
{
	struct share *s = arg;
	struct worker *w = &s->exec->workers[number];
	struct interrupt *before = interrupt_enter(&w->interrupt);
	size_t batch = s->exec->pool ? s->batch : 1;
	at_work = w;
	while (!atomic_load_explicit(&s->r, memory_order_relaxed)) {
		size_t i = atomic_load_explicit(&s->next, memory_order_relaxed);
		if (i >= s->n || (number == 0 && s->n - i > 1 && calls_others(s->exec)))
			break;
		i = atomic_fetch_add_explicit(&s->next, batch, memory_order_relaxed);
		size_t end = MIN_OF(i + batch, s->n); /* i may be past it by now */
		int r = 0;
		for (; i < end && r == 0; i++)
			r = do_one(w, s->fn, s->arg, i);
		if (r < 0)
			atomic_store_explicit(&s->r, r, memory_order_relaxed);
	}
	at_work = NULL;
	interrupt_leave(before);
}

int exec_rows(struct exec *x, size_t n, row_fn *fn, void *arg)
{
	struct share s = { .exec = x, .n = n, .fn = fn, .arg = arg };
	struct worker *w = at_work;
	if (w && w->exec == x) {
		int r = 0;
		for (size_t i = 0; i < n && r == 0; i++)
			r = do_one(w, fn, arg, i);
		return r;
	}
	s.batch = n / (x->threads * 8ul);
	s.batch = MAX_OF(MIN_OF(s.batch, 16ul), 1ul);
	together(x, n, take_part, &s);
	return atomic_load(&s.r);
}

struct line {
	struct exec *exec;
	const struct in_order *o;
	pthread_mutex_t lock;
	pthread_cond_t has_room, has_first; /* the first: that is to be given away next */
	/* under lock */
	size_t next, given; /* rows that were begun, given away */
	uint64_t typical, held;
	int r;
	struct waiting {
		bool is_ready;
		uint64_t held;
	} * waiting; /* of row i at i % ahead */
};

static struct waiting *waiting_of(const struct line *l, size_t i)
{
	return &l->waiting[i % l->o->ahead];
}

static bool has_ended_locked(const struct line *l)
{
	return l->r || l->given == l->o->n;
}

/* Rows that are being computed count as if they waited. */
static bool may_begin_locked(const struct line *l)
{
	const struct in_order *o = l->o;
	if (l->next == o->n || l->next - l->given >= o->ahead)
		return false;
	return l->next == l->given || l->held + l->typical <= o->room;
}

static void end_locked(struct line *l, int r)
{
	if (!l->r)
		l->r = r;
	pthread_cond_broadcast(&l->has_room);
	pthread_cond_signal(&l->has_first);
}

struct computing {
	const struct in_order *o;
	uint64_t held;
};

static int compute(void *arg, struct worker *w, size_t i)
{
	struct computing *c = arg;
	return c->o->compute(c->o->arg, w, i, &c->held);
}

static void compute_locked(struct line *l, struct worker *w)
{
	struct computing c = { .o = l->o };
	size_t i = l->next++;
	uint64_t guess = l->typical;
	l->held += guess;
	pthread_mutex_unlock(&l->lock);
	at_work = w;
	int r = do_one(w, compute, &c, i);
	at_work = NULL;
	pthread_mutex_lock(&l->lock);
	l->held += c.held - guess;
	l->typical = c.held;
	*waiting_of(l, i) = (struct waiting){ true, c.held };
	if (r < 0)
		end_locked(l, r);
	else if (i == l->given)
		pthread_cond_signal(&l->has_first);
}

static void give_locked(struct line *l)
{
	size_t i = l->given;
	pthread_mutex_unlock(&l->lock);
	int r = l->o->give(l->o->arg, i);
	pthread_mutex_lock(&l->lock);
	struct waiting *first = waiting_of(l, i);
	l->held -= first->held;
	first->is_ready = false;
	l->given++;
	if (r < 0 || l->given == l->o->n)
		end_locked(l, r);
	else if (l->next < l->o->n)
		pthread_cond_broadcast(&l->has_room);
}

static void stand_in_line(void *arg, unsigned number)
{
	struct line *l = arg;
	struct worker *w = &l->exec->workers[number];
	struct interrupt *before = interrupt_enter(&w->interrupt);
	bool is_caller = number == 0;
	pthread_mutex_lock(&l->lock);
	while (!has_ended_locked(l)) {
		bool is_paused = !is_caller && l->o->is_waiting && atomic_load(l->o->is_waiting);
		if (is_caller && waiting_of(l, l->given)->is_ready)
			give_locked(l);
		else if (is_caller && l->o->n - l->next > 1 && calls_others(l->exec))
			break;
		else if (!is_paused && may_begin_locked(l))
			compute_locked(l, w);
		else
			pthread_cond_wait(is_caller ? &l->has_first : &l->has_room, &l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	interrupt_leave(before);
}

int exec_in_order(struct exec *x, const struct in_order *o)
{
	struct line l = { .exec = x, .o = o, .typical = o->typical };
	pthread_mutex_init(&l.lock, NULL);
	pthread_cond_init(&l.has_room, NULL);
	pthread_cond_init(&l.has_first, NULL);
	l.waiting = xcalloc(o->ahead, sizeof l.waiting[0]);
	together(x, o->n, stand_in_line, &l);
	free(l.waiting);
	pthread_cond_destroy(&l.has_room);
	pthread_cond_destroy(&l.has_first);
	pthread_mutex_destroy(&l.lock);
	return l.r;
}
