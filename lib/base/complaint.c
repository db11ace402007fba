/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/complaint.h"

#include "lib/base/mem.h"

static unsigned cause_locked(struct complaint *c, int cause)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->causes[i].cause == cause)
			return i;
	if (c->n == COMPLAINT_CAUSES)
		return COMPLAINT_CAUSES - 1;
	c->causes[c->n].cause = cause;
	c->causes[c->n].said_us = INT64_MIN;
	c->causes[c->n].unsaid = 0;
	return c->n++;
}

bool complaint_happened(struct complaint *c, int cause, int64_t now_us, struct complaint_tally *out)
{
	pthread_mutex_lock(&c->lock);
	if (!atomic_load_explicit(&c->is_open, memory_order_relaxed)) {
		c->since_us = now_us;
		c->failed = 0;
		c->n = 0;
		atomic_store_explicit(&c->is_open, true, memory_order_relaxed);
	}
	c->last_us = now_us;
	c->failed++;
	unsigned i = cause_locked(c, cause);
	c->causes[i].unsaid++;
	bool due = c->causes[i].said_us == INT64_MIN ||
		   now_us - c->causes[i].said_us >= COMPLAINT_AGAIN_MS * 1000ll;
	if (due) {
		*out = (struct complaint_tally){ c->causes[i].unsaid, (double)(now_us - c->since_us) / 1e6 };
		c->causes[i].said_us = now_us;
		c->causes[i].unsaid = 0;
	}
	pthread_mutex_unlock(&c->lock);
	return due;
}

bool complaint_is_over(struct complaint *c, int64_t settle_ms, int64_t now_us, struct complaint_tally *out)
{
	if (!atomic_load_explicit(&c->is_open, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&c->lock);
	bool over = atomic_load_explicit(&c->is_open, memory_order_relaxed) &&
		    now_us - c->last_us >= settle_ms * 1000;
	if (over) {
		*out = (struct complaint_tally){ c->failed, (double)(c->last_us - c->since_us) / 1e6 };
		atomic_store_explicit(&c->is_open, false, memory_order_relaxed);
	}
	pthread_mutex_unlock(&c->lock);
	return over;
}
