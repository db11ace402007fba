/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /federate: the newest sample within the lookback of every series that a match[] selects, in the text format, by metric name
 * (Prometheus' web/federate.go). Native histograms have no place in that format and are left out; so are stale series. A series
 * without a label `instance` gets an empty one, so that who scrapes this doesn't put its own there.
 */
#include "lib/base/clock.h"
#include "lib/base/go_float.h"
#include "query/api_endpoints.h"
#include "query/api_params.h"

#include <math.h>
#include <stdlib.h>

#define LOOKBACK_DEFAULT_MS 300000
#define STALE_BITS          0x7ff0000000000002

struct line {
	const struct label_set *labels;
	struct text name;
	int64_t t;
	double v;
	size_t order; /* of equal names */
};

struct lines {
	struct line *data;
	size_t len, cap;
};

static bool is_stale(double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits == STALE_BITS;
}

static void add_line(struct lines *to, const struct label_set *labels, int64_t t, double v)
{
	struct text name = label_set_get(labels, LABEL_NAME);
	if (!name.len)
		return;
	if (to->len == to->cap) {
		to->cap = to->cap ? 2 * to->cap : 256;
		to->data = xreallocarray(to->data, to->cap, sizeof *to->data);
	}
	to->data[to->len] = (struct line){ labels, name, t, v, to->len };
	to->len++;
}

static int read_set(struct series_set *set, int64_t mint, int64_t maxt, struct lines *to,
	const atomic_bool *gone, struct err *e)
{
	struct samples samples = { 0 };
	int r = 0;
	if (set->ops->will_read)
		set->ops->will_read(set, 0, set->n);
	for (size_t i = 0; r == 0 && i < set->n && !atomic_load(gone); i++) {
		samples_clear(&samples);
		r = set->ops->read(set, i, mint, maxt, &samples, e);
		size_t last = samples.n - 1;
		if (r < 0 || !samples.n || (samples.h && samples.h[last]) || is_stale(samples.v[last]))
			continue;
		add_line(to, &set->labels[i], samples.t[last], samples.v[last]);
	}
	samples_fini(&samples);
	return r;
}

static int by_name(const void *x, const void *y)
{
	const struct line *a = x, *b = y;
	int c = text_cmp(a->name, b->name);
	/* Of several match[] the same series may come; it stands beside itself then. */
	c = c ? c : label_set_cmp(a->labels, b->labels);
	return c ? c : (a->order > b->order) - (a->order < b->order);
}

static void add_escaped(struct buf *out, struct text value)
{
	buf_add_u8(out, '"');
	for (uint32_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		if (c == '\\' || c == '"' || c == '\n')
			buf_printf(out, "\\%c", c == '\n' ? 'n' : c);
		else
			buf_add_u8(out, (uint8_t)c);
	}
	buf_add_u8(out, '"');
}

static bool is_plain(struct text name, bool allows_colon)
{
	for (uint32_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		bool is_letter = (c | 32) >= 'a' && (c | 32) <= 'z';
		if (!is_letter && c != '_' && !(c == ':' && allows_colon) && !(c >= '0' && c <= '9' && i > 0))
			return false;
	}
	return name.len > 0;
}

static void add_name(struct buf *out, struct text name, bool is_metric)
{
	if (is_plain(name, is_metric))
		buf_add(out, name.p, name.len);
	else
		add_escaped(out, name);
}

static void add_value(struct buf *out, double v)
{
	if (isnan(v))
		buf_add_str(out, "NaN");
	else
		go_float_add(out, v, 'g');
}

static void print_line(struct buf *out, const struct line *l)
{
	bool has_brace = !is_plain(l->name, true), has_instance = false;
	if (has_brace)
		buf_add_u8(out, '{');
	add_name(out, l->name, true);
	const char *before = has_brace ? "," : "{";
	for (size_t i = 0; i < l->labels->n; i++) {
		const struct label_pair *p = &l->labels->pairs[i];
		if (text_is(p->name, LABEL_NAME))
			continue;
		has_instance |= text_is(p->name, TEXT("instance"));
		buf_add_str(out, before);
		add_name(out, p->name, false);
		buf_add_u8(out, '=');
		add_escaped(out, p->value);
		before = ",";
	}
	if (!has_instance)
		buf_printf(out, "%sinstance=\"\"", before);
	buf_add_str(out, "} ");
	add_value(out, l->v);
	buf_printf(out, " %lld\n", (long long)l->t);
}

static void print(struct http_reply *reply, const struct lines *lines)
{
	struct buf *out = http_reply_body(reply);
	const struct line *last = NULL;
	for (size_t i = 0; i < lines->len; i++) {
		const struct line *l = &lines->data[i];
		if (last && label_set_is(last->labels, l->labels))
			continue;
		if (!last || !text_is(last->name, l->name)) {
			buf_add_str(out, "# TYPE ");
			add_name(out, l->name, true);
			buf_add_str(out, " untyped\n");
		}
		print_line(out, l);
		last = l;
		if (http_reply_flush(reply) < 0)
			return;
	}
}

static void refuse(struct http_reply *reply, unsigned status, const char *words)
{
	http_reply_status(reply, status);
	buf_printf(http_reply_body(reply), "%s\n", words);
}

struct federation {
	struct arena *arena;
	struct matcher **matchers;
	size_t *n_matchers;
	struct series_set **sets;
	size_t n;
};

/* The n match[] parsed; false: refused. */
static bool read_matchers(const struct http_request *q, struct http_reply *reply, struct federation *f)
{
	const struct http_params *params = http_request_params(q);
	size_t n = 0;
	for (const struct http_param *p = NULL; (p = http_params_next(params, "match[]", p));)
		n++;
	f->matchers = arena_calloc(f->arena, n * sizeof *f->matchers);
	f->n_matchers = arena_calloc(f->arena, n * sizeof *f->n_matchers);
	f->sets = arena_calloc(f->arena, n * sizeof *f->sets);
	for (const struct http_param *p = NULL; (p = http_params_next(params, "match[]", p)); f->n++) {
		auto_buf struct buf error = { 0 };
		if (promql_parse_selector(p->value, p->value_len, f->arena, &f->matchers[f->n],
			    &f->n_matchers[f->n], &error) < 0) {
			f->n_matchers[f->n] = 0;
			refuse(reply, 400, buf_str(&error));
			return false;
		}
	}
	return true;
}

static void answer(struct api *a, struct http_reply *reply, struct federation *f)
{
	int64_t maxt = clock_unix_ms(),
		lookback = a->o.promql.lookback_ms ? a->o.promql.lookback_ms : LOOKBACK_DEFAULT_MS;
	struct lines lines = { 0 };
	struct err e;
	int r = 0;
	for (size_t i = 0; r == 0 && i < f->n; i++) {
		struct selection what = { .matchers = f->matchers[i],
			.n_matchers = f->n_matchers[i],
			.mint = maxt - lookback,
			.maxt = maxt };
		r = a->o.source->ops->select(a->o.source, &what, &f->sets[i], &e);
		if (r == 0)
			r = read_set(f->sets[i], what.mint, what.maxt, &lines, http_reply_is_gone(reply), &e);
	}
	if (r < 0) {
		refuse(reply, 500, e.msg);
	} else {
		if (lines.len)
			qsort(lines.data, lines.len, sizeof *lines.data, by_name);
		http_reply_header(reply, "Content-Type",
			"text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8");
		print(reply, &lines);
	}
	free(lines.data);
}

bool api_federate(struct api *a, const struct http_request *q, struct http_reply *reply)
{
	struct budget budget = { .limit = a->o.promql.memory_limit };
	struct federation f = { .arena = arena_new(&budget) };
	if (read_matchers(q, reply, &f))
		answer(a, reply, &f);
	for (size_t i = 0; i < f.n; i++) {
		series_set_free(f.sets[i]);
		for (size_t k = 0; k < f.n_matchers[i]; k++)
			matcher_fini(&f.matchers[i][k]);
	}
	arena_free(f.arena);
	return true;
}
