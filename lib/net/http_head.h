/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP answer, collected line by line as the client gets it: the status, and the headers as text that is
 * easy to search. Heads of interim answers (status 1xx) give way to the one that follows.
 */
#ifndef NET_HTTP_HEAD_H
#define NET_HTTP_HEAD_H

#include "lib/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_BYTES 65536 /* all lines of all heads of one answer together */

struct http_head {
	struct buf *headers; /* "name: value\n"..., names in lower case, continuation lines joined */
	unsigned status;     /* 0: no status line came yet */
	size_t bytes;        /* that were seen, kept or not */
	bool complete;       /* the empty line came: what comes now is a body, or trailers */
};

/* A line with or without its end. False where it makes the head longer than HTTP_HEAD_BYTES. */
bool http_head_add(struct http_head *h, const char *line, size_t n);

#endif
