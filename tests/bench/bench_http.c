/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP client against a server on loopback, in this process, whose threads share the processors with it: the time of a
 * call over a warm connection (median and 99th percentile of one caller's calls), the calls a second of 64 and 256
 * callers, and the bytes a second of 4 callers that fetch 8 MiB each.
 */
#include "lib/base/clock.h"
#include "lib/net/http_client.h"
#include "tests/support/http_script.h"

#include <pthread.h>
#include <stdio.h>

#define WARM_CALLS  20000
#define TOTAL_CALLS 64000
#define LARGE_BYTES (8u << 20)
#define LARGE_CALLS 50
#define MAX_CALLERS 256

static const struct script_route routes[] = {
	{ "/small", .steps = { SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nhello") } },
	{ "/large",
		.steps = { SEND("HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n"), BYTES(LARGE_BYTES) } },
	{ .path = NULL },
};

struct caller {
	struct http_client *client;
	const char *url;
	pthread_t thread;
	unsigned calls;
	int64_t *took_us; /* NULL: not asked for */
	size_t max_bytes;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;
	auto_free uint8_t *into = xmalloc(c->max_bytes);
	struct err e;
	for (unsigned i = 0; i < c->calls; i++) {
		struct http_call call = {
			.method = "GET", .url = c->url, .into = into, .max_bytes = c->max_bytes
		};
		int64_t began = clock_monotonic_us();
		if (http_call(c->client, &call, &e) < 0) {
			fprintf(stderr, "bench_http: %s\n", e.msg);
			exit(1);
		}
		if (c->took_us)
			c->took_us[i] = clock_monotonic_us() - began;
		http_call_fini(&call);
	}
	return NULL;
}

/* Seconds that so many callers took. */
static double run(struct caller like, unsigned callers)
{
	static struct caller c[MAX_CALLERS];
	int64_t began = clock_monotonic_us();
	for (unsigned i = 0; i < callers; i++) {
		c[i] = like;
		if (pthread_create(&c[i].thread, NULL, call_often, &c[i]) != 0)
			exit(1);
	}
	for (unsigned i = 0; i < callers; i++)
		pthread_join(c[i].thread, NULL);
	return (double)(clock_monotonic_us() - began) / 1e6;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

int main(void)
{
	struct err e;
	auto_of(http_script) struct http_script *s = http_script_open(routes, NULL);
	auto_of(http_client) struct http_client *client = NULL;
	if (http_client_new(&(struct http_client_options){ 0 }, &client, &e) < 0) {
		fprintf(stderr, "bench_http: %s\n", e.msg);
		return 1;
	}
	auto_free char *small = xasprintf("http://127.0.0.1:%u/small", http_script_port(s));
	auto_free char *large = xasprintf("http://127.0.0.1:%u/large", http_script_port(s));
	auto_free int64_t *took = xcalloc(WARM_CALLS, sizeof *took);
	struct caller one = {
		.client = client, .url = small, .calls = WARM_CALLS, .took_us = took, .max_bytes = 64
	};
	run(one, 1);
	qsort(took, WARM_CALLS, sizeof *took, by_time);
	printf("http_warm_call_us_median %lld\n", (long long)took[WARM_CALLS / 2]);
	printf("http_warm_call_us_p99 %lld\n", (long long)took[WARM_CALLS / 100 * 99]);
	one.took_us = NULL;
	for (unsigned callers = 64; callers <= MAX_CALLERS; callers *= 4) {
		one.calls = TOTAL_CALLS / callers;
		run((struct caller){ .client = client, .url = small, .calls = 10, .max_bytes = 64 }, callers);
		printf("http_calls_per_second_of_%u %.0f\n", callers, TOTAL_CALLS / run(one, callers));
	}
	struct caller big = {
		.client = client, .url = large, .calls = LARGE_CALLS, .max_bytes = LARGE_BYTES
	};
	printf("http_bytes_per_second_of_4 %.0f\n", 4.0 * LARGE_CALLS * LARGE_BYTES / run(big, 4));
	return 0;
}
