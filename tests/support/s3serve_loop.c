/* SPDX-License-Identifier: Apache-2.0 */
/* Events are edge-triggered: whatever happens to a connection, run() moves it on until it would block. */
#include "tests/support/s3serve_loop.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SCRATCH_BYTES (256u << 10)
#define INLINE_BYTES  (64u << 10) /* of a file that is sent with its head in one piece */

enum state { STATE_HEAD, STATE_BODY, STATE_WAIT, STATE_SEND, STATE_STALL };

struct connection {
	int fd;
	SSL *tls;
	struct worker *worker;
	struct connection *next, *prev; /* in the worker's list, under its lock */
	enum state state;
	bool was_control;
	struct buf in;
	size_t in_at;
	struct s3serve_request request;
	struct s3serve_exchange exchange;
	uint64_t body_left;
	int64_t start_unix_us, due_us; /* due: by the monotonic clock, when in the heap */
	size_t heap_at;                /* SIZE_MAX: not in the heap */
	struct buf out;                /* head and small bodies */
	size_t out_at;
	uint64_t sent, left; /* of the body: what was sent, and what is still to be sent from the file */
	int64_t send_start_us;
};

struct worker {
	struct s3serve_loop *loop;
	pthread_t thread;
	int epoll, wake;
	atomic_bool stop, reset;
	uint8_t *scratch;
	VEC(struct connection *) heap; /* those with something due, the first on top */
	time_t date_at;
	char date[40];
	pthread_mutex_t lock;
	struct connection *connections;
};

struct s3serve_loop {
	struct s3serve_loop_options o;
	struct worker *workers;
	atomic_uint next;
};

/* The heap of what is due. */

static void heap_set(struct worker *w, size_t i, struct connection *c)
{
	w->heap.data[i] = c;
	c->heap_at = i;
}

static void heap_sift(struct worker *w, size_t i)
{
	struct connection *c = w->heap.data[i];
	for (; i > 0 && w->heap.data[(i - 1) / 2]->due_us > c->due_us; i = (i - 1) / 2)
		heap_set(w, i, w->heap.data[(i - 1) / 2]);
	for (size_t child; (child = 2 * i + 1) < w->heap.len; i = child) {
		if (child + 1 < w->heap.len && w->heap.data[child + 1]->due_us < w->heap.data[child]->due_us)
			child++;
		if (w->heap.data[child]->due_us >= c->due_us)
			break;
		heap_set(w, i, w->heap.data[child]);
	}
	heap_set(w, i, c);
}

static void heap_remove(struct connection *c)
{
	struct worker *w = c->worker;
	size_t i = c->heap_at;
	if (i == SIZE_MAX)
		return;
	c->heap_at = SIZE_MAX;
	struct connection *last = w->heap.data[--w->heap.len];
	if (last != c) {
		heap_set(w, i, last);
		heap_sift(w, i);
	}
}

/* False: the time has come. */
static bool wait_until_due(struct connection *c, int64_t due_us)
{
	heap_remove(c);
	if (clock_monotonic_us() >= due_us)
		return false;
	c->due_us = due_us;
	vec_push(&c->worker->heap, c);
	heap_sift(c->worker, c->worker->heap.len - 1);
	return true;
}

/* Sockets, with TLS or without. */

static ssize_t tls_result(struct connection *c, int r)
{
	int why = SSL_get_error(c->tls, r);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	return why == SSL_ERROR_ZERO_RETURN ? 0 : -EIO;
}

static ssize_t receive(struct connection *c, void *out, size_t n)
{
	if (c->tls) {
		int r = SSL_read(c->tls, out, (int)n);
		return r > 0 ? r : tls_result(c, r);
	}
	ssize_t r = recv(c->fd, out, n, 0);
	return r < 0 ? -errno : r;
}

static ssize_t transmit(struct connection *c, const void *p, size_t n, bool more)
{
	if (c->tls) {
		int r = SSL_write(c->tls, p, (int)n);
		return r > 0 ? r : tls_result(c, r);
	}
	ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	return r < 0 ? -errno : r;
}

static void end_exchange(struct connection *c)
{
	s3serve_exchange_fini(&c->exchange);
	s3serve_request_fini(&c->request);
}

