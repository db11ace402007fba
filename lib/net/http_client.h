/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP client: one pool of connections, kept alive and shared by all threads, driven by one thread of its own
 * (libcurl's multi interface). Calls block their caller; many may be under way at once. Redirects are not followed:
 * their status is the answer. Every answer is bounded by what its caller says.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "lib/base/blob.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct http_client;

/* Strings are copied; NULL and "" are as good as not given, 0 takes the default. */
struct http_client_options {
	const char *user_agent; /* "thanosfs/VERSION" unless set */
	const char *proxy;      /* URL; NULL: as the environment's http_proxy, https_proxy and no_proxy say */
	const char *ca_file;    /* PEM; the system's certificates unless set */
	const char *cert_file, *key_file; /* PEM, both or none */
	const char *server_name;          /* the name that the certificate must be for, where not the URL's */
	bool insecure_skip_verify;
	bool disable_compression;           /* else gzip and deflate are accepted and undone */
	int64_t connect_timeout_ms;         /* of the TCP connection: 30 s */
	int64_t tls_handshake_timeout_ms;   /* 10 s, on top */
	int64_t response_header_timeout_ms; /* from the request's last byte to the answer's headers: 2 min */
	int64_t idle_timeout_ms;            /* how long an idle connection is kept: 90 s */
	int64_t stall_timeout_ms;           /* an answer that brings nothing for this long has failed: 10 s */
	unsigned max_idle_connections;      /* 128 */
	unsigned max_connections;           /* in all, further calls wait: 256 */
};

/* -EINVAL that names the option: a file that can't be read, or isn't PEM; a proxy that is no URL. */
int http_client_new(const struct http_client_options *options, struct http_client **out, struct err *e);
void http_client_free(struct http_client *c); /* no call may be under way; NULL is fine */
DEFINE_AUTO(http_client, struct http_client *, http_client_free)

struct http_header {
	const char *name,
		*value; /* a value of NULL: the header that libcurl would add of itself is not sent */
};

/*
 * One exchange. The caller fills what stands above the line and owns it all; the call fills the rest. Zero everything
 * first.
 */
struct http_call {
	const char *method; /* "GET", "HEAD", "PUT", "POST", "DELETE" */
	const char *url;    /* absolute, encoded; sent just so: dots and slashes in the path stay */
	const struct http_header *headers;
	size_t n_headers;
	/* The request's body: n bytes at `body_at` of `body`; NULL: none. */
	struct blob *body;
	uint64_t body_at, body_bytes;
	/* Where an answer's body goes: to `into` (of max_bytes bytes), or, where that is NULL, appended to `out`. Only
	 * bodies of answers with status 200 to 299 go to `into`; those of others to `out`, cut at 64 KiB. Both NULL: it
	 * is thrown away, and what lies beyond 64 KiB is not waited for. */
	void *into;
	struct buf *out;
	size_t max_bytes;        /* a longer body ends the call with -EFBIG */
	int64_t timeout_ms;      /* of the whole call; 0: none */
	const atomic_bool *stop; /* may be NULL; once true the call ends with -ECANCELED within 100 ms */
	/* ---- */
	unsigned status;
	uint64_t got_bytes;        /* of the body */
	int64_t content_length;    /* as the answer says; -1: it doesn't */
	struct buf answer_headers; /* "name: value\n"..., names in lower case; freed by http_call_fini */
};

/*
 * Sends the request and waits for the whole answer. 0 for any answer with a status, whatever it is; -errno where there
 * is none: -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH and the like (worth a retry),
 * -EPROTO: what came is not HTTP; -EKEYREJECTED: TLS, its certificate refused, with the reason (expired, self-signed,
 * for another name); -EFBIG; -ECANCELED. A body shorter than its Content-Length is -ECONNRESET. The message names the host, never
 * the query string or a header.
 */
int http_call(struct http_client *c, struct http_call *call, struct err *e);
void http_call_fini(struct http_call *call);

/* The value of a header of the answer, cut to out_bytes with its NUL, in `out`; NULL: not there. `name` in lower case. */
const char *http_call_header(const struct http_call *call, const char *name, char *out, size_t out_bytes);

/* Percent-encodes for a URL: unreserved characters stay, '/' too where keep_slashes. */
void http_escape(const char *text, bool keep_slashes, struct buf *out);

#endif
