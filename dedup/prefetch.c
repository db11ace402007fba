/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What concerns the block that is being read is announced by the reader's own thread, which is about to wait for some of
 * it anyway; the rest is queued. One thread works off announcements; others, of low priority, make slots, one piece of a
 * run at a time and the runs in turn, since a query goes through all blocks of a series before the next series. A run of
 * a distant bucket is gone through twice: what needs only bases first, which announces what the rest needs.
 *
 * The queue's lock is held for the policy and the queue, never across I/O. Queued work holds references to its block.
 */
#include "dedup/prefetch.h"

#include "dedup/merged_private.h"
#include "dedup/merged_slots.h"
#include "dedup/scan_policy.h"
#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/sorted.h"

#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#define MAX_THREADS 64
#define MAX_JOBS    4096 /* more are dropped */
#define PIECE_BYTES (128u << 10)
#define HEAD_BYTES  (128u << 10) /* the kernel reads this much for a segment's header */
#define HEAD_BLOCKS 16           /* whose heads are asked for ahead of their opening */
#define GROUP_SLOTS 1            /* of segments of slots */
#define MAKER_NICE  10

METRIC_COUNTER(announced_bytes, "thanosfs_prefetch_announced_bytes_total",
	"Bytes of segments, of slots too, that were announced before they were read.")
METRIC_COUNTER(scans, "thanosfs_prefetch_scans_total",
	"Runs of a metric, or windows of them, that were announced whole.")

enum job_kind {
	JOB_ADVICE, /* announce a range */
	JOB_WAVE,   /* announce the matching place of a metric */
	JOB_HEADS,  /* announce the heads of all segments */
	JOB_MAKE    /* make slots */
};

struct job {
	enum job_kind kind;
	struct merged_block *block; /* a reference */
	struct scan_advice advice;  /* MAKE: from is where it goes on */
	uint64_t start;             /* MAKE: where it began */
	bool is_last;               /* MAKE: the last time through the range */
	struct scan_wave wave;
	unsigned hop, ordinal; /* of the wave; of the run among the group's */
	uint64_t metric, group;
	struct job *next;
};

struct jobs {
	struct job *first, **end;
	size_t n;
};

struct prefetch {
	unsigned threads;
	int64_t (*now_us)(void);

	pthread_mutex_t lock;
	/* under lock */
	struct scan_policy *policy;
	VEC(struct merged_block *) blocks; /* by time; a reference each */
	struct jobs announcements, makes;
	pthread_cond_t has_announcements, has_makes;
	bool is_started, is_stopping;
	pthread_t running[MAX_THREADS + 1];
	unsigned n_running;
};

struct prefetch *prefetch_new(unsigned threads)
{
	struct prefetch *p = xcalloc(1, sizeof *p);
	p->threads = MIN_OF(threads, MAX_THREADS);
	p->now_us = clock_monotonic_us;
	p->policy = scan_policy_new();
	p->announcements.end = &p->announcements.first;
	p->makes.end = &p->makes.first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->has_announcements, NULL);
	pthread_cond_init(&p->has_makes, NULL);
	return p;
}

void prefetch_set_clock(struct prefetch *p, int64_t (*now_us)(void))
{
	p->now_us = now_us;
}

static void job_free(struct job *j)
{
	merged_block_unref(j->block);
	free(j);
}

static void jobs_fini(struct jobs *q)
{
	while (q->first) {
		struct job *j = q->first;
		q->first = j->next;
		job_free(j);
	}
}

void prefetch_free(struct prefetch *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_stopping = true;
	pthread_cond_broadcast(&p->has_announcements);
	pthread_cond_broadcast(&p->has_makes);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_running; i++)
		pthread_join(p->running[i], NULL);
	jobs_fini(&p->announcements);
	jobs_fini(&p->makes);
	vec_each (b, &p->blocks)
		merged_block_unref(*b);
	vec_fini(&p->blocks);
	scan_policy_free(p->policy);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->has_announcements);
	pthread_cond_destroy(&p->has_makes);
	free(p);
}

