/* SPDX-License-Identifier: Apache-2.0 */
/* The callers' side of a call: from its URL and its headers to an exchange, and from what came of that to an error. */
#include "lib/base/clock.h"
#include "lib/net/http_client_private.h"

#include <errno.h>
#include <strings.h>

/* The parts of a URL that the client itself needs; they point into it. */
struct url {
	bool is_https;
	const char *authority, *host, *port,
		*rest; /* authority: with user and password; port: without ':', may be "" */
	size_t host_bytes, port_bytes;
};

static int url_parse(const char *text, struct url *out, struct err *e)
{
	*out = (struct url){ .is_https = !strncasecmp(text, "https://", 8) };
	if (!out->is_https && strncasecmp(text, "http://", 7) != 0)
		return err_set(e, -EINVAL, "a URL that is neither http nor https");
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(e, -EINVAL, "a URL with a blank or a control character");
	out->authority = text + (out->is_https ? 8 : 7);
	out->rest = out->authority + strcspn(out->authority, "/?#");
	out->host = out->authority;
	for (const char *p = out->authority; p < out->rest; p++)
		if (*p == '@')
			out->host = p + 1;
	const char *colon = out->rest;
	for (const char *p = out->rest; p > out->host && p[-1] != ']'; p--)
		if (p[-1] == ':')
			colon = p - 1;
	out->host_bytes = (size_t)(colon - out->host);
	out->port = colon < out->rest ? colon + 1 : colon;
	out->port_bytes = (size_t)(out->rest - out->port);
	return out->host_bytes ? 0 : err_set(e, -EINVAL, "a URL without a host");
}

static void add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);
	if (!longer)
		abort(); /* no memory */
	*list = longer;
}

static int add_headers(struct exchange *x, bool *has_host, bool *has_type, struct err *e)
{
	const struct http_call *call = x->call;
	for (size_t i = 0; i < call->n_headers; i++) {
		const struct http_header *h = &call->headers[i];
		const char *value = h->value ? h->value : "";
		if (!*h->name || strpbrk(h->name, "\r\n: ") || strpbrk(value, "\r\n"))
			return err_set(e, -EINVAL, "a header that is none: %.64s", h->name);
		/* curl's ways to say: not at all; and: with nothing in it. */
		auto_free char *line = !h->value ? xasprintf("%s:", h->name)
				       : *value  ? xasprintf("%s: %s", h->name, value)
						 : xasprintf("%s;", h->name);
		add_line(&x->headers, line);
		*has_host |= !strcasecmp(h->name, "host");
		*has_type |= !strcasecmp(h->name, "content-type");
	}
	/* A round trip before each upload is a high price for sparing a body that is refused. */
	add_line(&x->headers, "Expect:");
	return 0;
}

/*
 * The certificate is for another name than the host: then the URL is one with that name, whose connections go to the host all
 * the same, and the header says the host.
 */
static void rename_host(struct exchange *x, const struct url *u, bool has_host)
{
	const char *name = x->client->options.server_name;
	const char *port = u->port_bytes ? u->port : "443";
	int port_bytes = u->port_bytes ? (int)u->port_bytes : 3;
	auto_free char *url = xasprintf("https://%.*s%s:%.*s%s", (int)(u->host - u->authority), u->authority,
		name, port_bytes, port, u->rest);
	auto_free char *to = xasprintf("::%.*s:%.*s", (int)u->host_bytes, u->host, port_bytes, port);
	auto_free char *host = xasprintf("Host: %.*s", (int)(u->rest - u->host), u->host);
	add_line(&x->connect_to, to);
	if (!has_host)
		add_line(&x->headers, host);
	curl_easy_setopt(x->easy, CURLOPT_URL, url);
	curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, x->connect_to);
}

static void set_method(struct exchange *x)
{
	const char *method = x->call->method;
	CURL *c = x->easy;
	bool has_body = x->call->body || !strcmp(method, "PUT") || !strcmp(method, "POST");
	curl_easy_setopt(c, CURLOPT_HTTPGET, 1L); /* undoes what the call before has set */
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, NULL);
	curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)-1);
	if (has_body) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->upload.bytes);
	}
	if (!strcmp(method, "HEAD"))
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, has_body ? "PUT" : "GET") != 0)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
}

static int prepare(struct exchange *x, const struct url *u, struct err *e)
{
	const struct http_call *call = x->call;
	const char *name = x->client->options.server_name;
	bool has_host = false, has_type = false;
	int r = add_headers(x, &has_host, &has_type, e);
	if (r < 0)
		return r;
	for (const char *p = call->method; *p || p == call->method; p++)
		if (*p < 'A' || *p > 'Z')
			return err_set(e, -EINVAL, "a method that is none");
	x->began_us = x->moved_us = clock_monotonic_us();
	x->deadline_us = call->timeout_ms ? x->began_us + call->timeout_ms * 1000 : 0;
	x->state = PREPARED;
	x->head = (struct http_head){ .headers = &x->call->answer_headers };
	x->is_cut = x->is_second = x->is_done = x->has_lost_upload = false;
	x->code = CURLE_OK;
	x->sent = 0;
	x->why = 0;
	x->detail[0] = 0;
	if (name && u->is_https &&
		(strlen(name) != u->host_bytes || strncasecmp(name, u->host, u->host_bytes) != 0))
		rename_host(x, u, has_host);
	else
		curl_easy_setopt(x->easy, CURLOPT_URL, call->url);
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, 0L);
	set_method(x);
	return 0;
}

