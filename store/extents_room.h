/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room: how many bytes are present, and what goes when there is no more. Regions of 1 MiB go, the one used longest ago
 * first, and never one that is being read, fetched into, or held.
 */
#ifndef STORE_EXTENTS_ROOM_H
#define STORE_EXTENTS_ROOM_H

#include "store/extents_state.h"

/* Counts `bytes` more as present, evicting others where it must; false: nothing can be evicted. May let go of the lock. */
bool extents_room_reserve_locked(struct extents *x, uint64_t bytes);
void extents_room_give_back_locked(struct extents *x, uint64_t bytes);

/* Evicts until `bytes` are left; false: can't. */
bool extents_room_trim_locked(struct extents *x, uint64_t bytes);

/* The region has blocks now, or has none any more. */
void extents_room_list_locked(struct extents *x, struct extents_region *r, uint64_t used, bool as_oldest);
void extents_room_unlist_locked(struct extents *x, struct extents_region *r);

#endif
