/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filters. All but the one for duplicates look at one block. That one would be quadratic if each block
 * were compared with each: instead an index from source to blocks gives, for any one source of a block, the
 * few others that can cover it.
 */
#include "store/block_filter.h"

#include "lib/base/sorted.h"

#include <string.h>

static const struct {
	const char *reason;
	bool is_damage;
} skips[] = {
	[BLOCK_KEPT] = { "", false },
	[BLOCK_PARTIAL] = { "partial", false },
	[BLOCK_CORRUPT_META] = { "corrupt-meta", true },
	[BLOCK_MISSING_INDEX] = { "missing-index", true },
	[BLOCK_MISSING_SEGMENT] = { "missing-segment", true },
	[BLOCK_UNREADABLE] = { "unreadable", true },
	[BLOCK_TIME_RANGE] = { "time-range", false },
	[BLOCK_SELECTOR] = { "selector", false },
	[BLOCK_MARKED] = { "marked-for-deletion", false },
	[BLOCK_TOO_FRESH] = { "too-fresh", false },
	[BLOCK_DOWNSAMPLED] = { "downsampled", false },
	[BLOCK_REJECTED] = { "rejected", true },
	[BLOCK_DUPLICATE] = { "duplicate", false },
};

const char *block_skip_reason(enum block_skip skip)
{
	return skips[skip].reason;
}

bool block_skip_is_damage(enum block_skip skip)
{
	return skips[skip].is_damage;
}

bool block_filter_time_range(const struct catalogue_options *o, const struct block_meta *m)
{
	return m->max_time >= o->min_time_ms && m->min_time <= o->max_time_ms;
}

bool block_filter_selector(const struct catalogue_options *o, const struct block_meta *m)
{
	if (!o->selector)
		return true;
	struct labels l = { 0 };
	char id[ULID_CHARS + 1];
	ulid_format(&m->ulid, id);
	labels_copy(&l, &m->thanos.labels);
	labels_set(&l, "__block_id", id);
	bool is_kept = relabel_apply(o->selector, &l);
	labels_fini(&l);
	return is_kept;
}

/* now - then, clamped: both times may come from a file. */
static int64_t age_ms(int64_t now_ms, int64_t then_ms)
{
	int64_t age;
	if (__builtin_sub_overflow(now_ms, then_ms, &age))
		return then_ms < 0 ? INT64_MAX : INT64_MIN;
	return age;
}

bool block_filter_is_deleted(const struct catalogue_options *o, int64_t mark_time_ms, int64_t now_ms)
{
	return age_ms(now_ms, mark_time_ms) > o->ignore_deletion_marks_delay_ms;
}

bool block_filter_is_too_fresh(const struct catalogue_options *o, const struct block_meta *m, int64_t now_ms)
{
	static const char *const exempt[] = { "compactor", "compactor.repair", "bucket.repair" };
	for (size_t i = 0; m->thanos.source && i < ARRAY_LEN(exempt); i++)
		if (!strcmp(m->thanos.source, exempt[i]))
			return false;
	int64_t since = m->thanos.upload_time_ms ? m->thanos.upload_time_ms : ulid_time_ms(&m->ulid);
	return age_ms(now_ms, since) < o->consistency_delay_ms;
}

static bool is_replica_label(const struct catalogue_options *o, const char *name)
{
	for (size_t i = 0; i < o->n_replica_labels; i++)
		if (!strcmp(o->replica_labels[i], name))
			return true;
	return false;
}

static size_t next_label(const struct catalogue_options *o, const struct labels *l, size_t i)
{
	while (i < l->len && is_replica_label(o, l->data[i].name))
		i++;
	return i;
}

static bool is_same_group(
	const struct catalogue_options *o, const struct block_meta *a, const struct block_meta *b)
{
	const struct labels *x = &a->thanos.labels, *y = &b->thanos.labels;
	size_t i = next_label(o, x, 0), k = next_label(o, y, 0);
	while (i < x->len && k < y->len) {
		if (strcmp(x->data[i].name, y->data[k].name) != 0 ||
			strcmp(x->data[i].value, y->data[k].value) != 0)
			return false;
		i = next_label(o, x, i + 1);
		k = next_label(o, y, k + 1);
	}
	return i == x->len && k == y->len && a->thanos.resolution_ms == b->thanos.resolution_ms;
}

