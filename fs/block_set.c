/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each publication makes one immutable array, sorted by hash. ULIDs of blocks that left the listing stay
 * known as long as the view can still find them; they are kept in a file too, because a hash can't be turned
 * back into a ULID by a process that never saw the block.
 */
#include "fs/block_set.h"

#include "fs/node_id.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/sorted.h"

#include <pthread.h>
#include <stdatomic.h>

#define KNOWN_MAX_BYTES (16u << 20)
#define RECENT_SETS     4u
#define RECENT_US       10000000 /* a listing that takes longer may see two sets */

struct known {
	uint64_t hash;
	struct ulid ulid;
};

struct block_sets {
	struct view *view;
	char *path;
	pthread_mutex_t update; /* one update at a time */

	pthread_mutex_t lock;
	struct block_set *now;
	struct block_set *recent[RECENT_SETS]; /* that `now` has replaced lately, the last first; or NULL */
	int64_t replaced_us;
	VEC(struct known) known; /* sorted by hash */
};

static int by_ref_hash(const void *pa, const void *pb)
{
	const struct block_ref *a = pa, *b = pb;
	return a->hash != b->hash ? (a->hash > b->hash) - (a->hash < b->hash)
				  : ulid_cmp(merged_block_ulid(a->block), merged_block_ulid(b->block));
}

static int by_known_hash(const void *pa, const void *pb)
{
	const struct known *a = pa, *b = pb;
	return a->hash != b->hash ? (a->hash > b->hash) - (a->hash < b->hash) : ulid_cmp(&a->ulid, &b->ulid);
}

/* Takes the snapshot. */
static struct block_set *set_of(struct view_snapshot *snapshot)
{
	struct block_set *b = xcalloc(1, sizeof *b);
	b->refs = 1;
	b->snapshot = snapshot;
	b->since_ms = clock_unix_ms();
	b->by_hash = xcalloc(snapshot->n ? snapshot->n : 1, sizeof *b->by_hash);
	for (size_t i = 0; i < snapshot->n; i++)
		b->by_hash[i] = (struct block_ref){ node_block_hash(merged_block_ulid(snapshot->blocks[i])),
			snapshot->blocks[i] };
	qsort(b->by_hash, snapshot->n, sizeof *b->by_hash, by_ref_hash);
	for (size_t i = 0; i < snapshot->n; i++) {
		if (b->n && b->by_hash[b->n - 1].hash == b->by_hash[i].hash) {
			/* One in 350,000 among 10,000 blocks: two blocks can't share node ids, so the later
			 * is not shown. */
			char name[ULID_CHARS + 1];
			ulid_format(merged_block_ulid(b->by_hash[i].block), name);
			log_error("block not shown: its name hashes like another's", KV("block", name));
			continue;
		}
		b->by_hash[b->n++] = b->by_hash[i];
	}
	struct ulid *all = xcalloc(b->n ? b->n : 1, sizeof *all);
	for (size_t i = 0; i < b->n; i++)
		all[i] = *merged_block_ulid(b->by_hash[i].block);
	b->tag = node_set_tag(all, b->n);
	free(all);
	return b;
}

void block_set_unref(struct block_set *b)
{
	if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	view_snapshot_unref(b->snapshot);
	free(b->by_hash);
	free(b);
}

size_t block_set_from(const struct block_set *b, uint64_t hash)
{
	return lower_bound(i, b->n, b->by_hash[i].hash < hash);
}

static struct merged_block *find_hash(const struct block_set *b, uint64_t hash)
{
	size_t i = block_set_from(b, hash);
	return i < b->n && b->by_hash[i].hash == hash ? b->by_hash[i].block : NULL;
}

struct merged_block *block_set_find(const struct block_set *b, const struct ulid *u)
{
	struct merged_block *found = find_hash(b, node_block_hash(u));
	return found && !ulid_cmp(merged_block_ulid(found), u) ? found : NULL;
}

static void load_known(struct block_sets *s)
{
	auto_buf struct buf bytes = { 0 };
	if (!file_exists(s->path) || file_read(s->path, KNOWN_MAX_BYTES, &bytes, NULL) < 0)
		return;
	struct ulid u;
	for (size_t at = 0; at + sizeof u.bytes <= bytes.len; at += sizeof u.bytes) {
		memcpy(u.bytes, bytes.data + at, sizeof u.bytes);
		vec_push(&s->known, (struct known){ node_block_hash(&u), u });
	}
	vec_sort(&s->known, by_known_hash);
}

