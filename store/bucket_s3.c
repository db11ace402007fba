/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of a bucket as requests. Every answer is checked against what was asked for: the listing's names lie below
 * the prefix and go on, a range is the one that was wanted, of an object of the known size and version.
 */
#include "store/bucket_s3.h"

#include "lib/net/http_date.h"
#include "store/s3_answer.h"
#include "store/s3_client.h"
#include "store/s3_put.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#define ERROR_BYTES (64u << 10) /* of an answer that should have no body, or none to speak of */

struct s3_bucket {
	struct bucket base;
	struct s3_client *client;
};

static struct s3_client *client_of(struct bucket *b)
{
	return ((struct s3_bucket *)b)->client;
}

struct listing {
	struct bucket *b;
	const char *prefix;
	bool recursive;
	bucket_list_fn *fn;
	void *arg;
	struct err *e;
	bool has_more;   /* pages */
	struct buf from; /* token or marker of the next one, as the store gave it */
};

static bool is_v1(const struct listing *l)
{
	return s3_client_config(client_of(l->b))->list_objects_version == S3_LISTING_V1;
}

static void listing_query(const struct listing *l, struct buf *out)
{
	const char *from = is_v1(l) ? "marker" : "continuation-token";
	buf_add_str(out, is_v1(l) ? "encoding-type=url" : "list-type=2&encoding-type=url");
	buf_add_str(out, l->recursive ? "&prefix=" : "&delimiter=%2F&prefix=");
	http_escape(l->prefix, false, out);
	if (l->from.len) {
		buf_printf(out, "&%s=", from);
		http_escape((const char *)l->from.data, false, out);
	}
}

/* False for names that the interface doesn't have: those of "directories" as objects, doubled slashes. */
static bool is_ours(const struct listing *l, const char *name, bool is_directory)
{
	size_t n = strlen(name), skip = strlen(l->prefix);
	if (n <= skip)
		return false;
	auto_free char *bare = xstrndup(name, n - is_directory);
	return (!is_directory || name[n - 1] == '/') && bucket_name_is_valid(bare);
}

