/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/noted_starts.h"

#include "lib/base/duration.h"

#include <ctype.h>
#include <errno.h>

#define MARK "@st"

bool noted_starts_are(const char *line)
{
	size_t n = strcspn(line, " \t"), mark = strlen(MARK);
	return n > mark && strncmp(line + n - mark, MARK, mark) == 0;
}

/* -1m, 30s, 0: a number and a unit, of which the x of a count is no part. */
static int parse_offset(const char **p, int64_t *ms, struct err *e)
{
	bool is_minus = **p == '-';
	if (is_minus || **p == '+')
		++*p;
	const char *begin = *p;
	while (isdigit((unsigned char)**p))
		++*p;
	while (isalpha((unsigned char)**p) && **p != 'x')
		++*p;
	auto_free char *text = xstrndup(begin, (size_t)(*p - begin));
	int r = duration_parse(text, ms, e);
	if (is_minus)
		*ms = -*ms;
	return r;
}

/* _, _x3, -1m, -1mx3, -1m-30sx3 */
static int parse_item(const char **p, struct noted_points *out, struct err *e)
{
	int64_t offset = 0, step = 0;
	bool is_omitted = **p == '_', has_step = false;
	size_t n;
	int r = 0;
	if (is_omitted)
		++*p;
	else
		r = parse_offset(p, &offset, e);
	if (r == 0 && !is_omitted && (**p == '+' || **p == '-')) {
		has_step = true;
		r = parse_offset(p, &step, e);
	}
	if (r == 0 && has_step && **p != 'x')
		r = err_set(e, -EINVAL, "a count is missing at \"%s\"", *p);
	if (r == 0)
		r = noted_count_parse(p, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < (is_omitted ? MAX_OF(n, 1u) : n + 1); i++, offset += step)
		vec_push(out, (struct noted_point){
				      .is_omitted = is_omitted, .has_start = !is_omitted, .start = offset });
	return 0;
}

int noted_starts_parse(const char *line, struct arena *a, struct noted_series *out, struct err *e)
{
	*out = (struct noted_series){ 0 };
	const char *p = line;
	int r = noted_labels_parse(&p, a, &out->labels, e);
	if (r == 0 && strncmp(p, MARK, strlen(MARK)) != 0)
		r = err_set(e, -EINVAL, "%s is missing before \"%s\"", MARK, p);
	if (r == 0)
		p += strlen(MARK);
	while (r == 0 && *p) {
		size_t blanks = strspn(p, " \t");
		p += blanks;
		r = blanks ? parse_item(&p, &out->points, e)
			   : err_set(e, -EINVAL, "a blank is missing before \"%s\"", p);
		if (out->points.len > NOTED_POINTS_MAX)
			r = err_set(e, -EINVAL, "more than %d points", NOTED_POINTS_MAX);
	}
	return r;
}
