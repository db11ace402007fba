/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of --web.config.file, in the format of Prometheus' exporter-toolkit (docs/web-configuration.md): TLS, users with bcrypt
 * hashes, headers of every answer. Paths in it are relative to its directory. What can't be honoured is refused, as security that is
 * only believed to be there is worse than none: cipher_suites, curve_preferences, client_allowed_sans, rate_limit.
 *
 * What was read never changes; but it knows its files, and can tell when they do.
 */
#ifndef NET_WEB_CONFIG_H
#define NET_WEB_CONFIG_H

#include "lib/base/vec.h"
#include "lib/net/http_params.h"
#include "lib/net/http_users.h"

#include <stdatomic.h>
#include <sys/stat.h>

enum web_client_auth {
	WEB_CLIENT_ANY,      /* NoClientCert */
	WEB_CLIENT_ASKED,    /* RequestClientCert: a certificate is asked for, and of no consequence */
	WEB_CLIENT_GIVEN,    /* RequireAnyClientCert: there must be one */
	WEB_CLIENT_IF_GIVEN, /* VerifyClientCertIfGiven */
	WEB_CLIENT_VERIFIED  /* RequireAndVerifyClientCert */
};

/* As it was before it was read. */
struct web_file {
	char *path;
	struct stat st;
};

struct web_config {
	/* PEM; NULL without TLS */
	char *cert_pem, *key_pem;
	char *client_ca_pem; /* may be NULL */
	enum web_client_auth client_auth;
	char *tls_priorities;     /* in GnuTLS' language */
	struct http_users *users; /* NULL: anybody */
	struct http_params headers;

	/* private */
	atomic_uint users_of_it;
	VEC(struct web_file) files;
};

/* -EINVAL that names file, line and key. */
int web_config_load(const char *path, struct web_config **out, struct err *e);
void web_config_free(struct web_config *c);               /* lets go of it; NULL is fine */
struct web_config *web_config_hold(struct web_config *c); /* once more, until another web_config_free */

/* Whether one of its files has become another one, or was written to, since it was read or this was asked last. By one at a time. */
bool web_config_has_changed(struct web_config *c);
DEFINE_AUTO(web_config, struct web_config *, web_config_free)

#endif
