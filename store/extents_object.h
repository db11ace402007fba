/* SPDX-License-Identifier: Apache-2.0 */
/* One cached object: its blocks in a sparse file, and what is known of them. */
#ifndef STORE_EXTENTS_OBJECT_H
#define STORE_EXTENTS_OBJECT_H

#include "store/extents_state.h"

/*
 * The object of this name, size and version ("": not known yet), referenced; one of another size or version is dropped
 * first. NULL: it can't be cached, because another name has the same hash.
 */
struct extents_object *extents_object_get(
	struct extents *x, const char *name, uint64_t size, const char *version);
void extents_object_unref(struct extents *x, struct extents_object *o);

/* Takes it out of the cache, with its files; by name, where there is one. */
void extents_object_kill(struct extents *x, struct extents_object *o);
void extents_object_forget(struct extents *x, const char *name);

/*
 * Reads what can be read of [at, at + n), from the front: the number of bytes, 0 where the first block isn't verified, or
 * -errno where the file can't be read. Takes no lock.
 */
ssize_t extents_object_read(struct extents *x, struct extents_object *o, void *out, size_t n, uint64_t at);

/* Whether all blocks of [first, last) can be read now. Takes no lock. */
bool extents_object_has(struct extents *x, struct extents_object *o, uint64_t first, uint64_t last);

/* Checks the checksums of those blocks of [first, last) that are present and were not checked. */
void extents_object_verify(struct extents *x, struct extents_object *o, uint64_t first, uint64_t last);

/* Takes the blocks of [first, last) out of the cache: they are fetched anew. The ones that are on their way stay so. */
void extents_object_distrust(struct extents *x, struct extents_object *o, uint64_t first, uint64_t last);

/*
 * Stores blocks first + i for the bits i of `own`, which the caller's fetch owns; data begins at block `first`. May store
 * less or nothing: where there is no room, or the directory fails.
 */
void extents_object_store(struct extents *x, struct extents_object *o, uint64_t first, uint64_t own,
	const uint8_t *data, bool is_unused);

/* The descriptor of a complete object, which is held from then on; -1: it is not complete. */
int extents_object_hold(struct extents *x, struct extents_object *o);
void extents_object_release(struct extents *x, struct extents_object *o);

/* Writes the companion where something changed. */
void extents_object_save(struct extents *x, struct extents_object *o);

/* Makes a stub of an object that nobody uses, and which is saved; one without a block goes altogether. */
void extents_object_unload(struct extents *x, struct extents_object *o);

/* Fills the regions of a stub that the caller references. The lock is held, but not all the time. */
void extents_object_load_locked(struct extents *x, struct extents_object *o);

/* The bytes of the blocks of a region that `mask` names. */
uint64_t extents_object_region_bytes(
	const struct extents *x, const struct extents_object *o, uint64_t index, uint64_t mask);

/* The region of a block, NULL where nothing happened there so far; and one made where there was none. */
struct extents_region *extents_object_region(
	const struct extents *x, const struct extents_object *o, uint64_t block);
struct extents_region *extents_object_make_region_locked(
	struct extents *x, struct extents_object *o, uint64_t block);

/* Gives the bytes of a region's blocks back to the file system. */
int extents_object_punch(struct extents *x, struct extents_object *o, uint64_t index);

/* Every object that the directory holds becomes a stub. */
int extents_object_scan(struct extents *x, struct err *e);

/* Frees all objects; none is referenced. */
void extents_object_free_all(struct extents *x);

#endif
