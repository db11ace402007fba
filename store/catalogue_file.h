/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file in which a catalogue keeps what it knows of each block. Records are only ever appended:
 *
 *	"TFSCAT", 0, 1                                  8 bytes at the start
 *	┌──────────────┬──────────────┬───────────────┐
 *	│ len <4b, be> │ CRC32C <4b>  │ payload <len> │ the checksum covers the payload
 *	└──────────────┴──────────────┴───────────────┘
 *	payload: ULID <16b>, flags <1b>, bytes of index <uvarint>, number of segments <uvarint>,
 *	bytes of each <uvarint>, meta record (store/meta_record.h)
 *
 * It is a cache: what a crash tore off, and what was written after that, is fetched from the bucket again.
 */
#ifndef STORE_CATALOGUE_FILE_H
#define STORE_CATALOGUE_FILE_H

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a record stands. */
struct catalogue_place {
	uint64_t at;
	uint32_t bytes; /* 0: nowhere */
};

struct catalogue_record {
	struct ulid ulid;
	bool is_gone; /* says that the block left the bucket; the rest is empty */
	bool has_tombstones;
	uint64_t index_bytes;
	uint64_t *segment_bytes;
	unsigned n_segments;
	const void *meta; /* as meta_record_write makes it */
	size_t meta_bytes;
};

struct catalogue_file;

/* Called for each record in the order of the file. What it points to is valid during the call. */
typedef void catalogue_file_fn(
	void *arg, const struct catalogue_record *record, struct catalogue_place place);

/* Reads, or makes, dir/blocks. A file that isn't a catalogue's is begun anew. */
int catalogue_file_open(
	const char *dir, catalogue_file_fn *fn, void *arg, struct catalogue_file **out, struct err *e);
void catalogue_file_close(struct catalogue_file *f); /* NULL is fine */
DEFINE_AUTO(catalogue_file, struct catalogue_file *, catalogue_file_close)

/* Appends a record in memory; catalogue_file_flush writes. */
struct catalogue_place catalogue_file_add(struct catalogue_file *f, const struct catalogue_record *record);

/* What was added is on disk. On failure it is dropped: its places don't exist. */
int catalogue_file_flush(struct catalogue_file *f, struct err *e);

/* Counts a record as garbage. */
void catalogue_file_forget(struct catalogue_file *f, struct catalogue_place place);
bool catalogue_file_is_mostly_garbage(const struct catalogue_file *f);

/* Replaces the file by one with only these n records, whose places are updated. They must be flushed. */
int catalogue_file_rewrite(struct catalogue_file *f, struct catalogue_place **live, size_t n, struct err *e);

#endif
