/* SPDX-License-Identifier: Apache-2.0 */
/* What curl is told once for all calls of a handle, what it calls in the client's thread, and the pool of such handles. */
#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/net/http_client_private.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ERROR_BODY_BYTES 65536
#define RECEIVE_BYTES    (128 * 1024)
#define CA_CACHE_SECONDS 600

METRIC_GAUGE(connections, "thanosfs_http_connections", "TCP connections of HTTP clients that are open.")
METRIC_COUNTER(connections_opened, "thanosfs_http_connections_opened_total",
	"TCP connections that HTTP clients opened or tried to open.")

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

void exchange_set_why(struct exchange *x, int r, const char *words)
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
		exchange_set_why(x, -EPROTO, "the headers are longer than 64 KiB");
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
		exchange_set_why(x, -EFBIG, words);
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

struct exchange *exchange_take(struct http_client *c)
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

void exchange_free(struct exchange *x)
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
void exchange_drop(struct exchange *x)
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
