/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd takes certificates once, when it starts. So what it took is replaced at the beginning of each connection, before the
 * first byte of its handshake: GnuTLS has that in one object a configuration, which connections share.
 */
#include "lib/net/http_server_private.h"

#include <errno.h>

struct http_web {
	atomic_uint users;
	struct web_config *config;
	gnutls_certificate_credentials_t credentials; /* NULL: no TLS */
	gnutls_priority_t priorities;
};

static gnutls_datum_t datum_of(const char *pem)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem) };
}

static int make_credentials(struct http_web *w, struct err *e)
{
	const struct web_config *c = w->config;
	int r = gnutls_certificate_allocate_credentials(&w->credentials);
	if (r < 0)
		return err_set(e, -ENOMEM, "TLS: %s", gnutls_strerror(r));
	gnutls_datum_t cert = datum_of(c->cert_pem), key = datum_of(c->key_pem);
	r = gnutls_certificate_set_x509_key_mem(w->credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (r < 0)
		return err_set(e, -EINVAL, "certificate and key of TLS: %s", gnutls_strerror(r));
	if (c->client_ca_pem) {
		gnutls_datum_t ca = datum_of(c->client_ca_pem);
		r = gnutls_certificate_set_x509_trust_mem(w->credentials, &ca, GNUTLS_X509_FMT_PEM);
		if (r <= 0)
			return err_set(e, -EINVAL, "client_ca_file: %s",
				r ? gnutls_strerror(r) : "holds no certificate");
	}
	r = gnutls_priority_init(&w->priorities, c->tls_priorities, NULL);
	return r < 0 ? err_set(e, -EINVAL, "versions of TLS: %s", gnutls_strerror(r)) : 0;
}

int http_web_new(struct web_config *config, struct http_web **out, struct err *e)
{
	auto_of(http_web) struct http_web *w = xcalloc(1, sizeof *w);
	atomic_init(&w->users, 1);
	w->config = web_config_hold(config);
	int r = config->cert_pem ? make_credentials(w, e) : 0;
	if (r == 0)
		*out = take(w);
	return r;
}

struct http_web *http_web_hold(struct http_web *w)
{
	if (w)
		atomic_fetch_add(&w->users, 1);
	return w;
}

void http_web_free(struct http_web *w)
{
	if (!w || atomic_fetch_sub(&w->users, 1) > 1)
		return;
	if (w->credentials)
		gnutls_certificate_free_credentials(w->credentials);
	if (w->priorities)
		gnutls_priority_deinit(w->priorities);
	web_config_free(w->config);
	free(w);
}

const struct web_config *http_web_config(const struct http_web *w)
{
	return w ? w->config : NULL;
}

void http_web_begin(const struct http_web *w, gnutls_session_t session)
{
	if (!w || !w->credentials)
		return;
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, w->credentials);
	gnutls_priority_set(session, w->priorities);
	gnutls_certificate_server_set_request(
		session, w->config->client_auth == WEB_CLIENT_ANY ? GNUTLS_CERT_IGNORE : GNUTLS_CERT_REQUEST);
}

bool http_web_takes_client(const struct http_web *w, gnutls_session_t session)
{
	unsigned n = 0, status = 0;
	if (!w || w->config->client_auth <= WEB_CLIENT_ASKED)
		return true;
	if (!session)
		return false;
	if (!gnutls_certificate_get_peers(session, &n) || !n)
		return w->config->client_auth == WEB_CLIENT_IF_GIVEN;
	if (w->config->client_auth == WEB_CLIENT_GIVEN)
		return true;
	return gnutls_certificate_verify_peers2(session, &status) == GNUTLS_E_SUCCESS && status == 0;
}
