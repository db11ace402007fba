/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merges the symbol tables of a window's indexes, and strings from outside them (external labels), into the
 * table of the merged index. Merged numbers rise as the texts do, so label sets compare as arrays of numbers
 * from then on.
 */
#ifndef DEDUP_SYMBOL_MERGE_H
#define DEDUP_SYMBOL_MERGE_H

#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_stream;
struct index_writer;

#define SYMBOL_NONE UINT32_MAX

/* A string from outside the tables. The same text may occur several times. */
struct symbol_name {
	const char *text; /* borrowed */
	bool add;         /* goes into the merged table even where no source has it */
	uint32_t number;  /* out: merged number; SYMBOL_NONE: not in the merged table */
};

/* A source's numbers, which rise, to merged numbers, which then rise too. */
struct symbol_map {
	const uint32_t *merged;
	uint32_t n;
};

/* How many of the source's symbols come before a merged one. */
uint32_t symbol_map_before(const struct symbol_map *m, uint32_t merged);

/* The source's number of a merged symbol; SYMBOL_NONE: the source doesn't have it. */
uint32_t symbol_map_find(const struct symbol_map *m, uint32_t merged);

struct symbol_maps;

/*
 * Reads the symbols of all streams to their ends and writes the merged ones to `w`. The maps live in a
 * scratch file in `dir`. On failure *bad_source is the number of the stream that is to blame, or -1.
 */
int symbol_merge(const char *dir, struct index_stream *const *streams, size_t n, struct symbol_name *names,
	size_t n_names, struct index_writer *w, struct symbol_maps **out, int *bad_source, struct err *e);

struct symbol_map symbol_maps_of(const struct symbol_maps *m, size_t source); /* borrowed */
void symbol_maps_free(struct symbol_maps *m);
DEFINE_AUTO(symbol_maps, struct symbol_maps *, symbol_maps_free)

#endif
