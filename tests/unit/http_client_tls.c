/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client over TLS, and through proxies. */
#include "lib/net/http_client.h"
#include "tests/support/http_script.h"
#include "tests/support/test.h"
#include "tests/support/test_certs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const struct script_route routes[] = {
	{ "*", .steps = { SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") } },
	{ .path = NULL },
};

static struct test_cert ca, good, expired, other, client, stranger;

static void make_certificates(void)
{
	const char *dir = test_dir();
	test_cert_make(&ca, dir, "authority", 30, NULL);
	test_cert_make(&good, dir, "127.0.0.1", 30, &ca);
	test_cert_make(&expired, dir, "localhost", -1, &ca);
	test_cert_make(&other, dir, "store.example", 30, &ca);
	test_cert_make(&client, dir, "client", 30, &ca);
	test_cert_make(&stranger, dir, "stranger", 30, NULL);
}

static void drop_certificates(void)
{
	struct test_cert *all[] = { &ca, &good, &expired, &other, &client, &stranger };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		test_cert_fini(all[i]);
}

struct asked {
	const char *host; /* 127.0.0.1 unless set */
	const struct test_cert *server;
	bool wants_client;
	const struct script_route *routes; /* an answer unless set */
	struct http_client_options options;
	unsigned calls;
	const char *want_head; /* what the last request's head must hold */
};

/* What a call to such a server gives. */
static int ask(const struct asked *a, struct err *e)
{
	struct script_tls tls = { a->server->cert_file, a->server->key_file,
		a->wants_client ? ca.cert_file : NULL };
	struct http_script *s = http_script_open(a->routes ? a->routes : routes, &tls);
	struct http_client *c;
	auto_buf struct buf out = { 0 };
	char url[128];
	snprintf(url, sizeof url, "https://%s:%u/x?secret=1", a->host ? a->host : "127.0.0.1",
		http_script_port(s));
	struct http_call call = { .method = "GET", .url = url, .out = &out, .max_bytes = 64 };
	CHECK_OK(http_client_new(&a->options, &c, e), e);
	int r = 0;
	for (unsigned i = 0; r == 0 && i < MAX_OF(a->calls, 1u); i++) {
		buf_reset(&out);
		r = http_call(c, &call, e);
	}
	if (r == 0) {
		CHECK_INT(call.status, 200);
		CHECK_STR(buf_str(&out), "hello");
		CHECK_INT(http_script_connections(s), 1);
	} else {
		CHECK_HAS(e->msg, a->host ? a->host : "127.0.0.1");
		CHECK(!strstr(e->msg, "secret"));
	}
	if (a->want_head) {
		auto_buf struct buf head = { 0 }, body = { 0 };
		http_script_last(s, &head, &body);
		CHECK_HAS(buf_str(&head), a->want_head);
	}
	http_call_fini(&call);
	http_client_free(c);
	http_script_close(s);
	return r;
}

TEST(a_certificate_of_a_known_authority_is_accepted)
{
	struct err e;
	make_certificates();
	CHECK_OK(ask(&(struct asked){ .server = &good, .options = { .ca_file = ca.cert_file }, .calls = 5 },
			 &e),
		&e);
	drop_certificates();
}

TEST(a_certificate_that_is_refused_says_why)
{
	static const struct {
		const char *host;
		const struct test_cert *server;
		bool no_authority;
		const char *words;
	} cases[] = {
		{ "localhost", &expired, false, "certificate has expired" },
		{ NULL, &stranger, false, "self-signed certificate" },
		{ NULL, &good, true, "unable to get local issuer certificate" },
		{ "127.0.0.1", &other, false, "matches target host name" },
		{ "localhost", &good, false, "matches target host name" },
	};
	struct err e;
	make_certificates();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a = { .host = cases[i].host, .server = cases[i].server };
		a.options.ca_file = cases[i].no_authority ? NULL : ca.cert_file;
		int r = ask(&a, &e);
		if (r != -EKEYREJECTED)
			test_fail(__FILE__, __LINE__, "case %zu gave %d: %s", i, r, e.msg);
		CHECK_HAS(e.msg, cases[i].words);
		a.options.insecure_skip_verify = true;
		CHECK_OK(ask(&a, &e), &e);
	}
	drop_certificates();
}

TEST(a_server_name_stands_in_for_the_urls_host)
{
	struct err e;
	make_certificates();
	struct asked a = { .server = &other,
		.options = { .ca_file = ca.cert_file, .server_name = "store.example" },
		.calls = 3,
		.want_head = "\r\nHost: 127.0.0.1:" };
	CHECK_OK(ask(&a, &e), &e);
	a.want_head = NULL;
	a.options.server_name = "other.example";
	CHECK_INT(ask(&a, &e), -EKEYREJECTED);
	CHECK_HAS(e.msg, "other.example");
	drop_certificates();
}

TEST(a_client_shows_its_certificate)
{
	struct err e;
	make_certificates();
	struct asked a = { .server = &good, .wants_client = true, .options = { .ca_file = ca.cert_file } };
	CHECK_INT(ask(&a, &e), -EKEYREJECTED);
	CHECK_HAS(e.msg, "certificate");
	a.options.cert_file = client.cert_file;
	a.options.key_file = client.key_file;
	CHECK_OK(ask(&a, &e), &e);
	a.options.cert_file = stranger.cert_file;
	a.options.key_file = stranger.key_file;
	CHECK_INT(ask(&a, &e), -EKEYREJECTED);
	drop_certificates();
}

