/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's body on its way from a blob to the thread that sends it. The thread that makes the call reads the blob,
 * piece by piece and at most two ahead, so that the sending thread never waits for a disk or for another bucket.
 *
 *	  0          taken        loaded              bytes
 *	  |..sent.....|..in the ring..|...in the blob...|
 *
 * Nothing here locks: every call but http_upload_read is made under one lock of the user's.
 */
#ifndef NET_HTTP_UPLOAD_H
#define NET_HTTP_UPLOAD_H

#include "lib/base/blob.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_UPLOAD_PIECE_BYTES (256 * 1024)

struct http_upload {
	struct blob *body; /* borrowed; NULL: there is none */
	uint64_t at, bytes;
	uint64_t taken, loaded;
	unsigned rewinds;
	uint8_t *ring; /* two pieces */
	bool starved;  /* somebody asked for bytes when there were none */
};

/* A piece that is to be read: where to, and which. */
struct http_upload_piece {
	uint8_t *to;
	uint64_t at;
	size_t bytes;
	unsigned rewinds;
};

void http_upload_init(struct http_upload *u, struct blob *body, uint64_t at, uint64_t bytes);
void http_upload_fini(struct http_upload *u);

/* Whether there is a piece to read, and room for it. */
bool http_upload_next(const struct http_upload *u, struct http_upload_piece *out);

/* Reads the piece: the one step that takes long, and the one that is made without the lock. */
int http_upload_read(const struct http_upload *u, const struct http_upload_piece *p, struct err *e);

/* The piece is read: true where that ends a starvation. A rewind meanwhile made it worthless, which is no matter. */
bool http_upload_loaded(struct http_upload *u, const struct http_upload_piece *p);

/* Moves up to n bytes out; 0 at the end, or, with `starved` set, while the next piece is being read. */
size_t http_upload_take(struct http_upload *u, void *out, size_t n);

/* Starts again with the first byte: the connection was lost, and the request goes over another. */
void http_upload_rewind(struct http_upload *u);

#endif
