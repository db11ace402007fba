/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the catalogue keeps of a meta.json, as bytes that read back many times faster than JSON does: a start with ten
 * thousand blocks depends on it. Without thanos.files, thanos.segment_files and thanos.extensions.
 *
 *	ULID, times, stats, level, flags, sources, parents, hints, labels, resolution, source, upload time:
 *	numbers are varints, lists and strings have their length in front
 */
#ifndef STORE_META_RECORD_H
#define STORE_META_RECORD_H

#include "lib/tsdb/meta.h"

/* Appends the record. */
void meta_record_write(const struct block_meta *m, struct buf *out);

/* Exactly n bytes; -EBADMSG. */
int meta_record_read(const void *p, size_t n, struct block_meta **out);

#endif
