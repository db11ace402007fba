/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds: every block in `now` is counted as used by the list; so what leaves the list is freed by the last query that uses it.
 * Looking is done without the lock, by the one who set is_looking, who alone changes `now`.
 */
#include "lib/tsdb/block_dir.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/tsdb/meta.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

struct seen {
	VEC(struct listed_block *) blocks; /* sorted by min_time, then name */
	VEC(struct ulid) unreadable;       /* sorted; of whose meta.json this was logged */
};

struct block_dir {
	char *dir;

	pthread_mutex_t lock;
	/* under lock */
	struct seen now;
	int64_t looked_us;
	bool is_looking;
};

static void use(struct listed_block *b)
{
	atomic_fetch_add_explicit(&b->users, 1, memory_order_relaxed);
}

static void unuse(struct listed_block *b)
{
	if (atomic_fetch_sub_explicit(&b->users, 1, memory_order_acq_rel) > 1)
		return;
	block_read_close(atomic_load(&b->open));
	vec_fini(&b->parents);
	free(b->dir);
	free(b);
}

void listed_block_hold(struct listed_block *b, struct held_blocks *out)
{
	use(b);
	vec_push(&out->list, b);
}

void held_blocks_fini(struct held_blocks *h)
{
	vec_each (b, &h->list)
		unuse(*b);
	vec_fini(&h->list);
}

void listed_block_gave(struct listed_block *b, int r)
{
	if (r == -EIO || r == -EBADMSG)
		atomic_store_explicit(&b->is_bad, true, memory_order_relaxed);
}

int listed_block_open(struct listed_block *b, struct block_read **out, struct err *e)
{
	struct block_read *is = atomic_load_explicit(&b->open, memory_order_acquire), *mine;
	if (!is) {
		int r = block_read_open(b->dir, &mine, e);
		if (r < 0)
			return r;
		/* Two may open it at a time, rather than one wait with a lock held across I/O. */
		if (atomic_compare_exchange_strong(&b->open, &is, mine))
			is = mine;
		else
			block_read_close(mine);
	}
	*out = is;
	return 0;
}

/* 0 with *out NULL: no meta.json, so no block, or none any more. */
static int read_block(
	const struct block_dir *d, const struct ulid *ulid, struct listed_block **out, struct err *e)
{
	char name[ULID_CHARS + 1];
	ulid_format(ulid, name);
	auto_free char *path = xasprintf("%s/%s/meta.json", d->dir, name);
	auto_buf struct buf json = { 0 };
	auto_of(block_meta) struct block_meta *m = NULL;
	*out = NULL;
	int r = file_read(path, META_JSON_MAX_BYTES, &json, e);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == 0)
		r = block_meta_parse(json.data, json.len, &m, e);
	if (r < 0)
		return r;
	struct listed_block *b = xcalloc(1, sizeof *b);
	b->ulid = *ulid;
	b->min_time = m->min_time;
	b->max_time = m->max_time;
	vec_each (p, &m->compaction.parents)
		vec_push(&b->parents, p->ulid);
	b->dir = xasprintf("%s/%s", d->dir, name);
	atomic_init(&b->users, 1);
	atomic_init(&b->is_bad, false);
	*out = b;
	return 0;
}

struct names {
	VEC(struct ulid) list;
};

static int list_names(const char *dir, struct names *out, struct err *e)
{
	DIR *d = opendir(dir);
	if (!d)
		return err_errno(e, -errno, "listing %s", dir);
	for (;;) {
		struct ulid u;
		errno = 0;
		const struct dirent *entry = readdir(d);
		if (!entry)
			break;
		if (ulid_parse(entry->d_name, &u))
			vec_push(&out->list, u);
	}
	int r = -errno;
	closedir(d);
	return r < 0 ? err_errno(e, r, "listing %s", dir) : 0;
}

static int by_ulid(const void *a, const void *b)
{
	return ulid_cmp(a, b);
}

static bool is_among(const struct ulid *u, const struct ulid *list, size_t n)
{
	return n && bsearch(u, list, n, sizeof *u, by_ulid);
}

static int by_time(const void *a, const void *b)
{
	const struct listed_block *x = *(struct listed_block *const *)a,
				  *y = *(struct listed_block *const *)b;
	if (x->min_time != y->min_time)
		return x->min_time < y->min_time ? -1 : 1;
	return ulid_cmp(&x->ulid, &y->ulid);
}

static int by_name(const void *a, const void *b)
{
	const struct listed_block *x = *(struct listed_block *const *)a,
				  *y = *(struct listed_block *const *)b;
	return ulid_cmp(&x->ulid, &y->ulid);
}

/* By an answer of the kernel's for what was mounted and isn't served any more. */
static bool is_gone_mount(int r)
{
	return r == -ENOTCONN || r == -ECONNABORTED;
}

/* What is there already, and good, is used again. `before` is sorted by name. Fails where nothing can be said of any block. */
static int add_block(const struct block_dir *d, const struct seen *before, const struct ulid *u,
	struct seen *s, struct err *e)
{
	struct listed_block key = { .ulid = *u }, *const is_key = &key, *b = NULL;
	struct listed_block **is = before->blocks.len
					   ? bsearch(&is_key, before->blocks.data, before->blocks.len,
						     sizeof *before->blocks.data, by_name)
					   : NULL;
	struct err why;
	int r = 0;
	if (is && !atomic_load_explicit(&(*is)->is_bad, memory_order_relaxed)) {
		b = *is;
		use(b);
	} else {
		r = read_block(d, u, &b, &why);
	}
	if (is_gone_mount(r))
		return err_set(e, r, "%s", why.msg);
	if (r < 0) {
		char name[ULID_CHARS + 1];
		ulid_format(u, name);
		if (!is_among(u, before->unreadable.data, before->unreadable.len))
			log_warn("block left out of queries", KV("block", name), KV("reason", why.msg));
		vec_push(&s->unreadable, *u);
	}
	if (b)
		vec_push(&s->blocks, b);
	return 0;
}

