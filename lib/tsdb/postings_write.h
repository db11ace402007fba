/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathers postings while series are written in order, and writes the postings lists and their offset table
 * after them (Prometheus' tsdb/docs/format/index.md). Memory doesn't grow with the number of series, but with
 * that of label names.
 */
#ifndef TSDB_POSTINGS_WRITE_H
#define TSDB_POSTINGS_WRITE_H

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/tsdb/append_file.h"

#include <stddef.h>
#include <stdint.h>

struct postings_writer;

/* Scratch files go beside the file `beside`. */
int postings_writer_open(const char *beside, uint32_t n_symbols, struct postings_writer **out, struct err *e);

/*
 * The next series: its 2 * n symbol numbers, sorted by name, all below n_symbols; its ref, greater than the
 * last one's. `same` says how many pairs at the front are those of the series before.
 */
int postings_writer_series(struct postings_writer *w, const uint32_t *pairs, uint32_t n, uint32_t same,
	uint32_t ref, struct err *e);

/* Finds the text of symbol `number`, borrowed until the next call. */
struct symbol_lookup {
	const uint8_t *(*text)(const struct symbol_lookup *l, uint32_t number, size_t *len);
};

/* Appends lists and table to `out`; *lists and *table are where they start. Nothing may be added any more. */
int postings_writer_finish(struct postings_writer *w, struct append_file *out,
	const struct symbol_lookup *symbols, uint64_t *lists, uint64_t *table, struct err *e);

void postings_writer_close(struct postings_writer *w); /* NULL is fine */
DEFINE_AUTO(postings_writer, struct postings_writer *, postings_writer_close)

#endif
