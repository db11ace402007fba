/* SPDX-License-Identifier: Apache-2.0 */
#include "query/api_params.h"

#include "lib/base/duration.h"
#include "lib/base/go_float.h"
#include "lib/base/quote.h"

#include <errno.h>
#include <math.h>

#define MAX_SECONDS    9.2e15 /* whose milliseconds an int64_t holds */
#define MATCH_SETS_MAX 1000

/* "cannot parse \"x\" to a valid WHAT" */
static int unreadable(const char *text, const char *what, const char *more, struct err *e)
{
	auto_buf struct buf quoted = { 0 };
	quote_add(&quoted, text, strlen(text));
	return err_set(e, -EINVAL, "cannot parse %s to a valid %s%s", buf_str(&quoted), what, more);
}

int api_parse_time(const char *text, int64_t *t, struct err *e)
{
	double seconds, whole;
	if (go_float_parse(text, strlen(text), &seconds)) {
		if (!(fabs(seconds) < MAX_SECONDS))
			return unreadable(text, "timestamp", "", e);
		double fraction = modf(seconds, &whole);
		*t = (int64_t)whole * 1000 + llround(fraction * 1000);
		return 0;
	}
	if (!strcmp(text, "-292273086-05-16T16:47:06Z")) {
		*t = API_MIN_TIME;
		return 0;
	}
	if (!strcmp(text, "292277025-08-18T07:12:54.999999999Z")) {
		*t = API_MAX_TIME;
		return 0;
	}
	return time_parse(text, t, NULL) < 0 ? unreadable(text, "timestamp", "", e) : 0;
}

int api_parse_duration_ns(const char *text, int64_t *ns, struct err *e)
{
	double seconds;
	int64_t ms;
	if (go_float_parse(text, strlen(text), &seconds)) {
		/* A double can't tell the greatest int64_t from 2^63. */
		if (!(fabs(seconds) * 1e9 < 0x1p63))
			return unreadable(text, "duration", ". It overflows int64", e);
		*ns = (int64_t)(seconds * 1e9);
		return 0;
	}
	if (duration_parse(text, &ms, NULL) < 0)
		return unreadable(text, "duration", "", e);
	*ns = ms > INT64_MAX / 1000000 ? INT64_MAX : ms * 1000000;
	return 0;
}

int api_parse_limit(const char *text, uint64_t *limit, struct err *e)
{
	const char *p = text + (*text == '-' || *text == '+');
	*limit = 0;
	if (!*text)
		return 0;
	auto_buf struct buf quoted = { 0 };
	quote_add(&quoted, text, strlen(text));
	if (!*p || strspn(p, "0123456789") != strlen(p))
		return err_set(e, -EINVAL, "strconv.Atoi: parsing %s: invalid syntax", buf_str(&quoted));
	errno = 0;
	*limit = strtoull(p, NULL, 10);
	if (errno || *limit > INT64_MAX)
		return err_set(e, -EINVAL, "strconv.Atoi: parsing %s: value out of range", buf_str(&quoted));
	if (*text == '-' && *limit)
		return err_set(e, -EINVAL, "limit must be non-negative");
	return 0;
}

static bool read_time(struct api_call *c, const char *name, int64_t otherwise, int64_t *t)
{
	const char *text = api_call_param(c, name);
	struct err e;
	*t = otherwise;
	if (!*text || api_parse_time(text, t, &e) == 0)
		return true;
	api_call_fail(c, API_BAD_DATA, "invalid parameter \"%s\": invalid time value for '%s': %s", name,
		name, e.msg);
	return false;
}

static bool accepts_empty(const struct api_matchers *set)
{
	for (size_t i = 0; i < set->len; i++)
		if (!matcher_accepts(&set->data[i], (struct text){ "", 0 }))
			return false;
	return true;
}

static void fail_match(struct api_call *c, bool names_match, const char *words)
{
	if (names_match)
		api_call_fail_param(c, "match[]", words);
	else
		api_call_fail(c, API_BAD_DATA, "%s", words);
}

static bool read_matchers(struct api_call *c, bool names_match, struct api_selection *out)
{
	const struct http_params *params = http_request_params(c->q);
	size_t n = 0;
	for (const struct http_param *p = NULL; (p = http_params_next(params, "match[]", p));)
		n++;
	if (n > MATCH_SETS_MAX) {
		fail_match(c, names_match, "too many of them");
		return false;
	}
	out->sets = arena_calloc(c->arena, n * sizeof out->sets[0]);
	for (const struct http_param *p = NULL; (p = http_params_next(params, "match[]", p));) {
		auto_buf struct buf error = { 0 };
		struct api_matchers *set = &out->sets[out->n_sets];
		if (promql_parse_selector(p->value, p->value_len, c->arena, &set->data, &set->len, &error) <
			0) {
			*set = (struct api_matchers){ 0 };
			fail_match(c, names_match, buf_str(&error));
			return false;
		}
		out->n_sets++;
	}
	for (size_t i = 0; i < out->n_sets; i++)
		if (accepts_empty(&out->sets[i])) {
			fail_match(c, names_match, "match[] must contain at least one non-empty matcher");
			return false;
		}
	return true;
}

bool api_read_selection(struct api_call *c, bool names_match, struct api_selection *out)
{
	struct err e;
	*out = (struct api_selection){ 0 };
	if (api_parse_limit(api_call_param(c, "limit"), &out->limit, &e) < 0) {
		api_call_fail_param(c, "limit", e.msg);
		return false;
	}
	return read_time(c, "start", API_MIN_TIME, &out->start) &&
	       read_time(c, "end", API_MAX_TIME, &out->end) && read_matchers(c, names_match, out);
}

void api_selection_fini(struct api_selection *s)
{
	for (size_t i = 0; i < s->n_sets; i++)
		for (size_t k = 0; k < s->sets[i].len; k++)
			matcher_fini(&s->sets[i].data[k]);
}
