/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/histograms.h"

#include "lib/base/go_float.h"

#include <stdio.h>

#define MOST 64

struct numbers {
	double v[MOST];
	uint32_t n;
};

static const char *skip(const char *p)
{
	return p + strspn(p, " ");
}

static void refuse(const char *why, const char *at)
{
	fprintf(stderr, "no histogram: %s at \"%s\"\n", why, at);
	abort();
}

/* One number, or several in brackets. */
static const char *read_numbers(const char *p, struct numbers *out)
{
	bool is_list = *p == '[';
	*out = (struct numbers){ 0 };
	for (p = skip(p + is_list); *p && *p != ']' && out->n < MOST; p = is_list ? skip(p) : p) {
		size_t len = strcspn(p, " ]}");
		if (!go_float_parse(p, len, &out->v[out->n++]))
			refuse("a number is wanted", p);
		p += len;
		if (!is_list)
			return p;
	}
	return p + is_list;
}

static void set_side(double *counts, struct histogram_span *span, const struct numbers *n, int32_t offset)
{
	for (uint32_t i = 0; i < n->n; i++)
		counts[i] = n->v[i];
	if (n->n)
		*span = (struct histogram_span){ .offset = offset, .length = n->n };
}

struct float_histogram *histogram_of(const char *text)
{
	struct float_histogram h = { 0 };
	struct numbers positive = { 0 }, negative = { 0 }, custom = { 0 }, n;
	int32_t offset = 0, n_offset = 0;
	const char *p = skip(text);
	for (p = skip(p + strspn(p, "{")); *p && *p != '}'; p = skip(p)) {
		size_t len = strcspn(p, ":");
		char name[32];
		snprintf(name, sizeof name, "%.*s", (int)len, p);
		p += len + 1;
		if (strcmp(name, "counter_reset_hint") == 0) {
			len = strcspn(p, " }");
			h.reset_hint = strncmp(p, "reset", len) == 0       ? RESET_YES
				       : strncmp(p, "not_reset", len) == 0 ? RESET_NO
				       : strncmp(p, "gauge", len) == 0     ? RESET_GAUGE
									   : RESET_UNKNOWN;
			p += len;
			continue;
		}
		p = read_numbers(p, &n);
		if (strcmp(name, "schema") == 0)
			h.schema = (int32_t)n.v[0];
		else if (strcmp(name, "count") == 0)
			h.count = n.v[0];
		else if (strcmp(name, "sum") == 0)
			h.sum = n.v[0];
		else if (strcmp(name, "z_bucket") == 0)
			h.zero_count = n.v[0];
		else if (strcmp(name, "z_bucket_w") == 0)
			h.zero_threshold = n.v[0];
		else if (strcmp(name, "custom_values") == 0)
			custom = n;
		else if (strcmp(name, "offset") == 0)
			offset = (int32_t)n.v[0];
		else if (strcmp(name, "n_offset") == 0)
			n_offset = (int32_t)n.v[0];
		else if (strcmp(name, "buckets") == 0)
			positive = n;
		else if (strcmp(name, "n_buckets") == 0)
			negative = n;
		else
			refuse("unknown word", name);
	}
	h.n_positive = positive.n;
	h.n_negative = negative.n;
	h.n_positive_spans = positive.n > 0;
	h.n_negative_spans = negative.n > 0;
	h.n_custom = custom.n;
	struct float_histogram *out = float_histogram_new(&h);
	set_side(out->positive, out->positive_spans, &positive, offset);
	set_side(out->negative, out->negative_spans, &negative, n_offset);
	for (uint32_t i = 0; i < custom.n; i++)
		out->custom[i] = custom.v[i];
	return out;
}
