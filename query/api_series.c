/* SPDX-License-Identifier: Apache-2.0 */
/* Which series match: /series. Those of several match[] are merged by their labels, each once. */
#include "query/api_endpoints.h"
#include "query/api_params.h"

#include <errno.h>

struct merged {
	struct series_set **sets;
	size_t *at; /* in each set */
	size_t n;
};

static const struct label_set *head(const struct merged *m, size_t i)
{
	return m->at[i] < m->sets[i]->n ? &m->sets[i]->labels[m->at[i]] : NULL;
}

/* The least that comes next, in all of which it stands it is passed; NULL: the end. */
static const struct label_set *next(struct merged *m)
{
	const struct label_set *least = NULL;
	for (size_t i = 0; i < m->n; i++) {
		const struct label_set *s = head(m, i);
		if (s && (!least || label_set_cmp(s, least) < 0))
			least = s;
	}
	for (size_t i = 0; least && i < m->n; i++) {
		const struct label_set *s = head(m, i);
		if (s && (s == least || label_set_is(s, least)))
			m->at[i]++;
	}
	return least;
}

static void write_all(struct api_call *c, struct merged *m, uint64_t limit)
{
	const struct label_set *s;
	uint64_t n = 0;
	api_call_begin(c);
	json_write_raw(&c->w, "[", 1);
	for (; (s = next(m)); n++) {
		if (limit && n == limit) {
			api_call_warn(c, "results truncated due to limit");
			break;
		}
		if (n)
			buf_add_u8(c->out, ',');
		api_write_labels(c->out, s);
		if (api_call_flush(c) < 0)
			break;
	}
	buf_add_u8(c->out, ']');
	api_call_end(c, NULL, (struct text){ 0 });
}

static void answer(struct api_call *c, const struct api_selection *s)
{
	struct series_source *source = c->api->o.source;
	struct merged m = { .sets = arena_calloc(c->arena, s->n_sets * sizeof *m.sets),
		.at = arena_calloc(c->arena, s->n_sets * sizeof *m.at) };
	struct err e;
	int r = 0;
	for (; r == 0 && m.n < s->n_sets; m.n += r == 0) {
		struct selection what = { .matchers = s->sets[m.n].data,
			.n_matchers = s->sets[m.n].len,
			.mint = s->start,
			.maxt = s->end,
			.func = "series",
			.budget = &c->budget };
		r = source->ops->select(source, &what, &m.sets[m.n], &e);
		if (r == 0 && atomic_load(http_reply_is_gone(c->reply)))
			r = err_set(&e, -ECANCELED, "context canceled");
		if (r == 0 && budget_is_exceeded(&c->budget))
			r = -ENOMEM;
	}
	if (r < 0)
		api_call_fail_source(c, r, &e);
	else
		write_all(c, &m, s->limit);
	for (size_t i = 0; i < s->n_sets; i++)
		series_set_free(m.sets[i]);
}

void api_series(struct api_call *c)
{
	const char *malformed = http_request_params_error(c->q);
	struct api_selection s = { 0 };
	if (malformed)
		api_call_fail(c, API_BAD_DATA, "error parsing form values: %s", malformed);
	else if (!http_params_get(http_request_params(c->q), "match[]"))
		api_call_fail(c, API_BAD_DATA, "no match[] parameter provided");
	else if (api_read_selection(c, true, &s))
		answer(c, &s);
	api_selection_fini(&s);
}
