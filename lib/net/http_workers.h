/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for requests that take long: started when they are needed, kept for the next ones, at most so many. */
#ifndef NET_HTTP_WORKERS_H
#define NET_HTTP_WORKERS_H

#include "lib/base/mem.h"

struct http_workers;

struct http_workers *http_workers_new(unsigned most);

/* Runs fn(arg) in a thread of its own. 0; -EAGAIN: as many as may are busy, or no thread could be had. */
int http_workers_run(struct http_workers *w, void (*fn)(void *arg), void *arg);

/* From now on nothing is taken any more. */
void http_workers_stop(struct http_workers *w);
void http_workers_wait(struct http_workers *w); /* after that: until nothing runs */

void http_workers_free(struct http_workers *w); /* stops and waits; NULL is fine */

#endif
