/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the service manager how we are (sd_notify(3)). Without $NOTIFY_SOCKET all of it does nothing. */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include "lib/base/err.h"

#include <stdint.h>

/* Sends assignments, one a line. 1: sent; 0: nobody wants to know; -errno. */
int notify_send(const char *state, struct err *e);

int notify_ready(struct err *e);                                 /* READY=1 */
int notify_stopping(struct err *e);                              /* STOPPING=1 */
int notify_status(const char *words, struct err *e);             /* STATUS=; cut at the first newline */
int notify_extend_timeout(uint64_t microseconds, struct err *e); /* EXTEND_TIMEOUT_USEC= */

#endif
