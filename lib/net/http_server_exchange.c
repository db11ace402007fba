/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request from its first line to its end, as libmicrohttpd tells of it. What can be refused is refused on the headers, before
 * anything of the body is read. While a thread makes the answer the connection is suspended, here and whenever there is nothing to
 * send: it costs nothing then, and http_watch looks whether the client is still there.
 */
#include "lib/net/http_server_private.h"

#include <errno.h>

#define MORE_THAN_ENOUGH \
	8 /* so many times the longest body is read and thrown away before the connection is cut */

void http_request_unref(struct http_request *q)
{
	if (atomic_fetch_sub(&q->refs, 1) > 1)
		return;
	atomic_fetch_sub(&q->server->body_bytes, q->body.cap);
	http_web_free(q->web);
	http_reply_free(q->reply);
	http_params_fini(&q->params);
	http_params_fini(&q->headers);
	free(q->params_error);
	buf_fini(&q->path);
	buf_fini(&q->wildcard);
	buf_fini(&q->body);
	free(q->uri);
	free(q);
}

void *http_exchange_on_url(void *server, const char *uri, struct MHD_Connection *c)
{
	struct http_server *s = server;
	struct http_request *q = xcalloc(1, sizeof *q);
	*q = (struct http_request){ .server = s, .refs = 1, .connection = c, .uri = xstrdup(uri) };
	q->web = http_server_web(s);
	pthread_mutex_lock(&s->lock);
	s->active++;
	q->next = s->first;
	if (q->next)
		q->next->slot = &q->next;
	q->slot = &s->first;
	s->first = q;
	pthread_mutex_unlock(&s->lock);
	return q;
}

static struct http_watched *watched_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	const struct http_connection *x = info ? info->socket_context : NULL;
	return x ? x->watched : NULL;
}

void http_exchange_on_end(
	void *server, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct http_server *s = server;
	struct http_request *q = *state;
	if (!q)
		return;
	*state = NULL;
	struct http_watched *x = watched_of(c);
	if (x)
		http_watch_answering(s->watch, x, NULL);
	if (q->reply && why != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		http_reply_abandon(q->reply);
	pthread_mutex_lock(&s->lock);
	*q->slot = q->next;
	if (q->next)
		q->next->slot = q->slot;
	if (--s->active == 0)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
	http_request_unref(q);
}

static void add_web_headers(const struct http_request *q, struct MHD_Response *r)
{
	const struct web_config *web = http_web_config(q->web);
	for (size_t i = 0; web && i < web->headers.len; i++)
		MHD_add_response_header(r, web->headers.data[i].name, web->headers.data[i].value);
}

static enum MHD_Result queue(struct http_request *q, unsigned status, struct MHD_Response *r)
{
	add_web_headers(q, r);
	enum MHD_Result sent = MHD_queue_response(q->connection, status, r);
	MHD_destroy_response(r);
	q->stage = HTTP_STAGE_ANSWERED;
	return sent;
}

/* Takes the body over. */
static enum MHD_Result send_response(struct http_request *q, struct http_response *out, bool and_close)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(out->body.len, out->body.data, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		buf_fini(&out->body);
		return MHD_NO;
	}
	const char *type = out->content_type ? out->content_type : "text/plain; charset=utf-8";
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (and_close)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	if (out->status == 401)
		MHD_add_response_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic");
	if (out->status == 405 && q->route) {
		static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "OPTIONS" };
		auto_buf struct buf allow = { 0 };
		unsigned methods = q->route->methods ? q->route->methods : HTTP_GET | HTTP_HEAD;
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (methods & 1u << i)
				buf_printf(&allow, "%s%s", allow.len ? ", " : "", names[i]);
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, buf_str(&allow));
	}
	return queue(q, out->status, r);
}

static const char *words_of(unsigned status)
{
	switch (status) {
	case 400: return "400 Bad Request\n";
	case 401: return "Unauthorized\n";
	case 404: return "404 page not found\n";
	case 405: return "Method Not Allowed\n";
	case 413: return "the body is longer than is allowed here\n";
	default: return "too many requests are under way\n";
	}
}

