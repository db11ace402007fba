/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's multi interface, driven by one thread over epoll. Each call is an `exchange`: a curl handle that is kept for
 * the next call, and what two threads need to pass it to and fro. The caller's thread prepares the handle, tells the
 * client's thread of it and waits; while it waits it reads what is to be uploaded. The client's thread does everything
 * that touches a socket, and ends what takes too long, by a look at all exchanges every TICK_US.
 *
 * state      owner             lists                         left when
 * pooled     -                 client.pooled                 a call takes it
 * prepared   caller            -                             the client's thread is told of it
 * waiting    client's thread   client.waiting                fewer than max_connections are running
 * running    client's thread   client.running, curl's own    curl is done with it, or it is overdue
 * done       caller            -                             what came of it is in the call
 */
#include "lib/net/http_client.h"

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/net/http_head.h"
#include "lib/net/http_upload.h"
#include "lib/net/tls_files.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_US          40000
#define ERROR_BODY_BYTES 65536
#define RECEIVE_BYTES    (128 * 1024)
#define EVENTS           64
#define CA_CACHE_SECONDS 600
#define HOST_CHARACTERS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

METRIC_GAUGE(connections, "thanosfs_http_connections", "TCP connections of HTTP clients that are open.")
METRIC_COUNTER(connections_opened, "thanosfs_http_connections_opened_total",
	"TCP connections that HTTP clients opened or tried to open.")

enum phase { CONNECTING, ASKED, ANSWERED };

struct exchange {
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	char detail[CURL_ERROR_SIZE]; /* curl's words for a failure */
	struct http_call *call;

	/* The client's thread's own while the exchange is waiting or running. */
	enum phase phase;
	struct http_head head;
	int fd;                     /* that was opened for it last; -1: none */
	int64_t began_us, moved_us; /* moved: when a byte last went or came */
	int64_t connected_us;       /* when TCP was seen to be connected; 0: not yet */
	int64_t deadline_us;        /* 0: none */
	enum { PREPARED, WAITING, RUNNING } state;
	bool is_paused; /* the upload waits for the caller */
	bool is_cut;    /* enough was seen of an error's body */
	bool is_second; /* the first try was over a connection that its peer had closed */
	unsigned
		sent; /* how often curl sent the request: again where an idle connection turned out to be closed */
	struct exchange *prev, *next;

	pthread_mutex_t lock; /* of the following */
	pthread_cond_t changed;
	struct http_upload upload;
	bool is_done, has_lost_upload; /* lost: the blob could not be read */
	CURLcode code;
	int why; /* -errno: what the client ended it for, whatever curl says of that */
	char words[96];

	/* Under the client's lock. */
	bool is_told;
	struct exchange *next_told, *next_pooled;
};

/* In the order of arrival. */
struct exchanges {
	struct exchange *first, *last;
	unsigned n;
};

struct http_client {
	struct http_client_options options; /* with strings of its own, and no zeros */
	pthread_t thread;
	bool has_thread;
	int epoll_fd, wake_fd;
	CURLSH *share; /* TLS sessions, so that a new connection costs less */
	pthread_mutex_t share_lock;

	/* The client's thread's own. */
	CURLM *multi;
	struct exchanges waiting, running;
	int64_t timer_us; /* when curl wants to be called; -1: never */
	int64_t used_us;  /* when there was last something to do */
	bool has_connections;

	pthread_mutex_t lock; /* of the following */
	struct exchange *told, *last_told;
	struct exchange *pooled;
	unsigned n_pooled;
	bool is_closing;
};

static void list_add(struct exchanges *l, struct exchange *x)
{
	x->next = NULL;
	x->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = x;
	l->last = x;
	l->n++;
}

static void list_remove(struct exchanges *l, struct exchange *x)
{
	*(x->prev ? &x->prev->next : &l->first) = x->next;
	*(x->next ? &x->next->prev : &l->last) = x->prev;
	l->n--;
}

static bool is_given(const char *s)
{
	return s && *s;
}

/* What a curl handle calls, all in the client's thread. */

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct exchange *x = arg;
	(void)purpose;
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	metric_add(connections, 1);
	metric_add(connections_opened, 1);
	x->fd = fd;
	return fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
	(void)arg;
	metric_add(connections, (uint64_t)-1);
	return close(fd);
}

static int on_request(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct exchange *x = arg;
	(void)peer, (void)local, (void)peer_port, (void)local_port;
	x->sent++;
	x->phase = ASKED;
	x->moved_us = clock_monotonic_us();
	return CURL_PREREQFUNC_OK;
}

