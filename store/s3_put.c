/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body is read twice: once for its hash (plain HTTP is signed with it, send_content_md5 asks for another), once as it is
 * sent. So no part is ever held in memory, and a source that can't be read fails before the store sees anything of it.
 */
#include "store/s3_put.h"

#include "lib/base/log.h"
#include "store/bucket_retry.h"
#include "store/parallel.h"
#include "store/s3_sign.h"
#include "store/s3_sse.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#define PIECE_BYTES     (256u << 10)
#define ANSWER_BYTES    (1u << 20)
#define FIRST_PAUSE_MS  100
#define LONGEST_PAUSE_S 5
#define ETAG_CHARS      128

/* What goes with a body. */
struct digest {
	char sha256[S3_HASH_CHARS];
	struct buf md5; /* in base64; empty: not wanted */
};

static int digest_pieces(
	struct blob *b, uint64_t at, uint64_t n, EVP_MD_CTX *sha256, EVP_MD_CTX *md5, struct err *e)
{
	auto_free uint8_t *piece = xmalloc(PIECE_BYTES);
	while (n > 0) {
		size_t len = MIN_OF(PIECE_BYTES, n);
		int r = blob_read(b, piece, len, at, e);
		if (r < 0)
			return r;
		if ((sha256 && !EVP_DigestUpdate(sha256, piece, len)) ||
			(md5 && !EVP_DigestUpdate(md5, piece, len)))
			abort();
		at += len;
		n -= len;
	}
	return 0;
}

/* NULL where libcrypto doesn't have it: MD5 in FIPS mode. */
static EVP_MD_CTX *begin(const EVP_MD *type)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	if (c && EVP_DigestInit_ex(c, type, NULL))
		return c;
	EVP_MD_CTX_free(c);
	return NULL;
}

static int make_digest(
	struct s3_client *c, struct blob *b, uint64_t at, uint64_t n, struct digest *out, struct err *e)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *sha256 = s3_client_hashes_bodies(c) ? begin(EVP_sha256()) : NULL;
	EVP_MD_CTX *md5 = s3_client_config(c)->send_content_md5 ? begin(EVP_md5()) : NULL;
	unsigned len;
	int r = sha256 || md5 ? digest_pieces(b, at, n, sha256, md5, e) : 0;
	strcpy(out->sha256, n ? S3_UNSIGNED_HASH : S3_EMPTY_HASH);
	if (r == 0 && sha256 && EVP_DigestFinal_ex(sha256, hash, &len))
		s3_hex(hash, len, out->sha256);
	if (r == 0 && md5 && EVP_DigestFinal_ex(md5, hash, &len))
		s3_base64(hash, len, &out->md5);
	EVP_MD_CTX_free(sha256);
	EVP_MD_CTX_free(md5);
	return r;
}

