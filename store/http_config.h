/* SPDX-License-Identifier: Apache-2.0 */
/* The section http_config, which Thanos' object stores have in common (objstore exthttp/transport.go). */
#ifndef STORE_HTTP_CONFIG_H
#define STORE_HTTP_CONFIG_H

#include "lib/net/http_client.h"
#include "store/config_fields.h"

struct http_config {
	int64_t idle_conn_timeout_ms, response_header_timeout_ms, tls_handshake_timeout_ms;
	int64_t expect_continue_timeout_ms; /* taken and of no effect: no request asks before it sends */
	bool insecure_skip_verify;
	uint64_t max_idle_conns, max_idle_conns_per_host, max_conns_per_host;
	struct {
		char *ca_file, *cert_file, *key_file, *server_name;
		bool insecure_skip_verify;
	} tls;
	bool disable_compression;
};

#define HTTP_CONFIG_DEFAULTS                                                           \
	{                                                                              \
		.idle_conn_timeout_ms = 90000, .response_header_timeout_ms = 120000,   \
		.tls_handshake_timeout_ms = 10000, .expect_continue_timeout_ms = 1000, \
		.max_idle_conns = 100, .max_idle_conns_per_host = 100                  \
	}

extern const struct config_field http_config_fields[];

/* What config_fields_read can't see: a certificate without its key. `map` is where the section stands, for messages. */
int http_config_check(const struct http_config *c, const struct yaml_node *map, struct err *e);

/* The client's options; strings are borrowed from `c`. A limit of 0 is the client's own default. */
struct http_client_options http_config_options(const struct http_config *c);

#endif
