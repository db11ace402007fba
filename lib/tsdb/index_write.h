/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a block's index (Prometheus' tsdb/docs/format/index.md, version 2) in one pass over sorted series, with
 * memory that doesn't grow with the number of series: postings are gathered in a scratch file.
 */
#ifndef TSDB_INDEX_WRITE_H
#define TSDB_INDEX_WRITE_H

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/tsdb/chunk.h"

#include <stddef.h>
#include <stdint.h>

struct index_writer;

/* Creates `path`; scratch files go beside it and are unlinked at once. */
int index_writer_open(const char *path, struct index_writer **out, struct err *e);

/* Finish won't fsync: for what can be made again. */
void index_writer_relax(struct index_writer *w);

/* Symbols, strictly rising; the k-th added (from 0) is number k in the pairs of series. */
int index_writer_symbol(struct index_writer *w, const char *text, size_t len, struct err *e);

/*
 * Adds a series. `pairs` as in struct index_series; series strictly rise by labels (-EINVAL otherwise), chunks don't
 * overlap and rise (-EINVAL otherwise). *ref, which may be NULL, is the series' number in postings.
 */
int index_writer_series(struct index_writer *w, const uint32_t *pairs, uint32_t n_labels,
	const struct chunk_meta *chunks, uint32_t n_chunks, uint64_t *ref, struct err *e);

/* Postings, tables, table of contents; fsyncs. *bytes is the file's size. */
int index_writer_finish(struct index_writer *w, uint64_t *bytes, struct err *e);

/* Also after a failure, when the unfinished file is removed. */
void index_writer_close(struct index_writer *w);
DEFINE_AUTO(index_writer, struct index_writer *, index_writer_close)

#endif
