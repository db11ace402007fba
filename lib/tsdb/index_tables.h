/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of an index that a lookup begins in: of contents, of symbols, of postings. What index_read.h stands on; for it alone. */
#ifndef TSDB_INDEX_TABLES_H
#define TSDB_INDEX_TABLES_H

#include "lib/base/err.h"
#include "lib/tsdb/index_read.h"

#include <endian.h>

#define INDEX_HEADER_BYTES 5
#define INDEX_CRC_BYTES    4

static inline uint32_t index_be32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

struct index_tables {
	const char *name; /* borrowed */
	const uint8_t *p; /* borrowed: the index */
	size_t end;       /* where its table of contents begins, and all else ends */
	uint8_t version;

	uint32_t n_symbols, symbol_stride;
	VEC(uint32_t) symbol_at; /* every symbol_stride-th: its offset from the table's first byte */
	const uint8_t *symbols, *symbols_end;

	uint32_t stride;
	VEC(struct index_name) names;
	VEC(uint32_t) entry_at; /* every stride-th of each name: its offset from the table's first byte */
	const uint8_t *entries, *entries_end;
	bool has_all;
	uint64_t all; /* where the list of all series is */

	struct buf name_texts; /* the names' */
};

/* After a failure, and after a fault, too, it wants index_tables_fini. */
int index_tables_open(struct index_tables *t, const char *name, const uint8_t *p, size_t n, struct err *e);
void index_tables_fini(struct index_tables *t);

/* Bytes behind a length at this offset, with room for a checksum behind them. */
bool index_tables_section(const struct index_tables *t, uint64_t at, const uint8_t **p, size_t *n);

/* Symbol `number`, borrowed from the mapping. */
int index_tables_symbol(const struct index_tables *t, uint32_t number, struct text *out, struct err *e);

/* In version 1, the number of the symbol at this offset in the file; UINT32_MAX: there is none. */
uint32_t index_tables_symbol_at(const struct index_tables *t, uint64_t offset);

/* Entries of the table of postings. */
struct table_entry {
	struct text name, value; /* borrowed from the mapping */
	uint64_t list;
	const uint8_t *end;
};

bool index_tables_entry(const struct index_tables *t, const uint8_t *at, struct table_entry *out);

static inline const uint8_t *index_tables_at(const struct index_tables *t, uint32_t sample)
{
	return t->entries + t->entry_at.data[sample];
}

#endif
