/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client knows the bucket's region from the configuration or the endpoint, or takes the first that comes to mind and
 * learns from the store's refusal: so there is no request before the first one that is wanted.
 */
#include "store/s3_client.h"

#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "store/request_metrics.h"
#include "store/s3_answer.h"
#include "store/s3_credentials.h"
#include "store/s3_endpoint.h"
#include "store/s3_sign.h"
#include "store/s3_sse.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#define DEFAULT_REGION "us-east-1"
#define REGION_CHARS   64

struct s3_client {
	struct s3_config config;
	char *name;
	struct http_client *http;
	struct s3_credentials *credentials;
	struct s3_sign_cache *sign_cache;
	struct s3_sse_headers sse;
	int64_t (*now_ms)(void);
	const atomic_bool *stop;
	bool is_region_fixed; /* by the configuration, so that no answer changes it */
	pthread_mutex_t lock;
	char region[REGION_CHARS]; /* under `lock` */
};

static void set_first_region(struct s3_client *c)
{
	const struct s3_config *f = &c->config;
	const char *said = *f->region ? f->region : s3_credentials_region(f);
	c->is_region_fixed = *said;
	if (*said)
		snprintf(c->region, sizeof c->region, "%s", said);
	else
		s3_endpoint_region(f->endpoint, c->region);
	if (!*c->region)
		snprintf(c->region, sizeof c->region, "%s", DEFAULT_REGION);
}

int s3_client_new(const struct s3_config *config, const struct s3_client_options *options,
	struct s3_client **out, struct err *e)
{
	auto_of(s3_client) struct s3_client *c = xcalloc(1, sizeof *c);
	pthread_mutex_init(&c->lock, NULL);
	s3_config_copy(&c->config, config);
	c->name = xasprintf("S3 bucket %s at %.100s", config->bucket, config->endpoint);
	c->now_ms = options->now_ms ? options->now_ms : clock_unix_ms;
	c->stop = options->stop;
	c->sign_cache = s3_sign_cache_new();
	set_first_region(c);
	int r = s3_sse_headers_init(&c->sse, &c->config, e);
	if (r == 0)
		r = s3_credentials_new(&c->config, &c->credentials, e);
	if (r < 0)
		return err_wrap(e, r, "%s", c->name);
	struct http_client_options http = http_config_options(&c->config.http);
	http.disable_compression = true; /* ranges are of the bytes that are stored */
	r = http_client_new(&http, &c->http, e);
	if (r < 0)
		return err_wrap(e, r, "%s", c->name);
	*out = take(c);
	return 0;
}

void s3_client_free(struct s3_client *c)
{
	if (c) {
		http_client_free(c->http);
		s3_credentials_free(c->credentials);
		s3_sign_cache_free(c->sign_cache);
		s3_sse_headers_fini(&c->sse);
		s3_config_fini(&c->config);
		pthread_mutex_destroy(&c->lock);
		free(c->name);
		free(c);
	}
}

const struct s3_config *s3_client_config(const struct s3_client *c)
{
	return &c->config;
}

const char *s3_client_name(const struct s3_client *c)
{
	return c->name;
}

bool s3_client_hashes_bodies(const struct s3_client *c)
{
	return c->config.insecure;
}

void s3_request_header(struct s3_request *q, const char *name, const char *value)
{
	if (q->n_headers >= S3_MAX_HEADERS)
		abort(); /* the configuration bounds what it adds */
	q->headers[q->n_headers++] = (struct http_header){ name, value };
}

/* One try: everything that depends on the time, the keys or the region. */
struct attempt {
	struct s3_keys keys;
	char region[REGION_CHARS], time[S3_TIME_CHARS];
	int64_t now_ms;
	struct buf host, path, url, authorization;
	struct http_header headers[S3_MAX_HEADERS + 16];
	size_t n;
};

static void attempt_fini(struct attempt *a)
{
	s3_keys_fini(&a->keys);
	buf_fini(&a->host);
	buf_fini(&a->path);
	buf_fini(&a->url);
	buf_fini(&a->authorization);
}

static void add_header(struct attempt *a, const char *name, const char *value)
{
	a->headers[a->n++] = (struct http_header){ name, value };
}

static void sign(struct s3_client *c, const struct s3_request *q, struct attempt *a)
{
	const char *hash = q->payload_hash            ? q->payload_hash
			   : q->body && q->body_bytes ? S3_UNSIGNED_HASH
						      : S3_EMPTY_HASH;
	s3_credentials_get(c->credentials, &a->keys);
	add_header(a, "host", buf_str(&a->host));
	for (size_t i = 0; i < q->n_headers; i++)
		add_header(a, q->headers[i].name, q->headers[i].value);
	if (q->sse != S3_SSE_NO)
		a->n += s3_sse_headers_add(&c->sse, q->sse == S3_SSE_WHOLE, a->headers + a->n);
	if (!*a->keys.access_key)
		return;
	add_header(a, "x-amz-content-sha256", hash);
	add_header(a, "x-amz-date", a->time);
	if (*a->keys.session_token)
		add_header(a, "x-amz-security-token", a->keys.session_token);
	struct s3_sign_input s = {
		.method = q->method,
		.path = buf_str(&a->path),
		.query = q->query ? q->query : "",
		.headers = a->headers,
		.n_headers = a->n,
		.payload_hash = hash,
		.region = a->region,
		.service = "s3",
		.time = a->time,
	};
	struct s3_sign_keys keys = { a->keys.access_key, a->keys.secret_key };
	s3_sign(&s, &keys, c->sign_cache, &a->authorization);
	add_header(a, "authorization", buf_str(&a->authorization));
}