static void set_why(struct exchange *x, int r, const char *words)
{
	pthread_mutex_lock(&x->lock);
	x->why = r;
	snprintf(x->words, sizeof x->words, "%s", words);
	pthread_mutex_unlock(&x->lock);
}

static size_t on_upload(char *out, size_t one, size_t n, void *arg)
{
	struct exchange *x = arg;
	(void)one;
	pthread_mutex_lock(&x->lock);
	size_t got = http_upload_take(&x->upload, out, n);
	x->is_paused = x->upload.starved;
	struct http_upload_piece piece;
	if (http_upload_next(&x->upload, &piece))
		pthread_cond_signal(&x->changed);
	pthread_mutex_unlock(&x->lock);
	x->moved_us = clock_monotonic_us();
	return x->is_paused ? CURL_READFUNC_PAUSE : got;
}

static int on_rewind(void *arg, curl_off_t to, int origin)
{
	struct exchange *x = arg;
	if (to != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	pthread_mutex_lock(&x->lock);
	http_upload_rewind(&x->upload);
	pthread_cond_signal(&x->changed);
	pthread_mutex_unlock(&x->lock);
	return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *line, size_t one, size_t n, void *arg)
{
	struct exchange *x = arg;
	(void)one;
	x->moved_us = clock_monotonic_us();
	if (!http_head_add(&x->head, line, n)) {
		set_why(x, -EPROTO, "the headers are longer than 64 KiB");
		return 0;
	}
	bool is_interim = x->head.status / 100 == 1 && x->head.complete;
	x->phase = is_interim ? ASKED : ANSWERED;
	return n;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *arg)
{
	struct exchange *x = arg;
	struct http_call *call = x->call;
	(void)one;
	x->moved_us = clock_monotonic_us();
	bool is_wanted = x->head.status / 100 == 2 && (call->into || call->out);
	uint64_t room = (is_wanted ? call->max_bytes : ERROR_BODY_BYTES) - call->got_bytes;
	size_t fits = (size_t)MIN_OF(n, room);
	if (is_wanted && fits < n) {
		char words[96];
		snprintf(words, sizeof words, "the answer is longer than the %zu bytes it may have",
			call->max_bytes);
		set_why(x, -EFBIG, words);
		return 0;
	}
	if (is_wanted && call->into)
		memcpy((uint8_t *)call->into + call->got_bytes, bytes, fits);
	else if (call->out)
		buf_add(call->out, bytes, fits);
	call->got_bytes += fits;
	x->is_cut = fits < n;
	return x->is_cut ? 0 : n;
}

static void on_share_lock(CURL *easy, curl_lock_data what, curl_lock_access how, void *arg)
{
	(void)easy, (void)what, (void)how;
	pthread_mutex_lock(&((struct http_client *)arg)->share_lock);
}

static void on_share_unlock(CURL *easy, curl_lock_data what, void *arg)
{
	(void)easy, (void)what;
	pthread_mutex_unlock(&((struct http_client *)arg)->share_lock);
}

/* What every call of this client has in common. */
static CURL *new_easy(struct exchange *x, const struct http_client_options *o)
{
	CURL *c = curl_easy_init();
	if (!c)
		abort(); /* no memory */
	curl_easy_setopt(c, CURLOPT_PRIVATE, x);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->detail);
	curl_easy_setopt(c, CURLOPT_SHARE, x->client->share);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_USERAGENT, o->user_agent);
	curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, o->disable_compression ? NULL : "gzip, deflate");
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)HTTP_UPLOAD_PIECE_BYTES);
	/* A name server that doesn't answer must not hold up the thread that gives up on it. */
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);

	curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, 15L);
	curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, (long)MAX_OF(o->idle_timeout_ms / 1000, 1));
	/* The tick tells these apart and is earlier; this only keeps curl's own limit of 5 min out of the way. */
	int64_t connect_ms = o->connect_timeout_ms + o->tls_handshake_timeout_ms + 60000;
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);

	if (o->proxy)
		curl_easy_setopt(c, CURLOPT_PROXY, o->proxy);
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);

	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, o->insecure_skip_verify ? 0L : 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, o->insecure_skip_verify ? 0L : 2L);
	if (o->ca_file) {
		curl_easy_setopt(c, CURLOPT_CAINFO, o->ca_file);
		curl_easy_setopt(c, CURLOPT_PROXY_CAINFO, o->ca_file);
	}
	/* Parsed authorities are kept between connections only where they come from a file alone. */
	const char *ca_file = o->ca_file;
	if (ca_file || curl_easy_getinfo(c, CURLINFO_CAINFO, &ca_file) == CURLE_OK)
		if (is_given(ca_file))
			curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(c, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_SECONDS);
	if (o->cert_file) {
		curl_easy_setopt(c, CURLOPT_SSLCERT, o->cert_file);
		curl_easy_setopt(c, CURLOPT_SSLKEY, o->key_file);
	}

	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, x);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, on_upload);
	curl_easy_setopt(c, CURLOPT_READDATA, x);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_rewind);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	return c;
}

