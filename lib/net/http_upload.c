/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_upload.h"

#define PIECE HTTP_UPLOAD_PIECE_BYTES

void http_upload_init(struct http_upload *u, struct blob *body, uint64_t at, uint64_t bytes)
{
	*u = (struct http_upload){ .body = body, .at = at, .bytes = body ? bytes : 0 };
	if (u->bytes)
		u->ring = xmalloc((size_t)MIN_OF(u->bytes, 2 * PIECE));
}

void http_upload_fini(struct http_upload *u)
{
	free(u->ring);
	*u = (struct http_upload){ 0 };
}

bool http_upload_next(const struct http_upload *u, struct http_upload_piece *out)
{
	uint64_t piece = u->loaded / PIECE;
	if (u->loaded == u->bytes || piece - u->taken / PIECE >= 2)
		return false;
	*out = (struct http_upload_piece){
		.to = u->ring + piece % 2 * PIECE,
		.at = u->loaded,
		.bytes = (size_t)MIN_OF(u->bytes - u->loaded, PIECE),
		.rewinds = u->rewinds,
	};
	return true;
}

int http_upload_read(const struct http_upload *u, const struct http_upload_piece *p, struct err *e)
{
	return blob_read(u->body, p->to, p->bytes, u->at + p->at, e);
}

bool http_upload_loaded(struct http_upload *u, const struct http_upload_piece *p)
{
	if (p->rewinds != u->rewinds)
		return false;
	u->loaded += p->bytes;
	bool was_starved = u->starved;
	u->starved = false;
	return was_starved;
}

size_t http_upload_take(struct http_upload *u, void *out, size_t n)
{
	size_t in_ring = (size_t)(u->taken % (2 * PIECE));
	/* Up to the ring's end: what lies beyond is asked for next. */
	n = MIN_OF(n, MIN_OF(u->loaded - u->taken, 2 * PIECE - in_ring));
	if (n)
		memcpy(out, u->ring + in_ring, n);
	u->taken += n;
	u->starved = n == 0 && u->taken < u->bytes;
	return n;
}

void http_upload_rewind(struct http_upload *u)
{
	/* Once the first piece was sent, another may be on its way into its place. */
	if (u->taken >= PIECE) {
		u->loaded = 0;
		u->rewinds++;
	}
	u->taken = 0;
	u->starved = false;
}
