/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of a slot: its source chunks decoded, deduplicated and encoded as one chunk. A pure function of
 * the slot, the dedup function and the source bytes.
 */
#ifndef DEDUP_SLOT_MERGE_H
#define DEDUP_SLOT_MERGE_H

#include "dedup/layout.h"
#include "dedup/slot_overrides.h"

struct slot_merger; /* scratch, kept from slot to slot; one a thread */

struct slot_merger *slot_merger_new(enum dedup_func func);
void slot_merger_free(struct slot_merger *m); /* NULL is fine */
DEFINE_AUTO(slot_merger, struct slot_merger *, slot_merger_free)

/* Where source chunks come from. */
struct slot_reader {
	/*
	 * The chunk a slot's source names, borrowed until the next call. -EBADMSG: it is corrupt for good;
	 * any other -errno: it can't be had now. Whoever implements it counts and logs.
	 */
	int (*chunk)(struct slot_reader *r, const struct slot_source *s, struct chunk *out);
	/* A chunk that was read is corrupt inside: counts and logs. */
	void (*corrupt)(struct slot_reader *r, const struct slot_source *s, const char *why);
	/* The tombstones of a source that has some. */
	const struct tombstones *(*tombstones)(struct slot_reader *r, uint16_t source);
};

struct slot_result {
	bool unavailable; /* some source could not be had now: what was made is less than it could be and must
			     not be kept */
	bool no_data;     /* nothing could be had: `out` is empty and the slot stays zeros */
	uint32_t input_samples, output_samples; /* input: decoded ones */
	/* Where it does not fit as one chunk of the slot's capacity: what it takes. The frame is then the
	 * base's alone. */
	unsigned n_parts;
	struct slot_part parts[SLOT_OVERRIDE_MAX_PARTS];
};

/*
 * Whether other chunks than its base's will be read for sure. Where not, most slots are their base's frame as it stands, and
 * only its samples tell.
 */
bool slot_needs_all(const struct slot *slot, enum dedup_func func);

/* Whether its base will be decoded: not where there is none, or its frame is the content for sure. */
bool slot_decodes_base(const struct slot *slot);

/*
 * For slots that are merged next, so that their bases are decoded together: expect_none, expect for each of them, then expect_end. expect
 * fetches the base; false: there is no room for more. Who finds out that it can't be had now, and will have it later, calls unexpect.
 * What is expected changes no result, and need not be merged.
 */
void slot_merger_expect_none(struct slot_merger *m);
bool slot_merger_expect(struct slot_merger *m, const struct slot *slot, struct slot_reader *reader);
void slot_merger_unexpect(struct slot_merger *m);
void slot_merger_expect_end(struct slot_merger *m);
bool slot_merger_expects(const struct slot_merger *m, const struct slot *slot);

/* Appends the slot's frame to `out`: at most slot->capacity bytes. */
void slot_merge(struct slot_merger *m, const struct slot *slot, struct slot_reader *reader, struct buf *out,
	struct slot_result *result);

#endif