static void prepare(struct s3_client *c, const struct s3_request *q, struct attempt *a)
{
	pthread_mutex_lock(&c->lock);
	memcpy(a->region, c->region, sizeof a->region);
	pthread_mutex_unlock(&c->lock);
	a->now_ms = c->now_ms();
	s3_time(a->now_ms, a->time);
	s3_endpoint_host(&c->config, a->region, &a->host);
	s3_endpoint_path(&c->config, q->name, &a->path);
	buf_printf(&a->url, "http%s://%s%s", c->config.insecure ? "" : "s", buf_str(&a->host),
		buf_str(&a->path));
	if (q->query && *q->query)
		buf_printf(&a->url, "?%s", q->query);
	sign(c, q, a);
}

/* True where the store named another region, which is taken from now on. */
static bool learn_region(struct s3_client *c, const struct attempt *a, const char *region)
{
	if (c->is_region_fixed || !*region || !strcmp(region, a->region))
		return false;
	pthread_mutex_lock(&c->lock);
	memcpy(c->region, region, strlen(region) + 1);
	pthread_mutex_unlock(&c->lock);
	log_info(
		"the S3 bucket's region was found out", KV("bucket", c->config.bucket), KV("region", region));
	return true;
}

static void trace(const struct s3_client *c, const struct s3_request *q, int r, int64_t us)
{
	if (c->config.trace.enable)
		log_debug("s3 request", KV("bucket", c->config.bucket), KV("method", q->method),
			KV("object", q->name), KV_I64("result", r), KV_U64("status", q->call.status),
			KV_U64("sent_bytes", q->body_bytes), KV_U64("received_bytes", q->call.got_bytes),
			KV_F64("seconds", (double)us / 1e6));
}

/* What begins every message: bucket, and what was being done with which object. */
static char *what_of(const struct s3_client *c, const struct s3_request *q)
{
	return q->name ? xasprintf("%s: %s %.200s", c->name, q->verb, q->name)
		       : xasprintf("%s: %s", c->name, q->verb);
}

static struct s3_answer answer_of(
	const struct s3_client *c, const struct s3_request *q, const struct attempt *a, const char *what)
{
	return (struct s3_answer){
		.call = &q->call,
		.body = &q->text,
		.is_of_object = q->name,
		.what = what,
		.bucket = c->config.bucket,
		.region = a->region,
		.credentials = *a->keys.access_key ? s3_credentials_source(c->credentials) : NULL,
		.now_ms = a->now_ms,
	};
}

/* What is left to the calling thread; 0: as long as it takes. A store that accepts and is silent must not outlast it. */
static int64_t time_left_ms(void)
{
	int64_t each_ms = deadline_get().each_ms, left_us = deadline_left_us();
	if (left_us == INT64_MAX)
		return each_ms;
	int64_t left_ms = MAX_OF(left_us / 1000, 1);
	return each_ms ? MIN_OF(each_ms, left_ms) : left_ms;
}

/* 1: the region was wrong and is known now, so try again. */
static int send_once(struct s3_client *c, struct s3_request *q, struct err *e)
{
	auto_free char *what = what_of(c, q);
	__attribute__((cleanup(attempt_fini))) struct attempt a = { 0 };
	prepare(c, q, &a);
	http_call_fini(&q->call);
	buf_reset(&q->text);
	q->call = (struct http_call){
		.method = q->method,
		.url = buf_str(&a.url),
		.headers = a.headers,
		.n_headers = a.n,
		.body = q->body,
		.body_at = q->body_at,
		.body_bytes = q->body_bytes,
		.into = q->into,
		.out = &q->text,
		.max_bytes = q->max_bytes,
		.timeout_ms = time_left_ms(),
		.stop = q->stop ? q->stop : c->stop,
	};
	int64_t began = clock_monotonic_us();
	int r = http_call(c->http, &q->call, e);
	struct s3_answer answer = answer_of(c, q, &a, what);
	if (r < 0)
		err_wrap(e, r, "%s", what);
	else
		r = s3_answer_judge(&answer, e);
	q->error = answer.error;
	trace(c, q, r, clock_monotonic_us() - began);
	request_metrics_add(q->operation, r < 0 && r != -ENOENT, q->body_bytes, q->call.got_bytes);
	q->call.url = NULL;
	q->call.headers = NULL; /* they end with this try */
	return r < 0 && learn_region(c, &a, answer.bucket_region) ? 1 : r;
}

int s3_request_send(struct s3_client *c, struct s3_request *q, struct err *e)
{
	int r = send_once(c, q, e);
	if (r > 0)
		r = send_once(c, q, e);
	return r > 0 ? -EAGAIN : r; /* another region again: `e` has the words */
}

int s3_request_late_error(struct s3_client *c, struct s3_request *q, struct err *e)
{
	auto_free char *what = what_of(c, q);
	struct attempt nothing = { .keys = { .access_key = (char[]){ "" } }, .now_ms = c->now_ms() };
	struct s3_answer answer = answer_of(c, q, &nothing, what);
	if (s3_xml_error(q->text.data, q->text.len, &answer.error) < 0)
		return 0;
	q->error = answer.error;
	return s3_answer_late_error(&answer, e);
}

const char *s3_request_answer(const struct s3_request *q, const char *name, char *out, size_t out_bytes)
{
	return http_call_header(&q->call, name, out, out_bytes);
}

void s3_request_fini(struct s3_request *q)
{
	http_call_fini(&q->call);
	buf_fini(&q->text);
}
