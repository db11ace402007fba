/* SPDX-License-Identifier: Apache-2.0 */
/* Made once, since nothing in them changes. */
#include "store/s3_sse.h"

#include "lib/base/file.h"
#include "lib/base/json.h"

#include <errno.h>
#include <openssl/evp.h>

#define KEY_BYTES 32
#define MD5_BYTES 16

void s3_base64(const void *p, size_t n, struct buf *out)
{
	uint8_t *to = buf_reserve(out, (n + 2) / 3 * 4 + 1);
	out->len += (size_t)EVP_EncodeBlock(to, p, (int)n);
}

/* Takes the value. */
static void add(struct s3_sse_headers *h, const char *name, char *value)
{
	h->headers[h->n].name = name;
	h->headers[h->n++].value = value;
}

static char *base64_of(const void *p, size_t n)
{
	auto_buf struct buf b = { 0 };
	s3_base64(p, n, &b);
	return xstrdup(buf_str(&b));
}

static void add_kms(struct s3_sse_headers *h, const struct s3_config *c)
{
	add(h, "x-amz-server-side-encryption", xstrdup("aws:kms"));
	add(h, "x-amz-server-side-encryption-aws-kms-key-id", xstrdup(c->sse.kms_key_id));
	if (c->sse.kms_encryption_context.len == 0)
		return;
	auto_buf struct buf json = { 0 };
	struct json_writer w;
	json_writer_init(&w, &json, 0);
	json_write_object(&w);
	vec_each (p, &c->sse.kms_encryption_context)
		json_write_key_str(&w, p->name, p->value);
	json_write_object_end(&w);
	add(h, "x-amz-server-side-encryption-context", base64_of(json.data, json.len));
}

static int add_key(struct s3_sse_headers *h, const struct s3_config *c, struct err *e)
{
	uint8_t md5[MD5_BYTES];
	auto_buf struct buf key = { 0 };
	int r = file_read(c->sse.encryption_key, KEY_BYTES + 1, &key, e);
	if (r < 0 && r != -EFBIG)
		return err_wrap(e, r, "encryption_key");
	if (r == -EFBIG || key.len != KEY_BYTES)
		r = err_set(
			e, -EINVAL, "encryption_key %s has not %d bytes", c->sse.encryption_key, KEY_BYTES);
	else if (!EVP_Digest(key.data, key.len, md5, NULL, EVP_md5(), NULL))
		r = err_set(
			e, -EINVAL, "encryption_key %s: libcrypto refuses MD5 here", c->sse.encryption_key);
	if (r == 0) {
		h->is_key = true;
		add(h, "x-amz-server-side-encryption-customer-algorithm", xstrdup("AES256"));
		add(h, "x-amz-server-side-encryption-customer-key", base64_of(key.data, key.len));
		add(h, "x-amz-server-side-encryption-customer-key-md5", base64_of(md5, sizeof md5));
	}
	explicit_bzero(key.data, key.cap);
	return r;
}

int s3_sse_headers_init(struct s3_sse_headers *h, const struct s3_config *c, struct err *e)
{
	*h = (struct s3_sse_headers){ 0 };
	switch ((enum s3_sse)c->sse.type) {
	case S3_SSE_S3: add(h, "x-amz-server-side-encryption", xstrdup("AES256")); break;
	case S3_SSE_KMS: add_kms(h, c); break;
	case S3_SSE_C: return add_key(h, c, e);
	case S3_SSE_NONE: break;
	}
	return 0;
}

size_t s3_sse_headers_add(const struct s3_sse_headers *h, bool creates, struct http_header *out)
{
	if (!creates && !h->is_key)
		return 0;
	for (size_t i = 0; i < h->n; i++)
		out[i] = (struct http_header){ h->headers[i].name, h->headers[i].value };
	return h->n;
}

void s3_sse_headers_fini(struct s3_sse_headers *h)
{
	for (size_t i = 0; i < h->n; i++) {
		explicit_bzero(h->headers[i].value, strlen(h->headers[i].value));
		free(h->headers[i].value);
	}
	h->n = 0;
}
