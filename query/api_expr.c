/* SPDX-License-Identifier: Apache-2.0 */
/* What is about expressions and needs no data: /format_query, /parse_query, and /query_exemplars, of which a TSDB's blocks hold none. */
#include "query/api_endpoints.h"
#include "query/api_params.h"

/* The tree of the parameter `query`; NULL: the call has failed, as an error of that parameter or of the request as a whole. */
static struct expr *parse(struct api_call *c, bool names_query)
{
	const struct http_param *query = http_params_get(http_request_params(c->q), "query");
	struct expr *tree = NULL;
	auto_buf struct buf error = { 0 };
	if (promql_parse(query ? query->value : "", query ? query->value_len : 0, &c->api->o.promql.features,
		    c->arena, &tree, &error) == 0)
		return tree;
	if (names_query)
		api_call_fail_param(c, "query", buf_str(&error));
	else
		api_call_fail(c, API_BAD_DATA, "%s", buf_str(&error));
	return NULL;
}

void api_format_query(struct api_call *c)
{
	auto_buf struct buf text = { 0 };
	struct expr *tree = parse(c, true);
	if (!tree)
		return;
	promql_print_pretty(tree, &text);
	api_call_begin(c);
	json_write_str_n(&c->w, (const char *)text.data, text.len);
	api_call_end(c, NULL, (struct text){ 0 });
	promql_free(tree);
}

void api_parse_query(struct api_call *c)
{
	auto_buf struct buf json = { 0 };
	struct expr *tree = parse(c, true);
	if (!tree)
		return;
	promql_print_json(tree, &json);
	api_call_begin(c);
	json_write_raw(&c->w, (const char *)json.data, json.len);
	api_call_end(c, NULL, (struct text){ 0 });
	promql_free(tree);
}

void api_query_exemplars(struct api_call *c)
{
	static const char *const names[] = { "start", "end" };
	int64_t edges[] = { API_MIN_TIME, API_MAX_TIME };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *text = api_call_param(c, names[i]);
		struct err e;
		if (*text && api_parse_time(text, &edges[i], &e) < 0) {
			api_call_fail(c, API_BAD_DATA,
				"invalid parameter \"%s\": invalid time value for '%s': %s", names[i],
				names[i], e.msg);
			return;
		}
	}
	if (edges[1] < edges[0]) {
		api_call_fail(c, API_BAD_DATA, "end timestamp must not be before start timestamp");
		return;
	}
	struct expr *tree = parse(c, false);
	if (!tree)
		return;
	promql_free(tree);
	api_call_give(c, "[]");
}