static int deliver(const struct listing *l, const struct s3_page *page)
{
	size_t skip = strlen(l->prefix);
	vec_each (entry, &page->entries) {
		const char *name = (const char *)page->names.data + entry->name;
		if (strncmp(name, l->prefix, skip) != 0)
			return err_set(l->e, -EPROTO,
				"%s: listing %.128s: the answer has a name that is not below it", l->b->name,
				l->prefix);
		if (!is_ours(l, name, entry->is_directory))
			continue;
		struct object_info o = { .name = name, .size = entry->size, .mtime_ms = entry->mtime_ms };
		int r = l->fn(l->arg, &o);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The last name of a page of version 1, which goes on behind it where the store gives no marker. */
static const char *last_name(const struct s3_page *page)
{
	const char *last = "";
	vec_each (entry, &page->entries) {
		const char *name = (const char *)page->names.data + entry->name;
		if (strcmp(name, last) > 0)
			last = name;
	}
	return last;
}

static int advance(struct listing *l, const struct s3_page *page)
{
	const struct buf *given = is_v1(l) ? &page->next_marker : &page->next_token;
	const char *from = given->len ? (const char *)given->data : is_v1(l) ? last_name(page) : "";
	l->has_more = page->is_truncated;
	if (!l->has_more)
		return 0;
	bool is_stuck = l->from.len && (is_v1(l) ? strcmp(from, (const char *)l->from.data) <= 0
						 : !strcmp(from, (const char *)l->from.data));
	if (!*from || is_stuck)
		return err_set(l->e, -EPROTO, "%s: listing %.128s: the answer is not the last page and %s%s",
			l->b->name, l->prefix,
			is_stuck ? "doesn't go on" : "doesn't say where the next begins",
			is_v1(l) ? "" : "; list_objects_version: v1 may help");
	buf_reset(&l->from);
	buf_add(&l->from, from, strlen(from) + 1);
	return 0;
}

static int list_page(struct listing *l)
{
	auto_buf struct buf query = { 0 };
	auto_free char *verb = *l->prefix ? xasprintf("listing %.200s", l->prefix) : xstrdup("listing");
	auto_s3_page struct s3_page page = { 0 };
	listing_query(l, &query);
	struct s3_request q = {
		.operation = "list",
		.verb = verb,
		.method = "GET",
		.query = buf_str(&query),
		.max_bytes = S3_XML_MAX_BYTES,
	};
	int r = s3_request_send(client_of(l->b), &q, l->e);
	if (r == 0 && (r = s3_xml_page(q.text.data, q.text.len, &page, l->e)) < 0)
		err_wrap(l->e, r, "%s: %s", l->b->name, verb);
	s3_request_fini(&q);
	if (r == 0)
		r = deliver(l, &page);
	return r == 0 ? advance(l, &page) : r;
}

static int s3_list(struct bucket *b, const char *prefix, bool recursive, bool want_info, bucket_list_fn *fn,
	void *arg, struct err *e)
{
	struct listing l = { .b = b, .prefix = prefix, .recursive = recursive, .fn = fn, .arg = arg, .e = e };
	(void)want_info; /* it comes along */
	int r;
	do
		r = list_page(&l);
	while (r == 0 && l.has_more);
	buf_fini(&l.from);
	return r;
}

static struct s3_request object_request(
	const char *operation, const char *verb, const char *method, const char *name)
{
	return (struct s3_request){
		.operation = operation,
		.verb = verb,
		.method = method,
		.name = name,
		.max_bytes = ERROR_BYTES,
	};
}

/* An ETag that a request can ask for: quoted, strong, printable, short enough to be kept. Else "". */
static void take_etag(const struct s3_request *q, char out[BLOB_VERSION_BYTES])
{
	char text[BLOB_VERSION_BYTES + 1];
	const char *etag = s3_request_answer(q, "etag", text, sizeof text);
	size_t n = etag ? strlen(etag) : 0;
	bool is_good = n >= 2 && n < BLOB_VERSION_BYTES && etag[0] == '"' && etag[n - 1] == '"';
	for (size_t i = 0; is_good && i < n; i++)
		is_good = etag[i] > ' ' && etag[i] <= '~' && (etag[i] != '"' || i == 0 || i == n - 1);
	snprintf(out, BLOB_VERSION_BYTES, "%s", is_good ? etag : "");
}

static int head(struct bucket *b, const char *name, struct object_info *out, char etag[BLOB_VERSION_BYTES],
	struct err *e)
{
	char text[64];
	struct s3_request q = object_request("stat", "looking at", "HEAD", name);
	q.sse = S3_SSE_KEY;
	int r = s3_request_send(client_of(b), &q, e);
	if (r == 0 && q.call.content_length < 0) {
		r = err_set(
			e, -EPROTO, "%s: looking at %.200s: the answer has no Content-Length", b->name, name);
	} else if (r == 0) {
		const char *modified = s3_request_answer(&q, "last-modified", text, sizeof text);
		*out = (struct object_info){ .name = name, .size = (uint64_t)q.call.content_length };
		if (!modified || http_date_parse(modified, &out->mtime_ms) < 0)
			out->mtime_ms = 0;
		take_etag(&q, etag);
	}
	s3_request_fini(&q);
	return r;
}

static int s3_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	char etag[BLOB_VERSION_BYTES];
	return head(b, name, out, etag, e);
}

struct s3_blob {
	struct blob base;
	struct bucket *bucket; /* borrowed: blobs don't outlive their bucket */
	char *object;
	pthread_mutex_t lock;
	char etag[BLOB_VERSION_BYTES]; /* under `lock`; "": not known */
};

static void s3_blob_version(struct blob *b, char out[BLOB_VERSION_BYTES])
{
	struct s3_blob *s = (struct s3_blob *)b;
	pthread_mutex_lock(&s->lock);
	memcpy(out, s->etag, BLOB_VERSION_BYTES);
	pthread_mutex_unlock(&s->lock);
}

static void s3_blob_pin(struct blob *b, const char *version)
{
	struct s3_blob *s = (struct s3_blob *)b;
	pthread_mutex_lock(&s->lock);
	snprintf(s->etag, sizeof s->etag, "%s", version);
	pthread_mutex_unlock(&s->lock);
}

static int changed(const struct s3_blob *s, struct err *e, const char *how)
{
	return err_set(e, -EBADMSG, "%s: reading %.200s: the object has changed: %s", s->bucket->name,
		s->object, how);
}

/* The first version that is seen is the blob's; true where `etag` is that one, or can't be told. */
static bool is_same_version(struct s3_blob *s, const char *etag)
{
	pthread_mutex_lock(&s->lock);
	if (!*s->etag)
		memcpy(s->etag, etag, BLOB_VERSION_BYTES);
	bool is_same = !*etag || !strcmp(s->etag, etag);
	pthread_mutex_unlock(&s->lock);
	return is_same;
}

/* "bytes 0-9/100" of a 206, checked against n bytes at `at`; a 200 is only right where all was asked for. */
static int check_range(struct s3_blob *s, const struct s3_request *q, size_t n, uint64_t at, struct err *e)
{
	char text[96];
	uint64_t first = 0, last = q->call.got_bytes - 1, total = q->call.got_bytes;
	int end = 0;
	const char *range = s3_request_answer(q, "content-range", text, sizeof text);
	if (q->call.status == 206 && (!range ||
					     sscanf(range, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64 "%n",
						     &first, &last, &total, &end) != 3 ||
					     range[end]))
		return err_set(e, -EPROTO, "%s: reading %.200s: the answer doesn't say which bytes it has",
			s->bucket->name, s->object);
	if (q->call.status == 206 && total != s->base.size)
		return changed(s, e, "it has another size");
	if (first != at || last != at + n - 1 || q->call.got_bytes != n || q->call.status > 206)
		return err_set(e, -EPROTO,
			"%s: reading %.200s: asked for %zu bytes at %" PRIu64 ", the answer (%u) has %" PRIu64
			" at %" PRIu64,
			s->bucket->name, s->object, n, at, q->call.status, q->call.got_bytes, first);
	return 0;
}

static int s3_blob_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct s3_blob *s = (struct s3_blob *)b;
	char range[64], known[BLOB_VERSION_BYTES], etag[BLOB_VERSION_BYTES];
	struct s3_request q = object_request("read", "reading", "GET", s->object);
	snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, at, at + n - 1);
	s3_blob_version(b, known);
	s3_request_header(&q, "range", range);
	if (*known)
		s3_request_header(&q, "if-match", known);
	q.sse = S3_SSE_KEY;
	q.into = out;
	q.max_bytes = n;
	int r = s3_request_send(client_of(s->bucket), &q, e);
	if (r == -EFBIG && s3_answer_is_page(&q.call))
		r = err_set(e, -EPROTO, "%s: reading %.200s: what answered is not S3: a page of HTML",
			s->bucket->name, s->object);
	else if (r == -EFBIG)
		r = err_set(e, -EPROTO,
			"%s: reading %.200s: asked for %zu bytes at %" PRIu64 ", the answer has more",
			s->bucket->name, s->object, n, at);
	else if (r == -EBADMSG)
		changed(s, e, q.call.status == 416 ? "it is shorter now" : "it is another version");
	if (r == 0) {
		take_etag(&q, etag);
		r = is_same_version(s, etag) ? check_range(s, &q, n, at, e)
					     : changed(s, e, "it is another version");
	}
	s3_request_fini(&q);
	return r;
}

