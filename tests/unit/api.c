/* SPDX-License-Identifier: Apache-2.0 */
#include "query/api.h"

#include "lib/net/http_client.h"
#include "tests/support/memory_source.h"
#include "tests/support/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct memory_source *data;
static struct api *api;
static struct http_server *server;
static struct http_client *client;
static struct buf body;
static unsigned status;

static void start_with(struct api_options o)
{
	const char *const labels[] = { "up{job=\"a\"}", "up{job=\"b\"}", "load{job=\"a\"}" };
	struct err e;
	data = memory_source_new();
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		size_t s = memory_source_series(data, labels[i]);
		for (int k = 0; k < 100; k++)
			memory_source_add(data, s, k * 10000, (double)(i + 1) * k / 2);
	}
	o.source = memory_source_of(data);
	o.promql.timeout_ms = o.promql.timeout_ms ? o.promql.timeout_ms : 60000;
	o.promql.threads = o.promql.threads ? o.promql.threads : 2;
	o.max_concurrency = 2;
	api = api_new(&o);
	struct http_server_options http = { .address = "127.0.0.1:0",
		.routes = api_routes,
		.arg = api,
		.max_head_bytes = API_MAX_HEAD_BYTES,
		.max_body_bytes = API_MAX_BODY_BYTES };
	CHECK_OK(http_server_open(&http, &server, &e), &e);
	CHECK_OK(http_client_new(&(struct http_client_options){ 0 }, &client, &e), &e);
	api_set_ready(api, true);
}

static void start(void)
{
	start_with((struct api_options){ 0 });
}

static void stop(void)
{
	http_client_free(client);
	http_server_close(server);
	api_free(api);
	memory_source_free(data);
	buf_fini(&body);
}

static const char *get_as(const char *method, const char *path, const struct http_header *headers, size_t n)
{
	auto_free char *url = xasprintf("http://127.0.0.1:%u%s", http_server_port(server), path);
	struct http_call call = { .method = method,
		.url = url,
		.headers = headers,
		.n_headers = n,
		.out = &body,
		.max_bytes = 10000000 };
	struct err e;
	buf_reset(&body);
	CHECK_OK(http_call(client, &call, &e), &e);
	status = call.status;
	http_call_fini(&call);
	return buf_str(&body);
}

static const char *get(const char *path)
{
	return get_as("GET", path, NULL, 0);
}

TEST(a_vector_has_a_value_a_series)
{
	start();
	CHECK_STR(get("/api/v1/query?query=up&time=15.5"),
		"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
		"{\"metric\":{\"__name__\":\"up\",\"job\":\"a\"},\"value\":[15.500,\"0.5\"]},"
		"{\"metric\":{\"__name__\":\"up\",\"job\":\"b\"},\"value\":[15.500,\"1\"]}]}}");
	CHECK_INT(status, 200);
	CHECK_HAS(get("/api/v1/query?query=nosuch&time=15"), "\"result\":[]}}");
	CHECK_HAS(get("/api/v1/query?query=1%2B1&time=1.5"),
		"{\"resultType\":\"scalar\",\"result\":[1.5,\"2\"]}");
	CHECK_HAS(get("/api/v1/query?query=%22x%22&time=1"),
		"{\"resultType\":\"string\",\"result\":[1,\"x\"]}");
	CHECK_HAS(get("/api/v1/query?query=load%5B15s%5D&time=20"),
		"{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"load\",\"job\":\"a\"},"
		"\"values\":[[10,\"1.5\"],[20,"
		"\"3\"]]}]}");
	stop();
}

TEST(a_matrix_has_values_at_every_step)
{
	start();
	CHECK_STR(get("/api/v1/query_range?query=sum(up)&start=0&end=20&step=10"),
		"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
		"{\"metric\":{},\"values\":[[0,\"0\"],[10,\"1.5\"],[20,\"3\"]]}]}}");
	stop();
}

