/* SPDX-License-Identifier: Apache-2.0 */
/* The short way to the plan of a series that one or two replicas have, as nearly all do. */
#ifndef DEDUP_LAYOUT_PAIR_H
#define DEDUP_LAYOUT_PAIR_H

#include "dedup/layout.h"

struct planned_chunks {
	struct planned_chunk *data;
	size_t len, cap;
};

/*
 * Plans the series as layout_series does for DEDUP_COMPLETE without overrides, if it is a simple one: at most two
 * replicas, whose chunks are in order, don't overlap, have nothing deleted, and leave no gap that the other one would
 * have to fill. False: it isn't, and `out` and `pool` hold nothing of use.
 */
bool layout_pair(const struct dedup_source *sources, const struct layout_input *in, size_t n,
	struct planned_chunks *out, struct slot_sources *pool);

#endif
