/* SPDX-License-Identifier: Apache-2.0 */
/* Instant and range queries, and their plans: /query, /query_range, /query_explain, /query_range_explain. */
#include "lib/base/clock.h"
#include "lib/base/go_float.h"
#include "lib/base/metrics.h"
#include "lib/base/quote.h"
#include "query/api_endpoints.h"
#include "query/api_params.h"
#include "query/result_json.h"

#include <errno.h>
#include <malloc.h>

#define STEPS_MOST 11000
#define TRIM_BYTES (64u << 20)
#define ALONE_US   500 /* what a query takes that isn't worth threads: to start and end them is a fifth of it */

METRIC_FAMILY(
	queries, METRIC_TYPE_COUNTER, "thanosfs_query_queries_total", "Queries by how they ended.", "result");

struct asked {
	struct promql_query query;
	struct promql_options options;
	uint64_t limit; /* of series; 0: none */
	int64_t queued_us;
};

/* The sink's side of an answer. */
struct writing {
	struct api_call *c;
	enum value_type type;
	uint64_t series, limit;
	bool has_begun, is_truncated;
	bool has_turn; /* in the admission */
	atomic_bool is_waiting;
};

#define PATIENCE_MS   100
#define ENCODED_BYTES (1u << 20) /* that a series is at most, to be encoded by the thread that computed it */
#define LABELS_BYTES  256u       /* of text, about */
#define POINT_BYTES   32u

/*
 * A turn is for computing: who lets the answer wait waits without one, and others take theirs. A client that takes more than a moment for
 * what is there is slow; the others aren't worth the queueing.
 */
static int hand_over(void *arg)
{
	struct writing *w = arg;
	struct http_reply *reply = w->c->reply;
	int r = http_reply_offer(reply);
	if (r > 0)
		r = http_reply_wait_for_room(reply, PATIENCE_MS);
	if (r <= 0)
		return r;
	atomic_store(&w->is_waiting, true);
	admission_leave(w->c->api->admission);
	w->has_turn = false;
	r = http_reply_wait_for_room(reply, -1);
	if (r == 0)
		r = admission_enter(w->c->api->admission, INT64_MAX, http_reply_is_gone(reply));
	w->has_turn = r == 0;
	atomic_store(&w->is_waiting, false);
	return r;
}

static int begin(void *arg, enum value_type type)
{
	struct writing *w = arg;
	auto_buf struct buf head = { 0 };
	w->type = type;
	w->has_begun = true;
	api_call_begin(w->c);
	buf_printf(&head, "{\"resultType\":\"%s\",\"result\":", value_type_short_name(type));
	json_write_raw(&w->c->w, (const char *)head.data, head.len);
	if (type == VALUE_MATRIX || type == VALUE_VECTOR)
		buf_add_u8(w->c->out, '[');
	return 0;
}

static int write_series(const struct writing *w, const struct promql_series *s, struct buf *out,
	int (*flush)(void *arg), void *arg)
{
	int r = 0;
	buf_add_str(out, "{\"metric\":");
	api_write_labels(out, s->labels);
	if (w->type == VALUE_VECTOR)
		result_json_sample(out, s);
	else
		r = result_json_points(out, s, flush, arg);
	buf_add_u8(out, '}');
	return r;
}

static int look_how_long(void *out)
{
	return ((struct buf *)out)->len > ENCODED_BYTES ? -E2BIG : 0;
}

/* A series may be longer than there is memory for its text: then it is written as it leaves. */
static bool encode_series(void *arg, const struct promql_series *s, struct buf *out)
{
	const struct writing *w = arg;
	if (w->type == VALUE_SCALAR || s->n > ENCODED_BYTES / POINT_BYTES)
		return false;
	buf_reserve(out, LABELS_BYTES + s->n * POINT_BYTES);
	return write_series(w, s, out, look_how_long, out) == 0;
}

static int add_series(void *arg, const struct promql_series *s)
{
	struct writing *w = arg;
	struct buf *out = w->c->out;
	if (w->type == VALUE_SCALAR) {
		if (s->n)
			result_json_scalar(out, s->t[0], s->v[0]);
		return 0;
	}
	if (w->limit && w->series == w->limit) {
		w->is_truncated = true;
		return 0;
	}
	if (w->series++)
		buf_add_u8(out, ',');
	int r = 0;
	if (s->encoded)
		buf_add(out, s->encoded->data, s->encoded->len);
	else
		r = write_series(w, s, out, hand_over, w);
	return r < 0 ? r : hand_over(w);
}

static int add_string(void *arg, int64_t t, struct text value)
{
	result_json_string(((struct writing *)arg)->c->out, t, value);
	return 0;
}