/* Until the exchange is done. 0, or the error of the blob that was to be uploaded. */
static int await(struct exchange *x, struct err *e)
{
	struct http_upload_piece piece;
	int r = 0;
	pthread_mutex_lock(&x->lock);
	while (!x->is_done) {
		if (r < 0 || !http_upload_next(&x->upload, &piece)) {
			pthread_cond_wait(&x->changed, &x->lock);
			continue;
		}
		pthread_mutex_unlock(&x->lock);
		r = http_upload_read(&x->upload, &piece, e);
		pthread_mutex_lock(&x->lock);
		x->has_lost_upload = r < 0;
		if ((r < 0 || http_upload_loaded(&x->upload, &piece)) && !x->is_done)
			exchange_tell(x);
	}
	pthread_mutex_unlock(&x->lock);
	return r;
}

static bool has_alert_of_certificate(const char *detail)
{
	return strstr(detail, "alert") && (strstr(detail, "certificate") || strstr(detail, "unknown ca") ||
						  strstr(detail, "access denied"));
}

/* -errno of what curl says, -ECONNRESET for all that may go better the next time. */
static int errno_of(struct exchange *x)
{
	long os = 0, connect_status = 0;
	curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os);
	curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
	switch (x->code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY: return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT: return os > 0 ? -(int)os : -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR: return -EKEYREJECTED;
	case CURLE_SSL_CONNECT_ERROR:
		if (os > 0 || strstr(x->detail, "SSL_ERROR_SYSCALL"))
			return -ECONNRESET;
		return strstr(x->detail, "wrong version number") ? -EPROTO : -EKEYREJECTED;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, which is anything at all */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_FILESIZE_EXCEEDED:
	case CURLE_WRITE_ERROR:
		return -EPROTO; /* of a coding, since the client's own are told apart before */
	case CURLE_URL_MALFORMAT: return -EINVAL;
	case CURLE_OUT_OF_MEMORY: return -ENOMEM;
	default:
		if (has_alert_of_certificate(x->detail))
			return -EKEYREJECTED;
		if (strstr(x->detail, "chunked-encoding"))
			return -EPROTO;
		return connect_status == 403 || connect_status == 407 ? -EACCES : -ECONNRESET;
	}
}

/*
 * Whether a server that this client showed no certificate let go of a TLS connection with the first request on it. One that asks for
 * certificates says so in an alert, but only once the handshake is over: where the request is still being sent then, the reset
 * overtakes the alert.
 */
static bool may_have_wanted_certificate(struct exchange *x, const struct url *u)
{
	long fresh = 0;
	if (x->code != CURLE_SEND_ERROR && x->code != CURLE_RECV_ERROR && x->code != CURLE_GOT_NOTHING)
		return false;
	curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &fresh);
	return u->is_https && fresh && !x->head.bytes && !x->client->options.cert_file &&
	       errno_of(x) == -ECONNRESET;
}

/* What went wrong, in curl's words unless they mean nothing to anybody. `more`: what is to be said besides. */
static const char *words_of(struct exchange *x, const struct url *u, const char **more)
{
	*more = "";
	if (!strncmp(x->detail, "getpeername()", 13)) /* it asks once the handshake is over */
		return "the connection was closed right after it was opened, as a server does that wants a "
		       "client "
		       "certificate";
	if (may_have_wanted_certificate(x, u))
		*more = ", right after the TLS handshake, as by a server that wants a client certificate";
	return x->detail[0] ? x->detail : curl_easy_strerror(x->code);
}

/* What came of a done exchange. */
static int conclude(struct exchange *x, const struct url *u, struct err *e)
{
	struct http_call *call = x->call;
	int host_bytes = (int)MIN_OF(u->rest - u->host, 255);
	const char *more;
	if (x->why)
		return err_set(e, x->why, "%.*s: %s", host_bytes, u->host, x->words);
	if (x->code != CURLE_OK && !x->is_cut) {
		const char *words = words_of(x, u, &more);
		return err_set(e, errno_of(x), "%.*s: %s%s", host_bytes, u->host, words, more);
	}
	/* curl is content with a head that ends in the middle. */
	if (!x->head.complete)
		return err_set(e, -ECONNRESET, "%.*s: the connection was closed within the headers",
			host_bytes, u->host);
	curl_off_t content_length = -1;
	curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &content_length);
	call->content_length = content_length;
	call->status = x->head.status;
	return 0;
}

int http_call(struct http_client *c, struct http_call *call, struct err *e)
{
	struct url u;
	call->status = 0;
	call->got_bytes = 0;
	call->content_length = -1;
	buf_reset(&call->answer_headers);
	int r = url_parse(call->url, &u, e);
	if (r < 0)
		return r;
	struct exchange *x = exchange_take(c);
	struct http_upload_piece piece;
	x->call = call;
	http_upload_init(&x->upload, call->body, call->body_at, call->body_bytes);
	r = prepare(x, &u, e);
	/* The first piece is the whole body as a rule: read now, it needs no passing to and fro. */
	if (r == 0 && http_upload_next(&x->upload, &piece)) {
		r = http_upload_read(&x->upload, &piece, e);
		http_upload_loaded(&x->upload, &piece);
	}
	if (r == 0) {
		exchange_tell(x);
		r = await(x, e);
		if (r == 0)
			r = conclude(x, &u, e);
	}
	exchange_drop(x);
	return r;
}

void http_call_fini(struct http_call *call)
{
	buf_fini(&call->answer_headers);
}