/* True for metadata that is a header by itself; the rest is the user's own, "x-amz-meta-NAME". */
static bool is_standard(const char *name)
{
	static const char *const names[] = { "content-type", "content-encoding", "content-disposition",
		"content-language", "cache-control", "expires", "x-amz-storage-class", "x-amz-acl",
		"x-amz-tagging", "x-amz-website-redirect-location" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return !strncasecmp(name, "x-amz-meta-", 11) || !strncasecmp(name, "x-amz-grant-", 12);
}

static void add_lower(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_add_u8(out, *text >= 'A' && *text <= 'Z' ? (uint8_t)(*text | 0x20) : (uint8_t)*text);
}

/* What every request that creates an object carries. Names go to `names`, which must hold still until it is sent. */
static void add_metadata(const struct s3_client *c, struct s3_request *q, struct buf names[S3_MAX_METADATA])
{
	bool has_type = false;
	size_t n = 0;
	vec_each (p, &s3_client_config(c)->put_user_metadata) {
		struct buf *name = &names[n++];
		if (!is_standard(p->name))
			buf_add_str(name, "x-amz-meta-");
		add_lower(name, p->name);
		s3_request_header(q, buf_str(name), p->value);
		has_type |= !strcmp(buf_str(name), "content-type");
	}
	if (!has_type)
		s3_request_header(q, "content-type", "application/octet-stream");
}

static void free_names(struct buf names[S3_MAX_METADATA])
{
	for (size_t i = 0; i < S3_MAX_METADATA; i++)
		buf_fini(&names[i]);
}

static struct s3_request put_request(
	const char *method, const char *verb, const char *name, const char *query)
{
	return (struct s3_request){
		.operation = "put",
		.verb = verb,
		.method = method,
		.name = name,
		.query = query,
		.max_bytes = ANSWER_BYTES,
	};
}

/* Sends bytes of `content` as the request's body. */
static int send_body(struct s3_client *c, struct s3_request *q, struct blob *content, uint64_t at, uint64_t n,
	struct err *e)
{
	struct digest d = { 0 };
	int r = make_digest(c, content, at, n, &d, e);
	if (r < 0) {
		err_wrap(e, r, "%s: %s %.200s", s3_client_name(c), q->verb, q->name);
	} else {
		if (d.md5.len)
			s3_request_header(q, "content-md5", buf_str(&d.md5));
		q->body = content;
		q->body_at = at;
		q->body_bytes = n;
		q->payload_hash = d.sha256;
		r = s3_request_send(c, q, e);
	}
	buf_fini(&d.md5);
	return r;
}

static int put_whole(struct s3_client *c, const char *name, struct blob *content, struct err *e)
{
	struct buf names[S3_MAX_METADATA] = { 0 };
	struct s3_request q = put_request("PUT", "putting", name, NULL);
	q.sse = S3_SSE_WHOLE;
	add_metadata(c, &q, names);
	int r = send_body(c, &q, content, 0, content->size, e);
	s3_request_fini(&q);
	free_names(names);
	return r;
}

uint64_t s3_part_bytes(uint64_t bytes, uint64_t part_size)
{
	const uint64_t step = 1 << 20;
	if (bytes / part_size < S3_MAX_PARTS)
		return part_size;
	uint64_t least = bytes / S3_MAX_PARTS + 1;
	return (least + step - 1) / step * step;
}

struct upload {
	struct s3_client *c;
	const char *name;
	struct blob *content;
	char *id; /* encoded */
	uint64_t part_bytes;
	size_t n;
	char (*etags)[ETAG_CHARS];
	atomic_bool has_failed; /* ends the parts that are under way */
	pthread_mutex_t lock;
	int result;       /* under `lock`: the first failure */
	struct err error; /* under `lock` */
};

static int begin_upload(struct upload *u, struct err *e)
{
	struct buf names[S3_MAX_METADATA] = { 0 };
	auto_buf struct buf id = { 0 }, escaped = { 0 };
	auto_of(blob) struct blob *nothing = blob_of_memory("nothing", "", 0);
	struct s3_request q = put_request("POST", "beginning the upload of", u->name, "uploads=");
	q.sse = S3_SSE_WHOLE;
	q.body = nothing;
	add_metadata(u->c, &q, names);
	int r = s3_request_send(u->c, &q, e);
	if (r == 0 && (r = s3_xml_upload_id(q.text.data, q.text.len, &id, e)) < 0)
		err_wrap(e, r, "%s: putting %.200s", s3_client_name(u->c), u->name);
	if (r == 0) {
		http_escape(buf_str(&id), false, &escaped);
		u->id = xstrdup(buf_str(&escaped));
	}
	s3_request_fini(&q);
	free_names(names);
	return r;
}

/* An ETag goes into XML and into a header: quotes and printable characters only. */
static bool is_etag(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return *text;
}

static int put_part_once(struct upload *u, size_t i, struct err *e)
{
	char etag[ETAG_CHARS];
	uint64_t at = i * u->part_bytes, n = MIN_OF(u->part_bytes, u->content->size - at);
	auto_free char *query = xasprintf("partNumber=%zu&uploadId=%s", i + 1, u->id);
	struct s3_request q = put_request("PUT", "putting a part of", u->name, query);
	q.sse = S3_SSE_KEY;
	q.stop = &u->has_failed;
	int r = send_body(u->c, &q, u->content, at, n, e);
	const char *text = r < 0 ? NULL : s3_request_answer(&q, "etag", etag, sizeof etag);
	if (r == 0 && (!text || !is_etag(text)))
		r = err_set(e, -EPROTO, "%s: putting a part of %.200s: the answer has no ETag",
			s3_client_name(u->c), u->name);
	if (r == 0)
		strcpy(u->etags[i], etag);
	s3_request_fini(&q);
	return r;
}

static bool has_failed(struct upload *u)
{
	return atomic_load_explicit(&u->has_failed, memory_order_relaxed);
}

/* In slices, so that the failure of another part ends it. */
static void pause_ms(struct upload *u, int64_t ms)
{
	for (; ms > 0 && !has_failed(u); ms -= 20) {
		struct timespec ts = { .tv_nsec = MIN_OF(ms, 20) * 1000000 };
		nanosleep(&ts, NULL);
	}
}

/* A part is tried again by itself: else the loss of one connection would send gigabytes anew. */
static void put_part(void *arg, size_t i)
{
	struct upload *u = arg;
	uint64_t tries = s3_client_config(u->c)->max_retries;
	struct err e;
	int r = -ECANCELED;
	tries = tries ? MIN_OF(tries, S3_MAX_PART_TRIES) : S3_PART_TRIES;
	for (uint64_t k = 0; k < tries && !has_failed(u); k++) {
		r = put_part_once(u, i, &e);
		if (r == 0)
			return;
		if (!bucket_error_is_transient(r) || k + 1 == tries)
			break;
		int64_t own = (int64_t)FIRST_PAUSE_MS << MIN_OF(k, 5);
		pause_ms(u, MIN_OF(MAX_OF(own, (int64_t)e.retry_after_ms), LONGEST_PAUSE_S * 1000));
	}
	if (r == -ECANCELED && has_failed(u))
		return; /* because of another part */
	pthread_mutex_lock(&u->lock);
	if (u->result == 0) {
		u->result = r;
		u->error = e;
	}
	pthread_mutex_unlock(&u->lock);
	atomic_store(&u->has_failed, true);
}

/* The answer may take minutes, and may be an error although it began as a success. */
static int complete(struct upload *u, struct err *e)
{
	auto_buf struct buf xml = { 0 };
	auto_free char *query = xasprintf("uploadId=%s", u->id);
	char hash[S3_HASH_CHARS];
	buf_add_str(&xml, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (size_t i = 0; i < u->n; i++) {
		buf_printf(&xml, "<Part><PartNumber>%zu</PartNumber><ETag>", i + 1);
		s3_xml_escape(u->etags[i], &xml);
		buf_add_str(&xml, "</ETag></Part>");
	}
	buf_add_str(&xml, "</CompleteMultipartUpload>");
	s3_sha256_hex(xml.data, xml.len, hash);
	auto_of(blob) struct blob *body = blob_of_memory("the list of parts", xml.data, xml.len);
	struct s3_request q = put_request("POST", "completing the upload of", u->name, query);
	q.sse = S3_SSE_KEY;
	q.body = body;
	q.body_bytes = body->size;
	q.payload_hash = hash;
	s3_request_header(&q, "content-type", "application/xml");
	int r = s3_request_send(u->c, &q, e);
	if (r == 0)
		r = s3_request_late_error(u->c, &q, e);
	s3_request_fini(&q);
	return r;
}

/* Its parts would be stored, and paid for, until somebody looks. */
static void abort_upload(struct upload *u)
{
	struct err e;
	auto_free char *query = xasprintf("uploadId=%s", u->id);
	struct s3_request q = put_request("DELETE", "aborting the upload of", u->name, query);
	int r = s3_request_send(u->c, &q, &e);
	if (r < 0 && r != -ENOENT)
		log_warn("an upload in parts is left behind in the bucket", KV("error", e.msg));
	s3_request_fini(&q);
}

static int put_parts(struct s3_client *c, const char *name, struct blob *content, struct err *e)
{
	struct upload u = { .c = c, .name = name, .content = content };
	u.part_bytes = s3_part_bytes(content->size, s3_client_config(c)->part_size);
	u.n = (size_t)((content->size + u.part_bytes - 1) / u.part_bytes);
	int r = begin_upload(&u, e);
	if (r < 0)
		return r;
	u.etags = xcalloc(u.n, sizeof *u.etags);
	pthread_mutex_init(&u.lock, NULL);
	parallel_each(u.n, S3_PART_THREADS, put_part, &u);
	r = u.result;
	if (r < 0 && e)
		*e = u.error;
	if (r == 0)
		r = complete(&u, e);
	if (r < 0)
		abort_upload(&u);
	pthread_mutex_destroy(&u.lock);
	free(u.etags);
	free(u.id);
	return r;
}

int s3_put(struct s3_client *c, const char *name, struct blob *content, struct err *e)
{
	const struct s3_config *f = s3_client_config(c);
	bool is_whole = f->disable_multipart || content->size <= f->part_size;
	return is_whole ? put_whole(c, name, content, e) : put_parts(c, name, content, e);
}