static struct exchange *exchange_take(struct http_client *c)
{
	pthread_mutex_lock(&c->lock);
	struct exchange *x = c->pooled;
	if (x) {
		c->pooled = x->next_pooled;
		c->n_pooled--;
	}
	pthread_mutex_unlock(&c->lock);
	if (x)
		return x;
	x = xcalloc(1, sizeof *x);
	x->client = c;
	pthread_mutex_init(&x->lock, NULL);
	pthread_cond_init(&x->changed, NULL);
	x->easy = new_easy(x, &c->options);
	return x;
}

static void exchange_free(struct exchange *x)
{
	curl_easy_cleanup(x->easy);
	pthread_cond_destroy(&x->changed);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

/*
 * Back to the pool, or away where that is full. A handle that has sent a request twice goes too: curl counts that up over
 * all its calls, and fails the one that makes it six.
 */
static void exchange_drop(struct exchange *x)
{
	struct http_client *c = x->client;
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, NULL);
	curl_slist_free_all(x->headers);
	curl_slist_free_all(x->connect_to);
	x->headers = x->connect_to = NULL;
	http_upload_fini(&x->upload);
	x->call = NULL;
	pthread_mutex_lock(&c->lock);
	bool is_kept = x->code == CURLE_OK && x->sent <= 1 && c->n_pooled < c->options.max_connections;
	if (is_kept) {
		x->next_pooled = c->pooled;
		c->pooled = x;
		c->n_pooled++;
	}
	pthread_mutex_unlock(&c->lock);
	if (!is_kept)
		exchange_free(x);
}

/* The parts of a URL that the client itself needs; they point into it. */
struct url {
	bool is_https;
	const char *authority, *host, *port,
		*rest; /* authority: with user and password; port: without ':', may be "" */
	size_t host_bytes, port_bytes;
};

static int url_parse(const char *text, struct url *out, struct err *e)
{
	*out = (struct url){ .is_https = !strncasecmp(text, "https://", 8) };
	if (!out->is_https && strncasecmp(text, "http://", 7) != 0)
		return err_set(e, -EINVAL, "a URL that is neither http nor https");
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(e, -EINVAL, "a URL with a blank or a control character");
	out->authority = text + (out->is_https ? 8 : 7);
	out->rest = out->authority + strcspn(out->authority, "/?#");
	out->host = out->authority;
	for (const char *p = out->authority; p < out->rest; p++)
		if (*p == '@')
			out->host = p + 1;
	const char *colon = out->rest;
	for (const char *p = out->rest; p > out->host && p[-1] != ']'; p--)
		if (p[-1] == ':')
			colon = p - 1;
	out->host_bytes = (size_t)(colon - out->host);
	out->port = colon < out->rest ? colon + 1 : colon;
	out->port_bytes = (size_t)(out->rest - out->port);
	return out->host_bytes ? 0 : err_set(e, -EINVAL, "a URL without a host");
}

static void add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);
	if (!longer)
		abort(); /* no memory */
	*list = longer;
}

static int add_headers(struct exchange *x, bool *has_host, bool *has_type, struct err *e)
{
	const struct http_call *call = x->call;
	for (size_t i = 0; i < call->n_headers; i++) {
		const struct http_header *h = &call->headers[i];
		const char *value = h->value ? h->value : "";
		if (!*h->name || strpbrk(h->name, "\r\n: ") || strpbrk(value, "\r\n"))
			return err_set(e, -EINVAL, "a header that is none: %.64s", h->name);
		/* curl's ways to say: not at all; and: with nothing in it. */
		auto_free char *line = !h->value ? xasprintf("%s:", h->name)
				       : *value  ? xasprintf("%s: %s", h->name, value)
						 : xasprintf("%s;", h->name);
		add_line(&x->headers, line);
		*has_host |= !strcasecmp(h->name, "host");
		*has_type |= !strcasecmp(h->name, "content-type");
	}
	/* A round trip before each upload is a high price for sparing a body that is refused. */
	add_line(&x->headers, "Expect:");
	return 0;
}