TEST(a_series_may_be_longer_than_a_thread_encodes)
{
	start();
	size_t s = memory_source_series(data, "long");
	for (int k = 0; k < 40000; k++)
		memory_source_add(data, s, k * 1000, k);
	const char *got = get("/api/v1/query?query=%7B__name__%3D~%22load%7Clong%22%7D%5B1d%5D&time=40000");
	CHECK_INT(status, 200);
	size_t n = 0;
	for (const char *p = got; (p = strstr(p, "\"],[")); p++)
		n++;
	CHECK_INT(n, 40000 - 1 + 100 - 1);
	CHECK_HAS(got, "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"load\",\"job\":"
		       "\"a\"},\"values\":[[0,\"0\"],");
	CHECK_HAS(got,
		"[990,\"148.5\"]]},{\"metric\":{\"__name__\":\"long\"},\"values\":[[0,\"0\"],[1,\"1\"],");
	CHECK_HAS(got, "[39999,\"39999\"]]}]}}");
	stop();
}

TEST(a_limit_cuts_and_says_so)
{
	start();
	CHECK_HAS(get("/api/v1/query?query=up&time=15&limit=1"),
		"\"value\":[15,\"0.5\"]}]},\"warnings\":[\"results truncated due to limit\"]}");
	CHECK(!strstr(get("/api/v1/query?query=up&time=15&limit=2"), "warnings"));
	CHECK_HAS(get("/api/v1/labels?limit=1"),
		"[\"__name__\"],\"warnings\":[\"results truncated due to limit\"]}");
	CHECK_HAS(get("/api/v1/series?match%5B%5D=up&limit=1"), "\"job\":\"a\"}],\"warnings\":[");
	stop();
}

TEST(annotations_stand_behind_the_data)
{
	start();
	CHECK_HAS(get("/api/v1/query?query=rate(up%5B5m%5D)&time=100"), "\"infos\":[\"PromQL info: ");
	CHECK_HAS(get("/api/v1/query?query=quantile(7,up)&time=100"), "\"warnings\":[\"PromQL warning: ");
	stop();
}

TEST(statistics_come_where_they_are_asked_for)
{
	start();
	CHECK(!strstr(get("/api/v1/query?query=up&time=15"), "stats"));
	CHECK_HAS(get("/api/v1/query?query=up&time=15&stats=all"),
		"\"stats\":{\"timings\":{\"evalTotalTime\":");
	CHECK_HAS(buf_str(&body), "\"peakSamples\":");
	CHECK_HAS(get("/api/v1/query?query=up&time=15&stats=x"),
		"value \\\"x\\\" for parameter \\\"stats\\\" is deprecated");
	stop();
}

