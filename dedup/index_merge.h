/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index merge: streams the indexes of a window's blocks, gives every series its block's external labels
 * (they overwrite the series' own), takes the replica labels away, restores the order, merges equal label
 * sets, and writes one index and one slot map. Chunk bytes are not touched. Memory does not grow with the
 * number of series.
 */
#ifndef DEDUP_INDEX_MERGE_H
#define DEDUP_INDEX_MERGE_H

#include "dedup/layout.h"

struct index_merge_input {
	struct dedup_source source;
	struct blob *index;                  /* borrowed */
	const struct tombstones *tombstones; /* borrowed; NULL: none */
};

/* A segment of the merged block: one of a source, or a synthetic one. */
struct merged_segment_ref {
	bool is_synthetic;
	uint16_t source;  /* number of the block in the window, where not synthetic */
	uint32_t segment; /* number of the source's or of the synthetic segment, from 0 */
};

struct index_merge_result {
	uint64_t series, merged_series,
		passed_series; /* merged: with at least one slot of two replicas or more */
	uint64_t chunks, slots;
	uint64_t input_series;
	uint64_t index_bytes;
	/* In the order of their numbers: the first chunk that refers to a segment gives it the next number,
	   so segments nothing refers to aren't listed and there are no holes. */
	VEC(struct merged_segment_ref) segments;
};
void index_merge_result_fini(struct index_merge_result *r);

/*
 * Writes dir/index, dir/slots and dir/runs. On failure *bad_source is the number of the input whose bytes are to blame,
 * or -1 where it is our own disk; the error names it.
 */
int index_merge(const char *dir, const struct index_merge_input *inputs, size_t n,
	const struct dedup_settings *settings, const struct slot_overrides *overrides,
	struct index_merge_result *result, int *bad_source, struct err *e);

#endif
