/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a histogram's parts fit together, with upstream's words (model/histogram/generic.go). */
#include "lib/base/go_float.h"
#include "lib/tsdb/float_histogram.h"

#include <errno.h>
#include <math.h>

static const char *text_of(double v, char text[GO_FLOAT_BYTES + 1])
{
	text[go_float_format(text, v, 'g')] = 0;
	return text;
}

static int check_spans(const struct histogram_span *spans, uint32_t n_spans, uint32_t n, bool is_custom,
	const char *side, struct err *e)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < n_spans; i++) {
		if ((i || is_custom) && spans[i].offset < 0)
			return err_set(e, -EINVAL,
				"%s: span number %u with offset %d: histogram has a span whose offset is "
				"negative",
				side, i + 1, spans[i].offset);
		total += spans[i].length;
	}
	if (total != n)
		return err_set(e, -EINVAL,
			"%s: spans need %llu buckets, have %u buckets: histogram spans specify different "
			"number "
			"of buckets than provided",
			side, (unsigned long long)total, n);
	return 0;
}

static int check_counts(const double *counts, uint32_t n, const char *side, struct err *e)
{
	char text[GO_FLOAT_BYTES + 1];
	for (uint32_t i = 0; i < n; i++)
		if (counts[i] < 0)
			return err_set(e, -EINVAL,
				"%s: bucket number %u has observation count of %s: histogram has a bucket "
				"whose "
				"observation count is negative",
				side, i + 1, text_of(counts[i], text));
	return 0;
}

static int check_bounds(const struct float_histogram *h, struct err *e)
{
	for (uint32_t i = 0; i < h->n_custom; i++) {
		if (isnan(h->custom[i]))
			return err_set(e, -EINVAL, "custom buckets: histogram custom bounds must not be NaN");
		if (i && h->custom[i] <= h->custom[i - 1])
			return err_set(e, -EINVAL,
				"custom buckets: previous bound is %f and current is %f: histogram custom "
				"bounds "
				"must be in strictly increasing order",
				h->custom[i - 1], h->custom[i]);
	}
	if (h->n_custom && h->custom[h->n_custom - 1] == INFINITY)
		return err_set(e, -EINVAL,
			"custom buckets: last +Inf bound must not be explicitly defined: histogram custom "
			"bounds "
			"must be finite");
	return 0;
}

static int check_custom(const struct float_histogram *h, struct err *e)
{
	int err = check_bounds(h, e);
	if (err < 0)
		return err;
	err = check_spans(h->positive_spans, h->n_positive_spans, h->n_positive, true, "custom buckets", e);
	if (err < 0)
		return err;
	uint64_t reach = 0;
	for (uint32_t i = 0; i < h->n_positive_spans; i++)
		reach += (uint64_t)h->positive_spans[i].offset + h->positive_spans[i].length;
	if (h->n_custom + 1ull < reach)
		return err_set(e, -EINVAL,
			"custom buckets: only %u custom bounds defined which is insufficient to cover total "
			"span "
			"length of %llu: histogram custom bounds are too few",
			h->n_custom, (unsigned long long)reach);
	if (h->zero_count != 0)
		return err_set(e, -EINVAL, "custom buckets: must have zero count of 0");
	if (h->zero_threshold != 0)
		return err_set(e, -EINVAL, "custom buckets: must have zero threshold of 0");
	if (h->n_negative_spans)
		return err_set(e, -EINVAL, "custom buckets: must not have negative spans");
	if (h->n_negative)
		return err_set(e, -EINVAL, "custom buckets: must not have negative buckets");
	return 0;
}

static int check_exponential(const struct float_histogram *h, struct err *e)
{
	int err =
		check_spans(h->positive_spans, h->n_positive_spans, h->n_positive, false, "positive side", e);
	if (err < 0)
		return err;
	err = check_spans(h->negative_spans, h->n_negative_spans, h->n_negative, false, "negative side", e);
	if (err < 0)
		return err;
	err = check_counts(h->negative, h->n_negative, "negative side", e);
	if (err < 0)
		return err;
	char text[GO_FLOAT_BYTES + 1];
	if (h->zero_count < 0)
		return err_set(e, -EINVAL,
			"zero bucket has observation count of %s: histogram has a bucket whose observation "
			"count "
			"is negative",
			text_of(h->zero_count, text));
	if (h->n_custom)
		return err_set(e, -EINVAL, "histogram with exponential schema must not have custom bounds");
	return 0;
}

int float_histogram_check(const struct float_histogram *h, struct err *e)
{
	bool is_custom = float_histogram_is_custom(h);
	if (!is_custom && (h->schema < HISTOGRAM_MIN_SCHEMA || h->schema > HISTOGRAM_MAX_SCHEMA))
		return err_set(e, -EINVAL,
			"histogram has an invalid schema, which must be between %d and %d for exponential "
			"buckets, or %d for custom buckets, got schema %d",
			HISTOGRAM_MIN_SCHEMA, HISTOGRAM_MAX_SCHEMA, HISTOGRAM_CUSTOM_SCHEMA, h->schema);
	int err = is_custom ? check_custom(h, e) : check_exponential(h, e);
	if (err < 0)
		return err;
	char text[GO_FLOAT_BYTES + 1];
	if (h->count < 0)
		return err_set(e, -EINVAL,
			"observation count is  %s: histogram's observation count is negative",
			text_of(h->count, text));
	return check_counts(h->positive, h->n_positive, "positive side", e);
}
