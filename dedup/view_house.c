/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a view does after each sync: forgets retired blocks that nobody reads, removes directories that belong to no block,
 * lets idle blocks rest, and keeps made slots within the cache's limit.
 */
#include "dedup/view_private.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define RETIRED_KEEP_MS (3600 * 1000) /* for a process that still knows the block's files */
#define REST_AFTER_US   (60 * 1000000ll)

METRIC_GAUGE(blocks_retired, "thanosfs_blocks_retired",
	"Merged blocks that left the listing and are still readable.")
METRIC_GAUGE(cache_bytes, "thanosfs_cache_bytes", "Bytes of made slots on disk.")
METRIC_COUNTER(cache_evicted, "thanosfs_cache_evicted_bytes_total",
	"Bytes of made slots removed to keep the cache's limit.")

/* Forgets retired blocks nobody uses. */
static void drop_retired(struct view *v, int64_t now_ms)
{
	VEC(struct merged_block *) dropped = { 0 };
	pthread_mutex_lock(&v->lock);
	size_t kept = 0;
	for (size_t i = 0; i < v->retired.len; i++) {
		struct retired_block *b = &v->retired.data[i];
		if (now_ms - b->since_ms > RETIRED_KEEP_MS && !merged_block_is_open(b->block))
			vec_push(&dropped, b->block);
		else
			v->retired.data[kept++] = *b;
	}
	v->retired.len = kept;
	metric_set(blocks_retired, kept);
	pthread_mutex_unlock(&v->lock);
	vec_each (b, &dropped)
		merged_block_unref(*b);
	vec_fini(&dropped);
}

/* Removes directories that belong to no block, a grace time after they were last published or written. */
static void remove_forgotten(struct view *v, int64_t now_ms)
{
	DIR *d = opendir(v->dir);
	if (!d)
		return;
	for (struct dirent *de; (de = readdir(d));) {
		struct ulid u;
		struct stat st;
		struct err e;
		if (de->d_name[0] == '.')
			continue;
		struct merged_block *b = ulid_parse(de->d_name, &u) ? view_find_loaded(v, &u) : NULL;
		merged_block_unref(b);
		if (b || fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			now_ms - (int64_t)st.st_mtim.tv_sec * 1000 < RETIRED_KEEP_MS)
			continue;
		auto_free char *path = xasprintf("%s/%s", v->dir, de->d_name);
		if (file_remove_tree(path, &e) < 0)
			log_warn("stale merged block can't be removed", KV("err", e.msg));
	}
	closedir(d);
}

struct made {
	struct merged_block *block;
	uint32_t segment;
	uint64_t bytes;
	int64_t used_us;
};

struct made_list {
	VEC(struct made) list;
	uint64_t total;
};

static void add_made(void *arg, struct merged_block *b, uint32_t segment, uint64_t bytes, int64_t used_us)
{
	struct made_list *m = arg;
	vec_push(&m->list, (struct made){ b, segment, bytes, used_us });
	m->total += bytes;
}

static int by_use(const void *pa, const void *pb)
{
	const struct made *a = pa, *b = pb;
	return a->used_us < b->used_us ? -1 : a->used_us > b->used_us;
}

/* Segments of made slots go, the longest unused first, until the rest is within the limit. */
static void keep_limit(struct view *v, struct view_snapshot *s)
{
	struct made_list made = { 0 };
	for (size_t i = 0; i < s->n; i++)
		merged_block_each_made(s->blocks[i], add_made, &made);
	uint64_t limit = v->options.cache_max_bytes;
	if (v->options.made_limit)
		limit = v->options.made_limit(v->options.made_limit_arg, made.total);
	if (made.total > limit)
		vec_sort(&made.list, by_use);
	for (size_t i = 0; i < made.list.len && made.total > limit; i++) {
		const struct made *m = &made.list.data[i];
		merged_block_discard_made(m->block, m->segment);
		metric_add(cache_evicted, m->bytes);
		made.total -= m->bytes;
	}
	metric_set(cache_bytes, made.total);
	vec_fini(&made.list);
}

void view_keep_house(struct view *v, int64_t now_ms)
{
	struct view_snapshot *s = view_snapshot(v);
	drop_retired(v, now_ms);
	remove_forgotten(v, now_ms);
	for (size_t i = 0; i < s->n; i++)
		merged_block_rest(s->blocks[i], clock_monotonic_us() - REST_AFTER_US);
	keep_limit(v, s);
	view_snapshot_unref(s);
}
