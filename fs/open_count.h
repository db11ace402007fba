/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often each node is open. Not state of an open file, only a count by node id: a close of something that
 * this process never saw opened is nothing.
 */
#ifndef FS_OPEN_COUNT_H
#define FS_OPEN_COUNT_H

#include "lib/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct open_count;

struct open_count *open_count_new(void);
void open_count_free(struct open_count *c); /* NULL is fine */

/* The count after it. */
unsigned open_count_add(struct open_count *c, uint64_t id);

/* True: one was counted, and *left remain. False: none was. */
bool open_count_drop(struct open_count *c, uint64_t id, unsigned *left);

unsigned open_count_get(struct open_count *c, uint64_t id);
size_t open_count_nodes(struct open_count *c); /* nodes that are open */

/* Calls fn for every node that is open; for the end, when nothing else runs. */
void open_count_each(struct open_count *c, void (*fn)(void *arg, uint64_t id, unsigned count), void *arg);

#endif
