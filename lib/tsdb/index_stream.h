/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a block's index (Prometheus' tsdb/docs/format/index.md, versions 1 to 3) from front to back in bounded memory:
 * first all symbols, then all series. Every checksum on the way is verified. What a merge of indexes needs; nothing here
 * looks anything up.
 */
#ifndef TSDB_INDEX_STREAM_H
#define TSDB_INDEX_STREAM_H

#include "lib/base/blob.h"
#include "lib/tsdb/chunk.h"

struct index_stream;

/* Borrows `index`, which must outlive the stream. Verifies magic, version and table of contents. */
int index_stream_open(struct blob *index, struct index_stream **out, struct err *e);
void index_stream_close(struct index_stream *s);
DEFINE_AUTO(index_stream, struct index_stream *, index_stream_close)

uint32_t index_stream_symbol_count(const struct index_stream *s);

/*
 * The next symbol, borrowed until the next call; 1, or 0 after the last, or -EBADMSG: a bad checksum, or symbols
 * that don't strictly rise. Symbol number k (from 0) is the ref that series entries use. (Version 1 indexes refer
 * to symbols by file offset: the stream translates.)
 */
int index_stream_symbol(struct index_stream *s, const char **text, size_t *len, struct err *e);

struct index_series {
	uint64_t ref; /* as postings and tombstones name the series: offset / 16, in version 1 the offset */
	uint32_t *pairs; /* 2 * n_labels symbol numbers: name, value, name, value ... */
	uint32_t n_labels;
	struct chunk_meta *chunks;
	uint32_t n_chunks;
};

/*
 * The next series, whose arrays are borrowed until the next call; 1, or 0 after the last, or -EBADMSG. All symbols
 * must have been read. Label names strictly rise within a series, symbol numbers are in range, chunks have
 * mint <= maxt and never fall by mint: checked. The order of the series is not.
 */
int index_stream_series(struct index_stream *s, struct index_series *out, struct err *e);

#endif