/*
 * The certificate is for another name than the host: then the URL is one with that name, whose connections go to the host all
 * the same, and the header says the host.
 */
static void rename_host(struct exchange *x, const struct url *u, bool has_host)
{
	const char *name = x->client->options.server_name;
	const char *port = u->port_bytes ? u->port : "443";
	int port_bytes = u->port_bytes ? (int)u->port_bytes : 3;
	auto_free char *url = xasprintf("https://%.*s%s:%.*s%s", (int)(u->host - u->authority), u->authority,
		name, port_bytes, port, u->rest);
	auto_free char *to = xasprintf("::%.*s:%.*s", (int)u->host_bytes, u->host, port_bytes, port);
	auto_free char *host = xasprintf("Host: %.*s", (int)(u->rest - u->host), u->host);
	add_line(&x->connect_to, to);
	if (!has_host)
		add_line(&x->headers, host);
	curl_easy_setopt(x->easy, CURLOPT_URL, url);
	curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, x->connect_to);
}

static void set_method(struct exchange *x)
{
	const char *method = x->call->method;
	CURL *c = x->easy;
	bool has_body = x->call->body || !strcmp(method, "PUT") || !strcmp(method, "POST");
	curl_easy_setopt(c, CURLOPT_HTTPGET, 1L); /* undoes what the call before has set */
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, NULL);
	curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)-1);
	if (has_body) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->upload.bytes);
	}
	if (!strcmp(method, "HEAD"))
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, has_body ? "PUT" : "GET") != 0)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
}

static int prepare(struct exchange *x, const struct url *u, struct err *e)
{
	const struct http_call *call = x->call;
	const char *name = x->client->options.server_name;
	bool has_host = false, has_type = false;
	int r = add_headers(x, &has_host, &has_type, e);
	if (r < 0)
		return r;
	for (const char *p = call->method; *p || p == call->method; p++)
		if (*p < 'A' || *p > 'Z')
			return err_set(e, -EINVAL, "a method that is none");
	x->began_us = x->moved_us = clock_monotonic_us();
	x->deadline_us = call->timeout_ms ? x->began_us + call->timeout_ms * 1000 : 0;
	x->state = PREPARED;
	x->head = (struct http_head){ .headers = &x->call->answer_headers };
	x->is_cut = x->is_second = x->is_done = x->has_lost_upload = false;
	x->code = CURLE_OK;
	x->sent = 0;
	x->why = 0;
	x->detail[0] = 0;
	if (name && u->is_https &&
		(strlen(name) != u->host_bytes || strncasecmp(name, u->host, u->host_bytes) != 0))
		rename_host(x, u, has_host);
	else
		curl_easy_setopt(x->easy, CURLOPT_URL, call->url);
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, 0L);
	set_method(x);
	return 0;
}

static void wake(struct http_client *c)
{
	uint64_t one = 1;
	ssize_t written = write(c->wake_fd, &one, sizeof one);
	(void)written; /* fails only where the thread has been woken 2^64 times already */
}

/*
 * There is something new about the exchange: it is to begin, or to go on. Never after it is done: once it has begun this is
 * said under its lock.
 */
static void tell(struct exchange *x)
{
	struct http_client *c = x->client;
	pthread_mutex_lock(&c->lock);
	bool is_first = !c->told;
	if (!x->is_told) {
		x->is_told = true;
		x->next_told = NULL;
		*(c->told ? &c->last_told->next_told : &c->told) = x;
		c->last_told = x;
	}
	pthread_mutex_unlock(&c->lock);
	if (is_first)
		wake(c);
}

/* Until the exchange is done. 0, or the error of the blob that was to be uploaded. */
static int await(struct exchange *x, struct err *e)
{
	struct http_upload_piece piece;
	int r = 0;
	pthread_mutex_lock(&x->lock);
	while (!x->is_done) {
		if (r < 0 || !http_upload_next(&x->upload, &piece)) {
			pthread_cond_wait(&x->changed, &x->lock);
			continue;
		}
		pthread_mutex_unlock(&x->lock);
		r = http_upload_read(&x->upload, &piece, e);
		pthread_mutex_lock(&x->lock);
		x->has_lost_upload = r < 0;
		if ((r < 0 || http_upload_loaded(&x->upload, &piece)) && !x->is_done)
			tell(x);
	}
	pthread_mutex_unlock(&x->lock);
	return r;
}

