/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/http_script.h"

#include "lib/base/vec.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX_BYTES (1u << 20)
#define BODY_MAX_BYTES (64u << 20)

struct connection {
	struct http_script *s;
	pthread_t thread;
	int fd;
	SSL *ssl;
	struct buf in; /* read, and not yet used */
	bool is_over;  /* under the script's lock */
};

struct http_script {
	const struct script_route *routes;
	SSL_CTX *tls;
	int fd;
	uint16_t port;
	pthread_t thread;
	int stop[2];

	pthread_mutex_t lock; /* of the following */
	pthread_cond_t may_go;
	VEC(struct connection *) connections;
	unsigned requests, open, goes;
	bool is_closing;
	struct buf last_head, last_body;
};

static bool wait_for(struct connection *c, short events, int ms)
{
	struct pollfd p[2] = { { .fd = c->fd, .events = events }, { .fd = c->s->stop[0], .events = POLLIN } };
	return poll(p, 2, ms) > 0 && !p[1].revents;
}

static ssize_t receive(struct connection *c, void *out, size_t n)
{
	if (!c->ssl)
		return recv(c->fd, out, n, 0);
	int got = SSL_read(c->ssl, out, (int)n);
	return got > 0 ? got : 0;
}

static bool send_all(struct connection *c, const void *p, size_t n)
{
	for (const uint8_t *at = p; n;) {
		ssize_t sent = c->ssl ? SSL_write(c->ssl, at, (int)MIN_OF(n, 1u << 20))
				      : send(c->fd, at, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		at += sent;
		n -= (size_t)sent;
	}
	return true;
}

static bool send_bytes(struct connection *c, uint64_t n)
{
	uint8_t some[65536];
	for (uint64_t at = 0; at < n;) {
		size_t now = (size_t)MIN_OF(n - at, sizeof some);
		for (size_t i = 0; i < now; i++)
			some[i] = script_byte(at + i);
		if (!send_all(c, some, now))
			return false;
		at += now;
	}
	return true;
}

static bool more(struct connection *c)
{
	ssize_t n = receive(c, buf_reserve(&c->in, 65536), 65536);
	c->in.len += n > 0 ? (size_t)n : 0;
	return n > 0;
}

static void use(struct connection *c, size_t n)
{
	c->in.len -= n;
	memmove(c->in.data, c->in.data + n, c->in.len);
}

static bool read_head(struct connection *c, struct buf *head)
{
	for (;;) {
		uint8_t *end = c->in.len ? memmem(c->in.data, c->in.len, "\r\n\r\n", 4) : NULL;
		if (end) {
			size_t n = (size_t)(end - c->in.data) + 4;
			buf_add(head, c->in.data, n);
			use(c, n);
			return true;
		}
		if (c->in.len > HEAD_MAX_BYTES || !more(c))
			return false;
	}
}

static bool read_body(struct connection *c, struct buf *head, struct buf *body)
{
	const char *length = strcasestr(buf_str(head), "\r\ncontent-length:");
	size_t n = length ? strtoul(length + 17, NULL, 10) : 0;
	if (n > BODY_MAX_BYTES)
		return false;
	while (c->in.len < n)
		if (!more(c))
			return false;
	buf_add(body, c->in.data, n);
	use(c, n);
	return true;
}

static bool await_go(struct http_script *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->goes && !s->is_closing)
		pthread_cond_wait(&s->may_go, &s->lock);
	bool may_go = s->goes > 0;
	s->goes -= may_go;
	pthread_mutex_unlock(&s->lock);
	return may_go;
}

/* False where the connection is to be closed. */
static bool act(struct connection *c, const struct script_step *step)
{
	struct linger at_once = { .l_onoff = 1 };
	switch (step->act) {
	case SCRIPT_SEND: return send_all(c, step->text, step->n ? step->n : strlen(step->text));
	case SCRIPT_BYTES: return send_bytes(c, step->n);
	case SCRIPT_FLOOD: return send_bytes(c, UINT64_MAX);
	case SCRIPT_PAUSE: return !wait_for(c, POLLRDHUP, (int)step->n);
	case SCRIPT_TRICKLE:
		for (uint64_t i = 0; i < step->n; i++) {
			uint8_t b = script_byte(i);
			if (!send_all(c, &b, 1) || wait_for(c, POLLRDHUP, 20))
				return false;
		}
		return true;
	case SCRIPT_AWAIT: return await_go(c->s);
	case SCRIPT_RESET: setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); return false;
	case SCRIPT_CLOSE:
	case SCRIPT_END: break;
	}
	return false;
}

static const struct script_route *route_of(struct http_script *s, struct buf *head)
{
	const char *path = strchr(buf_str(head), ' ');
	path = path ? path + 1 : "";
	size_t n = strcspn(path, " ?");
	for (const struct script_route *r = s->routes; r->path; r++)
		if ((strlen(r->path) == n && !memcmp(r->path, path, n)) || !strcmp(r->path, "*"))
			return r;
	return NULL;
}

