/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_client.h"

#include "lib/base/clock.h"
#include "tests/support/http_script.h"
#include "tests/support/test.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define OK_HEAD   "HTTP/1.1 200 OK\r\n"
#define GZIP_HEAD OK_HEAD "Content-Encoding: gzip\r\n\r\n"
/* "hello, gzip" */
#define GZIPPED                                                                                    \
	"\037\213\010\000\000\000\000\000\002\003\313\110\315\311\311\327\121\110\257\312\054\000" \
	"\000\112\233\261\134\013\000\000\000"

static const struct script_route routes[] = {
	{ "/hello", .steps = { SEND(
			    OK_HEAD "Content-Length: 5\r\nX-Thing:  one \r\nETag: \"v1\"\r\n\r\nhello") } },
	{ "/teapot", .steps = { SEND("HTTP/1.1 418 No coffee\r\nContent-Length: 5\r\n\r\nshort") } },
	{ "/moved",
		.steps = { SEND("HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n") } },
	{ "/none", .steps = { SEND("HTTP/1.1 204 No Content\r\n\r\n") } },
	{ "/big", .steps = { SEND(OK_HEAD "Content-Length: 3000000\r\n\r\n"), BYTES(3000000) } },
	{ "/until-closed", .steps = { SEND(OK_HEAD "\r\n"), BYTES(70000), CLOSE } },
	{ "/closes", .steps = { SEND(OK_HEAD "Content-Length: 5\r\n\r\nhello"), CLOSE } },
	{ "/endless", .steps = { SEND(OK_HEAD "\r\n"), FLOOD } },
	{ "/endless-error", .steps = { SEND("HTTP/1.1 500 Oh\r\n\r\n"), FLOOD } },
	{ "/promises-more", .steps = { SEND(OK_HEAD "Content-Length: 100\r\n\r\n"), BYTES(50), CLOSE } },
	{ "/promises-less", .steps = { SEND(OK_HEAD "Content-Length: 5\r\n\r\nhello, and more") } },
	{ "/lies-hugely",
		.steps = { SEND(OK_HEAD "Content-Length: 99999999999999999999999\r\n\r\n"), FLOOD } },
	{ "/lies-below-zero", .steps = { SEND(OK_HEAD "Content-Length: -5\r\n\r\n"), CLOSE } },
	{ "/garbage", .steps = { SEND("\x16\x03\x01 this is no HTTP\r\n\r\n"), CLOSE } },
	{ "/chunked", .steps = { SEND(OK_HEAD
			      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\n"
			      "X-Thing: late\r\n\r\n") } },
	{ "/bad-chunks", .steps = { SEND(OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello"), CLOSE } },
	{ "/cut-chunks", .steps = { SEND(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n50\r\nhello"), CLOSE } },
	{ "/half-head", .steps = { SEND("HTTP/1.1 200 OK\r\nContent-Le"), CLOSE } },
	{ "/nothing", .steps = { CLOSE } },
	{ "/reset", .steps = { RESET } },
	{ "/silent", .steps = { PAUSE(60000), CLOSE } },
	{ "/stalls", .steps = { SEND(OK_HEAD "Content-Length: 10\r\n\r\nhello"), PAUSE(60000), CLOSE } },
	{ "/trickles", .steps = { SEND(OK_HEAD "Content-Length: 40\r\n\r\n"), TRICKLE(40) } },
	{ "/waits", .steps = { AWAIT, SEND(OK_HEAD "Content-Length: 2\r\n\r\ngo") } },
	{ "/continues", .steps = { SEND("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HEAD
					"Content-Length: 2\r\n\r\nok") } },
	{ "/folded", .steps = { SEND(OK_HEAD "X-Thing: one\r\n\ttwo\r\nContent-Length: 0\r\n\r\n") } },
	{ "/refuses-early", .is_early = true,
		.steps = { SEND("HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"),
			PAUSE(500), CLOSE } },
	{ "/gzip", .steps = { SEND(GZIP_HEAD), RAW(GZIPPED), CLOSE } },
	{ "/no-gzip", .steps = { SEND(GZIP_HEAD "this is no gzip at all"), CLOSE } },
	{ "*", .steps = { SEND(OK_HEAD "Content-Length: 0\r\n\r\n") } },
	{ .path = NULL },
};

struct fixture {
	struct http_script *server;
	struct http_client *client;
	struct http_call call;
	struct buf out;
	char url[256];
	struct err e;
};

static struct fixture *set_up_with(const struct http_client_options *o)
{
	static struct fixture f;
	f.server = http_script_open(routes, NULL);
	CHECK_OK(http_client_new(o, &f.client, &f.e), &f.e);
	return &f;
}

static struct fixture *set_up(void)
{
	return set_up_with(&(struct http_client_options){ 0 });
}

static void tear_down(struct fixture *f)
{
	http_call_fini(&f->call);
	buf_fini(&f->out);
	http_client_free(f->client);
	http_script_close(f->server);
}

static int send_to(struct fixture *f, const char *method, const char *path)
{
	snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u%s", http_script_port(f->server), path);
	f->call.method = method;
	f->call.url = f->url;
	if (!f->call.into)
		f->call.out = &f->out;
	if (!f->call.max_bytes)
		f->call.max_bytes = 1 << 20;
	buf_reset(&f->out);
	return http_call(f->client, &f->call, &f->e);
}

static int get(struct fixture *f, const char *path)
{
	return send_to(f, "GET", path);
}

TEST(an_answer_has_a_status_headers_and_a_body)
{
	struct fixture *f = set_up();
	char value[64];
	CHECK_OK(get(f, "/hello?secret=1"), &f->e);
	CHECK_INT(f->call.status, 200);
	CHECK_INT(f->call.got_bytes, 5);
	CHECK_INT(f->call.content_length, 5);
	CHECK_STR(buf_str(&f->out), "hello");
	CHECK_STR(http_call_header(&f->call, "x-thing", value, sizeof value), "one");
	CHECK_STR(http_call_header(&f->call, "etag", value, 3), "\"v");
	CHECK(!http_call_header(&f->call, "x-thin", value, sizeof value));
	tear_down(f);
}

TEST(a_status_that_says_no_is_an_answer_and_its_body_goes_to_out)
{
	struct fixture *f = set_up();
	char into[16] = "untouched";
	f->call.into = into;
	f->call.out = &f->out;
	f->call.max_bytes = sizeof into;
	CHECK_OK(get(f, "/teapot"), &f->e);
	CHECK_INT(f->call.status, 418);
	CHECK_STR(into, "untouched");
	CHECK_STR(buf_str(&f->out), "short");
	CHECK_OK(get(f, "/hello"), &f->e);
	CHECK(!memcmp(into, "hello", 5));
	CHECK_INT(f->out.len, 0);
	tear_down(f);
}

TEST(a_redirect_is_not_followed)
{
	struct fixture *f = set_up();
	CHECK_OK(get(f, "/moved"), &f->e);
	CHECK_INT(f->call.status, 302);
	CHECK_INT(http_script_requests(f->server), 1);
	tear_down(f);
}

TEST(a_connection_is_used_again)
{
	struct fixture *f = set_up();
	for (int i = 0; i < 20; i++)
		CHECK_OK(get(f, i % 3 ? "/hello" : "/none"), &f->e);
	CHECK_OK(send_to(f, "HEAD", "/refused"), &f->e);
	CHECK_INT(http_script_requests(f->server), 21);
	CHECK_INT(http_script_connections(f->server), 1);
	tear_down(f);
}

TEST(a_large_body_arrives_whole)
{
	struct fixture *f = set_up();
	uint8_t *into = xmalloc(3000000);
	f->call.into = into;
	f->call.max_bytes = 3000000;
	CHECK_OK(get(f, "/big"), &f->e);
	CHECK_INT(f->call.got_bytes, 3000000);
	for (size_t i = 0; i < 3000000; i++)
		CHECK_INT(into[i], script_byte(i));
	free(into);
	tear_down(f);
}

TEST(the_path_and_the_query_are_sent_as_they_are)
{
	struct fixture *f = set_up();
	auto_buf struct buf head = { 0 }, body = { 0 };
	CHECK_OK(get(f, "/a/../b//./c%2Fd%20e?x=%2f&y=./.."), &f->e);
	http_script_last(f->server, &head, &body);
	CHECK_HAS(buf_str(&head), "GET /a/../b//./c%2Fd%20e?x=%2f&y=./.. HTTP/1.1\r\n");
	CHECK_HAS(buf_str(&head), "\r\nUser-Agent: thanosfs/");
	tear_down(f);
}

TEST(headers_are_sent_and_curls_own_can_be_left_out)
{
	struct fixture *f = set_up();
	auto_buf struct buf head = { 0 }, body = { 0 };
	struct http_header headers[] = { { "X-One", "1" }, { "X-Empty", "" }, { "Accept", NULL } };
	f->call.headers = headers;
	f->call.n_headers = ARRAY_LEN(headers);
	CHECK_OK(get(f, "/hello"), &f->e);
	http_script_last(f->server, &head, &body);
	CHECK_HAS(buf_str(&head), "\r\nX-One: 1\r\n");
	CHECK_HAS(buf_str(&head), "\r\nX-Empty:\r\n");
	CHECK(!strstr(buf_str(&head), "\r\nAccept:"));
	headers[0].value = "1\r\nX-Smuggled: 2";
	CHECK_INT(get(f, "/hello"), -EINVAL);
	f->call.n_headers = 0;
	CHECK_OK(get(f, "/hello"), &f->e);
	buf_reset(&head);
	http_script_last(f->server, &head, &body);
	CHECK(!strstr(buf_str(&head), "X-One"));
	tear_down(f);
}

TEST(a_url_that_is_none_is_refused)
{
	static const char *const urls[] = { "", "ftp://127.0.0.1/", "file:///etc/passwd", "http://",
		"http:///x", "http://h o/", "http://host/\r\nX: y" };
	struct fixture *f = set_up();
	f->call.method = "GET";
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		f->call.url = urls[i];
		CHECK_INT(http_call(f->client, &f->call, &f->e), -EINVAL);
	}
	f->call.url = "http://127.0.0.1:1/";
	f->call.method = "GET / HTTP/1.1\r\n";
	CHECK_INT(http_call(f->client, &f->call, &f->e), -EINVAL);
	tear_down(f);
}

static void upload(struct fixture *f, const char *method, size_t n, uint64_t at)
{
	auto_buf struct buf head = { 0 }, body = { 0 }, content = { 0 };
	char line[64];
	for (size_t i = 0; i < n + at + 3; i++)
		buf_add_u8(&content, script_byte(i));
	auto_of(blob) struct blob *b = blob_of_memory("content", content.data, content.len);
	f->call.body = b;
	f->call.body_at = at;
	f->call.body_bytes = n;
	CHECK_OK(send_to(f, method, "/upload"), &f->e);
	f->call.body = NULL;
	CHECK_INT(f->call.status, 200);
	http_script_last(f->server, &head, &body);
	snprintf(line, sizeof line, "\r\nContent-Length: %zu\r\n", n);
	CHECK_HAS(buf_str(&head), line);
	CHECK(!strncmp(buf_str(&head), method, strlen(method)));
	CHECK(!strstr(buf_str(&head), "Expect"));
	CHECK(!strstr(buf_str(&head), "Content-Type"));
	CHECK_INT(body.len, n);
	CHECK(n == 0 || !memcmp(body.data, content.data + at, n));
}

TEST(uploads_of_all_sizes_arrive_whole)
{
	static const size_t sizes[] = { 0, 1, 65536, 262143, 262144, 262145, 524288, 524289, 5000000 };
	struct fixture *f = set_up();
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		upload(f, "PUT", sizes[i], 0);
		upload(f, "POST", sizes[i], 7);
	}
	CHECK_OK(send_to(f, "DELETE", "/hello"), &f->e);
	CHECK_OK(send_to(f, "PUT", "/hello"), &f->e);
	CHECK_OK(get(f, "/hello"), &f->e);
	CHECK_INT(http_script_connections(f->server), 1);
	tear_down(f);
}

static int fail_late(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	memset(out, 'x', n);
	return at < 600000 ? 0 : err_set(e, -EIO, "%s is broken", b->name);
}

static void close_nothing(struct blob *b)
{
	(void)b;
}

TEST(an_upload_whose_blob_cannot_be_read_fails_with_its_error)
{
	static const struct blob_ops ops = { .read = fail_late, .close = close_nothing };
	struct fixture *f = set_up();
	struct blob b = { .ops = &ops, .size = 1 << 20, .name = (char[]){ "disk" } };
	f->call.body = &b;
	f->call.body_bytes = b.size;
	CHECK_INT(send_to(f, "PUT", "/upload"), -EIO);
	CHECK_HAS(f->e.msg, "disk is broken");
	f->call.body_at = b.size - 100; /* past its end */
	f->call.body_bytes = 200;
	CHECK_INT(send_to(f, "PUT", "/upload"), -EBADMSG);
	f->call.body = NULL;
	CHECK_OK(get(f, "/hello"), &f->e);
	tear_down(f);
}

TEST(an_early_refusal_of_an_upload_is_its_answer)
{
	struct fixture *f = set_up();
	auto_buf struct buf zeros = { 0 };
	buf_add_zeros(&zeros, 200000);
	auto_of(blob) struct blob *b = blob_of_memory("zeros", zeros.data, zeros.len);
	f->call.body = b;
	f->call.body_bytes = b->size;
	CHECK_OK(send_to(f, "PUT", "/refuses-early"), &f->e);
	CHECK_INT(f->call.status, 403);
	CHECK_STR(buf_str(&f->out), "no");
	tear_down(f);
}

TEST(a_body_longer_than_allowed_ends_the_call)
{
	static const char *const paths[] = { "/endless", "/big", "/until-closed", "/chunked" };
	struct fixture *f = set_up();
	char into[10];
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		f->call.into = i % 2 ? into : NULL;
		f->call.out = &f->out;
		f->call.max_bytes = sizeof into;
		CHECK_INT(get(f, paths[i]), -EFBIG);
		CHECK_HAS(f->e.msg, "127.0.0.1");
		CHECK(f->out.len <= sizeof into);
	}
	tear_down(f);
}

TEST(the_body_of_an_error_is_cut)
{
	struct fixture *f = set_up();
	CHECK_OK(get(f, "/endless-error"), &f->e);
	CHECK_INT(f->call.status, 500);
	CHECK_INT(f->out.len, 65536);
	CHECK_INT(f->call.got_bytes, 65536);
	tear_down(f);
}

TEST(bodies_end_as_their_framing_says)
{
	struct fixture *f = set_up();
	char value[64];
	CHECK_OK(get(f, "/until-closed"), &f->e);
	CHECK_INT(f->out.len, 70000);
	CHECK_INT(f->call.content_length, -1);
	CHECK_OK(get(f, "/chunked"), &f->e);
	CHECK_STR(buf_str(&f->out), "hello, world");
	CHECK(!http_call_header(&f->call, "x-thing", value, sizeof value));
	CHECK_OK(get(f, "/promises-less"), &f->e);
	CHECK_STR(buf_str(&f->out), "hello");
	CHECK_OK(get(f, "/continues"), &f->e);
	CHECK_STR(buf_str(&f->out), "ok");
	CHECK_INT(f->call.status, 200);
	CHECK(!http_call_header(&f->call, "link", value, sizeof value));
	CHECK_OK(get(f, "/folded"), &f->e);
	CHECK_STR(http_call_header(&f->call, "x-thing", value, sizeof value), "one two");
	tear_down(f);
}

TEST(what_was_compressed_arrives_as_it_was)
{
	struct fixture *f = set_up();
	auto_buf struct buf head = { 0 }, body = { 0 };
	CHECK_OK(get(f, "/gzip"), &f->e);
	CHECK_STR(buf_str(&f->out), "hello, gzip");
	http_script_last(f->server, &head, &body);
	CHECK_HAS(buf_str(&head), "\r\nAccept-Encoding: gzip, deflate\r\n");
	f->call.max_bytes = 10;
	CHECK_INT(get(f, "/gzip"), -EFBIG);
	tear_down(f);
	memset(f, 0, sizeof *f);
	f = set_up_with(&(struct http_client_options){ .disable_compression = true });
	CHECK_OK(get(f, "/hello"), &f->e);
	buf_reset(&head);
	http_script_last(f->server, &head, &body);
	CHECK(!strstr(buf_str(&head), "Accept-Encoding"));
	tear_down(f);
}

/* The call must end after `from` ms and well before what else would end it. */
static void check_time(int64_t began_us, int64_t from_ms)
{
	int64_t ms = (clock_monotonic_us() - began_us) / 1000;
	CHECK(ms >= from_ms && ms < from_ms + 5000);
}

/* Takes the C library's place: a name server that keeps its answer to itself. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	(void)host, (void)service, (void)hints, (void)out;
	if (!strcmp(host, "slow.test"))
		for (;;)
			pause();
	return EAI_NONAME;
}

TEST(a_name_server_that_is_silent_holds_up_nobody_else)
{
	struct fixture *f = set_up_with(&(struct http_client_options){ .connect_timeout_ms = 300 });
	f->call.method = "GET";
	f->call.url = "http://slow.test/";
	int64_t began = clock_monotonic_us();
	CHECK_INT(http_call(f->client, &f->call, &f->e), -ETIMEDOUT);
	CHECK_HAS(f->e.msg, "slow.test: timed out connecting");
	check_time(began, 300);
	CHECK_OK(get(f, "/hello"), &f->e);
	tear_down(f);
}

TEST(each_way_to_answer_badly_has_its_error)
{
	static const struct {
		const char *path;
		int want;
	} cases[] = {
		{ "/promises-more", -ECONNRESET },
		{ "/cut-chunks", -ECONNRESET },
		{ "/half-head", -ECONNRESET },
		{ "/nothing", -ECONNRESET },
		{ "/reset", -ECONNRESET },
		{ "/garbage", -EPROTO },
		{ "/no-gzip", -EPROTO },
		{ "/bad-chunks", -EPROTO },
		{ "/lies-hugely", -EFBIG },
		{ "/lies-below-zero", -EPROTO },
	};
	struct fixture *f = set_up();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = get(f, cases[i].path);
		if (r != cases[i].want)
			test_fail(__FILE__, __LINE__, "%s gave %d: %s", cases[i].path, r, f->e.msg);
		CHECK_HAS(f->e.msg, "127.0.0.1");
		CHECK_INT(f->call.status, 0);
		CHECK_OK(get(f, "/hello?secret=1"), &f->e);
	}
	tear_down(f);
}

TEST(a_connection_that_was_closed_while_idle_is_replaced)
{
	struct fixture *f = set_up();
	auto_buf struct buf zeros = { 0 };
	buf_add_zeros(&zeros, 400000);
	auto_of(blob) struct blob *b = blob_of_memory("zeros", zeros.data, zeros.len);
	for (int i = 0; i < 30; i++) {
		CHECK_OK(get(f, "/closes"), &f->e);
		f->call.body = i % 2 ? b : NULL;
		f->call.body_bytes = b->size;
		CHECK_OK(send_to(f, "PUT", "/closes"), &f->e);
		f->call.body = NULL;
	}
	tear_down(f);
}

TEST(nobody_listening_is_a_refused_connection)
{
	struct fixture *f = set_up();
	snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u/x?secret=1", http_script_port(f->server));
	http_script_close(f->server);
	f->server = NULL;
	f->call.method = "GET";
	f->call.url = f->url;
	CHECK_INT(http_call(f->client, &f->call, &f->e), -ECONNREFUSED);
	CHECK(!strstr(f->e.msg, "secret"));
	f->call.url = "http://user:pass@host.invalid/";
	CHECK_INT(http_call(f->client, &f->call, &f->e), -EHOSTUNREACH);
	CHECK(!strstr(f->e.msg, "pass"));
	tear_down(f);
}

TEST(a_server_that_is_silent_or_stalls_is_given_up)
{
	struct fixture *f = set_up_with(
		&(struct http_client_options){ .response_header_timeout_ms = 300, .stall_timeout_ms = 200 });
	int64_t began = clock_monotonic_us();
	CHECK_INT(get(f, "/silent"), -ETIMEDOUT);
	CHECK_HAS(f->e.msg, "headers");
	check_time(began, 300);
	began = clock_monotonic_us();
	CHECK_INT(get(f, "/stalls"), -ETIMEDOUT);
	CHECK_HAS(f->e.msg, "stalled");
	check_time(began, 200);
	/* 40 bytes in 800 ms: slow, but never still. */
	CHECK_OK(get(f, "/trickles"), &f->e);
	f->call.timeout_ms = 100;
	began = clock_monotonic_us();
	CHECK_INT(get(f, "/trickles"), -ETIMEDOUT);
	check_time(began, 100);
	tear_down(f);
}

struct caller {
	struct fixture *f;
	pthread_t thread;
	const char *path;
	atomic_bool *stop;
	int r;
	unsigned calls, status;
};

static void *call_from_a_thread(void *arg)
{
	struct caller *c = arg;
	auto_buf struct buf out = { 0 };
	char url[128];
	snprintf(url, sizeof url, "http://127.0.0.1:%u%s", http_script_port(c->f->server), c->path);
	for (unsigned i = 0; i < c->calls && c->r == 0; i++) {
		struct http_call call = {
			.method = "GET", .url = url, .out = &out, .max_bytes = 1 << 20, .stop = c->stop
		};
		struct err e;
		buf_reset(&out);
		c->r = http_call(c->f->client, &call, &e);
		c->status = call.status;
		http_call_fini(&call);
	}
	return NULL;
}

static void begin(struct caller *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CHECK(pthread_create(&c[i].thread, NULL, call_from_a_thread, &c[i]) == 0);
}

static void join(struct caller *c, unsigned n, int want)
{
	for (unsigned i = 0; i < n; i++) {
		pthread_join(c[i].thread, NULL);
		CHECK_INT(c[i].r, want);
	}
}

static void await_requests(struct fixture *f, unsigned n)
{
	while (http_script_requests(f->server) < n)
		usleep(1000);
}

TEST(a_call_that_is_stopped_ends_at_once)
{
	struct fixture *f = set_up();
	atomic_bool stop = false;
	struct caller c[8];
	for (unsigned i = 0; i < 8; i++)
		c[i] = (struct caller){ .f = f, .path = "/silent", .stop = &stop, .calls = 1 };
	begin(c, 8);
	await_requests(f, 8);
	int64_t began = clock_monotonic_us();
	atomic_store(&stop, true);
	join(c, 8, -ECANCELED);
	check_time(began, 0);
	tear_down(f);
}

TEST(calls_beyond_the_limit_wait_for_a_connection)
{
	struct fixture *f = set_up_with(&(struct http_client_options){ .max_connections = 4 });
	struct caller c[20];
	atomic_bool stop = false;
	for (unsigned i = 0; i < 20; i++)
		c[i] = (struct caller){ .f = f, .path = "/waits", .calls = 1 };
	c[19].stop = &stop;
	begin(c, 19);
	await_requests(f, 4);
	begin(c + 19, 1);
	atomic_store(&stop, true);
	join(c + 19, 1, -ECANCELED);
	for (unsigned i = 0; i < 19; i++)
		http_script_go(f->server);
	join(c, 19, 0);
	CHECK_INT(http_script_connections(f->server), 4);
	tear_down(f);
}

TEST(two_hundred_and_fifty_six_calls_are_under_way_at_once)
{
	struct fixture *f = set_up();
	static struct caller c[256];
	for (unsigned i = 0; i < 256; i++)
		c[i] = (struct caller){ .f = f, .path = "/waits", .calls = 1 };
	begin(c, 256);
	await_requests(f, 256);
	for (unsigned i = 0; i < 256; i++)
		http_script_go(f->server);
	join(c, 256, 0);
	for (unsigned i = 0; i < 256; i++)
		c[i] = (struct caller){ .f = f, .path = "/hello", .calls = 20 };
	begin(c, 256);
	join(c, 256, 0);
	CHECK_INT(http_script_requests(f->server), 256 * 21);
	CHECK(http_script_connections(f->server) <= 400);
	tear_down(f);
}

TEST(idle_connections_are_closed)
{
	struct fixture *f = set_up_with(&(struct http_client_options){ .idle_timeout_ms = 300 });
	CHECK_OK(get(f, "/hello"), &f->e);
	CHECK_INT(http_script_open_connections(f->server), 1);
	while (http_script_open_connections(f->server))
		usleep(1000);
	CHECK_OK(get(f, "/hello"), &f->e);
	CHECK_INT(http_script_connections(f->server), 2);
	tear_down(f);
}

TEST(escaping_leaves_what_a_path_may_hold)
{
	auto_buf struct buf out = { 0 };
	http_escape("a/b c+\xc3\xa9~", true, &out);
	CHECK_STR(buf_str(&out), "a/b%20c%2B%C3%A9~");
	buf_reset(&out);
	http_escape("a/b", false, &out);
	CHECK_STR(buf_str(&out), "a%2Fb");
}

TEST_MAIN()
