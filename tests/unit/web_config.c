/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/web_config.h"

#include "lib/base/file.h"
#include "tests/support/test.h"
#include "tests/support/test_certs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define HASH "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

static int load(const char *text, struct web_config **out, struct err *e)
{
	auto_free char *path = xasprintf("%s/web.yml", test_dir());
	struct err inner;
	CHECK_OK(file_replace(path, text, strlen(text), &inner), &inner);
	*out = NULL;
	return web_config_load(path, out, e);
}

TEST(a_whole_configuration_is_understood)
{
	struct test_cert cert;
	auto_of(web_config) struct web_config *c = NULL;
	struct err e;
	test_cert_make(&cert, test_dir(), "localhost", 10, NULL);
	CHECK_OK(load("tls_server_config:\n"
		      "  cert_file: localhost.crt\n"
		      "  key_file: localhost.key\n"
		      "  client_ca_file: localhost.crt\n"
		      "  client_auth_type: RequireAndVerifyClientCert\n"
		      "  min_version: TLS13\n"
		      "http_server_config:\n"
		      "  http2: true\n"
		      "  headers:\n"
		      "    X-Frame-Options: deny\n"
		      "    Strict-Transport-Security: max-age=1\n"
		      "basic_auth_users:\n"
		      "  alice: " HASH "\n",
			 &c, &e),
		&e);
	CHECK_HAS(c->cert_pem, "BEGIN CERTIFICATE");
	CHECK_HAS(c->key_pem, "PRIVATE KEY");
	CHECK_HAS(c->client_ca_pem, "BEGIN CERTIFICATE");
	CHECK_INT(c->client_auth, WEB_CLIENT_VERIFIED);
	CHECK_STR(c->tls_priorities, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	CHECK_INT(c->headers.len, 2);
	CHECK_STR(http_params_get(&c->headers, "X-Frame-Options")->value, "deny");
	CHECK(c->users);
	test_cert_fini(&cert);
}

TEST(a_file_that_is_written_to_is_noticed_once)
{
	struct test_cert cert;
	struct err e;
	test_cert_make(&cert, test_dir(), "localhost", 10, NULL);
	auto_free char *key = xasprintf("%s/localhost.key", test_dir());
	auto_of(web_config) struct web_config *c = NULL, *next = NULL;
	const char *text = "tls_server_config: {cert_file: localhost.crt, key_file: localhost.key}\n";
	CHECK_OK(load(text, &c, &e), &e);
	CHECK(!web_config_has_changed(c));
	CHECK_OK(load(text, &next, &e), &e); /* another file, with the same bytes */
	CHECK(web_config_has_changed(c) && !web_config_has_changed(c) && !web_config_has_changed(next));
	CHECK_INT(truncate(key, 10), 0);
	CHECK(web_config_has_changed(c) && web_config_has_changed(next));
	CHECK_INT(unlink(key), 0);
	CHECK(web_config_has_changed(c) && !web_config_has_changed(c));
	test_cert_fini(&cert);
}

TEST(an_empty_file_asks_for_nothing)
{
	static const char *const table[] = { "", "# nothing\n", "{}", "basic_auth_users: {}\n",
		"tls_server_config: {}\n" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_of(web_config) struct web_config *c = NULL;
		struct err e;
		CHECK_OK(load(table[i], &c, &e), &e);
		CHECK(!c->cert_pem && !c->users && !c->headers.len);
	}
}

TEST(what_can_not_be_honoured_is_refused)
{
	static const struct {
		const char *text, *message;
	} table[] = {
		{ "tls_config: {}", "tls_config" },
		{ "[]", "web.yml" },
		{ "tls_server_config: {cert_file: x}", "cert_file" },
		{ "tls_server_config: {cert: x}", "both a certificate and a key" },
		{ "tls_server_config: {cert: x, cert_file: y}", "exclude each other" },
		{ "tls_server_config: {cert: x, key: y, cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]}",
			"cipher_suites" },
		{ "tls_server_config: {cert: x, key: y, client_allowed_sans: [a]}", "client_allowed_sans" },
		{ "tls_server_config: {cert: x, key: y, min_version: SSL3}", "min_version" },
		{ "tls_server_config: {cert: x, key: y, min_version: TLS13, max_version: TLS12}",
			"above max_version" },
		{ "tls_server_config: {cert: x, key: y, client_auth_type: Never}", "client_auth_type" },
		{ "tls_server_config: {cert: x, key: y, client_auth_type: RequireAndVerifyClientCert}",
			"needs client_ca_file" },
		{ "tls_server_config: {cert: x, key: y, client_ca: z}", "without a client_auth_type" },
		{ "http_server_config: {headers: {Server: x}}", "Server" },
		{ "http_server_config: {headers: {X-Frame-Options: \"a\\r\\nb: c\"}}", "X-Frame-Options" },
		{ "basic_auth_users: {alice: secret}", "no bcrypt hash" },
		{ "basic_auth_users: {alice: [x]}", "basic_auth_users" },
		{ "rate_limit: {burst: 1}", "rate_limit" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct web_config *c;
		struct err e = { .msg = "" };
		CHECK_INT(load(table[i].text, &c, &e), -EINVAL);
		CHECK_HAS(e.msg, table[i].message);
	}
}

TEST_MAIN()
