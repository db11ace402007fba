/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_server.h"

#include "tests/support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static sem_t entered, released;

static void hello(void *arg, const struct http_request *q, struct http_response *out)
{
	const char *name = http_request_argument(q, "name");
	buf_printf(
		&out->body, "%s %s at %s\n", (const char *)arg, name ? name : "nobody", http_request_path(q));
}

static void broken(void *arg, const struct http_request *q, struct http_response *out)
{
	(void)arg, (void)q;
	out->status = 503;
	out->content_type = "application/json";
	buf_add_str(&out->body, "{}");
}

static void nothing(void *arg, const struct http_request *q, struct http_response *out)
{
	(void)arg, (void)q, (void)out;
}

static void large(void *arg, const struct http_request *q, struct http_response *out)
{
	(void)arg, (void)q;
	memset(buf_reserve(&out->body, 5000000), 'x', 5000000);
	out->body.len = 5000000;
}

static void slow(void *arg, const struct http_request *q, struct http_response *out)
{
	(void)arg, (void)q;
	sem_post(&entered);
	sem_wait(&released);
	buf_add_str(&out->body, "done at last\n");
}

static const struct http_route routes[] = { { "/hello", .answer = hello }, { "/broken", .answer = broken },
	{ "/nothing", .answer = nothing }, { "/large", .answer = large }, { "/slow", .answer = slow },
	{ 0 } };

static struct http_server *started(const char *address)
{
	static char greeting[] = "hello";
	struct http_server_options o = {
		.address = address, .routes = routes, .arg = greeting, .threads = 3, .grace_ms = 20000
	};
	struct http_server *s;
	struct err e;
	sem_init(&entered, 0, 0);
	sem_init(&released, 0, 0);
	CHECK_OK(http_server_open(&o, &s, &e), &e);
	CHECK(http_server_port(s) > 0);
	return s;
}

static bool can_connect(uint16_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool is_connected = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
	close(fd);
	return is_connected;
}

