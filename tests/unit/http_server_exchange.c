/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_server.h"

#include "lib/base/file.h"
#include "lib/net/http_client.h"
#include "tests/support/test.h"
#include "tests/support/test_certs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define LARGE_BYTES     (8u << 20)
#define MOST_BODY_BYTES 100000

static sem_t entered, left;
static atomic_int result;

static bool echo(void *arg, const struct http_request *q, struct http_reply *r)
{
	const struct http_params *p = http_request_params(q);
	const char *error = http_request_params_error(q);
	struct buf *b = http_reply_body(r);
	(void)arg;
	buf_printf(b, "%u %s [%s]", http_request_method(q), http_request_path(q), http_request_wildcard(q));
	for (size_t i = 0; i < p->len; i++)
		buf_printf(b, " %s=%.20s(%zu)", p->data[i].name, p->data[i].value, p->data[i].value_len);
	if (error)
		buf_printf(b, " %s", error);
	return true;
}

static bool large(void *arg, const struct http_request *q, struct http_reply *r)
{
	struct buf *b = http_reply_body(r);
	(void)arg, (void)q;
	for (size_t at = 0; at < LARGE_BYTES; at += 1024) {
		memset(buf_reserve(b, 1024), 'x', 1024);
		b->len += 1024;
		if (http_reply_flush(r) < 0)
			return false;
	}
	return true;
}

/* Until the client leaves. */
static bool endless(void *arg, const struct http_request *q, struct http_reply *r)
{
	(void)arg, (void)q;
	sem_post(&entered);
	while (!atomic_load(http_reply_is_gone(r)))
		usleep(1000);
	atomic_store(&result, http_reply_flush(r));
	sem_post(&left);
	return false;
}

static bool broken(void *arg, const struct http_request *q, struct http_reply *r)
{
	return large(arg, q, r) && false;
}

static bool refused(void *arg, const struct http_request *q, struct http_reply *r)
{
	(void)arg, (void)q;
	memset(buf_reserve(http_reply_body(r), 100000), 'x', 100000);
	http_reply_body(r)->len += 100000;
	http_reply_flush(r);
	CHECK(http_reply_start_over(r));
	http_reply_status(r, 422);
	http_reply_header(r, "Content-Type", "application/json");
	buf_add_str(http_reply_body(r), "{\"status\":\"error\"}");
	return true;
}

static void at_once(void *arg, const struct http_request *q, struct http_response *out)
{
	(void)arg, (void)q;
	buf_add_str(&out->body, "at once\n");
}

static const struct http_route routes[] = { { "/echo", HTTP_GET | HTTP_POST, .stream = echo },
	{ "/label/*/values", HTTP_GET, .stream = echo },
	{ "/any/**", HTTP_GET | HTTP_OPTIONS, .stream = echo }, { "/large", HTTP_GET, .stream = large },
	{ "/endless", HTTP_GET, .stream = endless }, { "/broken", HTTP_GET, .stream = broken },
	{ "/refused", HTTP_GET, .stream = refused }, { "/at-once", .answer = at_once }, { 0 } };

static struct http_server *started_with(struct http_server_options o)
{
	struct http_server *s;
	struct err e;
	sem_init(&entered, 0, 0);
	sem_init(&left, 0, 0);
	o.address = "127.0.0.1:0";
	o.routes = routes;
	o.threads = 2;
	CHECK_OK(http_server_open(&o, &s, &e), &e);
	return s;
}

static struct http_server *started(void)
{
	return started_with(
		(struct http_server_options){ .grace_ms = 20000, .max_body_bytes = MOST_BODY_BYTES });
}

