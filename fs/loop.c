/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request loop. A thread reads one request into a slot of its own and serves it to the end. Requests are copied, not spliced,
 * and the slot's pages are there before the first read: a read that has to make them, and is killed meanwhile, makes the kernel
 * answer EIO to the program that asked.
 *
 *	threads	    those that exist
 *	idle	    of them, those that wait in read(2)
 *	threads - idle are serving; when the last idle one takes a request it starts another, up to one a slot
 *	slot	    unique 0: free or waiting; else the request is being served, or died with its process
 *
 * A request that is about to be given up (suspects.h) is served alone: it waits until nothing is served, and what comes meanwhile
 * waits for it. Both only for so long, so that one that is stuck doesn't hold up the rest.
 */
#include "fs/loop.h"

#include "fs/fuse_api.h"
#include "fs/fuse_kernel.h"
#include "fs/shared_state.h"
#include "fs/suspects.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define IDLE_SPARE     4u /* idle threads beyond the wanted ones before one ends */
#define STACK_BYTES    (4u << 20)
#define SUSPECT_WAIT_S 300 /* longer than a hang takes to be noticed: what is in the way may be as bad */
#define OTHERS_WAIT_S  10
#define WAKE_SIGNAL    SIGURG /* ignored by default, so a late one harms nobody */

struct worker {
	pthread_t thread;
	struct loop *loop;
	unsigned slot;
	struct worker *next;
};

struct loop {
	struct loop_options options;
	bool owns_slots;
	atomic_bool end;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned threads, idle;
	pthread_cond_t may_serve;
	unsigned serving, suspected; /* requests; those to be served alone, also while they wait */
	uint64_t slots_taken;        /* a bit each */
	struct worker *workers;      /* those that exist, to be woken at the end */
	struct worker
		*ended; /* the last that ended, to be joined: libfuse has something to free at its very end */
};

_Static_assert(SHARED_SLOTS <= 64, "a bit a slot");

static _Thread_local uint64_t request_unique;

uint64_t loop_request_unique(void)
{
	return request_unique;
}

void loop_set_request_unique(uint64_t unique)
{
	request_unique = unique;
}

static void on_wake(int sig)
{
	(void)sig; /* makes read(2) give up; nothing else */
}

static int start_worker_locked(struct loop *l);

static void join(struct worker *w)
{
	if (w)
		pthread_join(w->thread, NULL);
	free(w);
}

static struct fuse_in_header *slot_of(const struct loop *l, unsigned i)
{
	return (void *)((uint8_t *)l->options.slots.base + l->options.slots.stride * i);
}

/* Stored at once and in this order: whoever serves after us looks at it. */
static void set_unique(struct fuse_in_header *slot, uint64_t unique)
{
	__atomic_store_n(&slot->unique, unique, __ATOMIC_RELEASE);
}

static uint64_t unique_of(const struct fuse_in_header *slot)
{
	return __atomic_load_n(&slot->unique, __ATOMIC_ACQUIRE);
}

/* Writes to each page of the slot what is there. */
static void touch(const struct loop *l, struct fuse_in_header *slot)
{
	volatile uint8_t *p = (volatile uint8_t *)slot;
	for (size_t i = 0; i < l->options.slots.stride; i += 4096)
		p[i] = p[i];
}

static void deadline_ms(unsigned ms, struct timespec *until)
{
	clock_gettime(CLOCK_MONOTONIC, until);
	until->tv_sec += ms / 1000;
	until->tv_nsec += (long)(ms % 1000) * 1000000;
	if (until->tv_nsec >= 1000000000) {
		until->tv_sec++;
		until->tv_nsec -= 1000000000;
	}
}

static void begin_serving_locked(struct loop *l, bool is_suspect)
{
	struct timespec until;
	l->suspected += is_suspect;
	if (l->suspected)
		deadline_ms((is_suspect ? SUSPECT_WAIT_S : OTHERS_WAIT_S) * 1000, &until);
	int r = 0;
	while (r == 0 && (is_suspect ? l->serving : l->suspected))
		r = pthread_cond_timedwait(&l->may_serve, &l->lock, &until);
	l->serving++;
}

