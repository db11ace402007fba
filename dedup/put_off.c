/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/put_off.h"

bool put_off_add(struct put_off *p, const struct ulid *block, int cause)
{
	vec_each (b, &p->blocks) {
		if (ulid_cmp(&b->ulid, block) != 0)
			continue;
		bool is_other = b->cause != cause;
		b->cause = cause;
		b->is_new = true;
		return is_other;
	}
	vec_push(&p->blocks, (struct put_off_block){ *block, cause, true });
	return true;
}

size_t put_off_sync_ends(struct put_off *p)
{
	size_t kept = 0, had = p->blocks.len;
	for (size_t i = 0; i < had; i++) {
		if (!p->blocks.data[i].is_new)
			continue;
		p->blocks.data[kept] = p->blocks.data[i];
		p->blocks.data[kept++].is_new = false;
	}
	p->blocks.len = kept;
	return had - kept;
}

void put_off_fini(struct put_off *p)
{
	vec_fini(&p->blocks);
}
