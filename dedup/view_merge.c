/* SPDX-License-Identifier: Apache-2.0 */
/* The merges of a sync, several at once: as many as there are threads for it, and some more that wait for a distant bucket. */
#include "dedup/block_build.h"
#include "dedup/view_private.h"
#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <errno.h>

#define WAITING_MERGES 8 /* beyond those that merge: their blocks are on the way from a distant bucket */
#define AHEAD_BYTES    (64u << 20) /* of indexes on the way, in all */

METRIC_COUNTER(merges, "thanosfs_merges_total", "Windows whose indexes were merged.")
METRIC_COUNTER(merges_failed, "thanosfs_merges_failed_total", "Index merges that failed.")

struct jobs {
	struct view *view;
	struct block_builder builder;
	sem_t merging; /* as many at once as there are threads for it; the others wait for the bucket */
	struct view_merge *list;
	size_t n;
	_Atomic size_t next, done;
	int64_t reported_us;
	pthread_mutex_t lock;     /* reported_us */
	struct deadline deadline; /* of the thread that syncs */
};

static void report_progress(struct jobs *jobs, size_t done)
{
	pthread_mutex_lock(&jobs->lock);
	int64_t now = clock_monotonic_us();
	bool due = now - jobs->reported_us > 10 * 1000000ll;
	if (due)
		jobs->reported_us = now;
	pthread_mutex_unlock(&jobs->lock);
	if (due)
		log_info("merging indexes", KV_U64("done", done), KV_U64("of", jobs->n));
}

/* The published blocks whose time the window has. */
static void find_predecessors(struct view *v, const struct window *w, struct predecessors *out)
{
	struct view_snapshot *s = view_snapshot(v);
	for (size_t i = 0; i < s->n; i++) {
		const struct merged_block *b = s->blocks[i];
		if (merged_block_min_time(b) < w->max_time && w->min_time < merged_block_max_time(b) &&
			ulid_cmp(merged_block_ulid(b), &w->ulid) != 0)
			predecessors_add(out, merged_block_dir(b));
	}
	view_snapshot_unref(s);
}

static void *run_jobs(void *arg)
{
	struct jobs *jobs = arg;
	struct view *v = jobs->view;
	struct deadline own = deadline_enter(jobs->deadline);
	for (size_t i; (i = atomic_fetch_add(&jobs->next, 1)) < jobs->n;) {
		struct view_merge *j = &jobs->list[i];
		struct predecessors before = { 0 };
		find_predecessors(v, j->window, &before);
		/* Wrong bytes twice: then it's the bucket that has them, and not the way here that made them so. */
		for (int tries = 0; tries == 0 || (tries == 1 && j->result == -EBADMSG); tries++)
			j->result = block_build(
				&jobs->builder, j->window, &before, &j->bad_source, &j->reason, &j->err);
		vec_fini(&before.list);
		metric_add(j->result < 0 ? merges_failed : merges, 1);
		report_progress(jobs, atomic_fetch_add(&jobs->done, 1) + 1);
	}
	deadline_leave(own);
	return NULL;
}

void view_merge(struct view *v, struct view_merge *list, size_t n_list)
{
	struct jobs jobs = { .view = v, .list = list, .n = n_list, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[VIEW_MAX_THREADS + WAITING_MERGES];
	size_t at_once = v->options.threads + (v->bucket->flat_listing ? WAITING_MERGES : 0);
	unsigned want = (unsigned)MIN_OF(at_once, n_list), n = 0;
	jobs.builder = (struct block_builder){ .parent = v->dir,
		.bucket = v->bucket,
		.settings = &v->options.dedup,
		.overrides = v->overrides,
		.ahead_bytes = AHEAD_BYTES / MAX_OF(want, 1u),
		.merging = &jobs.merging };
	sem_init(&jobs.merging, 0, v->options.threads);
	jobs.reported_us = clock_monotonic_us();
	jobs.deadline = deadline_get();
	while (n + 1 < want && pthread_create(&threads[n], NULL, run_jobs, &jobs) == 0)
		n++;
	run_jobs(&jobs);
	while (n > 0)
		pthread_join(threads[--n], NULL);
	sem_destroy(&jobs.merging);
}
