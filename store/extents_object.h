/* SPDX-License-Identifier: Apache-2.0 */
/* Cached objects: how they are found, come and go, and the files they have. Their blocks: store/extents_blocks.h. */
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

/* The descriptor of a complete object, which is held from then on; -1: it is not complete. */
int extents_object_hold(struct extents *x, struct extents_object *o);
void extents_object_release(struct extents *x, struct extents_object *o);

/* Writes the companion where something changed. */
void extents_object_save(struct extents *x, struct extents_object *o);

/* Makes a stub of an object that nobody uses, and which is saved; one without a block goes altogether. */
void extents_object_unload(struct extents *x, struct extents_object *o);

/* Fills the regions of a stub that the caller references. The lock is held, but not all the time. */
void extents_object_load_locked(struct extents *x, struct extents_object *o);

/*
 * The data file's descriptor, opened where it isn't. It stays open as long as the caller is counted in o->readers, as it
 * must be before.
 */
int extents_object_fd(struct extents *x, struct extents_object *o, bool may_create);

/* Whether storing worked: 0 or -errno. Said in the log once when it begins to fail, or in another way, and once when it works. */
void extents_object_note_health(struct extents *x, int r);

/* Gives the bytes of a region's blocks back to the file system. */
int extents_object_punch(struct extents *x, struct extents_object *o, uint64_t index);

/* Every object that the directory holds becomes a stub. */
int extents_object_scan(struct extents *x, struct err *e);

/* Frees all objects; none is referenced. */
void extents_object_free_all(struct extents *x);

#endif