static int by_time(const void *pa, const void *pb)
{
	const struct merged_block *a = *(struct merged_block *const *)pa,
				  *b = *(struct merged_block *const *)pb;
	if (a->min_time != b->min_time)
		return a->min_time < b->min_time ? -1 : 1;
	return ulid_cmp(&a->ulid, &b->ulid);
}

void prefetch_set_blocks(struct prefetch *p, struct merged_block *const *blocks, size_t n)
{
	if (!p)
		return;
	__typeof__(p->blocks) next = { 0 }, before;
	for (size_t i = 0; i < n; i++)
		vec_push(&next, merged_block_ref(blocks[i]));
	vec_sort(&next, by_time);
	pthread_mutex_lock(&p->lock);
	before = p->blocks;
	p->blocks = next;
	pthread_mutex_unlock(&p->lock);
	vec_each (b, &before)
		merged_block_unref(*b);
	vec_fini(&before);
}

static uint64_t block_id(const struct merged_block *b)
{
	return (uint64_t)(uintptr_t)b;
}

/* The block's place in time; false: it isn't listed any more. */
static bool find_locked(const struct prefetch *p, const struct merged_block *b, size_t *at)
{
	*at = lower_bound(i, p->blocks.len, by_time(&p->blocks.data[i], &b) < 0);
	return *at < p->blocks.len && p->blocks.data[*at] == b;
}

static struct merged_block *block_of_id_locked(const struct prefetch *p, uint64_t id)
{
	for (size_t i = 0; i < p->blocks.len; i++)
		if (block_id(p->blocks.data[i]) == id)
			return p->blocks.data[i];
	return NULL;
}

static void *announcer(void *arg);
static void *maker(void *arg);

static void start_locked(struct prefetch *p)
{
	p->is_started = true;
	if (pthread_create(&p->running[p->n_running], NULL, announcer, p) == 0)
		p->n_running++;
	for (unsigned i = 0; i < p->threads; i++)
		if (pthread_create(&p->running[p->n_running], NULL, maker, p) == 0)
			p->n_running++;
}

/* Queues a copy of the job, with a reference of its own; dropped where there are too many. */
static void push_locked(struct prefetch *p, const struct job *job)
{
	struct jobs *q = job->kind == JOB_MAKE ? &p->makes : &p->announcements;
	if (q->n >= MAX_JOBS || p->is_stopping)
		return;
	struct job *j = xmalloc(sizeof *j);
	*j = *job;
	j->next = NULL;
	merged_block_ref(j->block);
	*q->end = j;
	q->end = &j->next;
	q->n++;
	if (p->threads == 0)
		return;
	if (!p->is_started)
		start_locked(p);
	pthread_cond_signal(job->kind == JOB_MAKE ? &p->has_makes : &p->has_announcements);
}

static struct job *pop_locked(struct jobs *q)
{
	struct job *j = q->first;
	if (!j)
		return NULL;
	q->first = j->next;
	if (!q->first)
		q->end = &q->first;
	q->n--;
	return j;
}

static const struct merged_segment_ref *segment_ref(const struct merged_block *b, uint32_t segment)
{
	return segment < b->state.merge.segments.len ? &b->state.merge.segments.data[segment] : NULL;
}

/* Segments of equal groups in different blocks hold the same targets' series: their sources have equal labels. */
static uint64_t group_of(struct merged_block *b, uint32_t segment)
{
	const struct merged_segment_ref *ref = segment_ref(b, segment);
	if (!ref || ref->is_synthetic)
		return GROUP_SLOTS;
	struct catalogue_block *const *sources;
	if (ref->source >= merged_block_sources(b, &sources))
		return 0;
	uint64_t hash = 0;
	const struct labels *labels = &sources[ref->source]->meta->thanos.labels;
	for (size_t i = 0; i < labels->len; i++) {
		hash = XXH3_64bits_withSeed(labels->data[i].name, strlen(labels->data[i].name), hash);
		hash = XXH3_64bits_withSeed(labels->data[i].value, strlen(labels->data[i].value), hash);
	}
	return hash;
}