TEST(errors_have_prometheus_types_statuses_and_words)
{
	static const struct {
		const char *path;
		unsigned status;
		const char *type, *words;
	} table[] = {
		{ "/query?query=up(", 400, "bad_data",
			"invalid parameter \\\"query\\\": 1:4: parse error: " },
		{ "/query", 400, "bad_data", "no expression found in input" },
		{ "/query?query=1&time=x", 400, "bad_data",
			"invalid parameter \\\"time\\\": invalid time value for 'time': cannot parse "
			"\\\"x\\\" to a valid timestamp" },
		{ "/query?query=1&timeout=x", 400, "bad_data",
			"invalid parameter \\\"timeout\\\": cannot parse \\\"x\\\"" },
		{ "/query?query=1&limit=x", 400, "bad_data",
			"invalid parameter \\\"limit\\\": strconv.Atoi" },
		{ "/query?query=1&lookback_delta=x", 400, "bad_data",
			"error parsing lookback delta duration: " },
		{ "/query_range?query=1&end=1&step=1", 400, "bad_data",
			"invalid parameter \\\"start\\\": cannot parse \\\"\\\"" },
		{ "/query_range?query=1&start=2&end=1&step=1", 400, "bad_data",
			"invalid parameter \\\"end\\\": end timestamp must not be before start time" },
		{ "/query_range?query=1&start=1&end=1&step=0", 400, "bad_data",
			"zero or negative query resolution step" },
		{ "/query_range?query=1&start=0&end=11001&step=1", 400, "bad_data",
			"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
			"query resolution (?step=XX)" },
		{ "/query_range?query=up%5B1m%5D&start=0&end=1&step=1", 400, "bad_data",
			"invalid parameter \\\"query\\\": invalid expression type \\\"range vector\\\" for "
			"range query" },
		{ "/query?query=up%2Bon()load%2Bon()up&time=15", 422, "execution",
			"many-to-one matching must be explicit" },
		{ "/series", 400, "bad_data", "no match[] parameter provided" },
		{ "/series?match%5B%5D=%7B%7D", 400, "bad_data",
			"invalid parameter \\\"match[]\\\": match[] must contain at least one non-empty "
			"matcher" },
		{ "/series?match%5B%5D=up&x=%zz", 400, "bad_data",
			"error parsing form values: invalid URL escape \\\"%zz\\\"" },
		{ "/labels?match%5B%5D=up%7B", 400, "bad_data", "\"error\":\"1:4: parse error: " },
		{ "/labels?start=x", 400, "bad_data", "invalid time value for 'start'" },
		{ "/label/%FF/values", 400, "bad_data", "invalid label name: \\\"\\\\xff\\\"" },
		{ "/format_query?query=(", 400, "bad_data", "parse error" },
		{ "/query_exemplars?query=up&start=2&end=1", 400, "bad_data",
			"end timestamp must not be before start timestamp" },
		{ "/status/tsdb?limit=0", 400, "bad_data", "limit must be a positive number" },
		{ "/status/tsdb?limit=10001", 400, "bad_data", "limit must not exceed 10000" },
	};
	start();
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *path = xasprintf("/api/v1%s", table[i].path);
		auto_free char *head =
			xasprintf("{\"status\":\"error\",\"errorType\":\"%s\",\"error\":\"", table[i].type);
		CHECK_HAS(get(path), head);
		CHECK_HAS(buf_str(&body), table[i].words);
		CHECK_INT(status, table[i].status);
	}
	stop();
}

TEST(a_source_that_fails_fails_the_execution_as_upstream_has_it)
{
	start();
	memory_source_fail(data, "the disk is gone");
	CHECK_HAS(get("/api/v1/query?query=up&time=15"), "\"errorType\":\"execution\"");
	CHECK_HAS(buf_str(&body), "the disk is gone");
	CHECK_INT(status, 422);
	stop();
}

TEST(too_many_samples_and_too_much_memory_are_refused)
{
	start_with((struct api_options){ .promql.max_samples = 10 });
	CHECK_HAS(get("/api/v1/query_range?query=up&start=0&end=900&step=10"), "too many samples");
	CHECK_INT(status, 422);
	stop();
	start_with((struct api_options){ .promql.memory_limit = 1000 });
	CHECK_HAS(get("/api/v1/query_range?query=sum(up)&start=0&end=900&step=1"),
		"\"errorType\":\"execution\"");
	CHECK_INT(status, 422);
	stop();
}

TEST(a_query_that_takes_too_long_times_out)
{
	/* Between the two series it is noticed. */
	start_with((struct api_options){ .promql.threads = 1 });
	CHECK_HAS(get("/api/v1/"
		      "query_range?query=count_over_time(up%5B900s:10ms%5D)&start=0&end=10000&step=1&timeout="
		      "1ms"),
		"\"errorType\":\"timeout\"");
	CHECK_INT(status, 503);
	stop();
}