static bool serve_one(struct connection *c)
{
	struct http_script *s = c->s;
	auto_buf struct buf head = { 0 }, body = { 0 };
	if (!read_head(c, &head))
		return false;
	const struct script_route *r = route_of(s, &head);
	bool goes_on = r && (r->is_early || read_body(c, &head, &body));
	pthread_mutex_lock(&s->lock);
	s->requests++;
	buf_reset(&s->last_head);
	buf_reset(&s->last_body);
	buf_add(&s->last_head, head.data, head.len);
	buf_add(&s->last_body, body.data, body.len);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; goes_on && i < ARRAY_LEN(r->steps) && r->steps[i].act != SCRIPT_END; i++)
		goes_on = act(c, &r->steps[i]);
	return goes_on;
}

/* Closing with bytes unread is a reset, which overtakes the alert that says why. */
static void drain(struct connection *c)
{
	char some[4096];
	shutdown(c->fd, SHUT_WR);
	while (recv(c->fd, some, sizeof some, 0) > 0)
		;
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	struct http_script *s = c->s;
	if (s->tls) {
		c->ssl = SSL_new(s->tls);
		SSL_set_fd(c->ssl, c->fd);
	}
	if (!c->ssl || SSL_accept(c->ssl) == 1)
		while (serve_one(c))
			;
	else
		drain(c);
	if (c->ssl)
		SSL_shutdown(c->ssl);
	ERR_clear_error();
	SSL_free(c->ssl);
	pthread_mutex_lock(&s->lock);
	s->open--;
	c->is_over = true;
	close(c->fd);
	pthread_mutex_unlock(&s->lock);
	buf_fini(&c->in);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct http_script *s = arg;
	struct pollfd p[2] = { { .fd = s->fd, .events = POLLIN }, { .fd = s->stop[0], .events = POLLIN } };
	while (poll(p, 2, -1) > 0 && !p[1].revents) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		struct connection *c = xcalloc(1, sizeof *c);
		c->s = s;
		c->fd = fd;
		pthread_mutex_lock(&s->lock);
		vec_push(&s->connections, c);
		s->open++;
		if (pthread_create(&c->thread, NULL, serve, c) != 0)
			abort();
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

/* Without a look at names, so that a test can take those over. */
static int listen_on_loopback(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 1024) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static SSL_CTX *open_tls(const struct script_tls *tls)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	CHECK(ctx && SSL_CTX_use_certificate_chain_file(ctx, tls->cert_file) == 1);
	CHECK(SSL_CTX_use_PrivateKey_file(ctx, tls->key_file, SSL_FILETYPE_PEM) == 1);
	if (tls->client_ca_file) {
		CHECK(SSL_CTX_load_verify_locations(ctx, tls->client_ca_file, NULL) == 1);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"script", 6);
	return ctx;
}

struct http_script *http_script_open(const struct script_route *routes, const struct script_tls *tls)
{
	struct http_script *s = xcalloc(1, sizeof *s);
	signal(SIGPIPE, SIG_IGN); /* of the TLS library's writes */
	s->routes = routes;
	s->tls = tls ? open_tls(tls) : NULL;
	s->fd = listen_on_loopback(&s->port);
	CHECK(pipe2(s->stop, O_CLOEXEC) == 0);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->may_go, NULL);
	CHECK(pthread_create(&s->thread, NULL, accept_all, s) == 0);
	return s;
}

void http_script_close(struct http_script *s)
{
	if (!s)
		return;
	CHECK(write(s->stop[1], "", 1) == 1);
	pthread_join(s->thread, NULL);
	pthread_mutex_lock(&s->lock);
	s->is_closing = true;
	pthread_cond_broadcast(&s->may_go);
	vec_each (c, &s->connections)
		if (!(*c)->is_over)
			shutdown((*c)->fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->lock);
	vec_each (c, &s->connections) {
		pthread_join((*c)->thread, NULL);
		free(*c);
	}
	vec_fini(&s->connections);
	close(s->fd);
	close(s->stop[0]);
	close(s->stop[1]);
	SSL_CTX_free(s->tls);
	buf_fini(&s->last_head);
	buf_fini(&s->last_body);
	pthread_cond_destroy(&s->may_go);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

uint16_t http_script_port(const struct http_script *s)
{
	return s->port;
}

unsigned http_script_connections(struct http_script *s)
{
	pthread_mutex_lock(&s->lock);
	unsigned n = (unsigned)s->connections.len;
	pthread_mutex_unlock(&s->lock);
	return n;
}

unsigned http_script_open_connections(struct http_script *s)
{
	pthread_mutex_lock(&s->lock);
	unsigned n = s->open;
	pthread_mutex_unlock(&s->lock);
	return n;
}

unsigned http_script_requests(struct http_script *s)
{
	pthread_mutex_lock(&s->lock);
	unsigned n = s->requests;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void http_script_go(struct http_script *s)
{
	pthread_mutex_lock(&s->lock);
	s->goes++;
	pthread_cond_signal(&s->may_go);
	pthread_mutex_unlock(&s->lock);
}

void http_script_last(struct http_script *s, struct buf *head, struct buf *body)
{
	pthread_mutex_lock(&s->lock);
	buf_add(head, s->last_head.data, s->last_head.len);
	buf_add(body, s->last_body.data, s->last_body.len);
	pthread_mutex_unlock(&s->lock);
}
