/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from node id to count, with linear probing, in shared memory. A node that nobody has open any more leaves
 * its slot behind, so that chains of probes stay whole; when those left behind are too many, the table is copied without
 * them into its other half, and one store makes that half the table. One with a number (backing) stays as it is until that is 0.
 *
 * A change concerns a slot, two sums, and a flag in the journal. It is written down as a whole first, and carried out
 * then. Who finds one written down carries it out, which is the same however often it happens:
 *
 *	change.is_set	the change may have been carried out, or in part, or not at all
 *	else		the table is right
 */
#include "fs/open_count.h"

#include "fs/shared_lock.h"
#include "lib/base/mem.h"

#include <stdatomic.h>
#include <string.h>

#define MAGIC      0x33306e65706f6675ull /* changes with the layout */
#define SLOTS      (1u << 17)
#define MASK       (SLOTS - 1)
#define USED_LIMIT (SLOTS / 4 * 3) /* slots with an id; beyond it those left behind are cleared away */

struct slot {
	uint64_t id; /* 0: never used */
	uint32_t count;
	int32_t backing;
	uint32_t is_kept;
	uint32_t reserved;
};

struct half {
	uint64_t used, open; /* slots with an id; those of them with a count */
	struct slot slots[SLOTS];
};

struct change {
	_Atomic uint32_t is_set;
	uint32_t place;
	struct slot slot;
	uint64_t used, open;
	int32_t last_backing, ending;
	uint64_t unique; /* of the operation that gets the flag; 0: none */
	uint32_t flag;
};

struct table {
	_Atomic uint64_t magic; /* 0: fresh */
	pthread_mutex_t lock;
	_Atomic uint32_t active; /* which half is the table */
	int32_t last_backing;
	int32_t ending; /* the number whose use is being ended; 0: none */
	struct change change;
	struct half halves[2];
};

struct open_count {
	struct table *table;
	struct journal *journal;
	void *own; /* the memory, where it is not borrowed */
};

size_t open_count_bytes(void)
{
	return sizeof(struct table);
}

static struct half *half_of(struct table *t)
{
	return &t->halves[atomic_load_explicit(&t->active, memory_order_relaxed) & 1];
}

/* The journal's own function serves for the operation too, but takes its lock. */
static void carry_out(struct open_count *c, struct journal_op *op)
{
	struct change *ch = &c->table->change;
	struct half *h = half_of(c->table);
	h->slots[ch->place & MASK] = ch->slot;
	h->used = ch->used;
	h->open = ch->open;
	c->table->last_backing = ch->last_backing;
	c->table->ending = ch->ending;
	if (op)
		atomic_fetch_or_explicit(&op->flags, ch->flag, memory_order_release);
	else if (ch->unique && c->journal)
		journal_flag(c->journal, ch->unique, (enum journal_flag)ch->flag);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&ch->is_set, 0, memory_order_release);
}

static void lock(struct open_count *c)
{
	shared_lock(&c->table->lock);
	if (atomic_load_explicit(&c->table->change.is_set, memory_order_acquire))
		carry_out(c, NULL);
}

static void unlock(struct open_count *c)
{
	shared_unlock(&c->table->lock);
}

static void change_locked(struct open_count *c, const struct change *want, struct journal_op *op)
{
	struct change *ch = &c->table->change;
	ch->place = want->place;
	ch->slot = want->slot;
	ch->used = want->used;
	ch->open = want->open;
	ch->last_backing = want->last_backing ? want->last_backing : c->table->last_backing;
	ch->ending = want->ending ? want->ending : c->table->ending;
	ch->unique = op ? op->unique : 0;
	ch->flag = want->flag;
	atomic_store_explicit(&ch->is_set, 1, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	carry_out(c, op);
}

struct open_count *open_count_attach(void *region, struct journal *j)
{
	struct table *t = region;
	if (!shared_lock_take_up(&t->magic, MAGIC, &t->lock))
		return NULL;
	struct open_count *c = xcalloc(1, sizeof *c);
	c->table = t;
	c->journal = j;
	lock(c); /* ends what the last process was at, before anybody asks the journal about it */
	unlock(c);
	return c;
}

struct open_count *open_count_new(struct journal *j)
{
	void *own = xcalloc(1, sizeof(struct table));
	struct open_count *c = open_count_attach(own, j);
	c->own = own;
	return c;
}

void open_count_free(struct open_count *c)
{
	if (!c)
		return;
	free(c->own);
	free(c);
}

static bool is_left_behind(const struct slot *s)
{
	return !s->count && s->backing <= 0;
}

/* The node's slot, or the one that it would get. */
static uint32_t place_of(const struct half *h, uint64_t id)
{
	uint32_t i = (uint32_t)(id * 0x9e3779b97f4a7c15ull >> 40) & MASK, left_behind = SLOTS;
	for (; h->slots[i].id; i = (i + 1) & MASK) {
		if (h->slots[i].id == id)
			return i;
		if (is_left_behind(&h->slots[i]) && left_behind == SLOTS)
			left_behind = i;
	}
	return left_behind < SLOTS ? left_behind : i;
}

static const struct slot *find_locked(struct open_count *c, uint64_t id)
{
	const struct half *h = half_of(c->table);
	const struct slot *s = &h->slots[place_of(h, id)];
	return s->id == id && s->count ? s : NULL;
}

static void clear_away_locked(struct open_count *c)
{
	struct half *from = half_of(c->table);
	uint32_t other = !(from - c->table->halves);
	struct half *to = &c->table->halves[other];
	memset(to, 0, sizeof *to);
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (is_left_behind(&from->slots[i]))
			continue;
		to->slots[place_of(to, from->slots[i].id)] = from->slots[i];
		to->used++;
		to->open += from->slots[i].count > 0;
	}
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&c->table->active, other, memory_order_release);
}