/* The reset may overtake the alert that says so. */
TEST(a_reset_after_the_handshake_may_have_been_for_a_certificate)
{
	static const struct script_route resetting[] = { { "*", .steps = { RESET } }, { .path = NULL } };
	struct err e;
	make_certificates();
	struct asked a = { .server = &good, .routes = resetting, .options = { .ca_file = ca.cert_file } };
	CHECK_INT(ask(&a, &e), -ECONNRESET);
	CHECK_HAS(e.msg, "as by a server that wants a client certificate");
	a.options.cert_file = client.cert_file;
	a.options.key_file = client.key_file;
	CHECK_INT(ask(&a, &e), -ECONNRESET);
	CHECK(!strstr(e.msg, "wants"));
	drop_certificates();
}

static void check_refused(const struct http_client_options *o, const char *words)
{
	struct err e;
	struct http_client *c;
	CHECK_INT(http_client_new(o, &c, &e), -EINVAL);
	CHECK_HAS(e.msg, words);
}

TEST(options_that_cannot_work_are_refused_at_the_start)
{
	make_certificates();
	char text[600];
	snprintf(text, sizeof text, "%s/text", test_dir());
	FILE *f = fopen(text, "w");
	CHECK(f && fputs("no certificate\n", f) >= 0 && fclose(f) == 0);
	check_refused(&(struct http_client_options){ .ca_file = "/nowhere/ca.pem" }, "ca_file: ");
	check_refused(&(struct http_client_options){ .ca_file = text }, "holds no certificate");
	check_refused(&(struct http_client_options){ .cert_file = good.cert_file }, "cert_file and key_file");
	check_refused(&(struct http_client_options){ .cert_file = good.cert_file, .key_file = text },
		"no private key");
	check_refused(
		&(struct http_client_options){ .cert_file = good.cert_file, .key_file = other.key_file },
		"is not the key of");
	check_refused(&(struct http_client_options){ .proxy = "http//user:pass" }, "proxy: ");
	check_refused(&(struct http_client_options){ .proxy = "ftp://x:1" }, "proxy: ");
	check_refused(&(struct http_client_options){ .server_name = "a b" }, "server_name: ");
	drop_certificates();
}

TEST(http_goes_through_a_proxy_and_no_further)
{
	struct err e;
	auto_buf struct buf head = { 0 }, body = { 0 };
	char proxy[64];
	struct http_script *s = http_script_open(routes, NULL);
	struct http_client *c;
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", http_script_port(s));
	CHECK_OK(http_client_new(&(struct http_client_options){ .proxy = proxy }, &c, &e), &e);
	struct http_call call = { .method = "GET", .url = "http://store.invalid/x/../y" };
	CHECK_OK(http_call(c, &call, &e), &e);
	http_script_last(s, &head, &body);
	CHECK_HAS(buf_str(&head), "GET http://store.invalid/x/../y HTTP/1.1\r\n");
	http_call_fini(&call);
	http_client_free(c);
	http_script_close(s);
}

TEST(https_goes_through_a_tunnel_that_sees_no_header)
{
	static const struct script_route refusing[] = {
		{ "*", .steps = { SEND("HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n") } },
		{ .path = NULL },
	};
	struct err e;
	auto_buf struct buf head = { 0 }, body = { 0 };
	char proxy[64];
	struct http_script *s = http_script_open(refusing, NULL);
	struct http_client *c;
	struct http_header secret = { "Authorization", "secret" };
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", http_script_port(s));
	CHECK_OK(http_client_new(&(struct http_client_options){ .proxy = proxy }, &c, &e), &e);
	struct http_call call = {
		.method = "GET", .url = "https://store.invalid/x", .headers = &secret, .n_headers = 1
	};
	CHECK_INT(http_call(c, &call, &e), -EACCES);
	http_script_last(s, &head, &body);
	CHECK_HAS(buf_str(&head), "CONNECT store.invalid:443 HTTP/1.1\r\n");
	CHECK(!strstr(buf_str(&head), "secret"));
	http_call_fini(&call);
	http_client_free(c);
	http_script_close(s);
}

TEST(a_tls_handshake_that_does_not_end_is_given_up)
{
	struct err e;
	char url[64];
	struct http_script *s = http_script_open(
		(const struct script_route[]){ { "*", .steps = { CLOSE } }, { .path = NULL } }, NULL);
	struct http_client *c;
	CHECK_OK(http_client_new(&(struct http_client_options){ .tls_handshake_timeout_ms = 300 }, &c, &e),
		&e);
	snprintf(url, sizeof url, "https://127.0.0.1:%u/", http_script_port(s));
	struct http_call call = { .method = "GET", .url = url };
	/* The server waits for the end of a head, the client for the server's part of the handshake. */
	CHECK_INT(http_call(c, &call, &e), -ETIMEDOUT);
	CHECK_HAS(e.msg, "TLS handshake");
	http_call_fini(&call);
	http_client_free(c);
	http_script_close(s);
}

TEST_MAIN()
