/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child process that is killed at a chosen step of what it does, as kill -9 would at an unlucky moment:
 *
 *	for (unsigned long at = 0; killed_at(KILLED_CALL, at, work, arg); at++)
 *		... look at what it has left ...
 */
#ifndef TESTS_KILLED_H
#define TESTS_KILLED_H

#include <stdbool.h>
#include <stddef.h>

/* What counts as a step: one machine instruction; or the beginning and the end of a system call. */
enum killed_step { KILLED_INSTRUCTION, KILLED_CALL };

/* Runs fn in a child that dies before step `at`; false: it came to its end before, and gave 0. */
bool killed_at(enum killed_step step, unsigned long at, void (*fn)(void *arg), void *arg);

/*
 * The instructions of fn, run in a child, that change any of the n bytes of shared memory: being killed after one of them
 * is all there is to try, since what others leave behind is the same. Their numbers for killed_at, in order, and first 0;
 * returns how many.
 */
size_t killed_changes(
	void (*fn)(void *arg), void *arg, const void *memory, size_t n, unsigned long *at, size_t max);

/* Memory that is zero, and shared with children. */
void *killed_shared(size_t bytes);

#endif
