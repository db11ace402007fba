/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A web configuration as the server uses it. The server's may be replaced at any time; a connection has the TLS that it began with, and
 * a request the users and headers that held when it began.
 */
#ifndef NET_HTTP_SERVER_WEB_H
#define NET_HTTP_SERVER_WEB_H

#include "lib/net/web_config.h"

#include <gnutls/gnutls.h>

struct http_web;

/* Holds the configuration. -EINVAL: GnuTLS can't use what it says of TLS. */
int http_web_new(struct web_config *config, struct http_web **out, struct err *e);
struct http_web *http_web_hold(struct http_web *w); /* NULL is fine, here and below: no TLS, anybody */
void http_web_free(struct http_web *w);             /* lets go of it */
DEFINE_AUTO(http_web, struct http_web *, http_web_free)

const struct web_config *http_web_config(const struct http_web *w); /* borrowed */

/* A connection begins: before its handshake. The session must end before the hold on it does. */
void http_web_begin(const struct http_web *w, gnutls_session_t session);

/* Whether the client's certificate, or that there is none (session NULL: no TLS), is as the configuration wants it. */
bool http_web_takes_client(const struct http_web *w, gnutls_session_t session);

#endif