static struct scan_run scan_run_of(struct merged_block *b, const struct metric_run *run)
{
	uint64_t to = MIN_OF(run->to, b->files[FILE_SEGMENTS + run->segment].size);
	return (struct scan_run){ .block = block_id(b),
		.metric = run->metric,
		.group = group_of(b, run->segment),
		.segment = run->segment,
		.from = MIN_OF(run->from, to),
		.to = to,
		.series_bytes = (to - MIN_OF(run->from, to)) / run->series };
}

/* The metric's run of this group and ordinal. */
static bool find_run(struct merged_block *b, const struct metric_runs *runs, uint64_t metric, uint64_t group,
	unsigned ordinal, struct metric_run *out)
{
	for (size_t k = 0; metric_runs_of(runs, metric, k, out); k++)
		if (segment_ref(b, out->segment) && group_of(b, out->segment) == group && ordinal-- == 0)
			return true;
	return false;
}

static unsigned ordinal_of(struct merged_block *b, const struct metric_runs *runs, const struct scan_run *of)
{
	struct metric_run run;
	unsigned ordinal = 0;
	for (size_t k = 0; metric_runs_of(runs, of->metric, k, &run) && run.segment != of->segment; k++)
		ordinal += segment_ref(b, run.segment) && group_of(b, run.segment) == of->group;
	return ordinal;
}

/* Whether the bytes are far away; else announcing them is of no use, only making slots is. */
static bool is_far(struct merged_block *b, struct holdings *h, uint32_t segment)
{
	const struct merged_segment_ref *ref = segment_ref(b, segment);
	if (!ref)
		return false;
	if (!ref->is_synthetic)
		return source_chunks_takes_hints(h->chunks, ref->source, ref->segment);
	struct catalogue_block *const *sources;
	size_t n = merged_block_sources(b, &sources);
	for (size_t i = 0; i < n; i++)
		if (sources[i]->n_segments && source_chunks_takes_hints(h->chunks, (uint16_t)i, 0))
			return true;
	return false;
}

static void announce_segment(
	struct merged_block *b, struct holdings *h, uint32_t segment, uint64_t from, uint64_t to)
{
	const struct merged_segment_ref *ref = segment_ref(b, segment);
	struct blob *blob = NULL;
	if (!ref)
		return;
	metric_add(announced_bytes, to - from);
	if (ref->is_synthetic)
		merged_slots_announce(b, h, ref->segment, from, to - from);
	else if (source_chunks_segment(h->chunks, ref->source, ref->segment, &blob, NULL) == 0)
		blob_will_read(blob, from, to - from);
}

static void follow(struct prefetch *p, struct merged_block *b, struct holdings *h,
	const struct scan_advice *advice, uint64_t metric)
{
	bool far = is_far(b, h, advice->segment);
	const struct merged_segment_ref *ref = segment_ref(b, advice->segment);
	if (far)
		announce_segment(b, h, advice->segment, advice->from, advice->to);
	if (!advice->is_scan || !ref)
		return;
	metric_add(scans, 1);
	if (!ref->is_synthetic)
		return;
	struct job make = { .kind = JOB_MAKE,
		.block = b,
		.advice = *advice,
		.start = advice->from,
		.is_last = !far,
		.metric = metric };
	pthread_mutex_lock(&p->lock);
	push_locked(p, &make);
	pthread_mutex_unlock(&p->lock);
}

/* The heads of the block's segments, which whoever opens it reads one after the other. */
static void announce_heads(struct merged_block *b, struct holdings *h)
{
	if (atomic_exchange(&h->heads_announced, true))
		return;
	for (uint32_t i = 0; i < b->state.merge.segments.len; i++)
		if (!b->state.merge.segments.data[i].is_synthetic && is_far(b, h, i))
			announce_segment(b, h, i, 0, HEAD_BYTES);
}

