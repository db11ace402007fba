/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block's meta.json: Prometheus' BlockMeta (tsdb/block.go) and the section "thanos" that Thanos adds to it
 * (pkg/block/metadata/meta.go).
 */
#ifndef TSDB_META_H
#define TSDB_META_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/ulid.h"
#include "lib/base/vec.h"
#include "lib/tsdb/labels.h"

#include <stdbool.h>
#include <stdint.h>

#define META_JSON_MAX_BYTES (16u << 20) /* a larger meta.json is refused */

struct meta_parent {
	struct ulid ulid;
	int64_t min_time, max_time;
};

struct meta_file {
	char *rel_path;      /* "chunks/000001", "index", "meta.json" */
	uint64_t size_bytes; /* 0 where meta.json gives none */
};

struct block_meta {
	struct ulid ulid;
	int64_t min_time, max_time; /* ms; min_time <= t < max_time */
	struct {
		uint64_t samples, series, chunks, tombstones, float_samples, histogram_samples;
	} stats;
	struct {
		int level;
		bool deletable, failed;
		VEC(struct ulid) sources;
		VEC(struct meta_parent) parents;
		VEC(char *) hints;
	} compaction;
	struct {
		bool present; /* the section is there */
		struct labels labels;
		int64_t resolution_ms; /* 0, 300000, 3600000 */
		char *source;          /* "sidecar", "compactor" ...; may be NULL */
		VEC(char *) segment_files;
		VEC(struct meta_file) files;
		int64_t upload_time_ms; /* 0: none, or Go's zero time */
		char *extensions_json;  /* the value of "extensions" as JSON text; NULL: none */
	} thanos;
};

/*
 * Parses a meta.json. Refuses with -EBADMSG and words that say what is wrong: no JSON, a version other than 1 (absent
 * counts as 1), no or a bad ulid, min_time > max_time, label names or values that aren't strings, sizes below 0.
 */
int block_meta_parse(const void *json, size_t n, struct block_meta **out, struct err *e);

/* Appends the file as Prometheus and Thanos write it: JSON indented by tabs, one newline at the end. */
void block_meta_write(const struct block_meta *m, struct buf *out);

void block_meta_free(struct block_meta *m);
DEFINE_AUTO(block_meta, struct block_meta *, block_meta_free)

#endif
