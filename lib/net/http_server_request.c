/* SPDX-License-Identifier: Apache-2.0 */
/* What a request says: its path and which route that is, its parameters, its headers. Copied, as its connection may end first. */
#include "lib/net/http_server_private.h"

#include <strings.h>

#define FORM_TYPE "application/x-www-form-urlencoded"

unsigned http_request_method(const struct http_request *q)
{
	return q->method;
}

const char *http_request_path(const struct http_request *q)
{
	return (const char *)q->path.data + q->server->prefix_len;
}

const char *http_request_wildcard(const struct http_request *q)
{
	return q->wildcard.len ? (const char *)q->wildcard.data : "";
}

const char *http_request_header(const struct http_request *q, const char *name)
{
	for (size_t i = 0; i < q->headers.len; i++)
		if (!strcasecmp(q->headers.data[i].name, name))
			return q->headers.data[i].value;
	return NULL;
}

const struct http_params *http_request_params(const struct http_request *q)
{
	return &q->params;
}

const char *http_request_params_error(const struct http_request *q)
{
	return q->params_error;
}

const char *http_request_argument(const struct http_request *q, const char *name)
{
	const struct http_param *p = http_params_get(&q->params, name);
	return p ? p->value : NULL;
}

static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	http_params_add(arg, name, strlen(name), value ? value : "", value ? strlen(value) : 0);
	return MHD_YES;
}

unsigned http_request_read(struct http_request *q, const char *method)
{
	static const struct {
		const char *name;
		unsigned method;
	} methods[] = { { "GET", HTTP_GET }, { "HEAD", HTTP_HEAD }, { "POST", HTTP_POST },
		{ "PUT", HTTP_PUT }, { "OPTIONS", HTTP_OPTIONS } };
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (!strcmp(method, methods[i].name))
			q->method = methods[i].method;
	MHD_get_connection_values(q->connection, MHD_HEADER_KIND, add_header, &q->headers);
	/* A proxy's form has the host in front. */
	const char *p = q->uri;
	if (!strncasecmp(p, "http://", 7))
		p += 7 + strcspn(p + 7, "/?");
	if (http_unescape_path(p, strcspn(p, "?"), &q->path) < 0)
		return 400;
	buf_str(&q->path);
	return 0;
}

/* Whether the path is the pattern's, segment by segment. */
static bool is_path_of(const char *pattern, const char *path, struct buf *wildcard)
{
	for (;;) {
		size_t n = strcspn(pattern, "/"), len = strcspn(path, "/");
		if (n == 2 && !strncmp(pattern, "**", 2)) {
			buf_add_str(wildcard, path);
			return true;
		}
		if (n == 1 && *pattern == '*') {
			if (!len)
				return false;
			buf_add(wildcard, path, len);
		} else if (n != len || strncmp(pattern, path, n) != 0) {
			return false;
		}
		pattern += n;
		path += len;
		if (!*pattern || !*path)
			return *pattern == *path;
		pattern++;
		path++;
	}
}

unsigned http_request_route(struct http_request *q)
{
	const struct http_server *s = q->server;
	unsigned status = 404;
	if (q->path.len < s->prefix_len || memcmp(q->path.data, s->prefix, s->prefix_len) != 0)
		return 404;
	for (const struct http_route *r = s->routes; r->path; r++) {
		buf_reset(&q->wildcard);
		if (!is_path_of(r->path, http_request_path(q), &q->wildcard))
			continue;
		unsigned methods = r->methods ? r->methods : HTTP_GET | HTTP_HEAD;
		if (methods & q->method) {
			q->route = r;
			if (q->wildcard.len)
				buf_str(&q->wildcard);
			return 0;
		}
		/* What is there to be asked about only isn't there. */
		if (methods != HTTP_OPTIONS && !q->route) {
			q->route = r; /* for the methods that it takes */
			status = 405;
		}
	}
	return status;
}

static void parse(struct http_request *q, const char *text, size_t n)
{
	struct err e;
	if (http_params_parse(&q->params, text, n, &e) < 0 && !q->params_error)
		q->params_error = xstrdup(e.msg);
}

void http_request_read_params(struct http_request *q)
{
	const char *type = http_request_header(q, "Content-Type"), *query = strchr(q->uri, '?');
	bool is_form = type && !strncasecmp(type, FORM_TYPE, sizeof FORM_TYPE - 1) &&
		       strchr("; \t", type[sizeof FORM_TYPE - 1]); /* its end, too */
	if (is_form && q->body.len)
		parse(q, (const char *)q->body.data, q->body.len);
	if (query)
		parse(q, query + 1, strlen(query + 1));
}
