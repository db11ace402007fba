/* SPDX-License-Identifier: Apache-2.0 */
/* Multipart uploads. What is under way is in memory: a server that is started again has forgotten it. */
#include "lib/base/vec.h"
#include "tests/support/s3serve_exchange.h"
#include "tests/support/s3serve_list.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define PARTS      10000
#define PART_BYTES (5u << 20) /* of every part but the last, at least */

struct part {
	unsigned number;
	uint64_t file, bytes;
	char md5[33];
};

struct multipart {
	char id[33], *key, *headers;
	VEC(struct part) parts; /* sorted by number */
};

struct s3serve_uploads {
	pthread_mutex_t lock;
	uint64_t next;
	VEC(struct multipart *) all;
};

struct s3serve_uploads *s3serve_uploads_new(void)
{
	struct s3serve_uploads *u = xcalloc(1, sizeof *u);
	pthread_mutex_init(&u->lock, NULL);
	return u;
}

static void multipart_free(struct multipart *m)
{
	free(m->key);
	free(m->headers);
	vec_fini(&m->parts);
	free(m);
}

void s3serve_uploads_free(struct s3serve_uploads *u)
{
	if (!u)
		return;
	vec_each (m, &u->all)
		multipart_free(*m);
	vec_fini(&u->all);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

/* The upload that the request names, or NULL after the error was answered. With `remove` it is the caller's. */
static struct multipart *find_locked(struct s3serve_exchange *x, bool remove)
{
	struct s3serve_uploads *u = x->server->uploads;
	auto_buf struct buf id = { 0 };
	s3serve_param(x->request, "uploadId", &id);
	for (size_t i = 0; i < u->all.len; i++) {
		struct multipart *m = u->all.data[i];
		if (strcmp(m->id, buf_str(&id)) || strcmp(m->key, x->key))
			continue;
		if (remove)
			u->all.data[i] = u->all.data[--u->all.len];
		return m;
	}
	s3serve_error(x, 404, "NoSuchUpload", "The specified upload does not exist.", NULL);
	return NULL;
}

void s3serve_multipart_create(struct s3serve_exchange *x)
{
	struct s3serve_uploads *u = x->server->uploads;
	if (!s3serve_key_is_valid(x->key)) {
		s3serve_error_errno(x, -EINVAL);
		return;
	}
	struct multipart *m = xcalloc(1, sizeof *m);
	auto_buf struct buf headers = { 0 };
	s3serve_kept_headers(x->request, &headers);
	m->key = xstrdup(x->key);
	m->headers = xstrdup(buf_str(&headers));
	pthread_mutex_lock(&u->lock);
	snprintf(m->id, sizeof m->id, "upload-%" PRIu64, ++u->next);
	vec_push(&u->all, m);
	buf_printf(&x->answer.body,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<InitiateMultipartUploadResult "
		"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>%s</Bucket><Key>",
		x->server->bucket);
	s3serve_list_text(x->key, false, &x->answer.body);
	buf_printf(&x->answer.body, "</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>", m->id);
	pthread_mutex_unlock(&u->lock);
	s3serve_xml(x, 200);
}

static struct part *part_slot(struct multipart *m, unsigned number)
{
	size_t i = 0;
	while (i < m->parts.len && m->parts.data[i].number < number)
		i++;
	if (i < m->parts.len && m->parts.data[i].number == number)
		return &m->parts.data[i];
	vec_push(&m->parts, (struct part){ .number = 0 });
	memmove(&m->parts.data[i + 1], &m->parts.data[i], (m->parts.len - 1 - i) * sizeof *m->parts.data);
	m->parts.data[i] = (struct part){ .number = number, .file = UINT64_MAX };
	return &m->parts.data[i];
}

void s3serve_multipart_part(struct s3serve_exchange *x)
{
	struct s3serve_uploads *u = x->server->uploads;
	auto_buf struct buf number = { 0 };
	unsigned n = s3serve_param(x->request, "partNumber", &number)
			     ? (unsigned)strtoul(buf_str(&number), NULL, 10)
			     : 0;
	if (n < 1 || n > PARTS) {
		s3serve_error(x, 400, "InvalidArgument",
			"Part number must be an integer between 1 and 10000, inclusive", NULL);
		return;
	}
	struct part part = { .number = n, .file = x->upload, .bytes = x->request->body_bytes };
	s3serve_md5_hex(x, part.md5);
	uint64_t replaced = UINT64_MAX;
	pthread_mutex_lock(&u->lock);
	struct multipart *m = find_locked(x, false);
	if (m) {
		struct part *slot = part_slot(m, n);
		replaced = slot->file;
		*slot = part;
	}
	pthread_mutex_unlock(&u->lock);
	if (!m)
		return;
	if (replaced != UINT64_MAX)
		s3serve_upload_drop(x->server->store, replaced);
	close(x->fd); /* the file stays */
	x->fd = -1;
	x->answer.status = 200;
	buf_printf(&x->answer.headers, "ETag: \"%s\"\r\n", part.md5);
}

static void drop_files(struct s3serve_exchange *x, struct multipart *m)
{
	vec_each (p, &m->parts)
		s3serve_upload_drop(x->server->store, p->file);
}

void s3serve_multipart_abort(struct s3serve_exchange *x)
{
	struct s3serve_uploads *u = x->server->uploads;
	pthread_mutex_lock(&u->lock);
	struct multipart *m = find_locked(x, true);
	pthread_mutex_unlock(&u->lock);
	if (!m)
		return;
	drop_files(x, m);
	multipart_free(m);
	x->answer.status = 204;
}

/* The text of the next <name> element before `end`, or p NULL. */
static struct span element_text(const char **at, const char *end, const char *name)
{
	char open[32], close_tag[32];
	snprintf(open, sizeof open, "<%s>", name);
	snprintf(close_tag, sizeof close_tag, "</%s>", name);
	const char *from = memmem(*at, (size_t)(end - *at), open, strlen(open));
	if (!from)
		return (struct span){ 0 };
	from += strlen(open);
	const char *to = memmem(from, (size_t)(end - from), close_tag, strlen(close_tag));
	if (!to)
		return (struct span){ 0 };
	*at = to + strlen(close_tag);
	return (struct span){ from, (size_t)(to - from) };
}

/* Checks the client's list of parts against ours. Only all parts, in order, are taken: nobody leaves one out on purpose. */
static const char *check_parts(const struct multipart *m, const struct buf *body)
{
	const char *at = (const char *)body->data, *end = at + body->len;
	size_t n = 0;
	unsigned last = 0;
	for (struct span part; body->len && (part = element_text(&at, end, "Part")).p; n++) {
		const char *a = part.p, *b = part.p, *stop = part.p + part.n;
		struct span number = element_text(&a, stop, "PartNumber"),
			    etag = element_text(&b, stop, "ETag");
		if (!number.p || !etag.p)
			return "MalformedXML";
		unsigned got = (unsigned)strtoul(number.p, NULL, 10);
		if (got <= last)
			return "InvalidPartOrder";
		last = got;
		if (n >= m->parts.len || m->parts.data[n].number != got ||
			!memmem(etag.p, etag.n, m->parts.data[n].md5, 32))
			return "InvalidPart";
		if (n + 1 < m->parts.len && m->parts.data[n].bytes < PART_BYTES)
			return "EntityTooSmall";
	}
	return !n ? "MalformedXML" : n < m->parts.len ? "InvalidPart" : NULL;
}

static int append_part(struct s3serve_store *s, const struct part *p, int to)
{
	int from = s3serve_upload_reopen(s, p->file);
	if (from < 0)
		return from;
	int r = 0;
	for (uint64_t left = p->bytes; left && r == 0;) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, left, 0);
		if (n <= 0)
			r = n < 0 ? -errno : -EIO;
		else
			left -= (uint64_t)n;
	}
	close(from);
	return r;
}

