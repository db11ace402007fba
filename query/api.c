/* SPDX-License-Identifier: Apache-2.0 */
/* Which path is which endpoint. What a query server has nothing of (rules, alerts, targets) is answered empty, as clients ask for it. */
#include "query/api.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/net/http_metrics.h"
#include "query/api_endpoints.h"

METRIC_GAUGE(most_queries, "thanosfs_query_max_concurrency", "Queries that may run at a time.");

METRIC_GAUGE(reload_successful, "thanosfs_query_config_last_reload_successful",
	"Whether the web configuration could be read the last time.");
METRIC_GAUGE(reload_time, "thanosfs_query_config_last_reload_success_timestamp_seconds",
	"When the web configuration was last read.");

static void note_reload(struct api *a, bool is_good)
{
	atomic_store(&a->reload_is_good, is_good);
	metric_set(reload_successful, is_good);
	if (is_good) {
		atomic_store(&a->reloaded_ms, clock_unix_ms());
		metric_set(reload_time, (uint64_t)clock_unix_ms() / 1000);
	}
}

struct api *api_new(const struct api_options *o)
{
	struct api *a = xcalloc(1, sizeof *a);
	a->o = *o;
	a->admission = admission_new(MAX_OF(o->max_concurrency, 1u));
	a->began_unix_ms = clock_unix_ms();
	metric_set(most_queries, MAX_OF(o->max_concurrency, 1u));
	pthread_mutex_init(&a->reloading, NULL);
	note_reload(a, true);
	return a;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	admission_free(a->admission);
	pthread_mutex_destroy(&a->reloading);
	free(a);
}

int api_reload(struct api *a, struct err *e)
{
	pthread_mutex_lock(&a->reloading);
	int r = a->o.reload ? a->o.reload(a->o.reload_arg, e) : 0;
	note_reload(a, r == 0);
	pthread_mutex_unlock(&a->reloading);
	if (r < 0)
		log_error("configuration not taken up, the one before holds", KV("err", e->msg));
	else
		log_info("configuration taken up");
	return r;
}

void api_set_ready(struct api *a, bool is_ready)
{
	atomic_store(&a->is_ready, is_ready);
}

