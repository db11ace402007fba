/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what the calling thread does is still wanted. Whoever runs what may take long, and may end before it is through, says who is to
 * be asked; loops far below, which know of no query and no client, tell how much they have done, and nearly always that costs a
 * subtraction:
 *
 *	struct interrupt mine = { .ask = is_over, .arg = query }, *before = interrupt_enter(&mine);
 *	...
 *		int r = interrupt_after(n);		once a turn, n about the nanoseconds it took
 *		if (r < 0)
 *			return r;
 *	...
 *	interrupt_leave(before);
 *
 * Like a deadline it is a property of the thread: work handed to another thread doesn't have it.
 */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

#include <stdint.h>

#define INTERRUPT_CREDIT (1 << 16) /* how much is done between two questions */

struct interrupt {
	int (*ask)(void *arg); /* 0, or -errno, which it then goes on to say */
	void *arg;
	int64_t credit; /* 0 to begin with */
};

extern _Thread_local struct interrupt *interrupt_current;

/* Borrowed until the matching leave, which gets what this returned. */
static inline struct interrupt *interrupt_enter(struct interrupt *i)
{
	struct interrupt *before = interrupt_current;
	interrupt_current = i;
	return before;
}

static inline void interrupt_leave(struct interrupt *before)
{
	interrupt_current = before;
}

int interrupt_ask(struct interrupt *i);

/* 0 to go on; -errno: nobody wants the rest. Where nobody has entered it is always 0. */
static inline int interrupt_after(uint64_t work)
{
	struct interrupt *i = interrupt_current;
	if (!i || (i->credit -= (int64_t)work) > 0)
		return 0;
	return interrupt_ask(i);
}

#endif