/* Asks for an answer of 14 MB, and reads nothing of it. In HTTP/1.0, so that it comes without chunks. */
static int ask_for_much(void)
{
	auto_buf struct buf query = { 0 }, request = { 0 };
	buf_add_str(&query, "query=up");
	for (int i = 0; i < 30; i++)
		buf_printf(&query, "+or+label_replace(up,\"x\",\"%d\",\"\",\"\")", i);
	buf_add_str(&query, "&start=0&end=1099.9&step=0.1");
	buf_printf(&request,
		"POST /api/v1/query_range HTTP/1.0\r\nHost: x\r\nContent-Length: %zu\r\n"
		"Content-Type: application/x-www-form-urlencoded\r\n\r\n%s",
		query.len, buf_str(&query));
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(http_server_port(server)) };
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
	CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	CHECK_INT(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	CHECK_INT(write(fd, request.data, request.len), request.len);
	return fd;
}

TEST(clients_that_do_not_read_keep_no_turn_and_get_it_all_when_they_do)
{
	int fds[6];
	start_with((struct api_options){ .promql.timeout_ms = 30000 });
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ask_for_much();
	/* Each of them begins to answer, which takes a turn. */
	char head[16];
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		CHECK_INT(recv(fds[i], head, sizeof head - 1, MSG_WAITALL), sizeof head - 1);
	CHECK_HAS(get("/api/v1/query?query=up&time=10"), "\"status\":\"success\"");
	CHECK_INT(status, 200);
	auto_buf struct buf got = { 0 };
	for (ssize_t n = 1; n > 0; got.len += (size_t)MAX_OF(n, 0))
		n = read(fds[0], buf_reserve(&got, 1 << 20), 1 << 20);
	CHECK(got.len > 10000000);
	CHECK_STR(buf_str(&got) + got.len - 6, "]]}]}}");
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	stop();
}

TEST(labels_values_and_series_are_found)
{
	start();
	CHECK_HAS(get("/api/v1/labels"), "\"data\":[\"__name__\",\"job\"]}");
	CHECK_HAS(get("/api/v1/label/job/values"), "\"data\":[\"a\",\"b\"]}");
	CHECK_HAS(get("/api/v1/label/U__job/values"), "\"data\":[\"a\",\"b\"]}");
	CHECK_HAS(get("/api/v1/label/__name__/values?match%5B%5D=%7Bjob=%22b%22%7D"), "\"data\":[\"up\"]}");
	CHECK_HAS(get("/api/v1/label/__name__/values?match%5B%5D=up&match%5B%5D=load"),
		"\"data\":[\"load\",\"up\"]}");
	CHECK_HAS(get("/api/v1/label/nosuch/values"), "\"data\":[]}");
	CHECK_HAS(get("/api/v1/series?match%5B%5D=load&match%5B%5D=%7Bjob=%22a%22%7D"),
		"\"data\":[{\"__name__\":\"load\",\"job\":\"a\"},{\"__name__\":\"up\",\"job\":\"a\"}]}");
	stop();
}

TEST(expressions_are_printed_parsed_and_explained)
{
	start();
	CHECK_HAS(get("/api/v1/format_query?query=up%2Bup"), "\"data\":\"up + up\"}");
	CHECK_HAS(get("/api/v1/parse_query?query=1"), "\"data\":{\"type\":\"numberLiteral\",\"val\":\"1\"}}");
	CHECK_HAS(get("/api/v1/query_explain?query=sum(up)"), "\"data\":{\"plan\":\"");
	CHECK_HAS(get("/api/v1/query_range_explain?query=sum(up)&start=0&end=1&step=1"),
		"\"data\":{\"plan\":\"");
	stop();
}

