/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of bounded size, and a thread that works it off.
 *
 *	pages	in order of due times: the delay is one constant. When there are too many, a file's ranges become all of it
 *	names	due at once, like nodes
 */
#include "fs/invalidate.h"

#include "fs/fuse_kernel.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

METRIC_COUNTER(pages_dropped, "thanosfs_page_invalidations_total",
	"Ranges dropped from the page cache because they had been answered with zeros.");

#define PAGES_DELAY_US 200000
#define MERGE_LOOKBACK 64u
#define PAGES_MAX      4096u
#define NAMES_MAX      4096u
#define NODES_MAX      1024u
#define BATCH          64u

struct page_range {
	int64_t due_us;
	uint64_t id, at, end; /* end 0: all of the file */
};

struct owed {
	uint32_t n_pages, n_names, n_nodes, unused;
	struct page_range pages[PAGES_MAX];
	char names[NAMES_MAX][LINK_NAME_BYTES];
	uint64_t nodes[NODES_MAX];
};

struct invalidate {
	int link; /* >= 0: all goes there, and nothing below is used */

	int fuse_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under lock */
	bool stop, has_ended, said_lost;
	struct owed *owed;
	void *heap; /* owed, if it is ours */
};

size_t invalidate_owed_bytes(void)
{
	return sizeof(struct owed);
}

static void notify(int fuse_fd, int code, const void *what, size_t n, const char *name)
{
	size_t name_bytes = name ? strlen(name) + 1 : 0;
	struct fuse_out_header head = { .len = (uint32_t)(sizeof head + n + name_bytes), .error = code };
	struct iovec parts[] = { { &head, sizeof head }, { (void *)(uintptr_t)what, n },
		{ (void *)(uintptr_t)name, name_bytes } };
	while (writev(fuse_fd, parts, name ? 3 : 2) < 0 && errno == EINTR)
		; /* whatever else it says: the kernel doesn't have it */
}

static void notify_node(int fuse_fd, uint64_t id, uint64_t at, uint64_t n)
{
	struct fuse_notify_inval_inode_out what = { .ino = id, .off = (int64_t)at, .len = (int64_t)n };
	notify(fuse_fd, FUSE_NOTIFY_INVAL_INODE, &what, sizeof what, NULL);
}

static void notify_name(int fuse_fd, const char *name)
{
	struct fuse_notify_inval_entry_out what = { .parent = FUSE_ROOT_ID,
		.namelen = (uint32_t)strlen(name) };
	notify(fuse_fd, FUSE_NOTIFY_INVAL_ENTRY, &what, sizeof what, name);
}

static void wait_until_locked(struct invalidate *v, int64_t due_us)
{
	struct timespec t = { .tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000 };
	pthread_cond_timedwait(&v->changed, &v->lock, &t);
}

/* Told without the lock. */
static void run_names_locked(struct invalidate *v)
{
	struct owed *o = v->owed;
	char names[BATCH][LINK_NAME_BYTES];
	unsigned n = MIN_OF(o->n_names, BATCH);
	memcpy(names, o->names, n * sizeof *names);
	o->n_names -= n;
	memmove(o->names, o->names + n, o->n_names * sizeof *o->names);
	pthread_mutex_unlock(&v->lock);
	for (unsigned i = 0; i < n; i++)
		notify_name(v->fuse_fd, names[i]);
	pthread_mutex_lock(&v->lock);
}

static void run_nodes_locked(struct invalidate *v)
{
	struct owed *o = v->owed;
	uint64_t nodes[BATCH];
	unsigned n = MIN_OF(o->n_nodes, BATCH);
	memcpy(nodes, o->nodes, n * sizeof *nodes);
	o->n_nodes -= n;
	memmove(o->nodes, o->nodes + n, o->n_nodes * sizeof *o->nodes);
	pthread_mutex_unlock(&v->lock);
	for (unsigned i = 0; i < n; i++)
		notify_node(v->fuse_fd, nodes[i], 0, 0);
	pthread_mutex_lock(&v->lock);
}

static void run_pages_locked(struct invalidate *v, int64_t now)
{
	struct owed *o = v->owed;
	struct page_range due[BATCH];
	unsigned n = 0;
	while (n < o->n_pages && n < BATCH && o->pages[n].due_us <= now)
		n++;
	memcpy(due, o->pages, n * sizeof *due);
	o->n_pages -= n;
	memmove(o->pages, o->pages + n, o->n_pages * sizeof *o->pages);
	pthread_mutex_unlock(&v->lock);
	for (unsigned i = 0; i < n; i++)
		notify_node(v->fuse_fd, due[i].id, due[i].at, due[i].end - due[i].at);
	metric_add(pages_dropped, n);
	pthread_mutex_lock(&v->lock);
}