static int connected(uint16_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_INT(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void send_text(int fd, const char *text)
{
	size_t n = strlen(text);
	CHECK_INT(send(fd, text, n, MSG_NOSIGNAL), n);
}

/* All that comes until the server closes. */
static void receive_all(int fd, struct buf *out)
{
	ssize_t n;
	while ((n = recv(fd, buf_reserve(out, 65536), 65536, 0)) > 0)
		out->len += (size_t)n;
}

/* Sends the request, ends the sending side and gives the whole answer. */
static const char *asked(const struct http_server *s, const char *request, struct buf *answer)
{
	int fd = connected(http_server_port(s));
	send_text(fd, request);
	receive_all(fd, answer);
	close(fd);
	return buf_str(answer);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

TEST(a_path_in_the_table_is_answered)
{
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	auto_buf struct buf b = { 0 };
	const char *answer = asked(s, GET("/hello?name=a%20b&x=1"), &b);
	CHECK_HAS(answer, "HTTP/1.1 200 OK\r\n");
	CHECK_HAS(answer, "Content-Type: text/plain; charset=utf-8\r\n");
	CHECK_HAS(answer, "\r\n\r\nhello a b at /hello\n");
}

TEST(status_and_type_are_those_of_the_answer)
{
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	auto_buf struct buf b = { 0 }, c = { 0 };
	const char *answer = asked(s, GET("/broken"), &b);
	CHECK_HAS(answer, "HTTP/1.1 503 ");
	CHECK_HAS(answer, "Content-Type: application/json\r\n");
	CHECK_HAS(answer, "\r\n\r\n{}");
	answer = asked(s, GET("/nothing"), &c);
	CHECK_HAS(answer, "HTTP/1.1 200 OK\r\n");
	CHECK_HAS(answer, "Content-Length: 0\r\n");
}

TEST(head_gets_the_headers_only)
{
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	auto_buf struct buf b = { 0 };
	const char *answer = asked(s, "HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &b);
	CHECK_HAS(answer, "HTTP/1.1 200 OK\r\n");
	CHECK_HAS(answer, "Content-Length: 23\r\n");
	CHECK_STR(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

TEST(an_unknown_path_is_not_found)
{
	static const char *const table[] = { GET("/"), GET("/hello/"), GET("/hellox"), GET("/HELLO"),
		GET("//hello") };
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_buf struct buf b = { 0 };
		const char *answer = asked(s, table[i], &b);
		CHECK_HAS(answer, "HTTP/1.1 404 Not Found\r\n");
		CHECK_HAS(answer, "page not found");
	}
}

TEST(other_methods_and_bodies_are_refused)
{
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	auto_buf struct buf post = { 0 }, get = { 0 };
	/* The body never comes: nobody waits for it. */
	const char *answer =
		asked(s, "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", &post);
	CHECK_HAS(answer, "HTTP/1.1 405 ");
	CHECK_HAS(answer, "Allow: GET, HEAD\r\n");
	answer = asked(s, "GET /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", &get);
	CHECK_HAS(answer, "HTTP/1.1 413 ");
}

TEST(a_request_that_is_too_large_or_none_at_all_is_refused)
{
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	auto_buf struct buf huge = { 0 }, b = { 0 }, again = { 0 };
	buf_add_str(&huge, "GET /hello HTTP/1.1\r\nHost: x\r\n");
	while (huge.len < 2 * HTTP_SERVER_MAX_HEAD_BYTES)
		buf_add_str(&huge, "X-Header: 0123456789012345678901234567890123456789\r\n");
	int fd = connected(http_server_port(s));
	/* The server may close before all is sent. */
	if (send(fd, huge.data, huge.len, MSG_NOSIGNAL) > 0)
		receive_all(fd, &b);
	close(fd);
	CHECK(!strstr(buf_str(&b), "hello"));
	fd = connected(http_server_port(s));
	send_text(fd, "\x16\x03\x01 no http at all\r\n\r\n");
	receive_all(fd, &again);
	close(fd);
	CHECK(!strstr(buf_str(&again), " 200 "));
	buf_reset(&b);
	CHECK_HAS(asked(s, GET("/hello"), &b), " 200 OK"); /* and the server goes on */
}

TEST(a_connection_is_kept_for_more_requests)
{
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	int fd = connected(http_server_port(s));
	for (int i = 0; i < 3; i++) {
		char answer[1024] = "";
		size_t n = 0;
		send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		while (!strstr(answer, "hello nobody at /hello\n")) {
			ssize_t got = recv(fd, answer + n, sizeof answer - 1 - n, 0);
			CHECK(got > 0);
			n += (size_t)got;
		}
		CHECK_HAS(answer, " 200 OK");
	}
	close(fd);
}

TEST(a_large_answer_arrives_whole)
{
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	auto_buf struct buf b = { 0 };
	const char *body = strstr(asked(s, GET("/large"), &b), "\r\n\r\n");
	CHECK(body);
	CHECK_INT(strspn(body + 4, "x"), 5000000);
}

static void *ask_often(void *s)
{
	for (int i = 0; i < 50; i++) {
		auto_buf struct buf b = { 0 };
		if (!strstr(asked(s, GET("/hello?name=x"), &b), "hello x at /hello\n"))
			return s;
	}
	return NULL;
}

TEST(many_clients_are_served_at_once)
{
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	pthread_t threads[8];
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, ask_often, s), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		CHECK(!failed);
	}
}

static void *close_server(void *s)
{
	http_server_close(s);
	return NULL;
}

TEST(an_answer_on_its_way_is_finished_before_the_server_ends)
{
	struct http_server *s = started("127.0.0.1:0");
	uint16_t port = http_server_port(s);
	auto_buf struct buf b = { 0 };
	int idle = connected(port), fd = connected(port);
	send_text(fd, GET("/slow"));
	sem_wait(&entered);
	pthread_t closer;
	CHECK_INT(pthread_create(&closer, NULL, close_server, s), 0);
	while (can_connect(port)) /* closing has begun when nobody gets in any more */
		sched_yield();
	sem_post(&released);
	receive_all(fd, &b);
	CHECK_HAS(buf_str(&b), "done at last\n");
	pthread_join(closer, NULL); /* the idle connection held nothing up */
	close(fd);
	close(idle);
}

TEST(one_thread_is_enough)
{
	struct http_server_options o = {
		.address = "localhost:0", .routes = routes, .arg = (char[]){ "one" }, .threads = 1
	};
	struct http_server *s;
	struct err e;
	auto_buf struct buf b = { 0 };
	CHECK_OK(http_server_open(&o, &s, &e), &e);
	http_server_close(s);
	o.address = "127.0.0.1:0";
	CHECK_OK(http_server_open(&o, &s, &e), &e);
	CHECK_HAS(asked(s, GET("/hello"), &b), "one nobody");
	http_server_close(s);
}

TEST(without_a_host_every_address_is_served)
{
	auto_of(http_server) struct http_server *s = started(":0");
	auto_buf struct buf b = { 0 };
	CHECK_HAS(asked(s, GET("/hello"), &b), " 200 OK");
}

TEST(an_ipv6_address_stands_in_brackets)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
		test_skip("this machine has no IPv6 loopback");
	close(fd);
	http_server_close(started("[::1]:0"));
}

TEST(a_bad_address_is_named)
{
	static const struct {
		const char *address, *message;
		int error;
	} table[] = {
		{ "", "address \"\" is not of the form HOST:PORT", -EINVAL },
		{ "10902", "is not of the form HOST:PORT", -EINVAL },
		{ "localhost", "is not of the form HOST:PORT", -EINVAL },
		{ "localhost:", "has no port from 0 to 65535", -EINVAL },
		{ ":http", "has no port from 0 to 65535", -EINVAL },
		{ ":65536", "has no port from 0 to 65535", -EINVAL },
		{ ":-1", "has no port from 0 to 65535", -EINVAL },
		{ ":000000080", "has no port from 0 to 65535", -EINVAL },
		{ "::1:80", "has an IPv6 host without brackets", -EINVAL },
		{ "[]:80", "has empty brackets", -EINVAL },
		{ "256.1.1.1.1:80", "address \"256.1.1.1.1:80\": ", -ENOENT },
		{ "192.0.2.1:0", "listening on 192.0.2.1:0: ", -EADDRNOTAVAIL },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct http_server_options o = { .address = table[i].address, .routes = routes };
		struct http_server *s;
		struct err e = { .msg = "" };
		CHECK_INT(http_server_open(&o, &s, &e), table[i].error);
		CHECK_HAS(e.msg, table[i].message);
	}
}

TEST(a_port_that_is_taken_is_said)
{
	auto_of(http_server) struct http_server *s = started("127.0.0.1:0");
	char address[32];
	snprintf(address, sizeof address, "127.0.0.1:%u", http_server_port(s));
	struct http_server_options o = { .address = address, .routes = routes };
	struct http_server *second;
	struct err e;
	CHECK_INT(http_server_open(&o, &second, &e), -EADDRINUSE);
	CHECK_HAS(e.msg, address);
}

TEST_MAIN()