static void read_head(struct prefetch *p, struct merged_block *b, struct holdings *h)
{
	size_t at;
	announce_heads(b, h);
	pthread_mutex_lock(&p->lock);
	if (find_locked(p, b, &at))
		for (size_t i = at + 1; i < p->blocks.len && i <= at + HEAD_BLOCKS; i++)
			push_locked(p, &(struct job){ .kind = JOB_HEADS, .block = p->blocks.data[i] });
	pthread_mutex_unlock(&p->lock);
}

static void push_hops_locked(struct prefetch *p, size_t at, const struct scan_run *run,
	const struct scan_wave *wave, unsigned ordinal)
{
	unsigned last = wave->last;
	if (wave->is_scan)
		last = MIN_OF(last, SCAN_AT_ONCE / SCAN_WINDOW_BYTES);
	for (unsigned hop = 1; hop <= last; hop++) {
		size_t to = wave->side < 0 ? at - hop : at + hop; /* below the first it is beyond the last */
		if (to >= p->blocks.len)
			return;
		push_locked(p, &(struct job){ .kind = JOB_WAVE,
				       .block = p->blocks.data[to],
				       .wave = *wave,
				       .hop = hop,
				       .ordinal = ordinal,
				       .metric = run->metric,
				       .group = run->group });
	}
}

static void push_wave_locked(struct prefetch *p, const struct merged_block *b, const struct scan_run *run,
	const struct scan_wave *wave, unsigned ordinal)
{
	size_t at;
	struct scan_wave back = *wave;
	if (!wave->last || !find_locked(p, b, &at))
		return;
	push_hops_locked(p, at, run, wave, ordinal);
	back.side = -wave->side;
	back.last = wave->others;
	push_hops_locked(p, at, run, &back, ordinal);
}

/*
 * The run that a read is for. What the kernel reads around the last page of a run that is being scanned reaches into the
 * next one, which nobody has asked for.
 */
static bool find_read_run(struct prefetch *p, const struct metric_runs *runs, uint32_t segment, uint64_t at,
	uint64_t n, struct metric_run *out)
{
	struct metric_run before;
	if (!metric_runs_at(runs, segment, scan_point(at, n), out))
		return false;
	if (at >= out->from || !metric_runs_at(runs, segment, at, &before))
		return true;
	pthread_mutex_lock(&p->lock);
	if (scan_policy_is_scanned(p->policy, before.metric, p->now_us()))
		*out = before;
	pthread_mutex_unlock(&p->lock);
	return true;
}

void prefetch_read(struct prefetch *p, struct merged_block *b, struct holdings *h, uint32_t segment,
	uint64_t at, uint64_t n)
{
	if (!p || n == 0)
		return;
	if (at == 0) {
		if (is_far(b, h, segment))
			read_head(p, b, h);
		return;
	}
	struct metric_run found;
	const struct metric_runs *runs = merged_block_runs(b, h);
	if (!runs || !find_read_run(p, runs, segment, at, n, &found))
		return;
	struct scan_run run = scan_run_of(b, &found);
	struct scan_advices advices = { 0 };
	struct scan_wave wave;
	pthread_mutex_lock(&p->lock);
	scan_policy_touch(p->policy, &run, at, n, p->now_us(), &advices, &wave);
	pthread_mutex_unlock(&p->lock);
	if (advices.len == 0 && !wave.last)
		return;
	vec_each (a, &advices)
		if (a->block == run.block)
			follow(p, b, h, a, run.metric);
	unsigned ordinal = wave.last ? ordinal_of(b, runs, &run) : 0;
	bool far = is_far(b, h, segment);
	pthread_mutex_lock(&p->lock);
	vec_each (a, &advices) {
		struct merged_block *other = a->block == run.block ? NULL : block_of_id_locked(p, a->block);
		if (other)
			push_locked(p, &(struct job){ .kind = JOB_ADVICE,
					       .block = other,
					       .advice = *a,
					       .metric = run.metric });
	}
	if (far || wave.is_scan)
		push_wave_locked(p, b, &run, &wave, ordinal);
	pthread_mutex_unlock(&p->lock);
	vec_fini(&advices);
}