static void *serve(void *arg)
{
	struct invalidate *v = arg;
	struct owed *o = v->owed;
	pthread_mutex_lock(&v->lock);
	while (!v->stop) {
		int64_t now = clock_monotonic_us();
		if (o->n_names)
			run_names_locked(v);
		else if (o->n_nodes)
			run_nodes_locked(v);
		else if (!o->n_pages)
			pthread_cond_wait(&v->changed, &v->lock);
		else if (o->pages[0].due_us > now)
			wait_until_locked(v, o->pages[0].due_us);
		else
			run_pages_locked(v, now);
	}
	v->has_ended = true;
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

struct invalidate *invalidate_start(int fuse_fd, void *owed)
{
	struct invalidate *v = xcalloc(1, sizeof *v);
	v->link = -1;
	v->fuse_fd = fuse_fd;
	v->heap = owed ? NULL : xcalloc(1, sizeof(struct owed));
	v->owed = owed ? owed : v->heap;
	/* Another version of this program may have left it. */
	v->owed->n_pages = MIN_OF(v->owed->n_pages, PAGES_MAX);
	v->owed->n_names = MIN_OF(v->owed->n_names, NAMES_MAX);
	v->owed->n_nodes = MIN_OF(v->owed->n_nodes, NODES_MAX);
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

struct invalidate *invalidate_over_link(int fd)
{
	struct invalidate *v = xcalloc(1, sizeof *v);
	v->link = fd;
	return v;
}

bool invalidate_end_ms(struct invalidate *v, unsigned ms)
{
	if (v->link >= 0)
		return true;
	int64_t until = clock_monotonic_us() + (int64_t)ms * 1000;
	pthread_mutex_lock(&v->lock);
	v->stop = true;
	pthread_cond_broadcast(&v->changed);
	while (!v->has_ended && clock_monotonic_us() < until)
		wait_until_locked(v, until);
	bool ended = v->has_ended;
	pthread_mutex_unlock(&v->lock);
	return ended;
}

void invalidate_go_on(struct invalidate *v)
{
	pthread_mutex_lock(&v->lock);
	v->stop = false;
	bool has_ended = v->has_ended;
	v->has_ended = false;
	pthread_mutex_unlock(&v->lock);
	if (!has_ended)
		return;
	/* It ended after all, between the two. */
	pthread_join(v->thread, NULL);
	if (pthread_create(&v->thread, NULL, serve, v) != 0)
		abort();
}

void invalidate_free(struct invalidate *v)
{
	if (!v)
		return;
	if (v->link < 0) {
		invalidate_end_ms(v, 0);
		pthread_join(v->thread, NULL);
		pthread_cond_destroy(&v->changed);
		pthread_mutex_destroy(&v->lock);
		free(v->heap);
	}
	free(v);
}

static void tell(struct invalidate *v, const struct link_message *m)
{
	/* Without anybody there, this process is about to end. */
	link_send(v->link, m, NULL, 0);
}

/* Only ever hit where thousands of files are answered with zeros within a moment. */
static void say_lost_locked(struct invalidate *v)
{
	if (!v->said_lost)
		log_warn("too much for the kernel to forget at once: some of it may stay cached");
	v->said_lost = true;
}

/* All ranges of this file become one. */
static bool coalesce_locked(struct owed *o, uint64_t id)
{
	unsigned kept = 0;
	bool found = false;
	for (unsigned i = 0; i < o->n_pages; i++) {
		struct page_range p = o->pages[i];
		if (p.id == id && found)
			continue;
		if (p.id == id)
			p.at = p.end = 0;
		found |= p.id == id;
		o->pages[kept++] = p;
	}
	o->n_pages = kept;
	return found;
}

static void push_pages_locked(struct invalidate *v, uint64_t id, uint64_t at, uint64_t end)
{
	struct owed *o = v->owed;
	for (unsigned i = o->n_pages; i && i + MERGE_LOOKBACK > o->n_pages; i--) {
		const struct page_range *p = &o->pages[i - 1];
		/* Read again meanwhile: the pages it covers are there once more, and go at the same time. */
		if (p->id == id && (!p->end || (p->at <= at && p->end >= end)))
			return;
	}
	if (o->n_pages == PAGES_MAX && coalesce_locked(o, id))
		return;
	if (o->n_pages == PAGES_MAX) {
		coalesce_locked(o, o->pages[0].id);
		if (o->n_pages == PAGES_MAX) {
			say_lost_locked(v);
			return;
		}
	}
	o->pages[o->n_pages++] = (struct page_range){ clock_monotonic_us() + PAGES_DELAY_US, id, at, end };
	pthread_cond_signal(&v->changed);
}

void invalidate_pages(struct invalidate *v, uint64_t id, uint64_t at, size_t n)
{
	if (v->link >= 0) {
		tell(v, &(struct link_message){ .kind = LINK_DROP_PAGES, .node = id, .at = at, .bytes = n });
		metric_add(pages_dropped, 1);
		return;
	}
	pthread_mutex_lock(&v->lock);
	push_pages_locked(v, id, at, at + n);
	pthread_mutex_unlock(&v->lock);
}

void invalidate_root_entry(struct invalidate *v, const char *name)
{
	struct link_message m = { .kind = LINK_DROP_NAME };
	size_t n = strlen(name);
	if (n >= sizeof m.name)
		return;
	memcpy(m.name, name, n);
	if (v->link >= 0) {
		tell(v, &m);
		return;
	}
	pthread_mutex_lock(&v->lock);
	if (v->owed->n_names < NAMES_MAX)
		memcpy(v->owed->names[v->owed->n_names++], m.name, sizeof m.name);
	else
		say_lost_locked(v);
	pthread_cond_signal(&v->changed);
	pthread_mutex_unlock(&v->lock);
}

void invalidate_node(struct invalidate *v, uint64_t id)
{
	if (v->link >= 0) {
		tell(v, &(struct link_message){ .kind = LINK_DROP_NODE, .node = id });
		return;
	}
	pthread_mutex_lock(&v->lock);
	struct owed *o = v->owed;
	unsigned i = 0;
	while (i < o->n_nodes && o->nodes[i] != id)
		i++;
	if (i == NODES_MAX)
		say_lost_locked(v);
	else if (i == o->n_nodes)
		o->nodes[o->n_nodes++] = id;
	pthread_cond_signal(&v->changed);
	pthread_mutex_unlock(&v->lock);
}

void invalidate_message(struct invalidate *v, const struct link_message *m)
{
	switch (m->kind) {
	case LINK_DROP_PAGES: invalidate_pages(v, m->node, m->at, m->bytes); break;
	case LINK_DROP_NAME: invalidate_root_entry(v, m->name); break;
	case LINK_DROP_NODE: invalidate_node(v, m->node); break;
	default: break;
	}
}
