/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots whose content did not fit what the layout estimated: too many bytes, or samples that can't stand in
 * one chunk (another encoding, a counter reset). The parts they need are kept in a local file, and the window
 * is merged again with them under a new name.
 */
#ifndef DEDUP_SLOT_OVERRIDES_H
#define DEDUP_SLOT_OVERRIDES_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/ulid.h"

#include <stdint.h>

#define SLOT_OVERRIDE_MAX_PARTS 64

/* One chunk of the exact layout. */
struct slot_part {
	int64_t mint, maxt; /* of its samples */
	uint32_t bytes;     /* of its frame */
};

/* Which slot: its base chunk, and its from and to. A part of a slot is a slot of its own. */
struct slot_key {
	struct ulid source;
	uint64_t ref;
	int64_t from, to;
};

struct slot_overrides;

/* Reads `path`, which need not be there; lines that make no sense are dropped. */
int slot_overrides_open(const char *path, struct slot_overrides **out, struct err *e);
void slot_overrides_close(struct slot_overrides *o);

/*
 * Remembers the parts and appends them to the file; 1 where they are news, 0 where they were known. They count (for
 * _find and _of_sources) after the next _activate, or the next open. Any thread.
 */
int slot_overrides_add(struct slot_overrides *o, const struct slot_key *key, const struct slot_part *parts,
	unsigned n, struct err *e);

/* Makes what was added count. */
void slot_overrides_activate(struct slot_overrides *o);

/* The number of parts of this slot, copied to `out`; 0: it is as the layout says. Any thread. */
unsigned slot_overrides_find(const struct slot_overrides *o, const struct slot_key *key,
	struct slot_part out[SLOT_OVERRIDE_MAX_PARTS]);

/* How many overrides concern one of these sources, and a hash of them that doesn't depend on their order. */
unsigned slot_overrides_of_sources(
	const struct slot_overrides *o, const struct ulid *sources, size_t n, uint64_t *hash);

#endif