static void end_connection(struct connection *c, bool reset)
{
	struct worker *w = c->worker;
	heap_remove(c);
	pthread_mutex_lock(&w->lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		w->connections = c->next;
	if (c->next)
		c->next->prev = c->prev;
	pthread_mutex_unlock(&w->lock);
	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
			sizeof(struct linger));
	else if (c->tls)
		SSL_shutdown(c->tls);
	SSL_free(c->tls);
	close(c->fd);
	if (c->request.head)
		end_exchange(c);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

static int64_t unix_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* START_US END_US METHOD KEY RANGE STATUS BYTES; of a bucket's operations the query stands for the key. */
static void log_request(const struct connection *c)
{
	const struct s3serve_exchange *x = &c->exchange;
	int fd = c->worker->loop->o.log_fd;
	if (fd < 0 || x->is_control)
		return;
	auto_buf struct buf line = { 0 };
	struct span range = s3serve_header(&c->request, "range"), query = c->request.query;
	buf_printf(&line, "%" PRId64 " %" PRId64 " %.*s ", c->start_unix_us, unix_us(),
		(int)c->request.method.n, c->request.method.p);
	if (*x->key)
		s3serve_encode(x->key, strlen(x->key), true, &line);
	else
		buf_printf(&line, "?%.*s", (int)query.n, query.p);
	buf_printf(&line, " %.*s %u %" PRIu64 "\n", range.p ? (int)range.n : 1, range.p ? range.p : "-",
		x->answer.status, c->sent);
	file_write_all(fd, line.data, line.len);
}

static const char *reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *words;
	} reasons[] = { { 200, "OK" }, { 204, "No Content" }, { 206, "Partial Content" },
		{ 301, "Moved Permanently" }, { 304, "Not Modified" }, { 307, "Temporary Redirect" },
		{ 400, "Bad Request" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 412, "Precondition Failed" }, { 416, "Requested Range Not Satisfiable" },
		{ 500, "Internal Server Error" }, { 503, "Service Unavailable" } };
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].words;
	return "Error";
}

