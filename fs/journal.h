/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of operations: what this process and those before it did for requests whose answer the kernel may not have
 * got. It lives in memory that outlives a process that is killed, at whatever instruction. A request that the kernel gives
 * to the next process, or that is found in the last one's buffers, is done once all the same:
 *
 *	nobody has begun it			do it
 *	begun, by a process that has ended	do it again, and take for success what shows that it had been done: the
 *						name that was to be made is there, the one that was to be removed is not
 *	done					answer what was answered, or was going to be
 *	this process is at it, or the kernel	say nothing, unless the kernel has given the request again: it is to that
 *	has its answer				copy that it wants an answer then
 *
 * What makes "again" right is that the kernel keeps the directory or the file locked until it has its answer: nobody else
 * can have changed in between what the operation looks at. Operations note what they found there before they change it.
 *
 * Requests are known by the kernel's number without bit 63, which only says that the request is given again.
 */
#ifndef FS_JOURNAL_H
#define FS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

enum journal_state { JOURNAL_FREE, JOURNAL_BEGUN, JOURNAL_DONE, JOURNAL_ANSWERED };

/* What happened in the course of an operation. Bits, each set once. */
enum journal_flag {
	JOURNAL_NOTED = 1,    /* the facts are there */
	JOURNAL_COUNTED = 2,  /* it was counted as an open, or as a close */
	JOURNAL_RETURNED = 4, /* the open did not come about, and was counted back */
};

/* What an operation found before it changed something. */
enum journal_finding {
	JOURNAL_ABSENT = 1, /* the name or attribute that it was to make is not there */
	JOURNAL_PRESENT, /* the one that it was to remove is; `fact` is its node, `fact_2` that of a rename's victim */
	JOURNAL_SIZE, /* `fact`: how large the file is that it was to truncate */
};

/*
 * One operation; lies in the shared memory. Functions take NULL for an operation that is not recorded.
 *
 *	free --begin--> begun --done--> done --answered--> answered, and its place is taken by another some time later
 */
struct journal_op {
	uint64_t unique;
	_Atomic uint32_t state;
	_Atomic uint32_t flags;
	uint64_t age;   /* grows with every begin */
	uint32_t owner; /* the attachment that began it last */
	uint32_t again; /* it had been begun by another before */
	int64_t result; /* once done */
	uint64_t fact;  /* once noted */
	uint64_t fact_2;
	uint32_t finding;
	uint32_t reserved;
};

enum journal_verdict { JOURNAL_DO, JOURNAL_ANSWER, JOURNAL_SILENCE };

/* The size of the memory, which is zero at first and is kept as it is from process to process. */
size_t journal_bytes(void);

/* Takes up the memory, wherever it is mapped; NULL where something else lies in it. Borrows it. */
struct journal *journal_attach(void *region);

/* One in memory of its own, which is enough where no process comes after this one. */
struct journal *journal_new(void);

void journal_free(struct journal *j); /* NULL is fine; the memory stays as it is */

/*
 * Begins the operation of a request, for this thread. JOURNAL_DO: do it, and look whether it is `again`. JOURNAL_ANSWER:
 * it was done with op->result. JOURNAL_SILENCE: there is nothing to do and nobody to answer; *out is NULL then, as it is
 * for number 0 and where too many operations are under way to record one more.
 */
enum journal_verdict journal_begin(struct journal *j, uint64_t unique, struct journal_op **out);

/* The operation that this thread has begun and not ended; NULL: none. */
struct journal_op *journal_now(void);

/* Writes down what the operation found, before it changes it. A second note changes nothing. */
void journal_note(struct journal_op *op, enum journal_finding finding, uint64_t fact, uint64_t fact_2);

/* Whether another process has begun this operation, and may have done all of it since it found this. */
static inline bool journal_found(const struct journal_op *op, enum journal_finding finding)
{
	return op && op->again && (op->flags & JOURNAL_NOTED) && op->finding == finding;
}

static inline bool journal_has(const struct journal_op *op, enum journal_flag flag)
{
	return op && (op->flags & flag);
}

void journal_done(struct journal_op *op, int64_t result); /* before the answer */
void journal_end(struct journal_op *op);                  /* after it; of this thread's operation */

/* Sets a flag of an operation that may be another thread's, or a dead process'. */
void journal_flag(struct journal *j, uint64_t unique, enum journal_flag flag);

#endif
