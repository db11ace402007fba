/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/histograms.h"

#include "lib/base/go_float.h"

#include <errno.h>
#include <stdio.h>

#define MOST 256

struct numbers {
	double v[MOST];
	uint32_t n;
};

/* What stands between the braces. */
struct description {
	struct float_histogram h; /* without its arrays */
	struct numbers positive, negative, custom;
	int32_t offset, n_offset;
	bool has_hint;
};

static const char *skip(const char *p)
{
	return p + strspn(p, " \t");
}

/* One number, or several in brackets. NULL: there is something else. */
static const char *read_numbers(const char *p, struct numbers *out)
{
	bool is_list = *p == '[';
	*out = (struct numbers){ 0 };
	for (p += is_list; (p = skip(p)), !is_list || *p != ']';) {
		size_t len = strcspn(p, " \t]}");
		if (out->n == MOST || !go_float_parse(p, len, &out->v[out->n++]))
			return NULL;
		p += len;
		if (!is_list)
			return p;
	}
	return p + 1;
}

static const char *read_hint(const char *p, enum reset_hint *out)
{
	static const char *const words[] = {
		[RESET_UNKNOWN] = "unknown",
		[RESET_YES] = "reset",
		[RESET_NO] = "not_reset",
		[RESET_GAUGE] = "gauge",
	};
	size_t len = strcspn(p, " \t}");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == len && strncmp(p, words[i], len) == 0) {
			*out = (enum reset_hint)i;
			return p + len;
		}
	return NULL;
}

static bool is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && strncmp(word, name, len) == 0;
}

/* "count:3"; NULL: it isn't that. */
static const char *read_item(const char *p, struct description *d)
{
	size_t len = strcspn(p, ": \t}");
	const char *word = p;
	if (p[len] != ':')
		return NULL;
	p += len + 1;
	if (is(word, len, "counter_reset_hint")) {
		d->has_hint = true;
		return read_hint(p, &d->h.reset_hint);
	}
	struct numbers n;
	p = read_numbers(p, &n);
	if (!p)
		return NULL;
	if (is(word, len, "schema"))
		d->h.schema = (int32_t)n.v[0];
	else if (is(word, len, "count"))
		d->h.count = n.v[0];
	else if (is(word, len, "sum"))
		d->h.sum = n.v[0];
	else if (is(word, len, "z_bucket"))
		d->h.zero_count = n.v[0];
	else if (is(word, len, "z_bucket_w"))
		d->h.zero_threshold = n.v[0];
	else if (is(word, len, "custom_values"))
		d->custom = n;
	else if (is(word, len, "offset"))
		d->offset = (int32_t)n.v[0];
	else if (is(word, len, "n_offset"))
		d->n_offset = (int32_t)n.v[0];
	else if (is(word, len, "buckets"))
		d->positive = n;
	else if (is(word, len, "n_buckets"))
		d->negative = n;
	else
		return NULL;
	return p;
}

static void set_side(double *counts, struct histogram_span *span, const struct numbers *n, int32_t offset)
{
	for (uint32_t i = 0; i < n->n; i++)
		counts[i] = n->v[i];
	if (n->n)
		*span = (struct histogram_span){ .offset = offset, .length = n->n };
}

static struct float_histogram *described(struct description *d)
{
	struct float_histogram *h = &d->h;
	h->n_positive = d->positive.n;
	h->n_negative = d->negative.n;
	h->n_positive_spans = d->positive.n > 0;
	h->n_negative_spans = d->negative.n > 0;
	h->n_custom = d->custom.n;
	struct float_histogram *out = float_histogram_new(h);
	set_side(out->positive, out->positive_spans, &d->positive, d->offset);
	set_side(out->negative, out->negative_spans, &d->negative, d->n_offset);
	for (uint32_t i = 0; i < d->custom.n; i++)
		out->custom[i] = d->custom.v[i];
	return out;
}

struct float_histogram *histogram_read(const char **p, bool *has_hint, struct err *e)
{
	auto_free struct description *d = xcalloc(1, sizeof *d);
	const char *at = *p;
	if (strncmp(at, "{{", 2) != 0) {
		err_set(e, -EINVAL, "no histogram begins at \"%s\"", at);
		return NULL;
	}
	for (at = skip(at + 2); strncmp(at, "}}", 2) != 0; at = skip(at)) {
		const char *next = read_item(at, d);
		if (!next) {
			err_set(e, -EINVAL, "a histogram can't be read at \"%s\"", at);
			return NULL;
		}
		at = next;
	}
	*p = at + 2;
	*has_hint = d->has_hint;
	return described(d);
}

struct float_histogram *histogram_of(const char *text)
{
	struct err e;
	bool has_hint;
	const char *p = skip(text);
	struct float_histogram *h = histogram_read(&p, &has_hint, &e);
	if (!h) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	return h;
}
