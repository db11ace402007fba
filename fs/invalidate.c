/* SPDX-License-Identifier: Apache-2.0 */
/* A queue in order of due times (the delay is one constant, the rest is due at once and goes first) and its
 * thread. */
#include "fs/invalidate.h"

#include "fs/fuse_api.h"
#include "fs/node_id.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/vec.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

METRIC_COUNTER(pages_dropped, "thanosfs_page_invalidations_total",
	"Ranges dropped from the page cache because they had been answered with zeros.");

#define PAGES_DELAY_US 200000
#define MERGE_LOOKBACK 64u

struct page_range {
	int64_t due_us;
	uint64_t id, at, end;
};

struct invalidate {
	struct fuse_session *se;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	VEC(struct page_range) pages; /* by due time */
	VEC(char *) names;
	VEC(uint64_t) nodes;
};

/* Done without the lock: each of these waits for the kernel. */
static void run_now(struct invalidate *v, char **names, size_t n_names, const uint64_t *nodes, size_t n_nodes)
{
	for (size_t i = 0; i < n_names; i++) {
		fuse_lowlevel_notify_inval_entry(v->se, FUSE_ROOT_ID, names[i], strlen(names[i]));
		free(names[i]);
	}
	for (size_t i = 0; i < n_nodes; i++)
		fuse_lowlevel_notify_inval_inode(v->se, nodes[i], 0, 0);
	free(names);
}

static void wait_until_locked(struct invalidate *v, int64_t due_us)
{
	struct timespec t = { .tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000 };
	pthread_cond_timedwait(&v->changed, &v->lock, &t);
}

static void *serve(void *arg)
{
	struct invalidate *v = arg;
	pthread_mutex_lock(&v->lock);
	while (!v->stop) {
		if (v->names.len || v->nodes.len) {
			char **names = take(v->names.data);
			uint64_t *nodes = take(v->nodes.data);
			size_t n_names = v->names.len, n_nodes = v->nodes.len;
			v->names.len = v->names.cap = v->nodes.len = v->nodes.cap = 0;
			pthread_mutex_unlock(&v->lock);
			run_now(v, names, n_names, nodes, n_nodes);
			free(nodes);
			pthread_mutex_lock(&v->lock);
		} else if (!v->pages.len) {
			pthread_cond_wait(&v->changed, &v->lock);
		} else if (v->pages.data[0].due_us > clock_monotonic_us()) {
			wait_until_locked(v, v->pages.data[0].due_us);
		} else {
			size_t n = 0;
			int64_t now = clock_monotonic_us();
			while (n < v->pages.len && v->pages.data[n].due_us <= now)
				n++;
			struct page_range *due = xmalloc(n * sizeof *due);
			memcpy(due, v->pages.data, n * sizeof *due);
			v->pages.len -= n;
			memmove(v->pages.data, v->pages.data + n, v->pages.len * sizeof *due);
			pthread_mutex_unlock(&v->lock);
			for (size_t i = 0; i < n; i++)
				fuse_lowlevel_notify_inval_inode(
					v->se, due[i].id, (off_t)due[i].at, (off_t)(due[i].end - due[i].at));
			metric_add(pages_dropped, n);
			free(due);
			pthread_mutex_lock(&v->lock);
		}
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

struct invalidate *invalidate_start(struct fuse_session *se)
{
	struct invalidate *v = xcalloc(1, sizeof *v);
	v->se = se;
	pthread_mutex_init(&v->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&v->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&v->thread, NULL, serve, v) != 0)
		abort(); /* like running out of memory */
	return v;
}

void invalidate_stop(struct invalidate *v)
{
	if (!v)
		return;
	pthread_mutex_lock(&v->lock);
	v->stop = true;
	pthread_cond_signal(&v->changed);
	pthread_mutex_unlock(&v->lock);
	pthread_join(v->thread, NULL);
	vec_each (name, &v->names)
		free(*name);
	vec_fini(&v->names);
	vec_fini(&v->nodes);
	vec_fini(&v->pages);
	pthread_cond_destroy(&v->changed);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

void invalidate_pages(struct invalidate *v, uint64_t id, uint64_t at, size_t n)
{
	pthread_mutex_lock(&v->lock);
	struct page_range *merged = NULL;
	for (size_t i = v->pages.len; i && i + MERGE_LOOKBACK > v->pages.len && !merged; i--) {
		struct page_range *p = &v->pages.data[i - 1];
		if (p->id == id && at <= p->end && p->at <= at + n)
			merged = p;
	}
	if (merged && merged->at <= at && merged->end >= at + n) {
		/* Read again meanwhile: the pages it covers are there once more, and go at the same time. */
	} else {
		vec_push(&v->pages,
			(struct page_range){ clock_monotonic_us() + PAGES_DELAY_US, id, at, at + n });
		pthread_cond_signal(&v->changed);
	}
	pthread_mutex_unlock(&v->lock);
}

void invalidate_root_entry(struct invalidate *v, const char *name)
{
	pthread_mutex_lock(&v->lock);
	vec_push(&v->names, xstrdup(name));
	pthread_cond_signal(&v->changed);
	pthread_mutex_unlock(&v->lock);
}

void invalidate_node(struct invalidate *v, uint64_t id)
{
	pthread_mutex_lock(&v->lock);
	vec_push(&v->nodes, id);
	pthread_cond_signal(&v->changed);
	pthread_mutex_unlock(&v->lock);
}