/* A block that others were made from holds nothing that they don't. */
static void drop_parents(struct seen *s)
{
	VEC(struct ulid) parents = { 0 };
	size_t kept = 0;
	vec_each (b, &s->blocks)
		vec_each (p, &(*b)->parents)
			if (ulid_cmp(p, &(*b)->ulid) != 0)
				vec_push(&parents, *p);
	vec_sort(&parents, by_ulid);
	for (size_t i = 0; i < s->blocks.len; i++) {
		if (is_among(&s->blocks.data[i]->ulid, parents.data, parents.len))
			unuse(s->blocks.data[i]);
		else
			s->blocks.data[kept++] = s->blocks.data[i];
	}
	s->blocks.len = kept;
	vec_fini(&parents);
}

static void seen_fini(struct seen *s)
{
	vec_each (b, &s->blocks)
		unuse(*b);
	vec_fini(&s->blocks);
	vec_fini(&s->unreadable);
}

/* By the one who looks. */
static int look(struct block_dir *d, struct err *e)
{
	struct seen next = { 0 }, before = { 0 };
	struct names names = { 0 };
	int r = list_names(d->dir, &names, e);
	if (r == 0) {
		vec_sort(&names.list, by_ulid);
		vec_each (b, &d->now.blocks)
			vec_push(&before.blocks, *b);
		vec_sort(&before.blocks, by_name);
		before.unreadable.data = d->now.unreadable.data;
		before.unreadable.len = d->now.unreadable.len;
		for (size_t i = 0; i < names.list.len && r == 0; i++)
			r = add_block(d, &before, &names.list.data[i], &next, e);
		vec_fini(&before.blocks);
	}
	if (r < 0) {
		seen_fini(&next);
	} else {
		drop_parents(&next);
		vec_sort(&next.blocks, by_time);
		pthread_mutex_lock(&d->lock);
		before = d->now;
		d->now = next;
		pthread_mutex_unlock(&d->lock);
		seen_fini(&before);
	}
	vec_fini(&names.list);
	return r;
}

int block_dir_open(const char *dir, struct block_dir **out, struct err *e)
{
	auto_of(block_dir) struct block_dir *d = xcalloc(1, sizeof *d);
	d->dir = xstrdup(dir);
	pthread_mutex_init(&d->lock, NULL);
	d->looked_us = clock_monotonic_us();
	int r = look(d, e);
	if (r == 0)
		*out = take(d);
	return r;
}

void block_dir_close(struct block_dir *d)
{
	if (!d)
		return;
	seen_fini(&d->now);
	pthread_mutex_destroy(&d->lock);
	free(d->dir);
	free(d);
}

static int look_if_due(struct block_dir *d, int64_t now_us, struct err *e)
{
	pthread_mutex_lock(&d->lock);
	bool is_due = !d->is_looking && (now_us == INT64_MAX || now_us - d->looked_us >= BLOCK_DIR_LOOK_US);
	d->is_looking |= is_due;
	pthread_mutex_unlock(&d->lock);
	if (!is_due)
		return 0;
	int r = look(d, e);
	pthread_mutex_lock(&d->lock);
	d->is_looking = false;
	/* A directory that can't be listed is tried again by the next one who asks. */
	if (r == 0 && now_us != INT64_MAX)
		d->looked_us = now_us;
	pthread_mutex_unlock(&d->lock);
	return r;
}

int block_dir_hold(struct block_dir *d, int64_t mint, int64_t maxt, int64_t now_us, struct held_blocks *out,
	struct err *e)
{
	int r = look_if_due(d, now_us, e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&d->lock);
	vec_each (b, &d->now.blocks) {
		if ((*b)->min_time <= maxt && mint < (*b)->max_time) {
			use(*b);
			vec_push(&out->list, *b);
		}
	}
	pthread_mutex_unlock(&d->lock);
	return 0;
}

void block_dir_let_go(struct block_dir *d)
{
	struct held_blocks all = { 0 };
	if (!block_read_touched_more_than(BLOCK_DIR_PAGES))
		return;
	pthread_mutex_lock(&d->lock);
	vec_each (b, &d->now.blocks)
		listed_block_hold(*b, &all);
	pthread_mutex_unlock(&d->lock);
	vec_each (b, &all.list) {
		const struct block_read *open = atomic_load_explicit(&(*b)->open, memory_order_acquire);
		if (open)
			block_read_let_go(open);
	}
	held_blocks_fini(&all);
}

int block_dir_hold_newest(struct block_dir *d, int64_t now_us, struct held_blocks *out, struct err *e)
{
	int r = look_if_due(d, now_us, e);
	struct listed_block *newest = NULL;
	if (r < 0)
		return r;
	pthread_mutex_lock(&d->lock);
	vec_each (b, &d->now.blocks)
		if (!newest || (*b)->max_time >= newest->max_time)
			newest = *b;
	if (newest)
		listed_block_hold(newest, out);
	pthread_mutex_unlock(&d->lock);
	return 0;
}
