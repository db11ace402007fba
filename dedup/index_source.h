/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block's index as the merge wants it: series with edited labels in the order of these, and the chunks
 * that count.
 */
#ifndef DEDUP_INDEX_SOURCE_H
#define DEDUP_INDEX_SOURCE_H

#include "dedup/index_merge.h"
#include "dedup/label_edit.h"
#include "dedup/series_record.h"
#include "lib/tsdb/index_stream.h"

struct index_source;

/*
 * The merge is refused where one merged series has more chunks: nothing else bounds the memory for one
 * series.
 */
#define INDEX_SOURCE_MAX_CHUNKS (4u << 20)

/*
 * `number` is the block's place in the window. Borrows all pointers; the stream's symbols have been read.
 * `dir` is for scratch files; `keep_bytes` as in series_order.h.
 */
struct index_source *index_source_new(const struct index_merge_input *in, uint16_t number,
	struct index_stream *stream, const struct label_edit *edit, const char *dir, size_t keep_bytes);
void index_source_free(struct index_source *s); /* NULL is fine */

/*
 * The next series, borrowed until the next call, 1; 0 after the last. Several series in a row can have the
 * same labels where edit->may_reorder. Series without a chunk that counts, or without a label, are left out.
 */
int index_source_next(struct index_source *s, const struct series_record **out, struct err *e);

/* Whether the error that index_source_next gave is about our own disk. */
bool index_source_disk_failed(const struct index_source *s);

uint64_t index_source_series(const struct index_source *s); /* read so far */

#endif
