/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the kernel what to forget, from a thread of its own: a request thread that did so could wait for a
 * lock whose owner waits for that very thread's reply.
 */
#ifndef FS_INVALIDATE_H
#define FS_INVALIDATE_H

#include <stddef.h>
#include <stdint.h>

struct fuse_session;
struct invalidate;

struct invalidate *invalidate_start(struct fuse_session *se);
void invalidate_stop(struct invalidate *v); /* NULL is fine; what is still queued is dropped */

/* Pages of a file, after a moment: so that the read they answer ends before they go. */
void invalidate_pages(struct invalidate *v, uint64_t id, uint64_t at, size_t n);

/* A name in the root, and with it everything below. */
void invalidate_root_entry(struct invalidate *v, const char *name);

/* The attributes of a node and, for a directory, what the kernel keeps of its listing. */
void invalidate_node(struct invalidate *v, uint64_t id);

#endif
