/* SPDX-License-Identifier: Apache-2.0 */
/* What a block's index says of its series by the lengths of its lists alone: no series is looked at. */
#ifndef TSDB_BLOCK_STATS_H
#define TSDB_BLOCK_STATS_H

#include "lib/tsdb/block_read.h"
#include "lib/tsdb/source_stats.h"

/* Fills in the number of series and of label pairs, and the tables. -EBADMSG, -EIO with the block named; -ECANCELED, see interrupt.h. */
int block_stats(const struct block_read *b, struct arena *a, struct source_stats *out, struct err *e);

#endif
