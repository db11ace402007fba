/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of parts from the reader's on. Part number k lies in ring[k % parts]:
 *
 *	part	bytes		goes on
 *	EMPTY	none		LOADING by a thread, when its number lies in first ... first + parts - 1
 *	LOADING	being written	READY or FAILED, by the same thread
 *	READY	there		EMPTY under another number, when the reader has passed it
 *	FAILED	none		EMPTY, when a read was told
 */
#include "lib/base/blob_ahead.h"

#include "lib/base/deadline.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define TAIL_BYTES  4096u
#define STACK_BYTES (256u << 10)

enum part_state { EMPTY, LOADING, READY, FAILED };

struct part {
	uint64_t number;
	enum part_state state;
	uint8_t *bytes;
	int r;
	struct err err;
};

struct ahead {
	struct blob base;
	struct blob *inner;
	size_t part_bytes;
	unsigned n_parts, n_threads;
	uint64_t total; /* parts of the whole blob */
	uint64_t tail_at;
	struct deadline deadline; /* of who opened it */

	pthread_mutex_t lock;
	pthread_cond_t loaded, wanted;
	/* under lock */
	uint64_t first;
	bool ends;
	struct part tail; /* number is of no meaning */
	struct part *ring;
	pthread_t threads[];
};

static uint64_t part_at(const struct ahead *a, const struct part *p)
{
	return p == &a->tail ? a->tail_at : p->number * a->part_bytes;
}

static size_t part_size(const struct ahead *a, const struct part *p)
{
	if (p == &a->tail)
		return (size_t)(a->base.size - a->tail_at);
	return (size_t)MIN_OF((uint64_t)a->part_bytes, a->base.size - part_at(a, p));
}

/* The part's place in the ring, made ready for that number unless the place is still busy with another. */
static struct part *place_locked(struct ahead *a, uint64_t number)
{
	struct part *p = &a->ring[number % a->n_parts];
	if (p->number != number && p->state != LOADING) {
		p->number = number;
		p->state = EMPTY;
	}
	return p;
}

static struct part *next_wanted_locked(struct ahead *a)
{
	if (a->tail.state == EMPTY)
		return &a->tail;
	for (uint64_t k = a->first; k < a->total && k < a->first + a->n_parts; k++) {
		struct part *p = place_locked(a, k);
		if (p->number == k && p->state == EMPTY)
			return p;
	}
	return NULL;
}

static void *fetch_parts(void *arg)
{
	struct ahead *a = arg;
	deadline_enter(a->deadline);
	pthread_mutex_lock(&a->lock);
	while (!a->ends) {
		struct part *p = next_wanted_locked(a);
		if (!p) {
			pthread_cond_wait(&a->wanted, &a->lock);
			continue;
		}
		p->state = LOADING;
		if (!p->bytes)
			p->bytes = xmalloc(p == &a->tail ? TAIL_BYTES : a->part_bytes);
		uint64_t at = part_at(a, p);
		size_t n = part_size(a, p);
		pthread_mutex_unlock(&a->lock);
		struct err e = { .msg = "" };
		int r = blob_read(a->inner, p->bytes, n, at, &e);
		pthread_mutex_lock(&a->lock);
		p->r = r;
		p->err = e;
		p->state = r < 0 ? FAILED : READY;
		pthread_cond_broadcast(&a->loaded);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Copies from a part when it is there. */
static int read_part_locked(
	struct ahead *a, struct part *p, uint64_t number, void *out, size_t n, uint64_t at, struct err *e)
{
	for (;;) {
		bool is_it = p == &a->tail || p->number == number;
		if (is_it && p->state == READY)
			break;
		if (is_it && p->state == FAILED) {
			p->state = EMPTY;
			if (e)
				*e = p->err;
			pthread_cond_broadcast(&a->wanted);
			return p->r;
		}
		if (!is_it)
			place_locked(a, number);
		pthread_cond_broadcast(&a->wanted);
		pthread_cond_wait(&a->loaded, &a->lock);
		if (number < a->first && p != &a->tail) /* another reader has moved on */
			return 1;
	}
	memcpy(out, p->bytes + (at - part_at(a, p)), n);
	return 0;
}

static int ahead_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct ahead *a = (struct ahead *)b;
	int r = 0;
	while (n > 0 && r == 0) {
		uint64_t number = at / a->part_bytes;
		size_t piece = MIN_OF(n, (size_t)((number + 1) * a->part_bytes - at));
		pthread_mutex_lock(&a->lock);
		if (at >= a->tail_at) {
			r = read_part_locked(a, &a->tail, 0, out, piece, at, e);
		} else if (number < a->first) {
			r = 1;
		} else {
			if (number > a->first) {
				a->first = number;
				pthread_cond_broadcast(&a->wanted);
			}
			r = read_part_locked(a, &a->ring[number % a->n_parts], number, out, piece, at, e);
		}
		pthread_mutex_unlock(&a->lock);
		if (r > 0)
			r = blob_read(a->inner, out, piece, at, e);
		out = (uint8_t *)out + piece;
		at += piece;
		n -= piece;
	}
	return r;
}

static void ahead_close(struct blob *b)
{
	struct ahead *a = (struct ahead *)b;
	pthread_mutex_lock(&a->lock);
	a->ends = true;
	pthread_cond_broadcast(&a->wanted);
	pthread_mutex_unlock(&a->lock);
	for (unsigned i = 0; i < a->n_threads; i++)
		pthread_join(a->threads[i], NULL);
	for (unsigned i = 0; i < a->n_parts; i++)
		free(a->ring[i].bytes);
	free(a->ring);
	free(a->tail.bytes);
	blob_close(a->inner);
	pthread_cond_destroy(&a->loaded);
	pthread_cond_destroy(&a->wanted);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

struct blob *blob_ahead_new(struct blob *inner, const struct blob_ahead_options *options)
{
	static const struct blob_ops ops = { .read = ahead_read, .close = ahead_close };
	struct ahead *a = xcalloc(1, sizeof *a + options->threads * sizeof *a->threads);
	pthread_attr_t attr;
	a->base = (struct blob){ .ops = &ops, .size = inner->size, .name = xstrdup(inner->name) };
	a->inner = inner;
	a->deadline = deadline_get();
	a->part_bytes = options->part_bytes;
	a->n_parts = options->parts;
	a->total = (inner->size + a->part_bytes - 1) / a->part_bytes;
	a->tail_at = inner->size > TAIL_BYTES ? inner->size - TAIL_BYTES : 0;
	if (inner->size == 0)
		a->tail.state = READY;
	a->ring = xcalloc(a->n_parts, sizeof *a->ring);
	for (unsigned i = 0; i < a->n_parts; i++)
		a->ring[i].number = i;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->loaded, NULL);
	pthread_cond_init(&a->wanted, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (a->n_threads < options->threads &&
		pthread_create(&a->threads[a->n_threads], &attr, fetch_parts, a) == 0)
		a->n_threads++;
	pthread_attr_destroy(&attr);
	if (a->n_threads > 0)
		return &a->base;
	/* No thread to be had: the blob itself does. */
	a->inner = NULL;
	blob_close(&a->base);
	return inner;
}