static bool has_alert_of_certificate(const char *detail)
{
	return strstr(detail, "alert") && (strstr(detail, "certificate") || strstr(detail, "unknown ca") ||
						  strstr(detail, "access denied"));
}

/* -errno of what curl says, -ECONNRESET for all that may go better the next time. */
static int errno_of(struct exchange *x)
{
	long os = 0, connect_status = 0;
	curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os);
	curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
	switch (x->code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY: return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT: return os > 0 ? -(int)os : -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR: return -EKEYREJECTED;
	case CURLE_SSL_CONNECT_ERROR:
		if (os > 0 || strstr(x->detail, "SSL_ERROR_SYSCALL"))
			return -ECONNRESET;
		return strstr(x->detail, "wrong version number") ? -EPROTO : -EKEYREJECTED;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, which is anything at all */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_FILESIZE_EXCEEDED:
	case CURLE_WRITE_ERROR:
		return -EPROTO; /* of a coding, since the client's own are told apart before */
	case CURLE_URL_MALFORMAT: return -EINVAL;
	case CURLE_OUT_OF_MEMORY: return -ENOMEM;
	default:
		if (has_alert_of_certificate(x->detail))
			return -EKEYREJECTED;
		if (strstr(x->detail, "chunked-encoding"))
			return -EPROTO;
		return connect_status == 403 || connect_status == 407 ? -EACCES : -ECONNRESET;
	}
}

/* What came of a done exchange. */
static int conclude(struct exchange *x, const struct url *u, struct err *e)
{
	struct http_call *call = x->call;
	int host_bytes = (int)MIN_OF(u->rest - u->host, 255);
	if (x->why)
		return err_set(e, x->why, "%.*s: %s", host_bytes, u->host, x->words);
	if (x->code != CURLE_OK && !x->is_cut)
		return err_set(e, errno_of(x), "%.*s: %s", host_bytes, u->host,
			x->detail[0] ? x->detail : curl_easy_strerror(x->code));
	/* curl is content with a head that ends in the middle. */
	if (!x->head.complete)
		return err_set(e, -ECONNRESET, "%.*s: the connection was closed within the headers",
			host_bytes, u->host);
	curl_off_t content_length = -1;
	curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &content_length);
	call->content_length = content_length;
	call->status = x->head.status;
	return 0;
}

int http_call(struct http_client *c, struct http_call *call, struct err *e)
{
	struct url u;
	call->status = 0;
	call->got_bytes = 0;
	call->content_length = -1;
	buf_reset(&call->answer_headers);
	int r = url_parse(call->url, &u, e);
	if (r < 0)
		return r;
	struct exchange *x = exchange_take(c);
	struct http_upload_piece piece;
	x->call = call;
	http_upload_init(&x->upload, call->body, call->body_at, call->body_bytes);
	r = prepare(x, &u, e);
	/* The first piece is the whole body as a rule: read now, it needs no passing to and fro. */
	if (r == 0 && http_upload_next(&x->upload, &piece)) {
		r = http_upload_read(&x->upload, &piece, e);
		http_upload_loaded(&x->upload, &piece);
	}
	if (r == 0) {
		tell(x);
		r = await(x, e);
		if (r == 0)
			r = conclude(x, &u, e);
	}
	exchange_drop(x);
	return r;
}

void http_call_fini(struct http_call *call)
{
	buf_fini(&call->answer_headers);
}

/* The client's thread. */

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *c = arg;
	(void)multi;
	c->timer_us = timeout_ms < 0 ? -1 : timeout_ms == 0 ? 0 : clock_monotonic_us() + timeout_ms * 1000;
	return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct http_client *c = arg;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	struct epoll_event ev = { .data.fd = fd,
		.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u) };
	epoll_ctl(c->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
	curl_multi_assign(c->multi, fd, c);
	return 0;
}

static void open_multi(struct http_client *c)
{
	c->multi = curl_multi_init();
	if (!c->multi)
		abort(); /* no memory */
	c->timer_us = -1;
	c->has_connections = false;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)c->options.max_connections);
}

/* To curl the limit is one of all connections, those in use included. */
static void limit_idle(struct http_client *c)
{
	curl_multi_setopt(
		c->multi, CURLMOPT_MAXCONNECTS, (long)(c->running.n + c->options.max_idle_connections));
}

