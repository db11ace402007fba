/* SPDX-License-Identifier: Apache-2.0 */
#include "query/api_call.h"

#include "lib/base/interrupt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define ANNOTATIONS_MOST 10

/* As Prometheus: pages of other origins may ask, if theirs is one of those configured. */
static void allow_origin(struct api_call *c)
{
	const char *origin = http_request_header(c->q, "Origin");
	http_reply_header(c->reply, "Vary", "Origin");
	if (!origin || !*origin)
		return;
	http_reply_header(
		c->reply, "Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
	http_reply_header(c->reply, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
	http_reply_header(c->reply, "Access-Control-Expose-Headers", "Date");
	const struct api_options *o = &c->api->o;
	if (o->cors_any)
		http_reply_header(c->reply, "Access-Control-Allow-Origin", "*");
	else if (o->cors_origin && regex_matches(o->cors_origin, origin, strlen(origin)))
		http_reply_header(c->reply, "Access-Control-Allow-Origin", origin);
}

static int is_over(void *arg)
{
	struct api_call *c = arg;
	if (atomic_load_explicit(http_reply_is_gone(c->reply), memory_order_relaxed))
		return -ECANCELED;
	return budget_is_exceeded(&c->budget) ? -ENOMEM : 0;
}

bool api_call_run(
	struct api *a, const struct http_request *q, struct http_reply *reply, api_endpoint *endpoint)
{
	struct api_call c = { .api = a,
		.q = q,
		.reply = reply,
		.out = http_reply_body(reply),
		.budget.limit = a->o.promql.memory_limit };
	c.arena = arena_new(&c.budget);
	struct interrupt mine = { .ask = is_over, .arg = &c }, *before = interrupt_enter(&mine);
	http_reply_header(reply, "Content-Type", "application/json");
	allow_origin(&c);
	json_writer_init(&c.w, c.out, JSON_HTML);
	if (!atomic_load(&a->is_ready)) {
		http_reply_status(reply, 503);
		http_reply_header(reply, "Content-Type", "text/plain; charset=utf-8");
		buf_add_str(c.out, "Service Unavailable");
	} else {
		endpoint(&c);
	}
	interrupt_leave(before);
	buf_fini(&c.warnings);
	arena_free(c.arena);
	return !c.is_broken;
}

const char *api_call_param(const struct api_call *c, const char *name)
{
	const char *value = http_request_argument(c->q, name);
	return value ? value : "";
}

void api_call_begin(struct api_call *c)
{
	json_write_object(&c->w);
	json_write_key_str(&c->w, "status", "success");
	json_write_key(&c->w, "data");
}

void api_call_warn(struct api_call *c, const char *words)
{
	struct json_writer w;
	if (c->warnings.len)
		buf_add_u8(&c->warnings, ',');
	json_writer_init(&w, &c->warnings, JSON_HTML);
	json_write_str(&w, words);
}

struct listed {
	struct api_call *c;
	const char *key;
	bool is_open;
};

static void open_list(struct listed *l)
{
	if (!l->is_open) {
		json_write_key(&l->c->w, l->key);
		json_write_array(&l->c->w);
	}
	l->is_open = true;
}

static void list_one(void *arg, const char *words)
{
	struct listed *l = arg;
	open_list(l);
	json_write_str(&l->c->w, words);
}

void api_call_end(struct api_call *c, struct annotations *a, struct text query)
{
	struct listed warnings = { c, "warnings", false }, infos = { c, "infos", false };
	if (c->warnings.len) {
		open_list(&warnings);
		json_write_raw(&c->w, (const char *)c->warnings.data, c->warnings.len);
	}
	if (a)
		annotations_each(a, ANNOTATION_WARNING, query, ANNOTATIONS_MOST, list_one, &warnings);
	if (warnings.is_open)
		json_write_array_end(&c->w);
	if (a)
		annotations_each(a, ANNOTATION_INFO, query, ANNOTATIONS_MOST, list_one, &infos);
	if (infos.is_open)
		json_write_array_end(&c->w);
	json_write_object_end(&c->w);
}

int api_call_flush(struct api_call *c)
{
	return http_reply_flush(c->reply);
}

static const struct {
	const char *name;
	unsigned status;
} kinds[] = {
	[API_BAD_DATA] = { "bad_data", 400 },
	[API_EXECUTION] = { "execution", 422 },
	[API_CANCELED] = { "canceled", 499 },
	[API_TIMEOUT] = { "timeout", 503 },
	[API_UNAVAILABLE] = { "unavailable", 503 },
};

static void fail_with(struct api_call *c, enum api_error kind, const char *words)
{
	if (!http_reply_start_over(c->reply)) {
		c->is_broken = true;
		return;
	}
	json_writer_init(&c->w, c->out, JSON_HTML);
	http_reply_status(c->reply, kinds[kind].status);
	json_write_object(&c->w);
	json_write_key_str(&c->w, "status", "error");
	json_write_key_str(&c->w, "errorType", kinds[kind].name);
	json_write_key_str(&c->w, "error", words);
	json_write_object_end(&c->w);
}

void api_call_fail(struct api_call *c, enum api_error kind, const char *fmt, ...)
{
	va_list args;
	char *words;
	va_start(args, fmt);
	if (vasprintf(&words, fmt, args) < 0)
		abort();
	va_end(args);
	fail_with(c, kind, words);
	free(words);
}

void api_call_fail_param(struct api_call *c, const char *name, const char *words)
{
	api_call_fail(c, API_BAD_DATA, "invalid parameter \"%s\": %s", name, words);
}

void api_call_fail_source(struct api_call *c, int r, const struct err *e)
{
	if (budget_is_exceeded(&c->budget))
		api_call_fail(
			c, API_EXECUTION, "the request takes more memory than --query.memory-limit allows");
	else if (r == -ECANCELED)
		api_call_fail(c, API_CANCELED, "context canceled");
	else
		api_call_fail(c, API_EXECUTION, "%s", e->msg);
}

void api_call_send(struct api_call *c)
{
	http_reply_end(c->reply, !c->is_broken);
}

void api_call_give(struct api_call *c, const char *data_json)
{
	api_call_begin(c);
	json_write_raw(&c->w, data_json, strlen(data_json));
	api_call_end(c, NULL, (struct text){ 0 });
}

void api_write_labels(struct buf *out, const struct label_set *s)
{
	struct json_writer w; /* labels are written without care for HTML, as upstream does */
	json_writer_init(&w, out, 0);
	buf_add_u8(out, '{');
	for (size_t i = 0; i < s->n; i++) {
		const struct label_pair *p = &s->pairs[i];
		if (i)
			buf_add_u8(out, ',');
		w.is_first = true; /* each of the two stands alone for the writer */
		json_write_str_n(&w, p->name.p, p->name.len);
		buf_add_u8(out, ':');
		w.is_first = true;
		json_write_str_n(&w, p->value.p, p->value.len);
	}
	buf_add_u8(out, '}');
}