static void end_serving_locked(struct loop *l, bool is_suspect)
{
	l->serving--;
	l->suspected -= is_suspect;
	if (is_suspect || l->suspected)
		pthread_cond_broadcast(&l->may_serve);
}

static void process(
	struct loop *l, unsigned i, struct fuse_in_header *slot, size_t n, uint64_t number, unsigned deaths)
{
	struct fuse_buf buf = { .size = n, .mem = slot };
	struct suspects *suspects = l->options.suspects;
	if (suspects)
		suspects_begin(suspects, i, number);
	loop_set_request_unique(number);
	if (deaths < SUSPECTS_LIMIT)
		fuse_session_process_buf(l->options.se, &buf);
	else
		l->options.give_up(l->options.arg, slot, n, number, deaths);
	loop_set_request_unique(0);
	set_unique(slot, 0);
	if (suspects)
		suspects_end(suspects, i);
}

/* A request that somebody died over. Where it was answered after all the kernel says so, and nobody minds. */
static void replay(struct loop *l, unsigned i, struct fuse_in_header *slot, unsigned deaths)
{
	uint64_t unique = unique_of(slot);
	size_t n = slot->len;
	if (unique && n >= sizeof *slot && n <= l->options.slots.stride)
		process(l, i, slot, n, unique | LOOP_RESENT, deaths);
}

/* The size of the next request; 0: the connection has ended. */
static size_t receive(struct loop *l, struct fuse_in_header *slot)
{
	while (!atomic_load(&l->end)) {
		ssize_t n = read(l->options.fd, slot, l->options.slots.stride);
		if (n >= (ssize_t)sizeof *slot)
			return (size_t)n;
		/* ENOENT: it was withdrawn while we read it. */
		if (n < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT) {
			if (errno != ENODEV)
				log_error("requests can't be read", KV("err", strerror(errno)));
			return 0;
		}
	}
	return 0;
}

/* Whether this thread goes on; it has left the set of idle ones meanwhile. */
static bool serve_one(struct loop *l, unsigned i, struct fuse_in_header *slot, size_t n)
{
	unsigned deaths = l->options.suspects ? suspects_deaths(l->options.suspects, unique_of(slot)) : 0;
	bool is_suspect = deaths == SUSPECTS_LIMIT - 1;
	pthread_mutex_lock(&l->lock);
	if (!--l->idle && l->threads < l->options.slots.n && !atomic_load(&l->end))
		start_worker_locked(l);
	begin_serving_locked(l, is_suspect);
	pthread_mutex_unlock(&l->lock);

	if (n)
		process(l, i, slot, n, unique_of(slot), deaths);
	else
		replay(l, i, slot, deaths);

	pthread_mutex_lock(&l->lock);
	end_serving_locked(l, is_suspect);
	bool stays = ++l->idle <= l->options.idle + IDLE_SPARE;
	pthread_mutex_unlock(&l->lock);
	return stays;
}

static void *serve(void *arg)
{
	struct worker *me = arg;
	struct loop *l = me->loop;
	struct fuse_in_header *slot = slot_of(l, me->slot);
	touch(l, slot);
	bool stays = true;
	if (unique_of(slot))
		stays = serve_one(l, me->slot, slot, 0);
	set_unique(slot, 0);
	for (size_t n; stays && (n = receive(l, slot)) > 0;)
		stays = serve_one(l, me->slot, slot, n);

	pthread_mutex_lock(&l->lock);
	l->idle--;
	l->threads--;
	l->slots_taken &= ~(1ull << me->slot);
	struct worker **at = &l->workers, *before = l->ended;
	while (*at != me)
		at = &(*at)->next;
	*at = me->next;
	l->ended = me;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	/* Each joins the one before it, so that there is never more than one left. */
	join(before);
	return NULL;
}