static void forget(struct http_client *c, struct exchange *x)
{
	pthread_mutex_lock(&c->lock);
	struct exchange **at = &c->told, *before = NULL;
	for (; x->is_told && *at != x; at = &before->next_told)
		before = *at;
	if (x->is_told) {
		*at = x->next_told;
		if (c->last_told == x)
			c->last_told = before;
		x->is_told = false;
	}
	pthread_mutex_unlock(&c->lock);
}

/* From here on the exchange is its caller's. */
static void finish(struct http_client *c, struct exchange *x, CURLcode code)
{
	if (x->state == RUNNING)
		curl_multi_remove_handle(c->multi, x->easy);
	list_remove(x->state == RUNNING ? &c->running : &c->waiting, x);
	pthread_mutex_lock(&x->lock);
	forget(c, x);
	x->code = code;
	x->is_done = true;
	pthread_cond_signal(&x->changed);
	pthread_mutex_unlock(&x->lock);
}

static void end(struct http_client *c, struct exchange *x, int r, const char *words)
{
	set_why(x, r, words);
	finish(c, x, CURLE_ABORTED_BY_CALLBACK);
}

static void start(struct http_client *c, struct exchange *x)
{
	x->fd = -1;
	x->phase = CONNECTING;
	x->is_paused = false;
	x->began_us = clock_monotonic_us();
	x->connected_us = 0;
	if (curl_multi_add_handle(c->multi, x->easy) != CURLM_OK)
		end(c, x, -ENOMEM, "no memory");
}

static void start_waiting(struct http_client *c)
{
	while (c->waiting.first && c->running.n < c->options.max_connections) {
		struct exchange *x = c->waiting.first;
		list_remove(&c->waiting, x);
		list_add(&c->running, x);
		x->state = RUNNING;
		c->has_connections = true;
		limit_idle(c);
		start(c, x);
	}
}

/*
 * Whether it failed because an idle connection was closed in the moment it was used again. curl sees to that itself where it finds
 * out when it reads, or with the first bytes it sends.
 */
static bool is_worth_a_second_try(const struct exchange *x, CURLcode code)
{
	long fresh = 1;
	if (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING)
		return false;
	curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &fresh);
	return !fresh && !x->is_second && !x->head.bytes;
}

static void start_again(struct http_client *c, struct exchange *x)
{
	curl_multi_remove_handle(c->multi, x->easy);
	curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, 1L);
	pthread_mutex_lock(&x->lock);
	http_upload_rewind(&x->upload);
	pthread_cond_signal(&x->changed);
	pthread_mutex_unlock(&x->lock);
	x->is_second = true;
	x->detail[0] = 0;
	start(c, x);
}

static void hear(struct http_client *c, struct exchange *x)
{
	if (x->state == PREPARED) {
		x->state = WAITING;
		list_add(&c->waiting, x);
	}
	pthread_mutex_lock(&x->lock);
	bool is_lost = x->has_lost_upload, goes_on = x->is_paused && !x->upload.starved;
	pthread_mutex_unlock(&x->lock);
	if (is_lost) {
		end(c, x, -EIO, "the body can't be read");
	} else if (goes_on) {
		x->is_paused = false;
		x->moved_us = clock_monotonic_us();
		curl_easy_pause(x->easy, CURLPAUSE_CONT);
	}
}

/* False once the client is closing. */
static bool hear_all(struct http_client *c)
{
	for (;;) {
		pthread_mutex_lock(&c->lock);
		struct exchange *x = c->told;
		bool is_closing = c->is_closing;
		if (x) {
			c->told = x->next_told;
			x->is_told = false;
		}
		pthread_mutex_unlock(&c->lock);
		if (!x)
			return !is_closing;
		hear(c, x);
	}
}

/* curl tells of a connection only when its TLS stands too. */
static bool is_connected(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof info;
	return fd >= 0 && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       info.tcpi_state == TCP_ESTABLISHED;
}

/* 0, or what to end it for. */
static int overdue(struct exchange *x, int64_t now_us, const char **words)
{
	const struct http_client_options *o = &x->client->options;
	const atomic_bool *stop = x->call->stop;
	if (stop && atomic_load_explicit(stop, memory_order_relaxed)) {
		*words = "stopped";
		return -ECANCELED;
	}
	if (x->deadline_us && now_us >= x->deadline_us)
		*words = "timed out";
	else if (x->state == WAITING || x->is_paused)
		return 0;
	else if (x->phase == ASKED && now_us - x->moved_us > o->response_header_timeout_ms * 1000)
		*words = "timed out waiting for the answer's headers";
	else if (x->phase == ANSWERED && now_us - x->moved_us > o->stall_timeout_ms * 1000)
		*words = "timed out: the answer stalled";
	else if (x->phase == CONNECTING) {
		if (!x->connected_us && is_connected(x->fd))
			x->connected_us = now_us;
		if (!x->connected_us && now_us - x->began_us > o->connect_timeout_ms * 1000)
			*words = "timed out connecting";
		else if (x->connected_us && now_us - x->connected_us > o->tls_handshake_timeout_ms * 1000)
			*words = "timed out in the TLS handshake";
	}
	return *words ? -ETIMEDOUT : 0;
}