static size_t source_count(const struct block_meta *m)
{
	return m->compaction.sources.len ? m->compaction.sources.len : 1;
}

static const struct ulid *source_of(const struct block_meta *m, size_t i)
{
	return m->compaction.sources.len ? &m->compaction.sources.data[i] : &m->ulid;
}

/* One source of one block. Sorted by source, then by the block's rank: what may cover comes before what it
 * covers. */
struct source_ref {
	struct ulid source;
	uint32_t rank;
};

struct ranked {
	const struct block_meta *meta;
	uint32_t block;
	bool is_covered;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct block_meta *x = ((const struct ranked *)a)->meta, *y = ((const struct ranked *)b)->meta;
	size_t nx = source_count(x), ny = source_count(y);
	if (nx != ny)
		return nx > ny ? -1 : 1;
	return ulid_cmp(&x->ulid, &y->ulid);
}

static int compare_refs(const void *a, const void *b)
{
	const struct source_ref *x = a, *y = b;
	int c = ulid_cmp(&x->source, &y->source);
	return c ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

struct source_index {
	VEC(struct source_ref) refs;
};

/* The first ref of this source; its like follow. */
static size_t find_source(const struct source_index *index, const struct ulid *source)
{
	return lower_bound(i, index->refs.len, ulid_cmp(&index->refs.data[i].source, source) < 0);
}

static bool has_source(const struct source_index *index, const struct ulid *source, uint32_t rank)
{
	struct source_ref want = { .source = *source, .rank = rank };
	return bsearch(&want, index->refs.data, index->refs.len, sizeof want, compare_refs) != NULL;
}

static bool covers(const struct source_index *index, uint32_t rank, const struct block_meta *m)
{
	for (size_t i = 0; i < source_count(m); i++)
		if (!has_source(index, source_of(m, i), rank))
			return false;
	return true;
}

/* The rank of the first block that covers the one of rank `child`; -1: none does. */
static ssize_t find_cover(const struct catalogue_options *o, const struct source_index *index,
	const struct ranked *ranks, uint32_t child)
{
	const struct block_meta *m = ranks[child].meta;
	const struct ulid *first = source_of(m, 0);
	for (size_t i = find_source(index, first); i < index->refs.len; i++) {
		const struct source_ref *ref = &index->refs.data[i];
		if (ulid_cmp(&ref->source, first) != 0 || ref->rank >= child)
			break;
		const struct ranked *parent = &ranks[ref->rank];
		if (!parent->is_covered && is_same_group(o, parent->meta, m) && covers(index, ref->rank, m))
			return ref->rank;
	}
	return -1;
}

void block_filter_duplicates(const struct catalogue_options *o, const struct block_meta *const *metas,
	size_t n, ssize_t *covered_by)
{
	if (n == 0)
		return;
	struct source_index index = { 0 };
	auto_free struct ranked *ranks = xreallocarray(NULL, n, sizeof *ranks);
	for (size_t i = 0; i < n; i++)
		ranks[i] = (struct ranked){ .meta = metas[i], .block = (uint32_t)i };
	qsort(ranks, n, sizeof *ranks, compare_ranked);
	for (size_t rank = 0; rank < n; rank++)
		for (size_t k = 0; k < source_count(ranks[rank].meta); k++)
			vec_push(&index.refs, (struct source_ref){ .source = *source_of(ranks[rank].meta, k),
						      .rank = (uint32_t)rank });
	vec_sort(&index.refs, compare_refs);
	for (size_t rank = 0; rank < n; rank++) {
		ssize_t cover = find_cover(o, &index, ranks, (uint32_t)rank);
		ranks[rank].is_covered = cover >= 0;
		covered_by[ranks[rank].block] = cover >= 0 ? (ssize_t)ranks[cover].block : -1;
	}
	vec_fini(&index.refs);
}