static int connected(const struct http_server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(http_server_port(s)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_INT(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void send_all(int fd, const void *p, size_t n)
{
	for (ssize_t sent; n; p = (const char *)p + sent, n -= (size_t)sent) {
		sent = send(fd, p, n, MSG_NOSIGNAL);
		CHECK(sent > 0);
	}
}

static void receive_all(int fd, struct buf *out)
{
	ssize_t n;
	while ((n = recv(fd, buf_reserve(out, 65536), 65536, 0)) > 0)
		out->len += (size_t)n;
}

static const char *asked(const struct http_server *s, const char *request, struct buf *answer)
{
	int fd = connected(s);
	buf_reset(answer);
	send_all(fd, request, strlen(request));
	receive_all(fd, answer);
	close(fd);
	return buf_str(answer);
}

#define CLOSE " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
#define FORM  "Content-Type: application/x-www-form-urlencoded\r\n"

TEST(parameters_come_from_the_form_first_and_then_from_the_url)
{
	auto_of(http_server) struct http_server *s = started();
	auto_buf struct buf b = { 0 };
	CHECK_HAS(
		asked(s, "GET /echo?a=1&b=x%20y+z" CLOSE "\r\n", &b), "\r\n\r\n1 /echo [] a=1(1) b=x y z(5)");
	CHECK_HAS(asked(s, "POST /echo?a=1" CLOSE FORM "Content-Length: 7\r\n\r\na=2&b=3", &b),
		"\r\n\r\n4 /echo [] a=2(1) b=3(1) a=1(1)");
	CHECK_HAS(asked(s,
			  "POST /echo" CLOSE FORM
			  "Transfer-Encoding: chunked\r\n\r\n3\r\na=2\r\n4\r\n&b=3\r\n0\r\n\r\n",
			  &b),
		"4 /echo [] a=2(1) b=3(1)");
	CHECK_HAS(asked(s, "POST /echo" CLOSE "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\na=2", &b),
		"\r\n\r\n4 /echo []");
	CHECK_HAS(asked(s, "GET /echo?a=%q1&b=1" CLOSE "\r\n", &b), "b=1(1) invalid URL escape \"%q1\"");
}

TEST(a_wildcard_is_one_segment_and_two_are_the_rest)
{
	auto_of(http_server) struct http_server *s = started();
	auto_buf struct buf b = { 0 };
	CHECK_HAS(asked(s, "GET /label/__name__/values" CLOSE "\r\n", &b), "[__name__]");
	CHECK_HAS(asked(s, "GET /label/a%20b+c/values" CLOSE "\r\n", &b), "[a b+c]");
	CHECK_HAS(asked(s, "GET /label//values" CLOSE "\r\n", &b), " 404 ");
	CHECK_HAS(asked(s, "GET /label/a/b/values" CLOSE "\r\n", &b), " 404 ");
	CHECK_HAS(asked(s, "GET /label/a" CLOSE "\r\n", &b), " 404 ");
	CHECK_HAS(asked(s, "GET /label/%zz/values" CLOSE "\r\n", &b), " 400 ");
	CHECK_HAS(asked(s, "GET /label/a%00/values" CLOSE "\r\n", &b), " 400 ");
	CHECK_HAS(asked(s, "OPTIONS /any/a/b" CLOSE "\r\n", &b), "[a/b]");
	CHECK_HAS(asked(s, "POST /any/a" CLOSE "Content-Length: 0\r\n\r\n", &b), "Allow: GET, OPTIONS\r\n");
}

TEST(a_prefix_stands_before_every_path)
{
	auto_of(http_server) struct http_server *s =
		started_with((struct http_server_options){ .prefix = "/pre" });
	auto_buf struct buf b = { 0 };
	CHECK_HAS(asked(s, "GET /pre/echo" CLOSE "\r\n", &b), "1 /echo []");
	CHECK_HAS(asked(s, "GET /echo" CLOSE "\r\n", &b), " 404 ");
	CHECK_HAS(asked(s, "GET /prefix/echo" CLOSE "\r\n", &b), " 404 ");
}

TEST(a_large_answer_is_streamed_in_chunks)
{
	auto_of(http_server) struct http_server *s = started();
	auto_buf struct buf b = { 0 };
	const char *answer = asked(s, "GET /large" CLOSE "\r\n", &b);
	CHECK_HAS(answer, "Transfer-Encoding: chunked\r\n");
	size_t n = 0;
	for (const char *p = strstr(answer, "\r\n\r\n") + 4; *p; p++)
		n += *p == 'x';
	CHECK_INT(n, LARGE_BYTES);
	CHECK_STR(answer + b.len - 5, "0\r\n\r\n");
}

TEST(an_answer_is_compressed_where_the_client_takes_it)
{
	auto_of(http_server) struct http_server *s = started();
	auto_of(http_client) struct http_client *c = NULL;
	struct err e;
	auto_free char *url = xasprintf("http://127.0.0.1:%u/large", http_server_port(s));
	auto_buf struct buf b = { 0 };
	struct http_call call = { .method = "GET", .url = url, .out = &b, .max_bytes = 2 * LARGE_BYTES };
	char value[20];
	CHECK_OK(http_client_new(&(struct http_client_options){ 0 }, &c, &e), &e);
	CHECK_OK(http_call(c, &call, &e), &e);
	CHECK_STR(http_call_header(&call, "content-encoding", value, sizeof value), "gzip");
	CHECK_INT(b.len, LARGE_BYTES);
	http_call_fini(&call);
}

TEST(an_error_that_comes_late_still_has_its_status)
{
	auto_of(http_server) struct http_server *s = started();
	auto_buf struct buf b = { 0 };
	const char *answer = asked(s, "GET /refused" CLOSE "\r\n", &b);
	CHECK_HAS(answer, "HTTP/1.1 422 ");
	CHECK_HAS(answer, "Content-Type: application/json\r\n");
	CHECK_HAS(answer, "Content-Length: 18\r\n");
	CHECK_HAS(answer, "\r\n\r\n{\"status\":\"error\"}");
}

TEST(an_answer_that_breaks_off_has_no_end)
{
	auto_of(http_server) struct http_server *s = started();
	auto_buf struct buf b = { 0 };
	const char *answer = asked(s, "GET /broken" CLOSE "\r\n", &b);
	CHECK(!strstr(answer, "0\r\n\r\n"));
}

TEST(who_makes_an_answer_hears_that_the_client_has_gone)
{
	auto_of(http_server) struct http_server *s = started();
	int fd = connected(s);
	send_all(fd, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n", 35);
	sem_wait(&entered);
	close(fd);
	sem_wait(&left);
	CHECK_INT(atomic_load(&result), -ECANCELED);
}

TEST(a_client_that_does_not_read_holds_nobody_else_up)
{
	auto_of(http_server) struct http_server *s = started();
	auto_buf struct buf b = { 0 };
	int lazy[8], half = connected(s);
	for (size_t i = 0; i < ARRAY_LEN(lazy); i++) {
		lazy[i] = connected(s);
		send_all(lazy[i], "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", 33);
	}
	send_all(half, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab", 54);
	CHECK_HAS(asked(s, "GET /echo?a=1" CLOSE "\r\n", &b), "a=1(1)");
	CHECK_HAS(asked(s, "GET /at-once" CLOSE "\r\n", &b), "at once");
	for (size_t i = 0; i < ARRAY_LEN(lazy); i++)
		close(lazy[i]);
	close(half);
}

TEST(a_body_that_is_too_long_is_refused_with_words)
{
	auto_of(http_server) struct http_server *s = started();
	auto_buf struct buf b = { 0 }, request = { 0 };
	buf_printf(&request, "POST /echo" CLOSE FORM "Content-Length: %u\r\n\r\n", 3 * MOST_BODY_BYTES);
	memset(buf_reserve(&request, 3 * MOST_BODY_BYTES + 1), 'a', 3 * MOST_BODY_BYTES);
	request.len += 3 * MOST_BODY_BYTES;
	CHECK_HAS(asked(s, buf_str(&request), &b), "HTTP/1.1 413 ");
	/* Of one that is far too long nothing is read. */
	CHECK_HAS(asked(s, "POST /echo" CLOSE FORM "Content-Length: 100000000000\r\n\r\n", &b),
		"HTTP/1.1 413 ");
	buf_reset(&request);
	buf_printf(&request, "POST /echo" CLOSE FORM "Content-Length: %u\r\n\r\na=", MOST_BODY_BYTES);
	memset(buf_reserve(&request, MOST_BODY_BYTES), 'b', MOST_BODY_BYTES - 2);
	request.len += MOST_BODY_BYTES - 2;
	CHECK_HAS(asked(s, buf_str(&request), &b), "a=bbbbbbbbbbbbbbbbbbbb(99998)");
}

TEST(a_request_that_only_drips_is_given_up)
{
	auto_of(http_server) struct http_server *s =
		started_with((struct http_server_options){ .read_timeout_ms = 1000 });
	int fd = connected(s);
	char c;
	ssize_t n = -1;
	/* Never silent for a second, and never done. */
	for (int i = 0; i < 600 && n != 0; i++) {
		if (send(fd, i ? "a" : "G", 1, MSG_NOSIGNAL) < 0)
			n = 0;
		usleep(100000);
		if (n)
			n = recv(fd, &c, 1, MSG_DONTWAIT);
	}
	CHECK(n == 0 || n == 1); /* closed, or told so first */
	close(fd);
}

TEST(closing_ends_answers_that_have_no_end)
{
	struct http_server *s = started_with((struct http_server_options){ .grace_ms = 10 });
	int fd = connected(s);
	send_all(fd, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n", 35);
	sem_wait(&entered);
	http_server_close(s);
	CHECK_INT(atomic_load(&result), -ECANCELED);
	close(fd);
}

/* alice:secret, at bcrypt's least cost */
#define USERS "basic_auth_users:\n  alice: $2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"

static struct web_config *configured(const char *text)
{
	auto_free char *path = xasprintf("%s/web.yml", test_dir());
	struct web_config *c;
	struct err e;
	CHECK_OK(file_replace(path, text, strlen(text), &e), &e);
	CHECK_OK(web_config_load(path, &c, &e), &e);
	return c;
}

TEST(without_the_password_nothing_is_answered)
{
	auto_of(web_config) struct web_config *web =
		configured("http_server_config: {headers: {X-Frame-Options: deny}}\n" USERS);
	auto_of(http_server) struct http_server *s =
		started_with((struct http_server_options){ .web = web, .max_body_bytes = 1000 });
	auto_buf struct buf b = { 0 };
	for (int again = 0; again < 2; again++) {
		CHECK_HAS(asked(s, "GET /echo" CLOSE "\r\n", &b), " 401 ");
		CHECK_HAS(buf_str(&b), "WWW-Authenticate: Basic");
		CHECK_HAS(buf_str(&b), "X-Frame-Options: deny");
		CHECK_HAS(asked(s, "GET /nosuch" CLOSE "\r\n", &b), " 401 ");
		CHECK_HAS(asked(s, "GET /at-once" CLOSE "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n\r\n", &b),
			" 401 ");
		CHECK_HAS(asked(s, "GET /at-once" CLOSE "Authorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n", &b),
			"at once");
		CHECK_HAS(asked(s, "GET /echo?a=1" CLOSE "Authorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n", &b),
			"a=1(1)");
	}
}

TEST(with_certificates_there_is_tls_and_nothing_else)
{
	struct test_cert cert, stranger;
	struct err e;
	test_cert_make(&cert, test_dir(), "127.0.0.1", 10, NULL);
	test_cert_make(&stranger, test_dir(), "stranger", 10, NULL);
	auto_of(web_config) struct web_config *web =
		configured("tls_server_config: {cert_file: 127.0.0.1.crt, key_file: 127.0.0.1.key, "
			   "client_ca_file: 127.0.0.1.crt, "
			   "client_auth_type: RequireAndVerifyClientCert}\n");
	auto_of(http_server) struct http_server *s = started_with((struct http_server_options){ .web = web });
	auto_free char *url = xasprintf("https://127.0.0.1:%u/large", http_server_port(s));
	auto_buf struct buf plain = { 0 };
	CHECK(!strstr(asked(s, "GET /at-once" CLOSE "\r\n", &plain), "at once"));
	const struct test_cert *clients[] = { &cert, &stranger, NULL };
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		struct http_client_options o = { .ca_file = cert.cert_file,
			.cert_file = clients[i] ? clients[i]->cert_file : NULL,
			.key_file = clients[i] ? clients[i]->key_file : NULL };
		auto_of(http_client) struct http_client *c = NULL;
		auto_buf struct buf b = { 0 };
		struct http_call call = {
			.method = "GET", .url = url, .out = &b, .max_bytes = 2 * LARGE_BYTES
		};
		CHECK_OK(http_client_new(&o, &c, &e), &e);
		int r = http_call(c, &call, &e);
		if (i == 0) {
			CHECK_OK(r, &e);
			CHECK_INT(b.len, LARGE_BYTES);
		} else {
			CHECK(r < 0);
		}
		http_call_fini(&call);
	}
	test_cert_fini(&cert);
	test_cert_fini(&stranger);
}

TEST(other_users_hold_from_the_next_request_on)
{
	struct err e;
	auto_of(web_config) struct web_config *none = configured("{}"), *alice = configured(USERS);
	auto_of(http_server) struct http_server *s =
		started_with((struct http_server_options){ .web = none });
	auto_buf struct buf b = { 0 };
	CHECK_HAS(asked(s, "GET /at-once" CLOSE "\r\n", &b), "at once");
	CHECK_OK(http_server_set_web(s, alice, &e), &e);
	CHECK_HAS(asked(s, "GET /at-once" CLOSE "\r\n", &b), " 401 ");
	CHECK_HAS(asked(s, "GET /at-once" CLOSE "Authorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n", &b),
		"at once");
	CHECK_OK(http_server_set_web(s, none, &e), &e);
	CHECK_HAS(asked(s, "GET /at-once" CLOSE "\r\n", &b), "at once");
}

/* Whether somebody who trusts only `trusted` gets an answer. */
static bool answers_who_trusts(const struct http_server *s, const struct test_cert *trusted)
{
	struct err e;
	auto_free char *url = xasprintf("https://127.0.0.1:%u/at-once", http_server_port(s));
	struct http_client_options o = { .ca_file = trusted->cert_file };
	auto_of(http_client) struct http_client *c = NULL;
	auto_buf struct buf b = { 0 };
	struct http_call call = { .method = "GET", .url = url, .out = &b, .max_bytes = 1000 };
	CHECK_OK(http_client_new(&o, &c, &e), &e);
	int r = http_call(c, &call, &e);
	http_call_fini(&call);
	return r == 0;
}

TEST(another_certificate_holds_from_the_next_connection_on)
{
	struct test_cert first, second;
	struct err e;
	/* Two of one name, each in a directory of its own. */
	auto_free char *dir = xasprintf("%s/second", test_dir());
	CHECK_OK(file_mkdirs(dir, 0755, &e), &e);
	test_cert_make(&first, test_dir(), "127.0.0.1", 10, NULL);
	test_cert_make(&second, dir, "127.0.0.1", 10, NULL);
	auto_of(web_config) struct web_config *was =
		configured("tls_server_config: {cert_file: 127.0.0.1.crt, key_file: 127.0.0.1.key}\n");
	auto_of(web_config) struct web_config *is = configured(
		"tls_server_config: {cert_file: second/127.0.0.1.crt, key_file: second/127.0.0.1.key}\n");
	auto_of(web_config) struct web_config *plain = configured("{}");
	auto_of(http_server) struct http_server *s = started_with((struct http_server_options){ .web = was });
	CHECK(answers_who_trusts(s, &first) && !answers_who_trusts(s, &second));
	CHECK_OK(http_server_set_web(s, is, &e), &e);
	CHECK(!answers_who_trusts(s, &first) && answers_who_trusts(s, &second));
	CHECK_INT(http_server_set_web(s, plain, &e), -EINVAL);
	CHECK_STR(e.msg, "TLS can't be turned off while the server runs");
	CHECK(answers_who_trusts(s, &second));
	test_cert_fini(&first);
	test_cert_fini(&second);
}

TEST_MAIN()
