/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/window.h"

#include <errno.h>
#include <xxhash.h>

#define NAMING_VERSION "thanosfs merged block 1" /* changes when the same inputs give other bytes */

static int by_time(const void *pa, const void *pb)
{
	const struct block_meta *a = (*(struct catalogue_block *const *)pa)->meta;
	const struct block_meta *b = (*(struct catalogue_block *const *)pb)->meta;
	if (a->min_time != b->min_time)
		return a->min_time < b->min_time ? -1 : 1;
	return ulid_cmp(&a->ulid, &b->ulid);
}

static int by_ulid(const void *pa, const void *pb)
{
	const struct dedup_source *a = pa, *b = pb;
	return ulid_cmp(&a->block->meta->ulid, &b->block->meta->ulid);
}

static bool is_replica_label(const struct dedup_settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_replica_labels; i++)
		if (!strcmp(s->replica_labels[i], name))
			return true;
	return false;
}

/* The replica labels' values (identity), or everything but them (target). */
static void label_text(
	const struct catalogue_block *b, const struct dedup_settings *s, bool identity, struct buf *out)
{
	const struct labels *l = &b->meta->thanos.labels;
	for (size_t i = 0; i < l->len; i++)
		if (is_replica_label(s, l->data[i].name) == identity) {
			buf_add(out, l->data[i].name, strlen(l->data[i].name) + 1);
			buf_add(out, l->data[i].value, strlen(l->data[i].value) + 1);
		}
}

struct identity {
	struct buf replica, target;
};

static int by_replica(const void *pa, const void *pb)
{
	const struct buf *a = &(*(struct identity *const *)pa)->replica,
			 *b = &(*(struct identity *const *)pb)->replica;
	size_t n = MIN_OF(a->len, b->len);
	int c = n ? memcmp(a->data, b->data, n) : 0;
	return c ? c : (a->len > b->len) - (a->len < b->len);
}

static bool is_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || !memcmp(a->data, b->data, a->len));
}

/* In doubles, which hold the difference of any two times. */
static double span(int64_t from, int64_t to)
{
	return (double)to - (double)from;
}

static double overlap(const struct block_meta *a, const struct block_meta *b)
{
	return span(MAX_OF(a->min_time, b->min_time), MIN_OF(a->max_time, b->max_time));
}

/* Whether another replica of the same targets covers at least half of the block's time. */
static bool has_twin(const struct window *w, const struct identity *ids, size_t i)
{
	const struct block_meta *m = w->sources[i].block->meta;
	for (size_t k = 0; k < w->n; k++)
		if (w->sources[k].replica != w->sources[i].replica &&
			is_same(&ids[k].target, &ids[i].target) &&
			overlap(m, w->sources[k].block->meta) >= span(m->min_time, m->max_time) / 2)
			return true;
	return false;
}

static void number_replicas(struct window *w, const struct dedup_settings *settings)
{
	struct identity *ids = xcalloc(w->n, sizeof *ids);
	struct identity **sorted = xcalloc(w->n, sizeof *sorted);
	for (size_t i = 0; i < w->n; i++) {
		label_text(w->sources[i].block, settings, true, &ids[i].replica);
		label_text(w->sources[i].block, settings, false, &ids[i].target);
		sorted[i] = &ids[i];
	}
	qsort(sorted, w->n, sizeof *sorted, by_replica);
	unsigned number = 0;
	for (size_t i = 0; i < w->n; i++) {
		number += i > 0 && !is_same(&sorted[i - 1]->replica, &sorted[i]->replica);
		w->sources[sorted[i] - ids].replica = number;
	}
	for (size_t i = 0; i < w->n; i++)
		w->sources[i].passthrough = !has_twin(w, ids, i);
	for (size_t i = 0; i < w->n; i++) {
		buf_fini(&ids[i].replica);
		buf_fini(&ids[i].target);
	}
	free(ids);
	free(sorted);
}

static void name_window(
	struct window *w, const struct dedup_settings *s, const struct slot_overrides *overrides)
{
	auto_buf struct buf text = { 0 };
	VEC(struct ulid) ulids = { 0 };
	buf_printf(&text, "%s\nfunc %d\n", NAMING_VERSION, (int)s->func);
	for (size_t i = 0; i < s->n_replica_labels; i++)
		buf_printf(&text, "replica label %s\n", s->replica_labels[i]);
	for (size_t i = 0; i < w->n; i++) {
		buf_printf(&text, "source %s\n", w->sources[i].block->ulid);
		vec_push(&ulids, w->sources[i].block->meta->ulid);
	}
	uint64_t hash;
	unsigned n = overrides ? slot_overrides_of_sources(overrides, ulids.data, ulids.len, &hash) : 0;
	if (n)
		buf_printf(&text, "overrides %u %016llx\n", n, (unsigned long long)hash);
	vec_fini(&ulids);
	XXH128_canonical_t digest;
	XXH128_canonicalFromHash(&digest, XXH3_128bits(text.data, text.len));
	w->ulid = ulid_make(MIN_OF(MAX_OF(w->max_time, 0), (1ll << 48) - 1), digest.digest);
}

int windows_of(struct catalogue_block *const *blocks, size_t n, const struct dedup_settings *settings,
	const struct slot_overrides *overrides, struct windows *out, struct err *e)
{
	struct catalogue_block **sorted = xcalloc(n + 1, sizeof *sorted);
	int r = 0;
	if (n)
		memcpy(sorted, blocks, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_time);
	for (size_t i = 0, next; i < n && r == 0; i = next) {
		struct window w = { .min_time = sorted[i]->meta->min_time,
			.max_time = sorted[i]->meta->max_time };
		for (next = i + 1; next < n && sorted[next]->meta->min_time < w.max_time; next++)
			w.max_time = MAX_OF(w.max_time, sorted[next]->meta->max_time);
		w.n = next - i;
		if (w.n > DEDUP_MAX_SOURCES) {
			r = err_set(e, -E2BIG, "%zu blocks overlap around %s; at most %d can be one window",
				w.n, sorted[i]->ulid, DEDUP_MAX_SOURCES);
			break;
		}
		w.sources = xcalloc(w.n, sizeof *w.sources);
		for (size_t k = 0; k < w.n; k++)
			w.sources[k].block = sorted[i + k];
		qsort(w.sources, w.n, sizeof *w.sources, by_ulid);
		number_replicas(&w, settings);
		name_window(&w, settings, overrides);
		vec_push(out, w);
	}
	free(sorted);
	return r;
}

void windows_fini(struct windows *w)
{
	for (size_t i = 0; i < w->len; i++)
		free(w->data[i].sources);
	vec_fini(w);
}
