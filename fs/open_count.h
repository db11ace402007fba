/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often each node is open. Not state of an open file, only a count by node id, in memory that outlives a process that
 * is killed: an open or a close counts once, whatever instruction the process was killed at and however often the
 * kernel gives the request again, which the operation's flag in the journal tells. A close of something that was never
 * seen opened is nothing.
 */
#ifndef FS_OPEN_COUNT_H
#define FS_OPEN_COUNT_H

#include "fs/journal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPEN_COUNT_NODES 81920u /* that can be open at a time */

struct open_count;

/* The size of the memory, which is zero at first and is kept as it is from process to process. */
size_t open_count_bytes(void);

/* Takes up the memory, wherever it is mapped; NULL where something else lies in it. Borrows both. */
struct open_count *open_count_attach(void *region, struct journal *j);

/* One in memory of its own. The journal (may be NULL) is borrowed. */
struct open_count *open_count_new(struct journal *j);

void open_count_free(struct open_count *c); /* NULL is fine; shared memory stays as it is */

/* The count after it, or -ENFILE. An operation (may be NULL) that has `flag` already changes nothing, else it has it then. */
int open_count_add(struct open_count *c, uint64_t id, struct journal_op *op, enum journal_flag flag);

/*
 * True: one was counted, and *left remain. False: none was. *is_kept: see below. As above, an operation that has `flag`
 * changes nothing, and learns how things are.
 */
bool open_count_drop(struct open_count *c, uint64_t id, struct journal_op *op, enum journal_flag flag,
	unsigned *left, bool *is_kept);

unsigned open_count_get(struct open_count *c, uint64_t id);

/* Remembers of a node that its descriptor is kept elsewhere, as long as it is open; false: it is not open. */
bool open_count_set_kept(struct open_count *c, uint64_t id);
bool open_count_is_kept(struct open_count *c, uint64_t id);

/*
 * What was decided of a node when it was first opened: a number above 0 (passthrough.h), or OPEN_COUNT_PLAIN; 0: nothing yet. That
 * there is none is forgotten with the last close, a number is not, until its use is ended. It is set of nodes that are open only;
 * false: this one is not.
 */
#define OPEN_COUNT_PLAIN (-1)
int32_t open_count_backing(struct open_count *c, uint64_t id, unsigned *count);
bool open_count_set_backing(struct open_count *c, uint64_t id, int32_t backing);

/* The number that was set last, of any node; 0: none yet. */
int32_t open_count_last_backing(struct open_count *c);

/*
 * Takes the number from a node that isn't open and returns it, or 0. Nobody gets it any more, and it is the one that is being ended,
 * of which there is one at a time, until open_count_ended. open_count_ending: the one that a process was killed over; 0: none.
 */
int32_t open_count_begin_end(struct open_count *c, uint64_t id);
void open_count_ended(struct open_count *c);
int32_t open_count_ending(struct open_count *c);

size_t open_count_nodes(struct open_count *c); /* nodes that are open */

/* Calls fn for every node that was open when it began. */
void open_count_each(struct open_count *c, void (*fn)(void *arg, uint64_t id, unsigned count), void *arg);

#endif