static void end_overdue(struct http_client *c, struct exchanges *l, int64_t now_us)
{
	for (struct exchange *x = l->first, *next; x; x = next) {
		const char *words = NULL;
		next = x->next;
		int r = overdue(x, now_us, &words);
		if (r < 0)
			end(c, x, r, words);
	}
}

static void finish_done(struct http_client *c)
{
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(c->multi, &left))) {
		struct exchange *x;
		CURLcode code = m->data.result;
		if (m->msg != CURLMSG_DONE ||
			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x) != CURLE_OK)
			continue;
		if (is_worth_a_second_try(x, code))
			start_again(c, x);
		else
			finish(c, x, code);
	}
}

static bool is_idle(const struct http_client *c)
{
	return !c->running.n && !c->waiting.n;
}

/* How long to wait for sockets, in ms; -1: until woken. */
static int patience(const struct http_client *c, int64_t now_us, int64_t tick_us)
{
	int64_t until_us = is_idle(c) ? c->used_us + c->options.idle_timeout_ms * 1000 : tick_us;
	if (is_idle(c) && !c->has_connections)
		return -1;
	if (c->timer_us >= 0)
		until_us = MIN_OF(until_us, c->timer_us);
	return until_us <= now_us ? 0 : (int)((until_us - now_us + 999) / 1000);
}

static void *run(void *arg)
{
	struct http_client *c = arg;
	struct epoll_event events[EVENTS];
	int64_t tick_us = 0;
	int running;
	open_multi(c);
	while (hear_all(c)) {
		start_waiting(c);
		int64_t now_us = clock_monotonic_us();
		if (!is_idle(c))
			c->used_us = now_us;
		if (c->timer_us >= 0 && c->timer_us <= now_us) {
			c->timer_us = -1;
			curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		}
		if (now_us >= tick_us) {
			end_overdue(c, &c->waiting, now_us);
			end_overdue(c, &c->running, now_us);
			tick_us = now_us + TICK_US;
		}
		finish_done(c);
		start_waiting(c);
		/* curl closes idle connections only when it opens others: where there are none to open, all go. */
		if (is_idle(c) && c->has_connections &&
			now_us - c->used_us >= c->options.idle_timeout_ms * 1000) {
			curl_multi_cleanup(c->multi);
			open_multi(c);
		}
		int n = epoll_wait(c->epoll_fd, events, EVENTS, patience(c, now_us, tick_us));
		for (int i = 0; i < n; i++) {
			uint32_t got = events[i].events;
			uint64_t wakes;
			if (events[i].data.fd == c->wake_fd) {
				(void)!read(c->wake_fd, &wakes, sizeof wakes);
				continue;
			}
			int what = (got & EPOLLIN ? CURL_CSELECT_IN : 0) |
				   (got & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				   (got & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0);
			curl_multi_socket_action(c->multi, events[i].data.fd, what, &running);
		}
		finish_done(c);
	}
	curl_multi_cleanup(c->multi);
	return NULL;
}

static char *copy_of(const char *s)
{
	return is_given(s) ? xstrdup(s) : NULL;
}

static int64_t or_else(int64_t given, int64_t otherwise)
{
	return given > 0 ? given : otherwise;
}

static struct http_client_options copy_options(const struct http_client_options *o)
{
	struct http_client_options c = *o;
	c.user_agent = xstrdup(is_given(o->user_agent) ? o->user_agent : "thanosfs/" THANOSFS_VERSION);
	c.proxy = copy_of(o->proxy);
	c.ca_file = copy_of(o->ca_file);
	c.cert_file = copy_of(o->cert_file);
	c.key_file = copy_of(o->key_file);
	c.server_name = copy_of(o->server_name);
	c.connect_timeout_ms = or_else(o->connect_timeout_ms, 30000);
	c.tls_handshake_timeout_ms = or_else(o->tls_handshake_timeout_ms, 10000);
	c.response_header_timeout_ms = or_else(o->response_header_timeout_ms, 120000);
	c.idle_timeout_ms = or_else(o->idle_timeout_ms, 90000);
	c.stall_timeout_ms = or_else(o->stall_timeout_ms, 10000);
	c.max_idle_connections = o->max_idle_connections ? o->max_idle_connections : 128;
	c.max_connections = o->max_connections ? o->max_connections : 256;
	return c;
}

static int check_proxy(const char *proxy, struct err *e)
{
	static const char *const schemes[] = { "http", "https", "socks5", "socks5h" };
	CURLU *u = curl_url();
	char *scheme = NULL;
	bool is_known = false;
	if (u && curl_url_set(u, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK)
		for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
			is_known |= !strcmp(scheme, schemes[i]);
	curl_free(scheme);
	curl_url_cleanup(u);
	/* It may hold a password, so it isn't repeated. */
	return is_known ? 0 : err_set(e, -EINVAL, "proxy: not a URL that begins with http:// or https://");
}

static int check_options(const struct http_client_options *o, struct err *e)
{
	int r = is_given(o->proxy) ? check_proxy(o->proxy, e) : 0;
	if (r == 0 && is_given(o->user_agent) && strpbrk(o->user_agent, "\r\n"))
		r = err_set(e, -EINVAL, "user_agent: more than one line");
	if (r == 0 && is_given(o->server_name) && o->server_name[strspn(o->server_name, HOST_CHARACTERS)])
		r = err_set(e, -EINVAL, "server_name: %.128s is not the name of a host", o->server_name);
	if (r == 0 && is_given(o->cert_file) != is_given(o->key_file))
		r = err_set(e, -EINVAL, "cert_file and key_file: one of them alone is of no use");
	if (r == 0 && is_given(o->ca_file))
		r = tls_check_certificates("ca_file", o->ca_file, e);
	if (r == 0 && is_given(o->cert_file))
		r = tls_check_certificates("cert_file", o->cert_file, e);
	if (r == 0 && is_given(o->key_file))
		r = tls_check_key("key_file", o->key_file, o->cert_file, e);
	return r;
}

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int open_events(struct http_client *c)
{
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = c->wake_fd };
	if (c->epoll_fd < 0 || c->wake_fd < 0 || epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->wake_fd, &ev) < 0)
		return -errno;
	return 0;
}

