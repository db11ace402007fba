/* SPDX-License-Identifier: Apache-2.0 */
/* What the server says of itself: /status/.... */
#include "lib/base/clock.h"
#include "lib/base/duration.h"
#include "lib/base/interrupt.h"
#include "query/api_endpoints.h"

#include <errno.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Clients choose by it what they ask for. */
#define API_VERSION "3.14.0"

#define TSDB_LIMIT_DEFAULT 10
#define TSDB_LIMIT_MOST    10000

static void end(struct api_call *c)
{
	json_write_object_end(&c->w);
	api_call_end(c, NULL, (struct text){ 0 });
}

void api_buildinfo(struct api_call *c)
{
	api_call_begin(c);
	json_write_object(&c->w);
	json_write_key_str(&c->w, "version", API_VERSION "+thanosfs." THANOSFS_VERSION);
	json_write_key_str(&c->w, "revision", "");
	json_write_key_str(&c->w, "branch", "");
	json_write_key_str(&c->w, "buildUser", "");
	json_write_key_str(&c->w, "buildDate", "");
	json_write_key_str(&c->w, "goVersion", "");
	end(c);
}

void api_runtimeinfo(struct api_call *c)
{
	char began[DURATION_CHARS], now[DURATION_CHARS], reloaded[DURATION_CHARS];
	auto_free char *here = getcwd(NULL, 0);
	struct utsname system = { .nodename = "" };
	uname(&system);
	api_call_begin(c);
	json_write_object(&c->w);
	json_write_key_str(&c->w, "startTime", time_format(c->api->began_unix_ms, began));
	json_write_key_str(&c->w, "CWD", here ? here : "");
	json_write_key_str(&c->w, "hostname", system.nodename);
	json_write_key_str(&c->w, "serverTime", time_format(clock_unix_ms(), now));
	json_write_key_bool(&c->w, "reloadConfigSuccess", atomic_load(&c->api->reload_is_good));
	json_write_key_str(&c->w, "lastConfigTime", time_format(atomic_load(&c->api->reloaded_ms), reloaded));
	json_write_key_u64(&c->w, "corruptionCount", 0);
	json_write_key_u64(&c->w, "goroutineCount", 0);
	json_write_key_i64(&c->w, "GOMAXPROCS", sysconf(_SC_NPROCESSORS_ONLN));
	json_write_key_u64(&c->w, "GOMEMLIMIT", c->api->o.promql.memory_limit);
	json_write_key_str(&c->w, "GOGC", "");
	json_write_key_str(&c->w, "GODEBUG", "");
	json_write_key_str(&c->w, "storageRetention", "");
	json_write_key_u64(&c->w, "runningQueries", admission_running(c->api->admission));
	json_write_key_u64(&c->w, "waitingQueries", admission_waiting(c->api->admission));
	end(c);
}

void api_config(struct api_call *c)
{
	api_call_give(c, "{\"yaml\":\"\"}");
}

void api_flags(struct api_call *c)
{
	api_call_give(c, c->api->o.flags_json ? c->api->o.flags_json : "{}");
}

void api_walreplay(struct api_call *c)
{
	api_call_give(c, "{\"min\":0,\"max\":0,\"current\":0}");
}

void api_features(struct api_call *c)
{
	const struct promql_features *f = &c->api->o.promql.features;
	auto_buf struct buf b = { 0 };
	buf_printf(&b,
		"{\"api\":{\"label_values_match\":true,\"query_stats\":true,\"query_warnings\":true,\"time_"
		"range_labels\":true,"
		"\"time_range_series\":true},\"promql\":{\"duration_expr\":%s,\"experimental_functions\":%s,"
		"\"extended_range_selectors\":%s,\"fill_modifiers\":%s}}",
		f->duration_expressions ? "true" : "false", f->experimental_functions ? "true" : "false",
		f->extended_ranges ? "true" : "false", f->fill_modifiers ? "true" : "false");
	api_call_give(c, buf_str(&b));
}

static void write_top(struct api_call *c, const char *key, const struct source_top *top)
{
	json_write_key(&c->w, key);
	json_write_array(&c->w);
	for (size_t i = 0; i < top->n; i++) {
		json_write_object(&c->w);
		json_write_key(&c->w, "name");
		json_write_str_n(&c->w, top->list[i].name.p, top->list[i].name.len);
		json_write_key_u64(&c->w, "value", top->list[i].value);
		json_write_object_end(&c->w);
	}
	json_write_array_end(&c->w);
}

static int is_over(void *arg)
{
	struct api_call *c = arg;
	if (atomic_load(http_reply_is_gone(c->reply)))
		return -ECANCELED;
	return budget_is_exceeded(&c->budget) ? -ENOMEM : 0;
}

static int read_stats(struct api_call *c, struct source_stats *out, struct err *e)
{
	struct series_source *s = c->api->o.source;
	struct interrupt mine = { .ask = is_over, .arg = c }, *before = interrupt_enter(&mine);
	int r = s->ops->stats ? s->ops->stats(s, c->arena, out, e) : 0;
	interrupt_leave(before);
	if (budget_is_exceeded(&c->budget))
		r = err_set(e, -ENOMEM, "the request takes more memory than --query.memory-limit allows");
	return r;
}

/* There is no head: the newest block stands for it. */
void api_tsdb(struct api_call *c)
{
	const char *text = api_call_param(c, "limit");
	size_t limit = TSDB_LIMIT_DEFAULT;
	struct source_stats stats;
	struct err e;
	if (*text) {
		bool is_number = strspn(text, "0123456789") == strlen(text) && strlen(text) < 10;
		limit = is_number ? strtoul(text, NULL, 10) : 0;
		if (limit < 1) {
			api_call_fail(c, API_BAD_DATA, "limit must be a positive number");
			return;
		}
		if (limit > TSDB_LIMIT_MOST) {
			api_call_fail(c, API_BAD_DATA, "limit must not exceed %d", TSDB_LIMIT_MOST);
			return;
		}
	}
	source_stats_init(&stats, limit, c->arena);
	int r = read_stats(c, &stats, &e);
	if (r < 0) {
		api_call_fail_source(c, r, &e);
		return;
	}
	api_call_begin(c);
	json_write_object(&c->w);
	json_write_key(&c->w, "headStats");
	json_write_object(&c->w);
	json_write_key_u64(&c->w, "numSeries", stats.series);
	json_write_key_u64(&c->w, "numLabelPairs", stats.label_pairs);
	json_write_key_u64(&c->w, "chunkCount", stats.chunks);
	json_write_key_i64(&c->w, "minTime", stats.min_time);
	json_write_key_i64(&c->w, "maxTime", stats.max_time);
	json_write_object_end(&c->w);
	write_top(c, "seriesCountByMetricName", &stats.series_by_metric);
	write_top(c, "labelValueCountByLabelName", &stats.values_by_name);
	write_top(c, "memoryInBytesByLabelName", &stats.bytes_by_name);
	write_top(c, "seriesCountByLabelValuePair", &stats.series_by_pair);
	end(c);
}
