/* SPDX-License-Identifier: Apache-2.0 */
/* Which operation a request is, who may ask for it, and what the simple ones answer. */
#include "tests/support/s3serve_exchange.h"

#include "tests/support/s3serve_list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_BYTES (4u << 20) /* of a body that is no object */
#define NAMESPACE    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define XML_HEAD     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static void drop_answer(struct s3serve_answer *a)
{
	if (a->fd >= 0)
		close(a->fd);
	buf_reset(&a->headers);
	buf_reset(&a->body);
	a->fd = -1;
	a->at = a->bytes = a->claimed = 0;
}

void s3serve_xml(struct s3serve_exchange *x, unsigned status)
{
	x->answer.status = status;
	x->answer.bytes = x->answer.claimed = x->answer.body.len;
	buf_add_str(&x->answer.headers, "Content-Type: application/xml\r\n");
}

void s3serve_error(
	struct s3serve_exchange *x, unsigned status, const char *code, const char *message, const char *extra)
{
	drop_answer(&x->answer);
	struct buf *b = &x->answer.body;
	buf_printf(b, XML_HEAD "<Error><Code>%s</Code><Message>%s</Message><Resource>", code, message);
	buf_printf(b, "/%s/", x->server->bucket);
	s3serve_list_text(x->key ? x->key : "", false, b);
	buf_printf(b, "</Resource><RequestId>%016" PRIX64 "</RequestId><HostId>test</HostId>%s</Error>",
		x->number, extra ? extra : "");
	s3serve_xml(x, status);
}

void s3serve_error_errno(struct s3serve_exchange *x, int r)
{
	if (r == -ENOENT)
		s3serve_error(x, 404, "NoSuchKey", "The specified key does not exist.", NULL);
	else if (r == -ENOTDIR || r == -EISDIR || r == -ENOTEMPTY || r == -EINVAL || r == -ENAMETOOLONG)
		s3serve_error(
			x, 400, "KeyNotStorable", "This server can't keep an object of that key.", NULL);
	else
		s3serve_error(x, 500, "InternalError", strerror(-r), NULL);
}

