/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks things up in a block's index (Prometheus' tsdb/docs/format/index.md, versions 1 to 3): label names and values, postings lists,
 * series. (index_stream.h reads one from front to back.)
 *
 * The index is memory that somebody else holds, a mapped file as a rule, which may become unreadable: whatever is called here is called
 * under a guard (lib/base/fault_guard.h). What is given out of that memory is said to be borrowed from the mapping and is looked at
 * under the guard only; symbols are copied, once each, and may be kept as long as the reader. Any number of threads may use one.
 *
 * Every offset is bounded before it is followed, so that any bytes give answers or -EBADMSG. Checksums of the symbol table and of the
 * table of postings are verified by opening, those of lists and series each time.
 */
#ifndef TSDB_INDEX_READ_H
#define TSDB_INDEX_READ_H

#include "lib/base/err.h"
#include "lib/base/vec.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/label_set.h"
#include "lib/tsdb/postings.h"

#include <stdbool.h>
#include <stdint.h>

struct index_read;

/* Borrows the bytes. `name` is what messages call them. After a fault in here the reader that *out then holds is to be closed. */
int index_read_open(const char *name, const uint8_t *bytes, size_t n, struct index_read **out, struct err *e);
void index_read_close(struct index_read *r); /* NULL is fine */
DEFINE_AUTO(index_read, struct index_read *, index_read_close)

const char *index_read_file(const struct index_read *r); /* its name */
uint32_t index_read_symbols(const struct index_read *r); /* how many there are */
size_t index_read_max_postings(
	const struct index_read *r); /* no index of its size has more entries in its lists */

/* Symbol `number`, less than index_read_symbols: numbers rise as texts do. */
int index_read_symbol(struct index_read *r, uint32_t number, struct text *out, struct err *e);

/* Label names, sorted. Their texts may be kept as long as the reader. */
struct index_name {
	struct text name;
	uint32_t first;    /* private */
	uint32_t n_values; /* at least 1 */
};
const struct index_name *index_read_names(const struct index_read *r, size_t *n);
const struct index_name *index_read_name(const struct index_read *r, struct text name); /* NULL: not there */

/* The values of a name, one after another. Fields are private. */
struct index_values {
	const struct index_read *r;
	uint32_t sample, within, left;
	const uint8_t *at;
};

/* Before the first value, or before the first that isn't less than `from`. */
int index_values_begin(const struct index_read *r, const struct index_name *name, struct text from,
	struct index_values *out, struct err *e);

/* The next one, borrowed from the mapping, and where its list is: 1, or 0 after the last. */
int index_values_next(struct index_values *v, struct text *value, uint64_t *list, struct err *e);

/* The list there, borrowed from the mapping, its checksum verified. */
int index_read_list(const struct index_read *r, uint64_t list, struct postings *out, struct err *e);

/* The list of all series, and of those with this label; empty where there are none. */
int index_read_all(const struct index_read *r, struct postings *out, struct err *e);
int index_read_postings(
	const struct index_read *r, struct text name, struct text value, struct postings *out, struct err *e);

/* An entry for a series; arrays are kept from one to the next. Zero-initialise it, index_entry_fini it. */
struct index_entry {
	VEC(uint32_t) pairs;           /* symbol numbers: name, value, name, value ... names strictly rise */
	VEC(struct chunk_meta) chunks; /* mint <= maxt, and mint never falls */
	const uint8_t *p, *end;        /* private: what isn't decoded yet */
};
void index_entry_fini(struct index_entry *s);

/* Verifies the entry's checksum and decodes the labels; then the chunks, if they are asked for. */
int index_read_labels(const struct index_read *r, uint32_t ref, struct index_entry *s, struct err *e);
int index_read_chunks(const struct index_read *r, uint32_t ref, struct index_entry *s, struct err *e);

/* After _labels, in place of _chunks: whether some chunk has part of the range; 1, 0, or -EBADMSG. */
int index_read_touches(const struct index_read *r, uint32_t ref, const struct index_entry *s, int64_t mint,
	int64_t maxt, struct err *e);

#endif