static const char *date(struct worker *w)
{
	time_t now = time(NULL) + w->loop->o.server->clock_offset_seconds;
	struct tm tm;
	if (now != w->date_at)
		strftime(w->date, sizeof w->date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	w->date_at = now;
	return w->date;
}

/* Writes the head, and the body where it is in memory or small. */
static void start_sending(struct connection *c)
{
	struct s3serve_answer *a = &c->exchange.answer;
	bool no_body = span_is(c->request.method, "HEAD") || a->status == 204 || a->status == 304;
	c->sent = c->left = 0;
	c->out_at = 0;
	buf_reset(&c->out);
	c->state = STATE_SEND;
	c->send_start_us = clock_monotonic_us();
	if (!a->status)
		return;
	buf_printf(&c->out,
		"HTTP/1.1 %u %s\r\nDate: %s\r\nServer: s3serve\r\nx-amz-request-id: %016" PRIX64 "\r\n",
		a->status, reason(a->status), date(c->worker), c->exchange.number);
	buf_add(&c->out, a->headers.data, a->headers.len);
	if (a->claimed != UINT64_MAX && a->status != 204 && a->status != 304)
		buf_printf(&c->out, "Content-Length: %" PRIu64 "\r\n", a->claimed);
	if (!c->request.keep_alive || a->ending == ENDING_CLOSE)
		buf_add_str(&c->out, "Connection: close\r\n");
	buf_add_str(&c->out, "\r\n");
	if (no_body)
		return;
	uint64_t bandwidth = c->worker->loop->o.bandwidth;
	if (a->fd < 0) {
		buf_add(&c->out, a->body.data, MIN_OF(a->bytes, a->body.len));
		c->sent = a->bytes;
	} else if (a->bytes <= INLINE_BYTES && !bandwidth) {
		if (file_pread_all(a->fd, buf_reserve(&c->out, a->bytes), a->bytes, a->at) < 0)
			a->ending = ENDING_RESET; /* the file shrank */
		else
			c->out.len += a->bytes;
		c->sent = a->bytes;
	} else {
		c->left = a->bytes;
	}
	if (a->endless)
		c->left = UINT64_MAX;
}

/* Up to `n` bytes of the body, from the file or without end. */
static ssize_t send_some(struct connection *c, size_t n)
{
	struct s3serve_answer *a = &c->exchange.answer;
	uint8_t *scratch = c->worker->scratch;
	if (a->endless) {
		n = MIN_OF(n, SCRATCH_BYTES);
		memset(scratch, 'x', n);
		return transmit(c, scratch, n, false);
	}
	off_t at = (off_t)a->at;
	if (!c->tls) {
		ssize_t r = sendfile(c->fd, a->fd, &at, n);
		return r < 0 ? -errno : r;
	}
	ssize_t got = pread(a->fd, scratch, MIN_OF(n, SCRATCH_BYTES), at);
	return got <= 0 ? -EIO : transmit(c, scratch, (size_t)got, false);
}

/* How much may be sent now; 0: not before some time, for which a wake-up is set. */
static size_t allowance(struct connection *c)
{
	uint64_t bandwidth = c->worker->loop->o.bandwidth;
	if (!bandwidth)
		return 1u << 30;
	if (wait_until_due(c, c->send_start_us + (int64_t)((double)c->sent * 1e6 / (double)bandwidth)))
		return 0;
	return MAX_OF(bandwidth / 50, 1024);
}

/* -EAGAIN: later; 0: all is sent. */
static ssize_t send_answer(struct connection *c)
{
	while (c->out_at < c->out.len) {
		ssize_t n = transmit(c, c->out.data + c->out_at, c->out.len - c->out_at, c->left > 0);
		if (n <= 0)
			return n ? n : -EIO;
		c->out_at += (size_t)n;
	}
	while (c->left) {
		size_t may = allowance(c);
		if (!may)
			return -EAGAIN;
		ssize_t n = send_some(c, (size_t)MIN_OF(c->left, may));
		if (n <= 0)
			return n ? n : -EIO;
		c->exchange.answer.at += (size_t)n;
		c->sent += (size_t)n;
		c->left -= (size_t)n;
	}
	return 0;
}

/* A head that is none of HTTP's, or not one we take. */
static ssize_t refuse_head(struct connection *c, int status)
{
	char text[128];
	int n = snprintf(text, sizeof text,
		"HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status,
		reason((unsigned)status));
	transmit(c, text, (size_t)n, false);
	s3serve_request_fini(&c->request);
	return -EIO;
}

static ssize_t read_head(struct connection *c)
{
	size_t n;
	buf_reserve(&c->in, 1); /* so that there is something to count from */
	while (!(n = s3serve_head_length(c->in.data + c->in_at, c->in.len - c->in_at))) {
		if (c->in_at) {
			memmove(c->in.data, c->in.data + c->in_at, c->in.len - c->in_at);
			c->in.len -= c->in_at;
			c->in_at = 0;
		}
		if (c->in.len >= S3SERVE_HEAD_BYTES)
			return refuse_head(c, 431);
		ssize_t got = receive(c, buf_reserve(&c->in, 16384), 16384);
		if (got <= 0)
			return got ? got : -EIO;
		c->in.len += (size_t)got;
	}
	int status = s3serve_request_parse(&c->request, c->in.data + c->in_at, n);
	if (status)
		return refuse_head(c, status);
	c->in_at += n;
	c->start_unix_us = unix_us();
	c->due_us = clock_monotonic_us() + c->worker->loop->o.latency_us;
	s3serve_begin(c->worker->loop->o.server, &c->request, &c->exchange);
	c->was_control = c->exchange.is_control;
	if (c->was_control)
		c->due_us = 0;
	else if (c->exchange.fault.kind == FAULT_DELAY)
		c->due_us += (int64_t)c->exchange.fault.ms * 1000;
	c->body_left = c->request.body_bytes;
	if (c->request.expects_continue && c->exchange.answer.status) {
		c->body_left = 0; /* refused before it was sent */
		c->exchange.answer.ending = ENDING_CLOSE;
	} else if (c->request.expects_continue && c->body_left && c->in_at == c->in.len) {
		transmit(c, "HTTP/1.1 100 Continue\r\n\r\n", 25, false);
	}
	c->state = STATE_BODY;
	return 0;
}

static ssize_t read_body(struct connection *c)
{
	size_t have = (size_t)MIN_OF(c->body_left, c->in.len - c->in_at);
	if (have) {
		s3serve_body(&c->exchange, c->in.data + c->in_at, have);
		c->in_at += have;
		c->body_left -= have;
	}
	while (c->body_left) {
		ssize_t got = receive(c, c->worker->scratch, (size_t)MIN_OF(c->body_left, SCRATCH_BYTES));
		if (got <= 0)
			return got ? got : -EIO;
		s3serve_body(&c->exchange, c->worker->scratch, (size_t)got);
		c->body_left -= (size_t)got;
	}
	c->state = STATE_WAIT;
	return 0;
}

static ssize_t wait_for_latency(struct connection *c)
{
	if (wait_until_due(c, c->due_us))
		return -EAGAIN;
	s3serve_finish(&c->exchange);
	start_sending(c);
	return 0;
}

/* The answer is out. Positive: the connection is to be reset. */
static ssize_t after_answer(struct connection *c)
{
	enum s3serve_ending ending = c->exchange.answer.ending;
	bool keep = c->request.keep_alive;
	log_request(c);
	end_exchange(c);
	c->state = ending == ENDING_STALL ? STATE_STALL : STATE_HEAD;
	if (ending == ENDING_RESET)
		return 1;
	return ending == ENDING_CLOSE || !keep ? -EIO : 0;
}

static void run(struct connection *c)
{
	ssize_t r = 0;
	while (r == 0) {
		switch (c->state) {
		case STATE_HEAD: r = read_head(c); break;
		case STATE_BODY: r = read_body(c); break;
		case STATE_WAIT: r = wait_for_latency(c); break;
		case STATE_SEND:
			r = send_answer(c);
			if (r == 0)
				r = after_answer(c);
			break;
		case STATE_STALL: r = -EAGAIN; break;
		}
	}
	if (r != -EAGAIN)
		end_connection(c, r > 0);
}

static void reset_all(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	struct connection *c = w->connections;
	pthread_mutex_unlock(&w->lock);
	for (struct connection *next; c; c = next) {
		next = c->next; /* what is added meanwhile stands in front */
		if (!c->was_control || w->stop)
			end_connection(c, true);
	}
}

static void *serve(void *arg)
{
	struct worker *w = arg;
	struct epoll_event events[64];
	while (!w->stop) {
		struct timespec timeout = { 0 }, *t = NULL;
		if (w->heap.len) {
			int64_t us = MAX_OF(w->heap.data[0]->due_us - clock_monotonic_us(), 0);
			timeout = (struct timespec){ us / 1000000, us % 1000000 * 1000 };
			t = &timeout;
		}
		int n = epoll_pwait2(w->epoll, events, ARRAY_LEN(events), t, NULL);
		/* ThreadSanitizer doesn't know this call: the lock tells it what s3serve_loop_add did before. */
		pthread_mutex_lock(&w->lock);
		pthread_mutex_unlock(&w->lock);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			if (!c)
				eventfd_read(w->wake, &(eventfd_t){ 0 });
			else if (events[i].events & (EPOLLHUP | EPOLLERR))
				end_connection(c, false);
			else if (c->state == STATE_STALL && events[i].events & EPOLLRDHUP)
				end_connection(c, false);
			else
				run(c);
		}
		int64_t now = clock_monotonic_us();
		while (w->heap.len && w->heap.data[0]->due_us <= now) {
			struct connection *c = w->heap.data[0];
			heap_remove(c);
			run(c);
		}
		if (atomic_exchange(&w->reset, false))
			reset_all(w);
	}
	reset_all(w);
	return NULL;
}