int block_sets_open(struct view *view, const char *path, struct block_sets **out, struct err *e)
{
	(void)e;
	struct block_sets *s = xcalloc(1, sizeof *s);
	s->view = view;
	s->path = xstrdup(path);
	pthread_mutex_init(&s->update, NULL);
	pthread_mutex_init(&s->lock, NULL);
	load_known(s);
	block_sets_update(s);
	*out = s;
	return 0;
}

void block_sets_close(struct block_sets *s)
{
	if (!s)
		return;
	block_set_unref(s->now);
	for (unsigned i = 0; i < RECENT_SETS; i++)
		block_set_unref(s->recent[i]);
	vec_fini(&s->known);
	pthread_mutex_destroy(&s->update);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}

/* What is published now, and of what was known before all that the view still has. */
static void update_known(struct block_sets *s, const struct block_set *b)
{
	VEC(struct known) next = { 0 };
	auto_buf struct buf bytes = { 0 };
	for (size_t i = 0; i < b->n; i++)
		vec_push(
			&next, (struct known){ b->by_hash[i].hash, *merged_block_ulid(b->by_hash[i].block) });
	/* Only this thread changes `known`, so it may read it without the lock. */
	vec_each (k, &s->known) {
		struct merged_block *old = find_hash(b, k->hash) ? NULL : view_find_any(s->view, &k->ulid);
		if (old)
			vec_push(&next, *k);
		merged_block_unref(old);
	}
	vec_sort(&next, by_known_hash);
	bool same = next.len == s->known.len &&
		    (!next.len || !memcmp(next.data, s->known.data, next.len * sizeof *next.data));
	vec_each (k, &next)
		buf_add(&bytes, k->ulid.bytes, sizeof k->ulid.bytes);

	pthread_mutex_lock(&s->lock);
	struct known *old = s->known.data;
	s->known.data = next.data;
	s->known.len = next.len;
	s->known.cap = next.cap;
	pthread_mutex_unlock(&s->lock);
	free(old);

	struct err e;
	if (!same && file_replace(s->path, bytes.data, bytes.len, &e) < 0)
		log_error("list of known blocks not written", KV("err", e.msg));
}

void block_sets_update(struct block_sets *s)
{
	pthread_mutex_lock(&s->update);
	struct block_set *b = set_of(view_snapshot(s->view));
	pthread_mutex_lock(&s->lock);
	struct block_set *old = s->recent[RECENT_SETS - 1];
	memmove(s->recent + 1, s->recent, (RECENT_SETS - 1) * sizeof *s->recent);
	s->recent[0] = s->now;
	s->replaced_us = clock_monotonic_us();
	s->now = b;
	pthread_mutex_unlock(&s->lock);
	/* Safe without a reference: only an update, and there is one at a time, takes the set away. */
	update_known(s, b);
	pthread_mutex_unlock(&s->update);
	block_set_unref(old);
}

struct block_set *block_sets_get(struct block_sets *s)
{
	pthread_mutex_lock(&s->lock);
	struct block_set *b = s->now;
	atomic_fetch_add(&b->refs, 1);
	pthread_mutex_unlock(&s->lock);
	return b;
}

struct block_set *block_sets_get_tagged(struct block_sets *s, uint32_t tag)
{
	struct block_set *old[RECENT_SETS] = { NULL };
	pthread_mutex_lock(&s->lock);
	if (s->recent[0] && clock_monotonic_us() - s->replaced_us > RECENT_US) {
		memcpy(old, s->recent, sizeof old);
		memset(s->recent, 0, sizeof s->recent);
	}
	struct block_set *b = s->now;
	for (unsigned i = 0; i < RECENT_SETS && b->tag != tag && s->recent[i]; i++)
		if (s->recent[i]->tag == tag)
			b = s->recent[i];
	atomic_fetch_add(&b->refs, 1);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < RECENT_SETS; i++)
		block_set_unref(old[i]);
	return b;
}

struct merged_block *block_sets_find_any(struct block_sets *s, uint64_t hash)
{
	auto_of(block_set) struct block_set *b = block_sets_get(s);
	struct merged_block *found = find_hash(b, hash);
	if (found)
		return merged_block_ref(found);

	struct ulid u;
	bool is_known = false;
	pthread_mutex_lock(&s->lock);
	size_t at = lower_bound(i, s->known.len, s->known.data[i].hash < hash);
	if (at < s->known.len && s->known.data[at].hash == hash) {
		u = s->known.data[at].ulid;
		is_known = true;
	}
	pthread_mutex_unlock(&s->lock);
	return is_known ? view_find_any(s->view, &u) : NULL;
}
