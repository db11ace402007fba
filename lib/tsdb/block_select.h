/* SPDX-License-Identifier: Apache-2.0 */
/* What of one block matches: its series, and the names and values of their labels. */
#ifndef TSDB_BLOCK_SELECT_H
#define TSDB_BLOCK_SELECT_H

#include "lib/base/arena.h"
#include "lib/tsdb/block_read.h"
#include "lib/tsdb/choose.h"
#include "lib/tsdb/label_set.h"

#include <stdint.h>

struct block_series {
	struct label_set labels; /* over texts that live as long as the block is open */
	uint32_t ref;
};

/* Zero-initialise it. */
struct block_selection {
	VEC(struct block_series) list;
};

/*
 * Appends the series that fit and have samples with mint <= t <= maxt, as far as chunk metas and tombstones tell, in the order of their
 * labels; pairs lie in the arena. -EBADMSG, -EIO with the block named.
 */
int block_select(struct block_read *b, const struct condition *conditions, size_t n, int64_t mint,
	int64_t maxt, struct arena *a, struct block_selection *out, struct err *e);

/* Zero-initialise it. */
struct texts {
	VEC(struct text) list;
};

/*
 * Appends the label names of the series that fit, or where `name` isn't NULL its values: none twice, in the arena, sorted; no more than
 * `limit` (0: all). Without conditions what the index lists is taken as it is.
 */
int block_select_texts(struct block_read *b, const struct text *name, const struct condition *conditions,
	size_t n, size_t limit, struct arena *a, struct texts *out, struct err *e);

#endif