/* The MD5 of the parts' MD5s, and how many there were. */
static void multipart_etag(const struct multipart *m, char etag[S3SERVE_ETAG_CHARS])
{
	auto_buf struct buf all = { 0 };
	vec_each (p, &m->parts)
		for (size_t i = 0; i < 32; i += 2) {
			unsigned byte;
			sscanf(p->md5 + i, "%2x", &byte);
			buf_add_u8(&all, (uint8_t)byte);
		}
	uint8_t digest[16];
	EVP_Digest(all.data, all.len, digest, NULL, EVP_md5(), NULL);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(etag + 2 * i, 3, "%02x", digest[i]);
	snprintf(etag + 32, S3SERVE_ETAG_CHARS - 32, "-%zu", m->parts.len);
}

static int assemble(struct s3serve_exchange *x, struct multipart *m, char etag[S3SERVE_ETAG_CHARS])
{
	int r = 0;
	x->fd = s3serve_upload_new(x->server->store, &x->upload);
	if (x->fd < 0)
		return x->fd;
	vec_each (p, &m->parts)
		if (r == 0)
			r = append_part(x->server->store, p, x->fd);
	multipart_etag(m, etag);
	return r < 0 ? r
		     : s3serve_upload_commit(x->server->store, x->upload, x->fd, x->key, etag, m->headers);
}

void s3serve_multipart_complete(struct s3serve_exchange *x)
{
	struct s3serve_uploads *u = x->server->uploads;
	pthread_mutex_lock(&u->lock);
	struct multipart *m = find_locked(x, false);
	const char *wrong = m ? check_parts(m, &x->body) : NULL;
	if (m && !wrong)
		find_locked(x, true);
	pthread_mutex_unlock(&u->lock);
	if (wrong)
		s3serve_error(x, 400, wrong, "The list of parts is not what was uploaded.", NULL);
	if (!m || wrong)
		return;
	char etag[S3SERVE_ETAG_CHARS];
	int r = assemble(x, m, etag);
	if (r < 0) {
		s3serve_error_errno(x, r);
	} else {
		struct buf *b = &x->answer.body;
		buf_printf(b,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CompleteMultipartUploadResult "
			"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>%s</Bucket><Key>",
			x->server->bucket);
		s3serve_list_text(x->key, false, b);
		buf_printf(b, "</Key><ETag>&quot;%s&quot;</ETag></CompleteMultipartUploadResult>", etag);
		s3serve_xml(x, 200);
	}
	drop_files(x, m);
	multipart_free(m);
}
