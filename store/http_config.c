/* SPDX-License-Identifier: Apache-2.0 */
/* The section http_config as a table, and what it means for the HTTP client. */
#include "store/http_config.h"

#include <limits.h>
#include <stddef.h>

#define AT(field)     offsetof(struct http_config, field)
#define TLS_AT(field) (AT(tls.field) - AT(tls))

static const struct config_field tls_fields[] = {
	CONFIG_FIELD("ca_file", CONFIG_STR, TLS_AT(ca_file)),
	CONFIG_FIELD("cert_file", CONFIG_STR, TLS_AT(cert_file)),
	CONFIG_FIELD("key_file", CONFIG_STR, TLS_AT(key_file)),
	CONFIG_FIELD("server_name", CONFIG_STR, TLS_AT(server_name)),
	CONFIG_FIELD("insecure_skip_verify", CONFIG_BOOL, TLS_AT(insecure_skip_verify)),
	CONFIG_FIELDS_END,
};

const struct config_field http_config_fields[] = {
	CONFIG_FIELD("idle_conn_timeout", CONFIG_MS, AT(idle_conn_timeout_ms)),
	CONFIG_FIELD("response_header_timeout", CONFIG_MS, AT(response_header_timeout_ms)),
	CONFIG_FIELD("insecure_skip_verify", CONFIG_BOOL, AT(insecure_skip_verify)),
	CONFIG_FIELD("tls_handshake_timeout", CONFIG_MS, AT(tls_handshake_timeout_ms)),
	CONFIG_FIELD("expect_continue_timeout", CONFIG_MS, AT(expect_continue_timeout_ms)),
	CONFIG_FIELD("max_idle_conns", CONFIG_U64, AT(max_idle_conns)),
	CONFIG_FIELD("max_idle_conns_per_host", CONFIG_U64, AT(max_idle_conns_per_host)),
	CONFIG_FIELD("max_conns_per_host", CONFIG_U64, AT(max_conns_per_host)),
	CONFIG_FIELD("tls_config", CONFIG_SECTION, AT(tls), .section = tls_fields),
	CONFIG_FIELD("disable_compression", CONFIG_BOOL, AT(disable_compression)),
	CONFIG_FIELDS_END,
};

int http_config_check(const struct http_config *c, const struct yaml_node *map, struct err *e)
{
	if (!*c->tls.cert_file != !*c->tls.key_file)
		return yaml_fail(map, e, "http_config.tls_config has a %s without a %s",
			*c->tls.cert_file ? "cert_file" : "key_file",
			*c->tls.cert_file ? "key_file" : "cert_file");
	return 0;
}

static unsigned bounded(uint64_t n)
{
	return (unsigned)MIN_OF(n, INT_MAX);
}

struct http_client_options http_config_options(const struct http_config *c)
{
	return (struct http_client_options){
		.ca_file = c->tls.ca_file,
		.cert_file = c->tls.cert_file,
		.key_file = c->tls.key_file,
		.server_name = c->tls.server_name,
		.insecure_skip_verify = c->insecure_skip_verify || c->tls.insecure_skip_verify,
		.disable_compression = c->disable_compression,
		.tls_handshake_timeout_ms = c->tls_handshake_timeout_ms,
		.response_header_timeout_ms = c->response_header_timeout_ms,
		.idle_timeout_ms = c->idle_conn_timeout_ms,
		.max_idle_connections = bounded(c->max_idle_conns),
		.max_connections = bounded(c->max_conns_per_host),
	};
}
