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

static int is_over(void *exec)
{
	return exec_check(exec);
}

void exec_init(struct exec *x, struct series_source *source, struct budget *budget, unsigned threads)
{
	if (!threads) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);
		threads = cores > 1 ? (unsigned)cores : 1;
	}
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
	if (x->until_us && clock_monotonic_us() >= x->until_us)
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
	int (*fn)(void *arg, struct worker *w, size_t i);
	void *arg;
};

static int do_one(struct share *s, struct worker *w, size_t i)
{
	int r = exec_check(s->exec);
	if (r < 0)
		return r;
	struct arena_mark mark = arena_mark(w->scratch);
	r = s->fn(s->arg, w, i);
	arena_release(w->scratch, mark);
	return r < 0 ? exec_fail(s->exec, r, "%s", strerror(-r)) : 0;
}

/* Rows are taken a few at a time, so that neighbours, which lie beside each other on the disk, are mostly read by one thread. */
static void take_part(void *arg, unsigned number)
{
	struct share *s = arg;
	struct worker *w = &s->exec->workers[number];
	struct interrupt *before = interrupt_enter(&w->interrupt);
	at_work = w;
	while (!atomic_load_explicit(&s->r, memory_order_relaxed)) {
		size_t i = atomic_fetch_add_explicit(&s->next, s->batch, memory_order_relaxed);
		if (i >= s->n)
			break;
		size_t end = MIN_OF(i + s->batch, s->n);
		int r = 0;
		for (; i < end && r == 0; i++)
			r = do_one(s, w, i);
		if (r < 0)
			atomic_store_explicit(&s->r, r, memory_order_relaxed);
	}
	at_work = NULL;
	interrupt_leave(before);
}

int exec_rows(struct exec *x, size_t n, int (*fn)(void *arg, struct worker *w, size_t i), void *arg)
{
	struct share s = { .exec = x, .n = n, .fn = fn, .arg = arg };
	struct worker *w = at_work;
	if (w && w->exec == x) {
		int r = 0;
		for (size_t i = 0; i < n && r == 0; i++)
			r = do_one(&s, w, i);
		return r;
	}
	s.batch = n / (x->threads * 8ul);
	s.batch = MAX_OF(MIN_OF(s.batch, 16ul), 1ul);
	if (n > 1 && x->threads > 1) {
		if (!x->pool)
			x->pool = thread_pool_new(x->threads);
		thread_pool_run(x->pool, take_part, &s);
	} else {
		take_part(&s, 0);
	}
	return atomic_load(&s.r);
}
