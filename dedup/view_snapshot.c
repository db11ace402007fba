/* SPDX-License-Identifier: Apache-2.0 */
/* A published set: immutable once made, and alive as long as anybody refers to it. */
#include "dedup/view.h"
#include "lib/base/sorted.h"

#include <stdlib.h>

void view_snapshot_unref(struct view_snapshot *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (size_t i = 0; i < s->n; i++)
		merged_block_unref(s->blocks[i]);
	free(s->blocks);
	free(s);
}

struct merged_block *view_snapshot_find(const struct view_snapshot *s, const struct ulid *u)
{
	size_t at = lower_bound(i, s->n, ulid_cmp(merged_block_ulid(s->blocks[i]), u) < 0);
	return at < s->n && !ulid_cmp(merged_block_ulid(s->blocks[at]), u) ? s->blocks[at] : NULL;
}
