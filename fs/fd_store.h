/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors by node id, which the supervisor keeps for workers: of files without a name that are still open on the mount.
 * The table is of plain numbers, so that it survives an execve together with the descriptors.
 */
#ifndef FS_FD_STORE_H
#define FS_FD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fd_store;

size_t fd_store_bytes(void);
struct fd_store *fd_store_attach(void *region); /* zeros: an empty one */

/* Takes fd, in any case; -ENFILE when the store is full. An earlier one of the same node goes. */
int fd_store_put(struct fd_store *s, uint64_t node, int fd);
int fd_store_get(const struct fd_store *s, uint64_t node); /* borrowed; -ENOENT */
void fd_store_drop(struct fd_store *s, uint64_t node);

void fd_store_inherit(struct fd_store *s, bool on); /* whether they outlive an execve */

#endif