static enum MHD_Result refuse(struct http_request *q, unsigned status, bool and_close)
{
	struct http_response out = { .status = status };
	buf_add_str(&out.body, words_of(status));
	return send_response(q, &out, and_close);
}

/* The length that is announced; SIZE_MAX: there is a body, nobody knows how long. */
static size_t announced_body(const struct http_request *q)
{
	const char *n = http_request_header(q, MHD_HTTP_HEADER_CONTENT_LENGTH);
	if (http_request_header(q, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		return SIZE_MAX;
	return n ? strtoull(n, NULL, 10) : 0;
}

/* Only asked for in the handshake, so that who has none that will do can be let in, too. */
static bool has_certificate(struct http_request *q)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(q->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return http_web_takes_client(q->web, info ? info->tls_session : NULL);
}

static enum http_verdict glance(const struct http_request *q)
{
	const struct web_config *web = http_web_config(q->web);
	return web && web->users ? http_users_glance(web->users, http_request_header(q, "Authorization"))
				 : HTTP_ADMITTED;
}

/* The headers are there. */
static enum MHD_Result begin(struct http_request *q, const char *method)
{
	struct http_server *s = q->server;
	q->stage = HTTP_STAGE_BODY;
	if (!has_certificate(q))
		return MHD_NO;
	unsigned status = http_request_read(q, method);
	if (!status && glance(q) == HTTP_REFUSED)
		status = 401;
	if (!status)
		status = http_request_route(q);
	size_t n = announced_body(q), most = s->max_body_bytes;
	bool waits = http_request_header(q, MHD_HTTP_HEADER_EXPECT);
	if (!status && n && (!most || (n != SIZE_MAX && n > most && (waits || n > most * MORE_THAN_ENOUGH))))
		status = 413;
	/* What the client goes on sending is not read. */
	return status ? refuse(q, status, n || status == 400 || status == 405) : MHD_YES;
}

/* A client that is told only in the end reads the answer; one whose connection is closed under its hands may not. */
static enum MHD_Result take_body(struct http_request *q, const char *p, size_t n)
{
	struct http_server *s = q->server;
	size_t most = s->max_body_bytes, before = q->body.cap;
	q->arrived_bytes += n;
	if (q->arrived_bytes > most)
		q->refusal = 413;
	if (q->refusal)
		return q->arrived_bytes > most * MORE_THAN_ENOUGH ? MHD_NO : MHD_YES;
	buf_add(&q->body, p, n);
	size_t more = q->body.cap - before;
	if (atomic_fetch_add(&s->body_bytes, more) + more > most * HTTP_SERVER_BODIES)
		q->refusal = 503;
	return MHD_YES;
}

static void sleep_now(void *arg)
{
	MHD_suspend_connection(((struct http_request *)arg)->connection);
}

static void wake(void *arg)
{
	MHD_resume_connection(((struct http_request *)arg)->connection);
}

static void refuse_in_thread(struct http_request *q, unsigned status)
{
	http_reply_status(q->reply, status);
	http_reply_header(q->reply, "WWW-Authenticate", "Basic");
	buf_add_str(http_reply_body(q->reply), words_of(status));
}

/* In a thread of its own. */
static void work(void *arg)
{
	struct http_request *q = arg;
	const struct http_server *s = q->server;
	const struct web_config *web = http_web_config(q->web);
	bool is_whole = true;
	http_reply_header(q->reply, "Content-Type", "text/plain; charset=utf-8");
	if (web && web->users && !http_users_check(web->users, http_request_header(q, "Authorization"))) {
		refuse_in_thread(q, 401);
	} else if (q->route->stream) {
		is_whole = q->route->stream(s->arg, q, q->reply);
	} else {
		struct http_response out = { .status = 200 };
		q->route->answer(s->arg, q, &out);
		http_reply_status(q->reply, out.status);
		if (out.content_type)
			http_reply_header(q->reply, "Content-Type", out.content_type);
		buf_add(http_reply_body(q->reply), out.body.data, out.body.len);
		buf_fini(&out.body);
	}
	http_reply_end(q->reply, is_whole);
	http_request_unref(q);
}

static bool takes_gzip(const struct http_request *q)
{
	const char *accepts = http_request_header(q, "Accept-Encoding");
	return accepts && strstr(accepts, "gzip") && !strstr(accepts, "gzip;q=0");
}

static enum MHD_Result respond(struct http_request *q);

/* The request is there as a whole. */
static enum MHD_Result dispatch(struct http_request *q)
{
	struct http_server *s = q->server;
	if (q->refusal)
		return refuse(q, q->refusal, false);
	http_request_read_params(q);
	if (q->route->answer && glance(q) == HTTP_ADMITTED) {
		struct http_response out = { .status = 200 };
		q->route->answer(s->arg, q, &out);
		return send_response(q, &out, false);
	}
	struct http_reply_reader reader = { sleep_now, wake, q };
	struct http_reply *reply = http_reply_new(takes_gzip(q), &reader);
	pthread_mutex_lock(&s->lock);
	q->reply = reply;
	pthread_mutex_unlock(&s->lock);
	struct http_watched *x = watched_of(q->connection);
	if (x)
		http_watch_answering(s->watch, x, q->reply);
	atomic_fetch_add(&q->refs, 1);
	q->stage = HTTP_STAGE_WORKING;
	if (http_workers_run(s->workers, work, q) < 0) {
		atomic_fetch_sub(&q->refs, 1);
		return refuse(q, 503, false);
	}
	return respond(q);
}

static ssize_t read_reply(void *arg, uint64_t at, char *p, size_t max)
{
	(void)at;
	ssize_t n = http_reply_read(((struct http_request *)arg)->reply, p, max);
	if (n > 0)
		return n;
	return n == 0         ? MHD_CONTENT_READER_END_OF_STREAM
	       : n == -EAGAIN ? 0
			      : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void free_reader(void *arg)
{
	http_request_unref(arg);
}

/* One in memory leaves with its head, one that is read in pieces after it. */
static struct MHD_Response *response_of(struct http_request *q)
{
	struct buf whole;
	struct MHD_Response *r;
	if (http_reply_take(q->reply, &whole)) {
		r = MHD_create_response_from_buffer(whole.len, whole.data, MHD_RESPMEM_MUST_FREE);
		if (!r)
			buf_fini(&whole);
		return r;
	}
	atomic_fetch_add(&q->refs, 1);
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32u << 10, read_reply, q, free_reader);
	if (!r)
		http_request_unref(q);
	return r;
}

/* As soon as the reply may begin to leave. */
static enum MHD_Result respond(struct http_request *q)
{
	enum http_reply_state state = http_reply_wait(q->reply);
	if (state == HTTP_REPLY_HELD)
		return MHD_YES;
	struct MHD_Response *r = state == HTTP_REPLY_BROKEN ? NULL : response_of(q);
	if (!r)
		return MHD_NO;
	const char *name, *value;
	for (size_t i = 0; (name = http_reply_get_header(q->reply, i, &value)); i++)
		MHD_add_response_header(r, name, value);
	return queue(q, http_reply_get_status(q->reply), r);
}

enum MHD_Result http_exchange_on_data(void *server, struct MHD_Connection *c, const char *path,
	const char *method, const char *version, const char *upload, size_t *upload_bytes, void **state)
{
	struct http_request *q = *state;
	(void)server, (void)c, (void)path, (void)version;
	if (!q)
		return MHD_NO;
	switch (q->stage) {
	case HTTP_STAGE_URL: return begin(q, method);
	case HTTP_STAGE_BODY:
		if (*upload_bytes) {
			size_t n = *upload_bytes;
			*upload_bytes = 0;
			return take_body(q, upload, n);
		}
		return dispatch(q);
	case HTTP_STAGE_WORKING: return respond(q);
	default: *upload_bytes = 0; return MHD_YES;
	}
}