/* No signal is for this thread, SIGPIPE least of all: the TLS library writes to sockets as if they were files. */
static int start_thread(struct http_client *c)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = -pthread_create(&c->thread, NULL, run, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	c->has_thread = r == 0;
	if (r == 0)
		pthread_setname_np(c->thread, "http client");
	return r;
}

int http_client_new(const struct http_client_options *options, struct http_client **out, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, init_curl);
	int r = check_options(options, e);
	if (r < 0)
		return r;
	auto_of(http_client) struct http_client *c = xcalloc(1, sizeof *c);
	c->epoll_fd = c->wake_fd = -1;
	c->options = copy_options(options);
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->share_lock, NULL);
	c->share = curl_share_init();
	if (!c->share)
		abort(); /* no memory */
	curl_share_setopt(c->share, CURLSHOPT_LOCKFUNC, on_share_lock);
	curl_share_setopt(c->share, CURLSHOPT_UNLOCKFUNC, on_share_unlock);
	curl_share_setopt(c->share, CURLSHOPT_USERDATA, c);
	curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	r = open_events(c);
	if (r == 0)
		r = start_thread(c);
	if (r < 0)
		return err_errno(e, r, "starting the HTTP client");
	*out = take(c);
	return 0;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	if (c->has_thread) {
		pthread_mutex_lock(&c->lock);
		c->is_closing = true;
		pthread_mutex_unlock(&c->lock);
		wake(c);
		pthread_join(c->thread, NULL);
	}
	while (c->pooled) {
		struct exchange *x = c->pooled;
		c->pooled = x->next_pooled;
		exchange_free(x);
	}
	curl_share_cleanup(c->share);
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
	if (c->wake_fd >= 0)
		close(c->wake_fd);
	pthread_mutex_destroy(&c->share_lock);
	pthread_mutex_destroy(&c->lock);
	free((char *)c->options.user_agent);
	free((char *)c->options.proxy);
	free((char *)c->options.ca_file);
	free((char *)c->options.cert_file);
	free((char *)c->options.key_file);
	free((char *)c->options.server_name);
	free(c);
}
