/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table from node id to count, with linear probing; the slot of a node that nobody has open is empty.
 */
#include "fs/open_count.h"

#include <pthread.h>

struct slot {
	uint64_t id; /* 0: empty */
	unsigned count;
};

struct open_count {
	pthread_mutex_t lock;
	struct slot *slots;
	size_t used, mask;
};

#define SLOTS_MIN 64u

struct open_count *open_count_new(void)
{
	struct open_count *c = xcalloc(1, sizeof *c);
	pthread_mutex_init(&c->lock, NULL);
	c->slots = xcalloc(SLOTS_MIN, sizeof *c->slots);
	c->mask = SLOTS_MIN - 1;
	return c;
}

void open_count_free(struct open_count *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c->slots);
	free(c);
}

static size_t home(const struct open_count *c, uint64_t id)
{
	return (size_t)(id * 0x9e3779b97f4a7c15ull >> 20) & c->mask;
}

static struct slot *find_locked(struct open_count *c, uint64_t id)
{
	size_t i = home(c, id);
	while (c->slots[i].id && c->slots[i].id != id)
		i = (i + 1) & c->mask;
	return &c->slots[i];
}

static void grow_locked(struct open_count *c)
{
	struct slot *old = c->slots;
	size_t n = c->mask + 1;
	c->slots = xcalloc(n * 2, sizeof *c->slots);
	c->mask = n * 2 - 1;
	for (size_t i = 0; i < n; i++)
		if (old[i].id)
			*find_locked(c, old[i].id) = old[i];
	free(old);
}

/* Closes the gap, so that every chain of probes stays whole. */
static void empty_locked(struct open_count *c, struct slot *s)
{
	size_t hole = (size_t)(s - c->slots);
	for (size_t i = (hole + 1) & c->mask; c->slots[i].id; i = (i + 1) & c->mask) {
		size_t want = home(c, c->slots[i].id);
		if (((i - want) & c->mask) >= ((i - hole) & c->mask)) {
			c->slots[hole] = c->slots[i];
			hole = i;
		}
	}
	c->slots[hole] = (struct slot){ 0 };
	c->used--;
}

unsigned open_count_add(struct open_count *c, uint64_t id)
{
	pthread_mutex_lock(&c->lock);
	if (c->used * 2 > c->mask)
		grow_locked(c);
	struct slot *s = find_locked(c, id);
	c->used += !s->id;
	s->id = id;
	unsigned n = ++s->count;
	pthread_mutex_unlock(&c->lock);
	return n;
}

bool open_count_drop(struct open_count *c, uint64_t id, unsigned *left)
{
	pthread_mutex_lock(&c->lock);
	struct slot *s = find_locked(c, id);
	bool counted = s->id != 0;
	*left = counted ? --s->count : 0;
	if (counted && !*left)
		empty_locked(c, s);
	pthread_mutex_unlock(&c->lock);
	return counted;
}

unsigned open_count_get(struct open_count *c, uint64_t id)
{
	pthread_mutex_lock(&c->lock);
	unsigned n = find_locked(c, id)->count;
	pthread_mutex_unlock(&c->lock);
	return n;
}

size_t open_count_nodes(struct open_count *c)
{
	pthread_mutex_lock(&c->lock);
	size_t n = c->used;
	pthread_mutex_unlock(&c->lock);
	return n;
}

void open_count_each(struct open_count *c, void (*fn)(void *arg, uint64_t id, unsigned count), void *arg)
{
	for (size_t i = 0; i <= c->mask; i++)
		if (c->slots[i].id)
			fn(arg, c->slots[i].id, c->slots[i].count);
}
