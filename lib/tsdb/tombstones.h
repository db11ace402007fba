/* SPDX-License-Identifier: Apache-2.0 */
/* A block's tombstones file (Prometheus' tsdb/docs/format/tombstones.md): deleted time ranges a series. */
#ifndef TSDB_TOMBSTONES_H
#define TSDB_TOMBSTONES_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define TOMBSTONES_MAX_BYTES (256u << 20) /* a larger file is refused */

struct interval {
	int64_t mint, maxt; /* ms, both inclusive */
};

struct tombstone {
	uint64_t series_ref;
	struct interval range;
};

/* Sorted by series, then mint; ranges of a series that touch or overlap are joined. */
struct tombstones {
	struct tombstone *data;
	size_t len;
};

int tombstones_parse(const void *p, size_t n, struct tombstones *out, struct err *e);
void tombstones_write(const struct tombstones *t, struct buf *out);
void tombstones_fini(struct tombstones *t);

/* The first of this series' ranges and how many there are. */
size_t tombstones_of(const struct tombstones *t, uint64_t series_ref, const struct tombstone **first);

#endif
