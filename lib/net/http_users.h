/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask: names with bcrypt hashes of their passwords, as Prometheus' web configuration has them, against HTTP's basic
 * authentication. A check takes as long as bcrypt wants it to, so what it found is remembered, good or bad.
 */
#ifndef NET_HTTP_USERS_H
#define NET_HTTP_USERS_H

#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <stdbool.h>

struct http_users;

struct http_users *http_users_new(void);
void http_users_free(struct http_users *u); /* NULL is fine */
DEFINE_AUTO(http_users, struct http_users *, http_users_free)

/* -EINVAL: the hash is none of bcrypt's, or libcrypt can't check it. */
int http_users_add(struct http_users *u, const char *name, const char *hash, struct err *e);

enum http_verdict { HTTP_REFUSED, HTTP_ADMITTED, HTTP_UNDECIDED };

/* The header Authorization (NULL: none), without a wait: HTTP_UNDECIDED where only http_users_check can tell. */
enum http_verdict http_users_glance(struct http_users *u, const char *authorization);

/* May take a second; one at a time, whatever the number of threads: so a guesser takes one core at most. */
bool http_users_check(struct http_users *u, const char *authorization);

#endif
