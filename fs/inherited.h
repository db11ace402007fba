/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that were open on the mount when the process before this one ended. What their kind holds for an open file (sources that
 * stay readable when they leave the bucket) is taken up again, beside the serving and not before it: it may take a while.
 */
#ifndef FS_INHERITED_H
#define FS_INHERITED_H

struct fs;
struct inherited;

/* Once the other process has ended, and before requests are served. NULL: nothing was open. */
struct inherited *inherited_new(struct fs *fs);

void inherited_take_up(struct inherited *i); /* NULL is fine, here and below */
void inherited_free(struct inherited *i);    /* waits for the one that is being taken up */

#endif
