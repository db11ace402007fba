/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of --web.config.file, in the format of Prometheus' exporter-toolkit (docs/web-configuration.md): TLS, users with bcrypt
 * hashes, headers of every answer. Paths in it are relative to its directory. What can't be honoured is refused, as security that is
 * only believed to be there is worse than none: cipher_suites, curve_preferences, client_allowed_sans, rate_limit.
 */
#ifndef NET_WEB_CONFIG_H
#define NET_WEB_CONFIG_H

#include "lib/net/http_params.h"
#include "lib/net/http_users.h"

enum web_client_auth {
	WEB_CLIENT_ANY,      /* NoClientCert */
	WEB_CLIENT_ASKED,    /* RequestClientCert: a certificate is asked for, and of no consequence */
	WEB_CLIENT_GIVEN,    /* RequireAnyClientCert: there must be one */
	WEB_CLIENT_IF_GIVEN, /* VerifyClientCertIfGiven */
	WEB_CLIENT_VERIFIED  /* RequireAndVerifyClientCert */
};

struct web_config {
	/* PEM; NULL without TLS */
	char *cert_pem, *key_pem;
	char *client_ca_pem; /* may be NULL */
	enum web_client_auth client_auth;
	char *tls_priorities;     /* in GnuTLS' language */
	struct http_users *users; /* NULL: anybody */
	struct http_params headers;
};

/* -EINVAL that names file, line and key. */
int web_config_load(const char *path, struct web_config **out, struct err *e);
void web_config_free(struct web_config *c); /* NULL is fine */
DEFINE_AUTO(web_config, struct web_config *, web_config_free)

#endif