void s3serve_md5_hex(struct s3serve_exchange *x, char out[33])
{
	uint8_t digest[16];
	unsigned n = sizeof digest;
	EVP_DigestFinal_ex(x->md5, digest, &n);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void s3serve_kept_headers(const struct s3serve_request *q, struct buf *out)
{
	for (size_t i = 0; i < q->n_headers; i++) {
		struct span name = q->headers[i].name, value = q->headers[i].value;
		if (span_starts(name, "x-amz-meta-") || span_is(name, "content-type"))
			buf_printf(out, "%.*s: %.*s\r\n", (int)name.n, name.p, (int)value.n, value.p);
	}
}

static void http_date(int64_t seconds, char out[32])
{
	struct tm tm;
	time_t t = (time_t)seconds;
	strftime(out, 32, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
}

/* Whether `list` of a conditional header names the ETag. */
static bool names_etag(struct span list, const char *etag)
{
	if (span_is(list, "*"))
		return true;
	auto_free char *quoted = xasprintf("\"%s\"", etag);
	return span_is(list, etag) || memmem(list.p, list.n, quoted, strlen(quoted));
}

enum range { RANGE_NONE, RANGE_GOOD, RANGE_OUTSIDE };

static bool digits(const char **p, const char *end, uint64_t *out)
{
	const char *start = *p;
	for (*out = 0; *p < end && **p >= '0' && **p <= '9' && *p - start < 18; ++*p)
		*out = *out * 10 + (uint64_t)(**p - '0');
	return *p > start;
}

/* "bytes=a-b", "a-", "-n"; anything else is as if there were none. */
static enum range parse_range(struct span s, uint64_t size, uint64_t *at, uint64_t *bytes)
{
	if (!span_starts(s, "bytes="))
		return RANGE_NONE;
	const char *p = s.p + 6, *end = s.p + s.n;
	uint64_t first, last;
	bool has_first = digits(&p, end, &first);
	if (p == end || *p++ != '-')
		return RANGE_NONE;
	bool has_last = digits(&p, end, &last);
	if (p != end || (!has_first && !has_last) || (has_first && has_last && last < first))
		return RANGE_NONE;
	if (!has_first) {
		*bytes = MIN_OF(last, size);
		*at = size - *bytes;
		return *bytes ? RANGE_GOOD : RANGE_OUTSIDE;
	}
	if (first >= size)
		return RANGE_OUTSIDE;
	*at = first;
	*bytes = has_last && last < size ? last - first + 1 : size - first;
	return RANGE_GOOD;
}

static void content_range(struct s3serve_exchange *x, uint64_t size)
{
	struct s3serve_answer *a = &x->answer;
	uint64_t shown = a->at;
	if (x->fault.kind == FAULT_RANGE) {
		int64_t by = x->fault.by ? x->fault.by : 1, at = (int64_t)a->at + by;
		at = MAX_OF(0, MIN_OF(at, (int64_t)(size - a->bytes)));
		a->at = shown = (uint64_t)at;
	}
	a->status = 206;
	buf_printf(&a->headers, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", shown,
		shown + a->bytes - 1, size);
}

static void get_object(struct s3serve_exchange *x)
{
	struct s3serve_object o;
	auto_buf struct buf stored = { 0 };
	int r = s3serve_object_open(x->server->store, x->key, &o, &stored);
	if (r < 0) {
		s3serve_error_errno(x, r);
		return;
	}
	struct s3serve_answer *a = &x->answer;
	a->fd = o.fd;
	struct span match = s3serve_header(x->request, "if-match"),
		    none = s3serve_header(x->request, "if-none-match");
	char when[32];
	http_date(o.mtime_seconds, when);
	if (x->fault.kind == FAULT_ETAG)
		snprintf(o.etag, sizeof o.etag, "another-%" PRIx64, x->number);
	if (match.p && !names_etag(match, o.etag)) {
		s3serve_error(x, 412, "PreconditionFailed",
			"At least one of the pre-conditions you specified did not hold",
			"<Condition>If-Match</Condition>");
		return;
	}
	buf_add(&a->headers, stored.data, stored.len);
	if (!strstr(buf_str(&stored), "content-type:"))
		buf_add_str(&a->headers, "Content-Type: binary/octet-stream\r\n");
	buf_printf(
		&a->headers, "ETag: \"%s\"\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n", o.etag, when);
	if (none.p && names_etag(none, o.etag)) {
		a->status = 304;
		return;
	}
	a->status = 200;
	a->bytes = o.size;
	struct span asked = s3serve_header(x->request, "range");
	enum range range = asked.p ? parse_range(asked, o.size, &a->at, &a->bytes) : RANGE_NONE;
	if (range == RANGE_OUTSIDE) {
		auto_free char *extra =
			xasprintf("<RangeRequested>%.*s</RangeRequested><ActualObjectSize>%" PRIu64
				  "</ActualObjectSize>",
				(int)asked.n, asked.p, o.size);
		s3serve_error(x, 416, "InvalidRange", "The requested range is not satisfiable", extra);
		buf_printf(&a->headers, "Content-Range: bytes */%" PRIu64 "\r\n", o.size);
		return;
	}
	if (range == RANGE_GOOD && x->fault.kind == FAULT_WHOLE) {
		a->at = 0;
		a->bytes = o.size;
	} else if (range == RANGE_GOOD) {
		content_range(x, o.size);
	}
	a->claimed = a->bytes;
}

static void put_object(struct s3serve_exchange *x)
{
	char etag[S3SERVE_ETAG_CHARS];
	struct s3serve_object old;
	struct span none = s3serve_header(x->request, "if-none-match");
	if (none.p && s3serve_object_open(x->server->store, x->key, &old, NULL) == 0) {
		close(old.fd);
		s3serve_error(x, 412, "PreconditionFailed",
			"At least one of the pre-conditions you specified did not hold",
			"<Condition>If-None-Match</Condition>");
		return;
	}
	auto_buf struct buf headers = { 0 };
	s3serve_kept_headers(x->request, &headers);
	s3serve_md5_hex(x, etag);
	int r = s3serve_upload_commit(x->server->store, x->upload, x->fd, x->key, etag, buf_str(&headers));
	if (r < 0) {
		s3serve_error_errno(x, r);
		return;
	}
	x->answer.status = 200;
	buf_printf(&x->answer.headers, "ETag: \"%s\"\r\n", etag);
}

static void delete_object(struct s3serve_exchange *x)
{
	int r = s3serve_object_remove(x->server->store, x->key);
	if (r < 0 && r != -ENOENT)
		s3serve_error_errno(x, r);
	else
		x->answer.status = 204;
}

/* A token says where to go on, and is no other server's: "p" or "k", and the key in hexadecimal. */
static void write_token(const struct s3serve_list *l, struct buf *out)
{
	buf_add_u8(out, l->last_is_prefix ? 'p' : 'k');
	for (size_t i = 0; i < l->last.len; i++)
		buf_printf(out, "%02x", l->last.data[i]);
}

static bool read_token(const char *token, struct buf *key, bool *is_prefix)
{
	size_t n = strlen(token);
	if (n < 3 || n % 2 == 0 || (*token != 'p' && *token != 'k'))
		return false;
	*is_prefix = *token == 'p';
	buf_reset(key);
	for (size_t i = 1; i < n; i += 2) {
		unsigned byte;
		if (strspn(token + i, "0123456789abcdef") < 2 || sscanf(token + i, "%2x", &byte) != 1)
			return false;
		buf_add_u8(key, (uint8_t)byte);
	}
	buf_str(key);
	return true;
}

static void element(struct buf *b, const char *name, const char *text, bool encode)
{
	buf_printf(b, "<%s>", name);
	s3serve_list_text(text, encode, b);
	buf_printf(b, "</%s>", name);
}

struct list_words {
	struct buf prefix, delimiter, after, token, number, encoding;
};

static void write_listing(struct s3serve_exchange *x, struct s3serve_list *l, bool v2, struct list_words *w)
{
	struct buf *b = &x->answer.body;
	buf_printf(b, XML_HEAD "<ListBucketResult " NAMESPACE "><Name>%s</Name>", x->server->bucket);
	element(b, "Prefix", l->prefix, l->encode_url);
	if (*l->delimiter)
		element(b, "Delimiter", l->delimiter, l->encode_url);
	buf_printf(b, "<MaxKeys>%u</MaxKeys><IsTruncated>%s</IsTruncated>", l->max_keys,
		l->truncated ? "true" : "false");
	if (l->encode_url)
		buf_add_str(b, "<EncodingType>url</EncodingType>");
	if (v2) {
		buf_printf(b, "<KeyCount>%u</KeyCount>", l->count);
		if (w->token.len)
			element(b, "ContinuationToken", buf_str(&w->token), false);
		else if (w->after.len)
			element(b, "StartAfter", buf_str(&w->after), l->encode_url);
		if (l->truncated) {
			buf_add_str(b, "<NextContinuationToken>");
			write_token(l, b);
			buf_add_str(b, "</NextContinuationToken>");
		}
	} else {
		element(b, "Marker", l->after, l->encode_url);
		/* As Amazon has it: without a delimiter the last key is the next marker, and isn't repeated. */
		if (l->truncated && *l->delimiter)
			element(b, "NextMarker", buf_str(&l->last), l->encode_url);
	}
	buf_add(b, l->contents.data, l->contents.len);
	buf_add(b, l->prefixes.data, l->prefixes.len);
	buf_add_str(b, "</ListBucketResult>");
	s3serve_xml(x, 200);
}

static void list_words(const struct s3serve_request *q, const char *name, struct buf *out)
{
	if (!s3serve_param(q, name, out))
		buf_str(out);
}

static void list_objects(struct s3serve_exchange *x)
{
	const struct s3serve_request *q = x->request;
	struct list_words w = { 0 };
	list_words(q, "list-type", &w.number);
	bool v2 = !strcmp(buf_str(&w.number), "2"), good = true;
	list_words(q, "prefix", &w.prefix);
	list_words(q, "delimiter", &w.delimiter);
	list_words(q, v2 ? "start-after" : "marker", &w.after);
	list_words(q, "encoding-type", &w.encoding);
	struct s3serve_list l = {
		.dir = s3serve_store_dir(x->server->store), .max_keys = 1000, .with_owner = !v2
	};
	l.prefix = buf_str(&w.prefix);
	l.delimiter = buf_str(&w.delimiter);
	l.after = buf_str(&w.after);
	l.encode_url = !strcmp(buf_str(&w.encoding), "url");
	/* A marker that is a common prefix stands for all below it. */
	l.after_is_prefix = !v2 && *l.delimiter && w.after.len >= w.delimiter.len &&
			    !strcmp(l.after + w.after.len - w.delimiter.len, l.delimiter);
	auto_buf struct buf from = { 0 };
	if (v2 && s3serve_param(q, "continuation-token", &w.token)) {
		good = read_token(buf_str(&w.token), &from, &l.after_is_prefix);
		l.after = buf_str(&from);
	}
	if (good && s3serve_param(q, "max-keys", &w.number)) {
		char *rest;
		unsigned long n = strtoul(buf_str(&w.number), &rest, 10);
		good = w.number.len && !*rest && n <= INT32_MAX;
		l.max_keys = (unsigned)MIN_OF(n, 1000);
	}
	if (good) {
		s3serve_list_page(&l);
		write_listing(x, &l, v2, &w);
	} else {
		s3serve_error(x, 400, "InvalidArgument",
			"The continuation token or max-keys provided is incorrect", NULL);
	}
	s3serve_list_fini(&l);
	for (struct buf *b = &w.prefix; b <= &w.encoding; b++)
		buf_fini(b);
}

static void bucket_operation(struct s3serve_exchange *x)
{
	const struct s3serve_request *q = x->request;
	struct buf *b = &x->answer.body;
	if (span_is(q->method, "HEAD")) {
		x->answer.status = 200;
		buf_printf(&x->answer.headers, "x-amz-bucket-region: %s\r\n", x->server->account.region);
	} else if (span_is(q->method, "PUT")) {
		s3serve_error(x, 409, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded.", NULL);
	} else if (!span_is(q->method, "GET")) {
		s3serve_error(
			x, 501, "NotImplemented", "This server has no such operation on buckets.", NULL);
	} else if (s3serve_param(q, "location", NULL)) {
		const char *region = x->server->account.region;
		buf_printf(b, XML_HEAD "<LocationConstraint " NAMESPACE ">%s</LocationConstraint>",
			strcmp(region, "us-east-1") ? region : "");
		s3serve_xml(x, 200);
	} else if (s3serve_param(q, "versioning", NULL)) {
		buf_add_str(b, XML_HEAD "<VersioningConfiguration " NAMESPACE "></VersioningConfiguration>");
		s3serve_xml(x, 200);
	} else if (s3serve_param(q, "uploads", NULL)) {
		s3serve_error(
			x, 501, "NotImplemented", "This server has no such operation on buckets.", NULL);
	} else {
		list_objects(x);
	}
}

static void object_operation(struct s3serve_exchange *x)
{
	const struct s3serve_request *q = x->request;
	bool upload = s3serve_param(q, "uploadId", NULL);
	if (span_is(q->method, "GET") || span_is(q->method, "HEAD"))
		get_object(x);
	else if (s3serve_header(q, "x-amz-copy-source").p)
		s3serve_error(x, 501, "NotImplemented", "This server doesn't copy.", NULL);
	else if (span_is(q->method, "PUT") && upload)
		s3serve_multipart_part(x);
	else if (span_is(q->method, "PUT"))
		put_object(x);
	else if (span_is(q->method, "DELETE") && upload)
		s3serve_multipart_abort(x);
	else if (span_is(q->method, "DELETE"))
		delete_object(x);
	else if (span_is(q->method, "POST") && s3serve_param(q, "uploads", NULL))
		s3serve_multipart_create(x);
	else if (span_is(q->method, "POST") && upload)
		s3serve_multipart_complete(x);
	else
		s3serve_error(x, 405, "MethodNotAllowed",
			"The specified method is not allowed against this resource.", NULL);
}

/* /-/faults: POST sets the rules, GET shows how often each struck. */
static void control_operation(struct s3serve_exchange *x)
{
	struct err e;
	struct s3serve_answer *a = &x->answer;
	if (!span_is(x->request->path, "/-/faults")) {
		a->status = 404;
	} else if (span_is(x->request->method, "POST")) {
		a->status = s3serve_faults_set(x->server->faults, buf_str(&x->body), &e) < 0 ? 400 : 200;
		if (a->status == 400)
			buf_printf(&a->body, "%s\n", e.msg);
	} else {
		a->status = 200;
		s3serve_faults_show(x->server->faults, &a->body);
	}
	buf_add_str(&a->headers, "Content-Type: text/plain\r\n");
	a->bytes = a->claimed = a->body.len;
}

/* Bucket and key, of the path alone or of Host and path. */
static bool resolve(struct s3serve_exchange *x, struct buf *bucket, struct buf *key)
{
	auto_buf struct buf path = { 0 };
	if (!s3serve_decode(x->request->path, false, &path) || memchr(path.data, 0, path.len))
		return false;
	const char *p = buf_str(&path) + 1;
	struct span host = s3serve_header(x->request, "host");
	size_t n = strlen(x->server->bucket);
	if (host.n > n && !memcmp(host.p, x->server->bucket, n) && host.p[n] == '.') {
		buf_add_str(bucket, x->server->bucket);
	} else {
		n = strcspn(p, "/");
		buf_add(bucket, p, n);
		p += n + (p[n] == '/');
	}
	buf_add_str(key, p);
	return true;
}

static void choose_sink(struct s3serve_exchange *x)
{
	const struct s3serve_request *q = x->request;
	if (x->is_control || span_is(q->method, "POST")) {
		x->sink = SINK_MEMORY;
		if (q->body_bytes > MEMORY_BYTES) {
			x->sink = SINK_DISCARD;
			s3serve_error(x, 400, "EntityTooLarge",
				"Your proposed upload exceeds the maximum allowed size", NULL);
		}
	} else if (span_is(q->method, "PUT") && *x->key && !s3serve_header(q, "x-amz-copy-source").p) {
		x->fd = s3serve_upload_new(x->server->store, &x->upload);
		if (x->fd >= 0)
			x->sink = SINK_FILE;
		else
			s3serve_error_errno(x, x->fd);
		x->md5 = EVP_MD_CTX_new();
		EVP_DigestInit_ex(x->md5, EVP_md5(), NULL);
	}
	if (q->body_bytes && x->verdict.payload == S3SERVE_PAYLOAD_HASHED) {
		x->sha256 = EVP_MD_CTX_new();
		EVP_DigestInit_ex(x->sha256, EVP_sha256(), NULL);
	}
}

void s3serve_begin(struct s3serve *s, struct s3serve_request *q, struct s3serve_exchange *x)
{
	*x = (struct s3serve_exchange){
		.server = s, .request = q, .fd = -1, .answer.fd = -1, .number = ++s->next_request
	};
	auto_buf struct buf bucket = { 0 }, key = { 0 };
	bool good = resolve(x, &bucket, &key);
	x->key = xstrdup(buf_str(&key));
	x->is_control = span_starts(q->path, "/-/");
	if (!x->is_control) {
		s3serve_faults_pick(s->faults, q->method, x->key, &x->fault);
		s3serve_auth_check(q, &s->account, time(NULL) + s->clock_offset_seconds, &x->verdict);
		if (!good)
			s3serve_error(x, 400, "InvalidURI", "Couldn't parse the specified URI.", NULL);
		else if (x->verdict.code)
			s3serve_error(
				x, x->verdict.status, x->verdict.code, x->verdict.message, x->verdict.extra);
		else if (strcmp(buf_str(&bucket), s->bucket))
			s3serve_error(x, 404, "NoSuchBucket", "The specified bucket does not exist", NULL);
		if (x->verdict.region)
			buf_printf(&x->answer.headers, "x-amz-bucket-region: %s\r\n", x->verdict.region);
	}
	if (!x->answer.status)
		choose_sink(x);
}

void s3serve_body(struct s3serve_exchange *x, const void *p, size_t n)
{
	if (x->answer.status)
		return;
	if (x->sha256)
		EVP_DigestUpdate(x->sha256, p, n);
	if (x->md5)
		EVP_DigestUpdate(x->md5, p, n);
	if (x->sink == SINK_MEMORY) {
		buf_add(&x->body, p, n);
	} else if (x->sink == SINK_FILE) {
		for (ssize_t done; n; p = (const char *)p + done, n -= (size_t)done) {
			done = write(x->fd, p, n);
			if (done < 0) {
				s3serve_error_errno(x, -errno);
				return;
			}
		}
	}
}

static bool body_is_as_signed(struct s3serve_exchange *x)
{
	static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	if (x->verdict.payload != S3SERVE_PAYLOAD_HASHED)
		return true;
	char got[65];
	if (!x->sha256)
		return !strcmp(x->verdict.sha256, empty);
	uint8_t digest[32];
	unsigned n = sizeof digest;
	EVP_DigestFinal_ex(x->sha256, digest, &n);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(got + 2 * i, 3, "%02x", digest[i]);
	return !strcmp(x->verdict.sha256, got);
}

/* Content-MD5 is the MD5 in base64. */
static bool body_has_md5(struct s3serve_exchange *x)
{
	struct span want = s3serve_header(x->request, "content-md5");
	if (!want.p || !x->md5)
		return true;
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	uint8_t digest[16], text[32];
	unsigned n = sizeof digest;
	EVP_MD_CTX_copy_ex(copy, x->md5);
	EVP_DigestFinal_ex(copy, digest, &n);
	EVP_MD_CTX_free(copy);
	EVP_EncodeBlock(text, digest, sizeof digest);
	return span_is(want, (char *)text);
}

void s3serve_finish(struct s3serve_exchange *x)
{
	if (x->answer.status) {
		/* It was refused at its head. */
	} else if (x->is_control) {
		control_operation(x);
	} else if (!body_is_as_signed(x)) {
		s3serve_error(x, 400, "XAmzContentSHA256Mismatch",
			"The provided 'x-amz-content-sha256' header does not match what was computed.", NULL);
	} else if (!body_has_md5(x)) {
		s3serve_error(x, 400, "BadDigest",
			"The Content-MD5 you specified did not match what we received.", NULL);
	} else if (*x->key) {
		object_operation(x);
	} else {
		bucket_operation(x);
	}
	if (!x->is_control)
		s3serve_spoil(x);
}

void s3serve_exchange_fini(struct s3serve_exchange *x)
{
	if (x->fd >= 0) {
		close(x->fd);
		s3serve_upload_drop(x->server->store, x->upload);
	}
	drop_answer(&x->answer);
	buf_fini(&x->answer.headers);
	buf_fini(&x->answer.body);
	buf_fini(&x->body);
	EVP_MD_CTX_free(x->sha256);
	EVP_MD_CTX_free(x->md5);
	s3serve_verdict_fini(&x->verdict);
	free(x->key);
	*x = (struct s3serve_exchange){ .fd = -1, .answer.fd = -1 };
}
