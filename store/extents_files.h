/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two files of a cached object, DIR/ab/HASH-SEQUENCE.data, which is sparse, and .map (store/extents_map.h). Nothing
 * here takes the lock.
 *
 * Neither is ever synced. What is written down as present is believed only as far as the data file has bytes there and, on
 * first use, as far as they have the right checksum: so a crash costs what was stored since the last save, and a power
 * failure what had not reached the disk.
 */
#ifndef STORE_EXTENTS_FILES_H
#define STORE_EXTENTS_FILES_H

#include "store/extents_state.h"

enum extents_file { EXTENTS_DATA, EXTENTS_MAP };

/* What names an object's files. */
struct extents_file_id {
	uint8_t key[EXTENTS_KEY_BYTES];
	uint64_t sequence;
};

char *extents_files_path(const char *dir, const struct extents_file_id *id, enum extents_file which);
void extents_files_key(const char *name, uint8_t key[EXTENTS_KEY_BYTES]);

/* Opens the data file to read and write. */
int extents_files_open(const char *dir, const struct extents_file_id *id, bool may_create);

/* Reads the map, and leaves out blocks that the data file has no bytes for. `m` is zeroed before. */
int extents_files_read_map(const char *dir, const struct extents_file_id *id, uint32_t block_bytes,
	struct extents_map *m, struct err *e);
int extents_files_write_map(const char *dir, const struct extents_file_id *id, const void *p, size_t n);
void extents_files_remove(const char *dir, const struct extents_file_id *id);

/* Gives bytes of the data file that no block of the map stands for back to the file system. */
void extents_files_punch_unknown(
	const char *dir, const struct extents_file_id *id, const struct extents_map *m);

/*
 * Calls fn for every object whose map is sound, and removes every other file. Of two files of one object the one with the
 * higher sequence stays. *sequence becomes the highest there was.
 */
typedef void extents_files_fn(void *arg, const struct extents_file_id *id, const struct extents_map *m);
int extents_files_scan(const char *dir, uint32_t block_bytes, uint64_t *sequence, extents_files_fn *fn,
	void *arg, struct err *e);

#endif