static void add_stats(struct api_call *c, const struct asked *a, const struct promql_stats *s)
{
	struct json_writer w;
	double evaluation = (double)s->run_us / 1e6, queued = (double)a->queued_us / 1e6,
	       preparation = (double)s->prepare_us / 1e6;
	buf_add_str(c->out, ",\"stats\":");
	json_writer_init(&w, c->out, 0);
	json_write_object(&w);
	json_write_key(&w, "timings");
	json_write_object(&w);
	const struct {
		const char *key;
		double seconds;
	} timings[] = { { "evalTotalTime", preparation + evaluation }, { "resultSortTime", 0 },
		{ "queryPreparationTime", preparation }, { "innerEvalTime", evaluation },
		{ "execQueueTime", queued }, { "execTotalTime", queued + preparation + evaluation } };
	for (size_t i = 0; i < ARRAY_LEN(timings); i++) {
		json_write_key(&w, timings[i].key);
		json_write_double(&w, timings[i].seconds);
	}
	json_write_object_end(&w);
	json_write_key(&w, "samples");
	json_write_object(&w);
	json_write_key_u64(&w, "totalQueryableSamples", s->samples_total);
	json_write_key_u64(&w, "samplesRead", s->samples_total);
	json_write_key_u64(&w, "peakSamples", s->samples_peak);
	json_write_key_u64(&w, "peakMemoryBytes", s->memory_peak_bytes);
	json_write_object_end(&w);
	json_write_object_end(&w);
}

static void finish(
	struct api_call *c, const struct asked *a, const struct writing *w, const struct promql_result *r)
{
	const char *stats = api_call_param(c, "stats");
	if (w->type == VALUE_MATRIX || w->type == VALUE_VECTOR)
		buf_add_u8(c->out, ']');
	if (*stats)
		add_stats(c, a, &r->stats);
	buf_add_u8(c->out, '}');
	if (w->is_truncated)
		api_call_warn(c, "results truncated due to limit");
	if (*stats && strcmp(stats, "true") != 0 && strcmp(stats, "all") != 0) {
		auto_buf struct buf words = { 0 };
		buf_add_str(&words, "value ");
		quote_add(&words, stats, strlen(stats));
		buf_add_str(&words, " for parameter \"stats\" is deprecated and will be rejected in the next "
				    "major release, use "
				    "\"true\" or \"all\"");
		api_call_warn(c, buf_str(&words));
	}
	api_call_end(c, r->annotations, (struct text){ a->query.text, (uint32_t)a->query.n });
}

static void fail(struct api_call *c, struct promql_result *r)
{
	static const enum api_error kinds[] = { [PROMQL_EXECUTION] = API_EXECUTION,
		[PROMQL_CANCELED] = API_CANCELED,
		[PROMQL_TIMEOUT] = API_TIMEOUT,
		[PROMQL_LIMIT] = API_EXECUTION,
		[PROMQL_INTERNAL] = API_EXECUTION }; /* as upstream has it */
	if (r->error == PROMQL_BAD_DATA)
		api_call_fail_param(c, "query", buf_str(&r->message));
	else
		api_call_fail(c, kinds[r->error], "%s", buf_str(&r->message));
}

static const char *name_of(enum promql_error_kind kind)
{
	static const char *const names[] = { "ok", "bad_data", "execution", "canceled", "timeout", "limit",
		"internal" };
	return names[kind];
}

static void run(struct api_call *c, struct asked *a)
{
	struct writing w = { .c = c, .limit = a->limit };
	const struct promql_sink sink = {
		.begin = begin,
		.series = add_series,
		.string = add_string,
		.arg = &w,
		.encode = encode_series,
		.is_waiting = &w.is_waiting,
	};
	struct promql_result result;
	int64_t began = clock_monotonic_us(), until = began + a->options.timeout_ms * 1000;
	int r = admission_enter(c->api->admission, until, http_reply_is_gone(c->reply));
	if (r < 0) {
		metric_add(
			metric_of(&queries, name_of(r == -ECANCELED ? PROMQL_CANCELED : PROMQL_TIMEOUT)), 1);
		if (r == -ECANCELED)
			api_call_fail(c, API_CANCELED, "query was canceled in query queue");
		else
			api_call_fail(c, API_TIMEOUT, "query timed out in query queue");
		return;
	}
	a->queued_us = clock_monotonic_us() - began;
	a->options.timeout_ms = MAX_OF(1, a->options.timeout_ms - a->queued_us / 1000);
	w.has_turn = true;
	promql_run(c->api->o.source, &a->options, &a->query, &sink, &result);
	metric_add(metric_of(&queries, name_of(result.error)), 1);
	if (result.error == PROMQL_OK)
		finish(c, a, &w, &result);
	else
		fail(c, &result);
	api_call_send(c);
	/* The client needn't wait for this; the next query, for which there may be no memory beside this one's, must. */
	bool is_large = result.stats.memory_peak_bytes > TRIM_BYTES;
	promql_result_fini(&result);
	/* A large query leaves holes in the heap of each thread that it had, which nobody else may come to fill. */
	if (is_large)
		malloc_trim(0);
	if (w.has_turn)
		admission_leave(c->api->admission);
}

