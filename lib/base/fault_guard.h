/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of mapped files may go away under whoever reads it: the file became shorter, its disk or its mount is gone. The kernel says so
 * by SIGBUS, which ends the process. Behind a guard it ends what was being done:
 *
 *	r = fault_guard_run(decode, &job, e);	what decode gave, or -EIO where it touched a page that is no more
 *
 * `fn` is left from wherever it stood: it must hold no lock while it touches mapped memory, and must leave what it allocates where its
 * caller finds it. Guards may be nested and are a thread's own. A SIGBUS outside of any goes to the handler that was there before.
 */
#ifndef BASE_FAULT_GUARD_H
#define BASE_FAULT_GUARD_H

#include "lib/base/err.h"

int fault_guard_run(int (*fn)(void *arg, struct err *e), void *arg, struct err *e);

#endif
