/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files the kernel reads and writes without asking this process: those whose bytes are all in one local file. Where it can't,
 * because of its age or what this process may do, requests are served as ever.
 *
 *	undecided --first open--> passed on, with a number --last close--> undecided
 *	          --first open--> plain                    --last close--> undecided
 *
 * As long as a node is open, every open of it must be answered in the same way: the kernel refuses a mixture. So what was decided is
 * in the memory that outlives this process (open_count.h); the kernel keeps the numbers as long as the mount lives.
 */
#ifndef FS_PASSTHROUGH_H
#define FS_PASSTHROUGH_H

#include "fs/fs.h"

struct passthrough;

/* Borrows both. Ends the numbers that processes before this one may have got and had no time to write down. */
struct passthrough *passthrough_new(int fuse_fd, struct open_count *opens, bool is_wanted);
void passthrough_free(struct passthrough *p); /* NULL is fine; what is open stays passed on */

/*
 * Of a node that has been counted as open, the number to answer the open with; 0: none, and then fi says whether what the
 * kernel has cached is right.
 */
int32_t passthrough_open(struct fs *fs, uint64_t id, struct fuse_file_info *fi);

/* After the last close of a node was counted. NULL is fine. */
void passthrough_closed(struct passthrough *p, uint64_t id);

/* Answers; the same as libfuse's own for number 0. */
int passthrough_reply_open(fuse_req_t req, const struct fuse_file_info *fi, int32_t backing);
int passthrough_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
	const struct fuse_file_info *fi, int32_t backing);

#endif
