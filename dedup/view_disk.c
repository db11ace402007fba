/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a view leaves on the local disk for the process after it, and finds there of the one before: the published set, and
 * the directories of blocks that some reader may still have open.
 */
#include "dedup/prefetch.h"
#include "dedup/published.h"
#include "dedup/view_private.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <sys/stat.h>

METRIC_GAUGE(blocks_published, "thanosfs_blocks_published", "Merged blocks on the mount.")

char *view_block_path(const struct view *v, const struct ulid *u, const char *name)
{
	char id[ULID_CHARS + 1];
	ulid_format(u, id);
	return xasprintf("%s/%s%s", v->dir, id, name);
}

struct merged_block *view_find_on_disk(struct view *v, const struct ulid *u, int64_t *since_ms)
{
	auto_free char *dir = view_block_path(v, u, ""), *path = view_block_path(v, u, "/block.json");
	const struct merged_file *files;
	size_t n;
	struct err e;
	struct stat st;
	if (!file_exists(path) || stat(dir, &st) < 0)
		return NULL;
	struct merged_block *b = merged_block_of_disk(&v->env, dir, u, 0, ulid_time_ms(u));
	if (merged_block_files(b, &files, &n, &e) < 0) {
		log_warn("retired block can't be used", KV("err", e.msg));
		merged_block_unref(b);
		return NULL;
	}
	*since_ms = (int64_t)st.st_mtim.tv_sec * 1000; /* when it retired: see publish */
	return b;
}

void view_keep_published(struct view *v, const struct view_snapshot *s)
{
	struct published p = { .generation = s->generation };
	auto_buf struct buf bytes = { 0 };
	struct err e;
	for (size_t i = 0; i < s->n; i++)
		vec_push(&p.blocks,
			(struct published_block){ *merged_block_ulid(s->blocks[i]),
				merged_block_min_time(s->blocks[i]), merged_block_max_time(s->blocks[i]) });
	metric_set(blocks_published, p.blocks.len);
	published_write(&p, &bytes);
	published_fini(&p);
	if (file_replace(v->published_path, bytes.data, bytes.len, &e) < 0)
		log_warn("the published set can't be kept locally", KV("err", e.msg));
}

int view_restore(struct view *v, struct err *e)
{
	auto_buf struct buf bytes = { 0 };
	struct published p = { 0 };
	int r = file_read(v->published_path, PUBLISHED_MAX_BYTES, &bytes, e);
	if (r == 0)
		r = published_parse(v->published_path, bytes.data, bytes.len, &p, e);
	if (r < 0)
		return r;
	struct view_snapshot *s = xcalloc(1, sizeof *s);
	s->refs = 1;
	s->generation = p.generation;
	s->blocks = xcalloc(p.blocks.len + 1, sizeof(struct merged_block *));
	vec_each (b, &p.blocks) {
		auto_free char *dir = view_block_path(v, &b->ulid, "");
		s->blocks[s->n++] = merged_block_of_disk(&v->env, dir, &b->ulid, b->min_time, b->max_time);
	}
	metric_set(blocks_published, p.blocks.len);
	published_fini(&p);
	pthread_mutex_lock(&v->lock);
	struct view_snapshot *before = v->current;
	v->current = s;
	v->is_restored = true;
	pthread_mutex_unlock(&v->lock);
	prefetch_set_blocks(v->env.prefetch, s->blocks, s->n);
	view_snapshot_unref(before);
	return 0;
}
