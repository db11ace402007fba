/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fleet_blocks.h"

#include "lib/tsdb/block_write.h"
#include "tests/support/fleet.h"
#include "tests/support/test.h"

#define SCRAPES (FLEET_BLOCK_MS / FLEET_STEP_MS)

static bool is_wanted(const struct fleet_series *s)
{
	const char *name = labels_get(&s->labels, "__name__");
	return !strcmp(name, "node_boot_time_seconds") || !strcmp(name, FLEET_CPU) ||
	       !strcmp(name, "node_filesystem_avail_bytes");
}

static int by_labels(const void *a, const void *b)
{
	return labels_cmp(
		&((const struct fleet_series *)a)->labels, &((const struct fleet_series *)b)->labels);
}

/* The scrapes of a series' target in a block. */
static size_t scrapes(const struct fleet_series *s, unsigned replica, unsigned block, int64_t *t)
{
	uint64_t key = fleet_mix(s->target + replica);
	int64_t phase = (int64_t)(fleet_uniform(key) * FLEET_STEP_MS),
		from = FLEET_T0 + block * FLEET_BLOCK_MS;
	size_t n = 0;
	for (int64_t i = 0; i < SCRAPES; i++) {
		int64_t at = from + i * FLEET_STEP_MS + phase;
		bool is_away = replica == 0 && block == 1 && i >= 200 && i < 228;
		if (!is_away && fleet_mix(key ^ (uint64_t)at) % 2000 && at >= s->from && at < s->to)
			t[n++] = at;
	}
	return n;
}

void fleet_block_write(
	const char *dir, const char *cluster, unsigned replica, unsigned block, unsigned machines)
{
	struct err e;
	struct fleet fleet = { 0 };
	struct block_writer *w;
	const struct fleet_options fo = { .seed = 1, .instances = machines };
	uint8_t rest[10] = { (uint8_t)cluster[0], [8] = (uint8_t)replica, [9] = (uint8_t)block };
	int64_t from = FLEET_T0 + block * FLEET_BLOCK_MS, t[SCRAPES];
	uint64_t v[SCRAPES];
	VEC(const struct labels *) sets = { 0 };
	struct block_meta *meta = xcalloc(1, sizeof *meta);
	meta->min_time = from;
	meta->max_time = from + FLEET_BLOCK_MS;
	meta->thanos.present = true;
	labels_set(&meta->thanos.labels, "cluster", cluster);
	labels_set(&meta->thanos.labels, "replica", replica ? "b" : "a");
	fleet_at(&fo, cluster, from, from + FLEET_BLOCK_MS, &fleet);
	vec_sort(&fleet.series, by_labels);
	vec_each (s, &fleet.series)
		if (is_wanted(s))
			vec_push(&sets, &s->labels);
	const struct block_writer_options o = {
		.is_relaxed = true, .parent = dir, .ulid = ulid_make(FLEET_T0 + block * FLEET_BLOCK_MS, rest)
	};
	CHECK_OK(block_writer_open(&o, &w, &e), &e);
	CHECK_OK(block_writer_label_sets(w, sets.data, sets.len, &e), &e);
	vec_each (s, &fleet.series) {
		if (!is_wanted(s))
			continue;
		size_t n = scrapes(s, replica, block, t);
		CHECK_OK(block_writer_labels(w, &s->labels, &e), &e);
		fleet_values(s, t, n, v);
		CHECK_OK(block_writer_floats(w, t, v, n, &e), &e);
	}
	CHECK_OK(block_writer_finish(w, meta, &e), &e);
	block_writer_close(w);
	block_meta_free(meta);
	vec_fini(&sets);
	fleet_fini(&fleet);
}