static void wake(struct worker *w)
{
	eventfd_write(w->wake, 1);
}

void s3serve_loop_reset(struct s3serve_loop *l)
{
	for (unsigned i = 0; i < l->o.threads; i++) {
		l->workers[i].reset = true;
		wake(&l->workers[i]);
	}
}

void s3serve_loop_add(struct s3serve_loop *l, int fd)
{
	struct worker *w = &l->workers[l->next++ % l->o.threads];
	struct connection *c = xcalloc(1, sizeof *c);
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->fd = fd;
	c->worker = w;
	c->heap_at = SIZE_MAX;
	buf_reserve(&c->in, 4096);
	c->exchange.fd = c->exchange.answer.fd = -1;
	if (l->o.tls) {
		c->tls = SSL_new(l->o.tls);
		SSL_set_fd(c->tls, fd);
		SSL_set_accept_state(c->tls);
	}
	pthread_mutex_lock(&w->lock);
	c->next = w->connections;
	if (c->next)
		c->next->prev = c;
	w->connections = c;
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c };
	epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event);
	pthread_mutex_unlock(&w->lock);
}

struct s3serve_loop *s3serve_loop_new(const struct s3serve_loop_options *o)
{
	struct s3serve_loop *l = xcalloc(1, sizeof *l);
	l->o = *o;
	l->workers = xcalloc(o->threads, sizeof *l->workers);
	for (unsigned i = 0; i < o->threads; i++) {
		struct worker *w = &l->workers[i];
		w->loop = l;
		w->scratch = xmalloc(SCRATCH_BYTES);
		w->epoll = epoll_create1(EPOLL_CLOEXEC);
		w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		pthread_mutex_init(&w->lock, NULL);
		epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &(struct epoll_event){ .events = EPOLLIN });
		pthread_create(&w->thread, NULL, serve, w);
	}
	return l;
}

void s3serve_loop_free(struct s3serve_loop *l)
{
	for (unsigned i = 0; i < l->o.threads; i++) {
		struct worker *w = &l->workers[i];
		w->stop = true;
		wake(w);
		pthread_join(w->thread, NULL);
		close(w->epoll);
		close(w->wake);
		pthread_mutex_destroy(&w->lock);
		vec_fini(&w->heap);
		free(w->scratch);
	}
	free(l->workers);
	free(l);
}
