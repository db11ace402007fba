/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the kernel what to forget. That can wait for a lock whose owner waits for a reply, so it is done by a thread that owes
 * none: one of the supervisor's, whose worker only says what is due, or else one of this process.
 */
#ifndef FS_INVALIDATE_H
#define FS_INVALIDATE_H

#include "fs/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct invalidate;

/* The thread, which writes to fuse_fd. `owed` is where its queue lies: zeros at first, or what another has left; NULL: on the heap. */
struct invalidate *invalidate_start(int fuse_fd, void *owed);

/* To the process at the other end of a link. */
struct invalidate *invalidate_over_link(int fd);

/*
 * Ends the thread; what is still queued stays in `owed`, and so does what comes now. False: it waits for the kernel, and did not
 * end within ms.
 */
bool invalidate_end_ms(struct invalidate *v, unsigned ms);
void invalidate_go_on(struct invalidate *v); /* after such a failure: it does not end */
void invalidate_free(struct invalidate *v);  /* waits for that end; NULL is fine */

size_t invalidate_owed_bytes(void);

/* Pages of a file, after a moment: so that the read they answer ends before they go. */
void invalidate_pages(struct invalidate *v, uint64_t id, uint64_t at, size_t n);

/* A name in the root, and with it everything below; shorter than LINK_NAME_BYTES. */
void invalidate_root_entry(struct invalidate *v, const char *name);

/* The attributes of a node and, for a directory, what the kernel keeps of its listing. */
void invalidate_node(struct invalidate *v, uint64_t id);

/* Does what a message of a LINK_DROP kind says. */
void invalidate_message(struct invalidate *v, const struct link_message *m);

#endif