/* timeout, lookback_delta, limit and the query itself; false: the call has failed. */
static bool read_options(struct api_call *c, struct asked *a)
{
	const char *timeout = api_call_param(c, "timeout"), *lookback = api_call_param(c, "lookback_delta");
	const struct http_param *query = http_params_get(http_request_params(c->q), "query");
	struct err e;
	int64_t ns;
	a->options = c->api->o.promql;
	a->options.threads_after_us = ALONE_US;
	a->query.text = query ? query->value : "";
	a->query.n = query ? query->value_len : 0;
	a->query.cancel = http_reply_is_gone(c->reply);
	if (*timeout) {
		if (api_parse_duration_ns(timeout, &ns, &e) < 0) {
			api_call_fail_param(c, "timeout", e.msg);
			return false;
		}
		a->options.timeout_ms = MIN_OF(a->options.timeout_ms, MAX_OF(ns / 1000000, 1));
	}
	if (*lookback) {
		if (api_parse_duration_ns(lookback, &ns, &e) < 0) {
			api_call_fail(c, API_BAD_DATA, "error parsing lookback delta duration: %s", e.msg);
			return false;
		}
		if (ns >= 1000000)
			a->options.lookback_ms = ns / 1000000;
	}
	return true;
}

static bool read_limit(struct api_call *c, struct asked *a)
{
	struct err e;
	if (api_parse_limit(api_call_param(c, "limit"), &a->limit, &e) == 0)
		return true;
	api_call_fail_param(c, "limit", e.msg);
	return false;
}

static bool read_instant(struct api_call *c, struct asked *a)
{
	const char *time = api_call_param(c, "time");
	struct err e;
	if (!read_limit(c, a))
		return false;
	a->query.start = clock_unix_ms();
	if (*time && api_parse_time(time, &a->query.start, &e) < 0) {
		api_call_fail(c, API_BAD_DATA,
			"invalid parameter \"time\": invalid time value for 'time': %s", e.msg);
		return false;
	}
	a->query.end = a->query.start;
	return read_options(c, a);
}

static bool read_edge(struct api_call *c, const char *name, int64_t *t)
{
	struct err e;
	if (api_parse_time(api_call_param(c, name), t, &e) == 0)
		return true;
	api_call_fail_param(c, name, e.msg);
	return false;
}

static bool read_range(struct api_call *c, struct asked *a)
{
	struct promql_query *q = &a->query;
	struct err e;
	int64_t step_ns;
	q->is_range = true;
	if (!read_limit(c, a) || !read_edge(c, "start", &q->start) || !read_edge(c, "end", &q->end))
		return false;
	if (q->end < q->start) {
		api_call_fail_param(c, "end", "end timestamp must not be before start time");
		return false;
	}
	if (api_parse_duration_ns(api_call_param(c, "step"), &step_ns, &e) < 0) {
		api_call_fail_param(c, "step", e.msg);
		return false;
	}
	q->step = step_ns / 1000000;
	if (q->step <= 0) {
		api_call_fail_param(c, "step",
			"zero or negative query resolution step widths are not accepted. Try a positive "
			"integer");
		return false;
	}
	if (((__int128)q->end - q->start) * 1000000 / step_ns > STEPS_MOST) {
		api_call_fail(c, API_BAD_DATA,
			"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
			"query resolution "
			"(?step=XX)");
		return false;
	}
	return read_options(c, a);
}

void api_query(struct api_call *c)
{
	struct asked a = { 0 };
	if (read_instant(c, &a))
		run(c, &a);
}

void api_query_range(struct api_call *c)
{
	struct asked a = { 0 };
	if (read_range(c, &a))
		run(c, &a);
}

static void explain(struct api_call *c, const struct asked *a)
{
	auto_buf struct buf plan = { 0 };
	if (promql_explain(&a->options, &a->query, &plan) < 0) {
		api_call_fail_param(c, "query", buf_str(&plan));
		return;
	}
	api_call_begin(c);
	json_write_object(&c->w);
	json_write_key(&c->w, "plan");
	json_write_str_n(&c->w, (const char *)plan.data, plan.len);
	json_write_object_end(&c->w);
	api_call_end(c, NULL, (struct text){ 0 });
}

void api_query_explain(struct api_call *c)
{
	struct asked a = { 0 };
	if (read_instant(c, &a))
		explain(c, &a);
}

void api_query_range_explain(struct api_call *c)
{
	struct asked a = { 0 };
	if (read_range(c, &a))
		explain(c, &a);
}
