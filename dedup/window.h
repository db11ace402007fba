/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: overlapping blocks, by their time ranges, form one; windows never overlap each other. Each becomes
 * one merged block, whose name derives from its sources and the dedup settings, so that the same inputs have
 * the same name on every host.
 */
#ifndef DEDUP_WINDOW_H
#define DEDUP_WINDOW_H

#include "dedup/slot_overrides.h"
#include "dedup/source.h"
#include "lib/base/vec.h"

struct window {
	int64_t min_time, max_time;
	struct dedup_source *sources; /* sorted by ULID, replicas numbered; blocks are borrowed */
	size_t n;
	struct ulid ulid;
};

struct windows {
	struct window *data;
	size_t len, cap;
};

/* -E2BIG where more than DEDUP_MAX_SOURCES blocks overlap. */
int windows_of(struct catalogue_block *const *blocks, size_t n, const struct dedup_settings *settings,
	const struct slot_overrides *overrides, struct windows *out, struct err *e);
void windows_fini(struct windows *w);

#endif
