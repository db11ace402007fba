/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers a request in place of serving it: a read of a block's file with zeros, which go from the page cache again, anything else
 * with EIO.
 */
#ifndef FS_GIVE_UP_H
#define FS_GIVE_UP_H

#include <stddef.h>
#include <stdint.h>

struct fs;
struct fuse_in_header;

/* `in` has n bytes, its head included; `number` is as loop_request_unique gives it. Says so in the log. */
void give_up(struct fs *fs, const struct fuse_in_header *in, size_t n, uint64_t number, unsigned deaths);

#endif
