/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A series source over a TSDB directory of blocks (a mount's, or Prometheus' own, whose head is not looked at). Blocks that come and go
 * are noticed within a second (block_dir.h); a query goes on with the ones that it began with.
 *
 * A series that several blocks have is one: its samples are in time order, and of samples of the same time the one of the block that
 * begins first stays. Names and values of labels are those of all blocks that overlap the range, as Prometheus answers them.
 */
#ifndef TSDB_BLOCK_SOURCE_H
#define TSDB_BLOCK_SOURCE_H

#include "lib/tsdb/series_source.h"

int block_source_open(const char *dir, struct series_source **out, struct err *e);

#endif