int open_count_add(struct open_count *c, uint64_t id, struct journal_op *op, enum journal_flag flag)
{
	lock(c);
	if (half_of(c->table)->used >= USED_LIMIT)
		clear_away_locked(c);
	const struct half *h = half_of(c->table);
	struct change ch = { .place = place_of(h, id), .flag = (uint32_t)flag };
	const struct slot *s = &h->slots[ch.place];
	bool is_here = s->id == id && s->count;
	int r;
	if (journal_has(op, flag)) {
		r = is_here ? (int)s->count : 0;
	} else if ((!is_here && h->open >= OPEN_COUNT_NODES) || (is_here && s->count == INT32_MAX)) {
		r = -ENFILE;
	} else {
		bool had = s->id == id && !is_left_behind(s);
		ch.slot = had ? *s : (struct slot){ .id = id };
		if (!is_here)
			ch.slot.is_kept = 0;
		ch.slot.count++;
		ch.used = h->used + !s->id;
		ch.open = h->open + !is_here;
		change_locked(c, &ch, op);
		r = (int)ch.slot.count;
	}
	unlock(c);
	return r;
}

bool open_count_drop(struct open_count *c, uint64_t id, struct journal_op *op, enum journal_flag flag,
	unsigned *left, bool *is_kept)
{
	lock(c);
	const struct half *h = half_of(c->table);
	const struct slot *s = find_locked(c, id);
	bool is_counted = s || journal_has(op, flag);
	*left = s ? s->count : 0;
	*is_kept = s ? s->is_kept : journal_has(op, flag);
	if (s && !journal_has(op, flag)) {
		struct change ch = { .place = (uint32_t)(s - h->slots),
			.slot = *s,
			.used = h->used,
			.open = h->open - (s->count == 1),
			.flag = (uint32_t)flag };
		*left = --ch.slot.count;
		change_locked(c, &ch, op);
	}
	unlock(c);
	return is_counted;
}

unsigned open_count_get(struct open_count *c, uint64_t id)
{
	lock(c);
	const struct slot *s = find_locked(c, id);
	unsigned n = s ? s->count : 0;
	unlock(c);
	return n;
}

bool open_count_set_kept(struct open_count *c, uint64_t id)
{
	lock(c);
	const struct half *h = half_of(c->table);
	const struct slot *s = find_locked(c, id);
	bool is_open = s != NULL;
	if (is_open && !s->is_kept) {
		struct change ch = {
			.place = (uint32_t)(s - h->slots), .slot = *s, .used = h->used, .open = h->open
		};
		ch.slot.is_kept = 1;
		change_locked(c, &ch, NULL);
	}
	unlock(c);
	return is_open;
}

bool open_count_is_kept(struct open_count *c, uint64_t id)
{
	lock(c);
	const struct slot *s = find_locked(c, id);
	bool is_kept = s && s->is_kept;
	unlock(c);
	return is_kept;
}

int32_t open_count_backing(struct open_count *c, uint64_t id, unsigned *count)
{
	lock(c);
	const struct half *h = half_of(c->table);
	const struct slot *s = &h->slots[place_of(h, id)];
	bool is_here = s->id == id && !is_left_behind(s);
	int32_t backing = is_here ? s->backing : 0;
	*count = is_here ? s->count : 0;
	unlock(c);
	return backing;
}

bool open_count_set_backing(struct open_count *c, uint64_t id, int32_t backing)
{
	lock(c);
	const struct half *h = half_of(c->table);
	struct change ch = {
		.place = place_of(h, id), .used = h->used, .open = h->open, .last_backing = MAX_OF(backing, 0)
	};
	ch.slot = h->slots[ch.place];
	ch.slot.backing = backing;
	bool is_open = ch.slot.id == id && ch.slot.count;
	if (is_open)
		change_locked(c, &ch, NULL);
	unlock(c);
	return is_open;
}

int32_t open_count_begin_end(struct open_count *c, uint64_t id)
{
	lock(c);
	const struct half *h = half_of(c->table);
	struct change ch = { .place = place_of(h, id), .used = h->used, .open = h->open };
	ch.slot = h->slots[ch.place];
	bool may_end = ch.slot.id == id && !ch.slot.count && ch.slot.backing > 0;
	if (may_end) {
		ch.ending = ch.slot.backing;
		ch.slot.backing = 0;
		change_locked(c, &ch, NULL);
	}
	unlock(c);
	return ch.ending;
}

void open_count_ended(struct open_count *c)
{
	lock(c);
	c->table->ending = 0;
	unlock(c);
}

int32_t open_count_ending(struct open_count *c)
{
	lock(c);
	int32_t ending = c->table->ending;
	unlock(c);
	return ending;
}

int32_t open_count_last_backing(struct open_count *c)
{
	lock(c);
	int32_t last = c->table->last_backing;
	unlock(c);
	return last;
}

size_t open_count_nodes(struct open_count *c)
{
	lock(c);
	size_t n = half_of(c->table)->open;
	unlock(c);
	return n;
}

void open_count_each(struct open_count *c, void (*fn)(void *arg, uint64_t id, unsigned count), void *arg)
{
	lock(c);
	const struct half *h = half_of(c->table);
	auto_free struct slot *all = xcalloc(h->open + 1, sizeof *all);
	size_t n = 0;
	for (uint32_t i = 0; i < SLOTS && n < h->open; i++)
		if (h->slots[i].count)
			all[n++] = h->slots[i];
	unlock(c);
	for (size_t i = 0; i < n; i++)
		fn(arg, all[i].id, all[i].count);
}