static void do_wave(struct prefetch *p, struct job *j, struct holdings *h)
{
	struct metric_run found;
	const struct metric_runs *runs = merged_block_runs(j->block, h);
	if (!runs || !find_run(j->block, runs, j->metric, j->group, j->ordinal, &found))
		return;
	struct scan_run run = scan_run_of(j->block, &found);
	struct scan_advices advices = { 0 };
	pthread_mutex_lock(&p->lock);
	scan_policy_match(p->policy, &run, &j->wave, j->hop, p->now_us(), &advices);
	pthread_mutex_unlock(&p->lock);
	vec_each (a, &advices)
		follow(p, j->block, h, a, j->metric);
	vec_fini(&advices);
}

/* One piece; true: there is more to do. */
static bool do_make(struct prefetch *p, struct job *j, struct holdings *h)
{
	const struct merged_segment_ref *ref = segment_ref(j->block, j->advice.segment);
	pthread_mutex_lock(&p->lock);
	bool is_wanted = !p->is_stopping && scan_policy_is_scanned(p->policy, j->metric, p->now_us());
	pthread_mutex_unlock(&p->lock);
	if (!ref || !is_wanted)
		return false;
	uint64_t n = MIN_OF(j->advice.to - j->advice.from, PIECE_BYTES);
	merged_slots_make_ahead(j->block, h, ref->segment, j->advice.from, n, j->is_last);
	j->advice.from += n;
	if (j->advice.from < j->advice.to)
		return true;
	j->advice.from = j->start;
	bool again = !j->is_last;
	j->is_last = true;
	return again;
}

static bool do_job(struct prefetch *p, struct job *j)
{
	struct holdings *h;
	struct err e;
	bool again = false;
	if (merged_block_acquire(j->block, &h, &e) < 0)
		return false; /* who reads it will say why */
	switch (j->kind) {
	case JOB_ADVICE: follow(p, j->block, h, &j->advice, j->metric); break;
	case JOB_WAVE: do_wave(p, j, h); break;
	case JOB_HEADS: announce_heads(j->block, h); break;
	case JOB_MAKE: again = do_make(p, j, h); break;
	}
	merged_block_give_back(j->block);
	return again;
}

/* Does a job that was taken out and, where there is more of it to do, queues it behind the others. */
static void work_off(struct prefetch *p, struct job *j)
{
	if (do_job(p, j)) {
		pthread_mutex_lock(&p->lock);
		push_locked(p, j);
		pthread_mutex_unlock(&p->lock);
	}
	job_free(j);
}

static void run(struct prefetch *p, struct jobs *q, pthread_cond_t *has)
{
	pthread_mutex_lock(&p->lock);
	while (!p->is_stopping) {
		struct job *j = pop_locked(q);
		if (!j) {
			pthread_cond_wait(has, &p->lock);
			continue;
		}
		pthread_mutex_unlock(&p->lock);
		work_off(p, j);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
}

static void *announcer(void *arg)
{
	struct prefetch *p = arg;
	run(p, &p->announcements, &p->has_announcements);
	return NULL;
}

static void *maker(void *arg)
{
	struct prefetch *p = arg;
	setpriority(PRIO_PROCESS, (id_t)gettid(), MAKER_NICE); /* of this thread alone */
	run(p, &p->makes, &p->has_makes);
	return NULL;
}

void prefetch_drain(struct prefetch *p)
{
	for (;;) {
		pthread_mutex_lock(&p->lock);
		struct job *j = pop_locked(&p->announcements);
		if (!j)
			j = pop_locked(&p->makes);
		pthread_mutex_unlock(&p->lock);
		if (!j)
			return;
		work_off(p, j);
	}
}