static void s3_blob_close(struct blob *b)
{
	struct s3_blob *s = (struct s3_blob *)b;
	pthread_mutex_destroy(&s->lock);
	free(s->object);
	free(s);
}

static int s3_open(struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	static const struct blob_ops ops = {
		.read = s3_blob_read,
		.version = s3_blob_version,
		.pin = s3_blob_pin,
		.close = s3_blob_close,
	};
	struct object_info o = { .size = known_bytes };
	char etag[BLOB_VERSION_BYTES] = "";
	int r = known_bytes == BUCKET_SIZE_UNKNOWN ? head(b, name, &o, etag, e) : 0;
	if (r < 0)
		return r;
	struct s3_blob *s = xcalloc(1, sizeof *s);
	s->base = (struct blob){ .ops = &ops, .size = o.size, .name = xasprintf("%s: %s", b->name, name) };
	s->bucket = b;
	s->object = xstrdup(name);
	pthread_mutex_init(&s->lock, NULL);
	memcpy(s->etag, etag, sizeof etag);
	*out = &s->base;
	return 0;
}

static int s3_bucket_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	return s3_put(client_of(b), name, content, e);
}

static int s3_remove(struct bucket *b, const char *name, struct err *e)
{
	struct s3_request q = object_request("remove", "removing", "DELETE", name);
	int r = s3_request_send(client_of(b), &q, e);
	s3_request_fini(&q);
	return r;
}

static void s3_free(struct bucket *b)
{
	s3_client_free(client_of(b));
	free(b);
}

int bucket_s3_new(const struct s3_config *c, const struct s3_client_options *options, struct bucket **out,
	struct err *e)
{
	static const struct bucket_ops ops = {
		.list = s3_list,
		.stat = s3_stat,
		.open = s3_open,
		.put = s3_bucket_put,
		.remove = s3_remove,
		.free = s3_free,
	};
	struct s3_client *client;
	int r = s3_client_new(c, options, &client, e);
	if (r < 0)
		return r;
	struct s3_bucket *b = xcalloc(1, sizeof *b);
	b->base =
		(struct bucket){ .ops = &ops, .name = xstrdup(s3_client_name(client)), .flat_listing = true };
	b->client = client;
	*out = &b->base;
	return 0;
}