#define ENDPOINT(name)                                                                              \
	static bool serve_##name(void *arg, const struct http_request *q, struct http_reply *reply) \
	{                                                                                           \
		return api_call_run(arg, q, reply, api_##name);                                     \
	}

ENDPOINT(query)
ENDPOINT(query_range)
ENDPOINT(query_explain)
ENDPOINT(query_range_explain)
ENDPOINT(query_exemplars)
ENDPOINT(format_query)
ENDPOINT(parse_query)
ENDPOINT(labels)
ENDPOINT(label_values)
ENDPOINT(series)
ENDPOINT(buildinfo)
ENDPOINT(runtimeinfo)
ENDPOINT(config)
ENDPOINT(flags)
ENDPOINT(tsdb)
ENDPOINT(walreplay)
ENDPOINT(features)

#define CONSTANT(name, json)                       \
	static void api_##name(struct api_call *c) \
	{                                          \
		api_call_give(c, json);            \
	}                                          \
	ENDPOINT(name)

CONSTANT(metadata, "{}")
CONSTANT(rules, "{\"groups\":[]}")
CONSTANT(alerts, "{\"alerts\":[]}")
CONSTANT(targets, "{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}")
CONSTANT(targets_metadata, "[]")
CONSTANT(scrape_pools, "{\"scrapePools\":[]}")
CONSTANT(alertmanagers, "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}")
CONSTANT(notifications, "[]")
CONSTANT(stores, "{}")

/* A browser asks before it sends a request of another origin's page. */
static void api_options_answer(struct api_call *c)
{
	http_reply_status(c->reply, 204);
	http_reply_header(c->reply, "Content-Type", NULL);
}

static bool serve_options(void *arg, const struct http_request *q, struct http_reply *reply)
{
	return api_call_run(arg, q, reply, api_options_answer);
}

static bool serve_federate(void *arg, const struct http_request *q, struct http_reply *reply)
{
	return api_federate(arg, q, reply);
}

static void answer_healthy(void *arg, const struct http_request *q, struct http_response *out)
{
	(void)arg, (void)q;
	buf_add_str(&out->body, "thanosfs query is Healthy.\n");
}

static void answer_ready(void *arg, const struct http_request *q, struct http_response *out)
{
	bool is_ready = atomic_load(&((struct api *)arg)->is_ready);
	(void)q;
	out->status = is_ready ? 200 : 503;
	buf_add_str(&out->body, is_ready ? "thanosfs query is Ready.\n" : "Service Unavailable");
}

static bool serve_reload(void *arg, const struct http_request *q, struct http_reply *reply)
{
	struct err e;
	if (!(http_request_method(q) & (HTTP_POST | HTTP_PUT))) {
		http_reply_status(reply, 405);
		buf_add_str(http_reply_body(reply), "Only POST or PUT requests allowed");
	} else if (!atomic_load(&((struct api *)arg)->is_ready)) {
		/* Who started the server may not have it in hand yet. */
		http_reply_status(reply, 503);
		buf_add_str(http_reply_body(reply), "Service Unavailable");
	} else if (api_reload(arg, &e) < 0) {
		http_reply_status(reply, 500);
		buf_printf(http_reply_body(reply), "failed to reload config: %s\n", e.msg);
	}
	return true;
}

static void answer_root(void *arg, const struct http_request *q, struct http_response *out)
{
	const struct api *a = arg;
	(void)q;
	buf_printf(&out->body, "thanosfs query " THANOSFS_VERSION "\nPrometheus' HTTP API: %s/api/v1/\n",
		a->o.external_prefix ? a->o.external_prefix : "");
}

#define FORM (HTTP_GET | HTTP_POST)
#define API  "/api/v1"

const struct http_route api_routes[] = { { API "/query", FORM, .stream = serve_query },
	{ API "/query_range", FORM, .stream = serve_query_range },
	{ API "/query_explain", FORM, .stream = serve_query_explain },
	{ API "/query_range_explain", FORM, .stream = serve_query_range_explain },
	{ API "/query_exemplars", FORM, .stream = serve_query_exemplars },
	{ API "/format_query", FORM, .stream = serve_format_query },
	{ API "/parse_query", FORM, .stream = serve_parse_query },
	{ API "/series", FORM, .stream = serve_series }, { API "/labels", FORM, .stream = serve_labels },
	{ API "/label/*/values", HTTP_GET, .stream = serve_label_values },
	{ API "/metadata", HTTP_GET, .stream = serve_metadata },
	{ API "/rules", HTTP_GET, .stream = serve_rules },
	{ API "/alerts", HTTP_GET, .stream = serve_alerts },
	{ API "/targets", HTTP_GET, .stream = serve_targets },
	{ API "/targets/metadata", HTTP_GET, .stream = serve_targets_metadata },
	{ API "/scrape_pools", HTTP_GET, .stream = serve_scrape_pools },
	{ API "/alertmanagers", HTTP_GET, .stream = serve_alertmanagers },
	{ API "/notifications", HTTP_GET, .stream = serve_notifications },
	{ API "/stores", HTTP_GET, .stream = serve_stores },
	{ API "/features", HTTP_GET, .stream = serve_features },
	{ API "/status/buildinfo", HTTP_GET, .stream = serve_buildinfo },
	{ API "/status/runtimeinfo", HTTP_GET, .stream = serve_runtimeinfo },
	{ API "/status/config", HTTP_GET, .stream = serve_config },
	{ API "/status/flags", HTTP_GET, .stream = serve_flags },
	{ API "/status/tsdb", HTTP_GET, .stream = serve_tsdb },
	{ API "/status/walreplay", HTTP_GET, .stream = serve_walreplay },
	{ API "/**", HTTP_OPTIONS, .stream = serve_options },
	{ "/federate", HTTP_GET, .stream = serve_federate }, { "/metrics", .answer = http_metrics_answer },
	{ "/-/healthy", .answer = answer_healthy }, { "/-/ready", .answer = answer_ready },
	{ "/-/reload", HTTP_GET | HTTP_POST | HTTP_PUT, .stream = serve_reload },
	{ "/", .answer = answer_root }, { 0 } };
