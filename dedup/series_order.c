/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of series after their labels were edited.
 *
 * Where all series of a block gain the same labels E and lose none, the order changes only between a series
 * and those it is a proper prefix of. Let A < B by their original labels, A' and B' be the edited ones.
 *
 *  - A is no prefix of B: they differ first at some label, a in A and b in B. What E puts before a and b is
 * the same in both. If a and b have the same name, they still meet, and a < b decides. If a has the lesser
 * name, then at that place stands a in A' and b or a label of E with a name greater than a's in B'. A' < B'
 * either way.
 *  - A is a prefix of B, b being B's next label: at b's place in B' stands in A' the first label of E with a
 * greater name than b's, and B' < A'; or nothing, and A' < B'. So B' < A' iff E's greatest name is greater
 * than b's.
 *
 * The series that A is a prefix of follow A at once, and the names of the labels b never fall among them. So
 * A may go out before B as soon as B is no extension of A, or A' < B': then that holds for all that follow B,
 * too. What is held back before B are prefixes of B, hence of each other, in a stack whose edited labels fall
 * from bottom to top: each was held because the next one's are less. What B sets free are the topmost ones:
 *
 *	held:	P1 < P2 < ... < Pn	originals, each a proper prefix of the next
 *		P1' > P2' > ... > Pn'	edited
 *
 * popped from the top they come in the order of their edited labels, and before all that stay. The depth is
 * at most the number of labels a series has. Neighbouring series tell how much they have in common, and the
 * stack's members are prefixes of each other, so no original labels have to be kept.
 *
 * Where series lose labels or have some overwritten, any order can result: then they are sorted.
 */
#include "dedup/series_order.h"

#include "dedup/series_sort.h"

#include <errno.h>

#define SORT_BYTES (32u << 20)

struct held {
	struct series_record *record;
	size_t cap;
	uint32_t n_original;
};

struct series_order {
	struct series_sort *sort; /* NULL: the stack does */
	VEC(struct held) held;    /* members past `top` are spare memory */
	size_t top;               /* held.data[top] is the newest; below it the stack */
	size_t due, floor; /* held.data[floor..due) go out next, from the top; then `top` moves to `floor` */
	size_t held_bytes;
	bool has_top;
	bool ended;
};

struct series_order *series_order_new(const char *dir, bool sorts, size_t keep_bytes)
{
	struct series_order *o = xcalloc(1, sizeof *o);
	if (sorts)
		o->sort = series_sort_new(dir, SORT_BYTES, keep_bytes);
	return o;
}

void series_order_free(struct series_order *o)
{
	if (!o)
		return;
	series_sort_free(o->sort);
	vec_each (h, &o->held)
		free(h->record);
	vec_fini(&o->held);
	free(o);
}

/* The newest one takes the place of those that went out. */
static void settle(struct series_order *o)
{
	if (o->due != o->floor || o->top == o->floor || !o->has_top)
		return;
	struct held h = o->held.data[o->floor];
	o->held.data[o->floor] = o->held.data[o->top];
	o->held.data[o->top] = h;
	o->top = o->due = o->floor;
}

int series_order_slot(struct series_order *o, size_t bytes, struct series_record **out, struct err *e)
{
	if (o->sort)
		return series_sort_slot(o->sort, bytes, out, e);
	settle(o);
	size_t at = o->has_top ? o->top + 1 : 0;
	if (at == o->held.len)
		vec_push(&o->held, (struct held){ 0 });
	struct held *h = &o->held.data[at];
	if (h->cap < bytes) {
		if (o->held_bytes - h->cap + bytes > SERIES_ORDER_MAX_HELD_BYTES)
			return err_set(e, -E2BIG,
				"label sets that are prefixes of each other take more than %u bytes",
				SERIES_ORDER_MAX_HELD_BYTES);
		size_t cap = bytes + bytes / 2;
		o->held_bytes += cap - h->cap;
		free(h->record);
		h->record = xmalloc(cap);
		h->cap = cap;
	}
	*out = h->record;
	return 0;
}

static bool stays(const struct held *h, const struct held *newest, uint32_t common)
{
	return h->n_original <= common && series_record_cmp(h->record, newest->record) > 0;
}

void series_order_push(struct series_order *o, uint32_t common, uint32_t n_original, bool touched)
{
	if (o->sort) {
		series_sort_push(o->sort, !touched);
		return;
	}
	o->top = o->has_top ? o->top + 1 : 0;
	o->has_top = true;
	struct held *newest = &o->held.data[o->top];
	newest->n_original = n_original;
	o->due = o->floor = o->top;
	while (o->floor && !stays(&o->held.data[o->floor - 1], newest, common))
		o->floor--;
}

int series_order_end(struct series_order *o, struct err *e)
{
	o->ended = true;
	if (o->sort)
		return series_sort_end(o->sort, e);
	settle(o);
	if (o->has_top) {
		o->due = o->top + 1;
		o->floor = 0;
	}
	return 0;
}

int series_order_pop(struct series_order *o, const struct series_record **out, struct err *e)
{
	if (o->sort)
		return o->ended ? series_sort_next(o->sort, out, e) : 0;
	if (o->due == o->floor)
		return 0;
	*out = o->held.data[--o->due].record;
	return 1;
}
