/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test server's connections: threads with an epoll each. A connection belongs to one thread for its life, which moves it
 * through
 *
 *	HEAD   the request's head is being read
 *	BODY   its body is
 *	WAIT   the answer is due later (latency)
 *	SEND   the answer is being sent, at once or at the bandwidth that is set
 *	STALL  nothing will ever come
 *
 * and back to HEAD. Nothing but the disk makes a thread wait, so latency costs the others nothing.
 */
#ifndef TESTS_S3SERVE_LOOP_H
#define TESTS_S3SERVE_LOOP_H

#include "tests/support/s3serve_exchange.h"

#include <openssl/ssl.h>

struct s3serve_loop_options {
	struct s3serve *server;
	SSL_CTX *tls; /* NULL: plain HTTP */
	unsigned threads;
	int64_t latency_us;
	uint64_t bandwidth; /* bytes a second and connection; 0: no limit */
	int log_fd;         /* -1: none */
};

struct s3serve_loop;

struct s3serve_loop *s3serve_loop_new(const struct s3serve_loop_options *o);
void s3serve_loop_free(struct s3serve_loop *l);

/* Takes a connection that was accepted. */
void s3serve_loop_add(struct s3serve_loop *l, int fd);

/* Resets all connections, but not one whose last request was for /-/. */
void s3serve_loop_reset(struct s3serve_loop *l);

#endif
