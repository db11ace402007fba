/* SPDX-License-Identifier: Apache-2.0 */
/* Names of labels and the values of one: /labels, /label/NAME/values. */
#include "lib/base/quote.h"
#include "lib/base/utf8.h"
#include "query/api_endpoints.h"
#include "query/api_params.h"

#include <errno.h>
#include <stdlib.h>

struct words {
	struct text *data;
	size_t len;
};

/* NULL name: names are wanted. */
static int ask_one(struct api_call *c, const struct text *name, const struct api_selection *s,
	const struct api_matchers *m, struct words *out, struct err *e)
{
	struct series_source *source = c->api->o.source;
	struct selection what = {
		.matchers = m ? m->data : NULL,
		.n_matchers = m ? m->len : 0,
		.mint = s->start,
		.maxt = s->end,
		.budget = &c->budget,
	};
	size_t limit = s->limit ? s->limit + 1 : 0; /* one more tells that it was cut */
	int r = name ? source->ops->label_values(
			       source, *name, &what, limit, c->arena, &out->data, &out->len, e)
		     : source->ops->label_names(source, &what, limit, c->arena, &out->data, &out->len, e);
	return r == 0 && budget_is_exceeded(&c->budget) ? -ENOMEM : r;
}

static int by_text(const void *a, const void *b)
{
	return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

static int ask(struct api_call *c, const struct text *name, const struct api_selection *s, struct words *out,
	struct err *e)
{
	if (s->n_sets <= 1)
		return ask_one(c, name, s, s->n_sets ? s->sets : NULL, out, e);
	*out = (struct words){ 0 };
	for (size_t i = 0; i < s->n_sets; i++) {
		struct words more;
		int r = ask_one(c, name, s, &s->sets[i], &more, e);
		if (r < 0)
			return r;
		struct text *all = arena_alloc(c->arena, (out->len + more.len) * sizeof all[0]);
		if (out->len)
			memcpy(all, out->data, out->len * sizeof all[0]);
		if (more.len)
			memcpy(all + out->len, more.data, more.len * sizeof all[0]);
		size_t n = out->len + more.len, kept = 0;
		if (n)
			qsort(all, n, sizeof all[0], by_text);
		for (size_t k = 0; k < n; k++)
			if (!kept || !text_is(all[kept - 1], all[k]))
				all[kept++] = all[k];
		*out = (struct words){ all, kept };
	}
	return 0;
}

static void answer(struct api_call *c, const struct text *name)
{
	struct api_selection s;
	struct words words = { 0 };
	struct err e;
	if (api_read_selection(c, false, &s)) {
		int r = ask(c, name, &s, &words, &e);
		if (r < 0)
			api_call_fail_source(c, r, &e);
		else {
			size_t n = s.limit ? MIN_OF(words.len, s.limit) : words.len;
			api_call_begin(c);
			json_write_array(&c->w);
			for (size_t i = 0; i < n && r == 0; i++) {
				json_write_str_n(&c->w, words.data[i].p, words.data[i].len);
				r = api_call_flush(c);
			}
			json_write_array_end(&c->w);
			if (n < words.len)
				api_call_warn(c, "results truncated due to limit");
			api_call_end(c, NULL, (struct text){ 0 });
		}
	}
	api_selection_fini(&s);
}

void api_labels(struct api_call *c)
{
	answer(c, NULL);
}

static int hex(char x)
{
	return x >= '0' && x <= '9'   ? x - '0'
	       : x >= 'a' && x <= 'f' ? x - 'a' + 10
	       : x >= 'A' && x <= 'F' ? x - 'A' + 10
				      : -1;
}

/*
 * Undoes "U__": __ is an underscore, _HEX_ the character of that number. The text as it is where it isn't well-formed.
 * (Prometheus' common/model, UnescapeName with ValueEncodingEscaping.)
 */
void api_unescape_label_name(const char *escaped, struct buf *out)
{
	size_t begin = out->len;
	for (const char *p = escaped + 3; *p; p++) {
		if (*p != '_') {
			buf_add_u8(out, (uint8_t)*p);
			continue;
		}
		p++;
		if (*p == '_') {
			buf_add_u8(out, '_');
			continue;
		}
		uint32_t code = 0;
		size_t digits = 0;
		for (; hex(*p) >= 0 && digits < 7; p++, digits++)
			code = code << 4 | (uint32_t)hex(*p);
		if (*p != '_' || !digits || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
			out->len = begin;
			buf_add_str(out, escaped);
			return;
		}
		utf8_add(out, code);
	}
}

void api_label_values(struct api_call *c)
{
	const char *wildcard = http_request_wildcard(c->q);
	auto_buf struct buf name = { 0 }, quoted = { 0 };
	if (!strncmp(wildcard, "U__", 3))
		api_unescape_label_name(wildcard, &name);
	else
		buf_add_str(&name, wildcard);
	if (!name.len || !utf8_is_valid(name.data, name.len)) {
		quote_add(&quoted, (const char *)name.data, name.len);
		api_call_fail(c, API_BAD_DATA, "invalid label name: %s", buf_str(&quoted));
		return;
	}
	answer(c, &(struct text){ (const char *)name.data, (uint32_t)name.len });
}
