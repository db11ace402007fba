/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a client: its options, and its thread. */
#include "lib/base/thread.h"
#include "lib/net/http_client_private.h"
#include "lib/net/tls_files.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

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
	int r = thread_start(&c->thread, 0, 0, http_client_run, c);
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
		http_client_wake(c);
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
