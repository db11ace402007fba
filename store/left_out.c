/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two lists under a lock. A rejected block:
 *
 *	left > 0	left out; one less with each sync that asks
 *	left == 0	the next sync that asks lists it: it is on trial then
 *	on trial	rejected again: left out for twice as many syncs; not by the next sync: forgotten
 */
#include "store/left_out.h"

#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/base/vec.h"

#include <pthread.h>

METRIC_FAMILY(skipped_total, METRIC_TYPE_COUNTER, "thanosfs_blocks_skipped_total",
	"Blocks left out, each counted once for a reason.", "reason")

struct rejection {
	struct ulid ulid;
	char *reason, *detail;
	unsigned pause, left; /* syncs to the next trial: from the last one on, and from now on */
	bool is_on_trial;     /* the last sync listed it */
};

struct left_out {
	pthread_mutex_t lock;
	VEC(struct rejection) rejected;
	VEC(struct left_out_block) blocks; /* sorted by ULID; each with its reason */
};

static void free_rejection(struct rejection *r)
{
	free(r->reason);
	free(r->detail);
}

struct left_out *left_out_new(void)
{
	struct left_out *l = xcalloc(1, sizeof *l);
	pthread_mutex_init(&l->lock, NULL);
	return l;
}

static void clear_blocks(struct left_out *l)
{
	vec_each (b, &l->blocks)
		free(b->detail);
	l->blocks.len = 0;
}

void left_out_free(struct left_out *l)
{
	if (!l)
		return;
	vec_each (r, &l->rejected)
		free_rejection(r);
	vec_fini(&l->rejected);
	clear_blocks(l);
	vec_fini(&l->blocks);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void left_out_say(
	const char *bucket, const struct ulid *block, const char *reason, const char *detail, bool is_damage)
{
	char id[ULID_CHARS + 1];
	ulid_format(block, id);
	metric_add(metric_of(&skipped_total, reason), 1);
	if (is_damage)
		log_warn("block left out", KV("bucket", bucket), KV("block", id), KV("reason", reason),
			KV("detail", detail));
	else
		log_debug("block left out", KV("bucket", bucket), KV("block", id), KV("reason", reason),
			KV("detail", detail));
}

/* The lock must be held while what it returns is used. */
static struct rejection *find_locked(const struct left_out *l, const struct ulid *ulid)
{
	vec_each (r, &l->rejected)
		if (!ulid_cmp(&r->ulid, ulid))
			return r;
	return NULL;
}

static int compare_blocks(const void *a, const void *b)
{
	return ulid_cmp(&((const struct left_out_block *)a)->ulid, &((const struct left_out_block *)b)->ulid);
}

bool left_out_reject(struct left_out *l, const struct ulid *block, const char *reason, const char *detail)
{
	pthread_mutex_lock(&l->lock);
	struct rejection *known = find_locked(l, block);
	bool is_new = !known, is_again = known && known->is_on_trial;
	if (is_new) {
		known = vec_push_slot(&l->rejected);
		*known = (struct rejection){ .ulid = *block,
			.reason = xstrdup(reason),
			.detail = xstrdup(detail),
			.pause = LEFT_OUT_FIRST_TRIAL_SYNCS,
			.left = LEFT_OUT_FIRST_TRIAL_SYNCS };
	} else if (is_again) {
		known->is_on_trial = false;
		known->left = known->pause = MIN_OF(2 * known->pause, LEFT_OUT_MAX_TRIAL_SYNCS);
	}
	if (is_new || is_again) {
		vec_push(&l->blocks,
			(struct left_out_block){
				.ulid = *block, .reason = known->reason, .detail = xstrdup(known->detail) });
		vec_sort(&l->blocks, compare_blocks);
	}
	pthread_mutex_unlock(&l->lock);
	return is_new;
}

/* Nothing of those that are forgotten is among the blocks: they were listed. */
void left_out_sync_begins(struct left_out *l)
{
	size_t kept = 0;
	pthread_mutex_lock(&l->lock);
	vec_each (r, &l->rejected) {
		if (!r->is_on_trial) {
			l->rejected.data[kept++] = *r;
			continue;
		}
		char id[ULID_CHARS + 1];
		ulid_format(&r->ulid, id);
		log_info("block is whole after all", KV("block", id), KV("reason", r->reason));
		free_rejection(r);
	}
	l->rejected.len = kept;
	pthread_mutex_unlock(&l->lock);
}

char *left_out_why_rejected(struct left_out *l, const struct ulid *block)
{
	char *detail = NULL;
	pthread_mutex_lock(&l->lock);
	struct rejection *r = find_locked(l, block);
	if (r && r->left == 0) {
		r->is_on_trial = true;
	} else if (r) {
		r->is_on_trial = false;
		r->left--;
		detail = xstrdup(r->detail);
	}
	pthread_mutex_unlock(&l->lock);
	return detail;
}

void left_out_sync_ends(struct left_out *l, struct left_out_block *blocks, size_t n)
{
	pthread_mutex_lock(&l->lock);
	clear_blocks(l);
	for (size_t i = 0; i < n; i++) {
		struct left_out_block b = blocks[i];
		if (!b.reason)
			b.reason = find_locked(l, &b.ulid)->reason;
		vec_push(&l->blocks, b);
	}
	pthread_mutex_unlock(&l->lock);
}

void left_out_each(struct left_out *l,
	void (*fn)(void *arg, const struct ulid *block, const char *reason, const char *detail), void *arg)
{
	pthread_mutex_lock(&l->lock);
	vec_each (b, &l->blocks)
		fn(arg, &b->ulid, b->reason, b->detail);
	pthread_mutex_unlock(&l->lock);
}