TEST(clients_find_what_they_probe_for)
{
	static const char *const empty[][2] = { { "metadata", "{}" }, { "rules", "{\"groups\":[]}" },
		{ "alerts", "{\"alerts\":[]}" }, { "query_exemplars?query=up", "[]" },
		{ "targets", "{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}" },
		{ "alertmanagers", "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}" },
		{ "status/walreplay", "{\"min\":0,\"max\":0,\"current\":0}" },
		{ "status/config", "{\"yaml\":\"\"}" } };
	start();
	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		auto_free char *path = xasprintf("/api/v1/%s", empty[i][0]);
		auto_free char *want = xasprintf("{\"status\":\"success\",\"data\":%s}", empty[i][1]);
		CHECK_STR(get(path), want);
	}
	CHECK_HAS(get("/api/v1/status/buildinfo"), "{\"version\":\"3.");
	CHECK_HAS(get("/api/v1/status/tsdb"), "{\"headStats\":{\"numSeries\":0,");
	CHECK_HAS(get("/api/v1/status/runtimeinfo"), "\"startTime\":\"20");
	CHECK_HAS(get("/metrics"), "thanosfs_query_queries_total");
	CHECK_STR(get("/api/v1/rules/test/test"), "404 page not found\n");
	CHECK_INT(status, 404);
	get("/-/healthy");
	CHECK_INT(status, 200);
	get("/-/reload");
	CHECK_INT(status, 405);
	get_as("POST", "/-/reload", NULL, 0);
	CHECK_INT(status, 200);
	get_as("PUT", "/api/v1/query", NULL, 0);
	CHECK_INT(status, 405);
	stop();
}

TEST(before_it_is_ready_nothing_is_answered)
{
	start();
	api_set_ready(api, false);
	CHECK_STR(get("/api/v1/query?query=1"), "Service Unavailable");
	CHECK_INT(status, 503);
	get("/-/ready");
	CHECK_INT(status, 503);
	get_as("POST", "/-/reload", NULL, 0);
	CHECK_INT(status, 503);
	get("/-/healthy");
	CHECK_INT(status, 200);
	stop();
}

static const char *header_of(const char *origin, const char *name, char *out, size_t n)
{
	auto_free char *url = xasprintf("http://127.0.0.1:%u/api/v1/query?query=1", http_server_port(server));
	struct http_header h = { "Origin", origin };
	struct http_call call = {
		.method = "GET", .url = url, .headers = &h, .n_headers = 1, .max_bytes = 1000
	};
	struct err e;
	CHECK_OK(http_call(client, &call, &e), &e);
	const char *value = http_call_header(&call, name, out, n);
	http_call_fini(&call);
	return value;
}

static int no_reload(void *arg, struct err *e)
{
	(void)arg;
	return err_set(e, -EINVAL, "web.yml:3: is no map");
}

TEST(a_reload_that_fails_says_why_and_shows)
{
	start();
	get_as("PUT", "/-/reload", NULL, 0);
	CHECK_INT(status, 200);
	CHECK_HAS(get("/metrics"), "thanosfs_query_config_last_reload_successful 1\n");
	stop();
	start_with((struct api_options){ .reload = no_reload });
	CHECK_HAS(get("/api/v1/status/runtimeinfo"), "\"reloadConfigSuccess\":true");
	CHECK_STR(get_as("POST", "/-/reload", NULL, 0), "failed to reload config: web.yml:3: is no map\n");
	CHECK_INT(status, 500);
	CHECK_HAS(get("/metrics"), "thanosfs_query_config_last_reload_successful 0\n");
	CHECK_HAS(get("/api/v1/status/runtimeinfo"), "\"reloadConfigSuccess\":false");
	stop();
}

TEST(pages_of_the_origins_that_may_are_let_in)
{
	auto_of(regex) struct regex *r = NULL;
	struct err e;
	char value[100];
	CHECK_OK(regex_compile("https://.*\\.example", 19, &r, &e), &e);
	start_with((struct api_options){ .cors_origin = r });
	CHECK_STR(header_of("https://a.example", "access-control-allow-origin", value, sizeof value),
		"https://a.example");
	CHECK(!header_of("https://evil", "access-control-allow-origin", value, sizeof value));
	CHECK_STR(header_of("https://evil", "vary", value, sizeof value), "Origin");
	stop();
	start_with((struct api_options){ .cors_any = true });
	CHECK_STR(header_of("https://a", "access-control-allow-origin", value, sizeof value), "*");
	get_as("OPTIONS", "/api/v1/query", NULL, 0);
	CHECK_INT(status, 204);
	stop();
}

TEST_MAIN()