/* One with a request to be replayed, if there is any. */
static unsigned pick_slot_locked(const struct loop *l)
{
	unsigned pick = 0;
	while (l->slots_taken >> pick & 1)
		pick++;
	for (unsigned i = 0; i < l->options.slots.n; i++)
		if (!(l->slots_taken >> i & 1) && unique_of(slot_of(l, i)))
			return i;
	return pick;
}

/* The new thread blocks every signal but the one that wakes it: the program handles the others elsewhere. */
static int start_worker_locked(struct loop *l)
{
	struct worker *w = xcalloc(1, sizeof *w);
	w->loop = l;
	w->slot = pick_slot_locked(l);
	int r = thread_start(&w->thread, STACK_BYTES, WAKE_SIGNAL, serve, w);
	if (r < 0) {
		free(w);
		return r;
	}
	w->next = l->workers;
	l->workers = w;
	l->slots_taken |= 1ull << w->slot;
	l->threads++;
	l->idle++;
	return 0;
}

/* Forgets what is not to be replayed; the number of slots that are. */
static unsigned prepare_slots(struct loop *l)
{
	unsigned left = 0;
	for (unsigned i = 0; i < l->options.slots.n; i++) {
		if (!l->options.replay)
			set_unique(slot_of(l, i), 0);
		left += unique_of(slot_of(l, i)) != 0;
	}
	return left;
}

static int make_slots(struct loop_slots *s, struct err *e)
{
	*s = (struct loop_slots){ .stride = SHARED_SLOT_BYTES, .n = SHARED_SLOTS };
	s->base = mmap(NULL, s->stride * s->n, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return s->base == MAP_FAILED ? err_errno(e, -errno, "making room for requests") : 0;
}

int loop_start(const struct loop_options *options, struct loop **out, struct err *e)
{
	struct sigaction wake = { .sa_handler = on_wake };
	sigaction(WAKE_SIGNAL, &wake, NULL);

	struct loop *l = xcalloc(1, sizeof *l);
	l->options = *options;
	if (!options->slots.base) {
		int r = make_slots(&l->options.slots, e);
		if (r < 0) {
			free(l);
			return r;
		}
		l->owns_slots = true;
	}
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &monotonic);
	pthread_cond_init(&l->may_serve, &monotonic);
	pthread_condattr_destroy(&monotonic);

	unsigned first = MAX_OF(options->idle, prepare_slots(l));
	pthread_mutex_lock(&l->lock);
	int r = 0;
	for (unsigned i = 0; i < first && l->threads < l->options.slots.n && r == 0; i++)
		r = start_worker_locked(l);
	bool some = l->threads > 0;
	pthread_mutex_unlock(&l->lock);
	if (!some) {
		loop_free(l);
		return err_errno(e, r, "starting a thread");
	}
	*out = l;
	return 0;
}

int loop_wait_ms(struct loop *l, unsigned ms)
{
	struct timespec until;
	deadline_ms(ms, &until);
	int r = 0;
	pthread_mutex_lock(&l->lock);
	while (l->threads && r == 0)
		r = pthread_cond_timedwait(&l->changed, &l->lock, &until);
	r = l->threads ? -ETIMEDOUT : 0;
	pthread_mutex_unlock(&l->lock);
	return r;
}

void loop_end(struct loop *l)
{
	atomic_store(&l->end, true);
	/* A signal that comes just before read(2) is lost, so it is sent until everybody has gone. */
	do {
		pthread_mutex_lock(&l->lock);
		for (struct worker *w = l->workers; w; w = w->next)
			pthread_kill(w->thread, WAKE_SIGNAL);
		pthread_mutex_unlock(&l->lock);
	} while (loop_wait_ms(l, 10) < 0);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	join(l->ended);
	if (l->owns_slots)
		munmap(l->options.slots.base, l->options.slots.stride * l->options.slots.n);
	pthread_cond_destroy(&l->changed);
	pthread_cond_destroy(&l->may_serve);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
