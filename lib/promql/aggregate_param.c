/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/aggregate_param.h"

#include "lib/promql/invariant.h"

#include "lib/base/go_float.h"

#include <errno.h>
#include <math.h>

/* What Go's conversion to int64 can take: -2^63, and the last double below 2^63. */
#define COUNT_MIN (-0x1p63)
#define COUNT_MAX 0x1.fffffffffffffp62

struct reading {
	struct aggregate_param *param;
	struct op *op;
};

static int read_row(void *arg, struct worker *w, size_t i)
{
	struct reading *reading = arg;
	struct aggregate_param *p = reading->param;
	struct row row = row_new(w, reading->op->steps.n);
	int r = op_row(reading->op, w, i, &row);
	for (uint32_t t = 0; t < row.n && r == 0; t++) {
		double v = p->v[t] = row.v[t];
		if (isnan(v) || isnan(p->min)) {
			p->min = p->max = NAN;
		} else {
			p->min = fmin(p->min, v);
			p->max = fmax(p->max, v);
		}
	}
	row_fini(&row);
	return r;
}

int aggregate_param_read(struct aggregate_param *p, struct exec *x, struct op *param)
{
	*p = (struct aggregate_param){
		.v = arena_alloc(x->arena, param->steps.n * sizeof *p->v),
		.min = INFINITY,
		.max = -INFINITY,
	};
	struct reading reading = { p, param };
	return exec_rows(x, 1, read_row, &reading);
}

static const char *as_text(char out[GO_FLOAT_BYTES + 1], double v)
{
	out[go_float_format(out, v, 'g')] = 0;
	return out;
}

int aggregate_param_check_count(const struct aggregate_param *p, struct exec *x)
{
	char text[GO_FLOAT_BYTES + 1];
	if (p->max < 1)
		return 0;
	if (isnan(p->max))
		return exec_fail(x, -EINVAL, "Parameter value is NaN");
	if (p->min <= COUNT_MIN)
		return exec_fail(x, -EINVAL, "Scalar value %s underflows int64", as_text(text, p->min));
	if (p->max >= COUNT_MAX)
		return exec_fail(x, -EINVAL, "Scalar value %s overflows int64", as_text(text, p->max));
	return 1;
}

static void warn_ratio(struct exec *x, const struct expr *param, double v, int cap)
{
	char text[GO_FLOAT_BYTES + 1];
	annotations_add(x->annotations, ANNOTATION_WARNING, expr_place(param),
		"ratio value should be between -1 and 1, got %s, capping to %d", as_text(text, v), cap);
}

int aggregate_param_check_ratio(const struct aggregate_param *p, struct exec *x, const struct expr *param)
{
	if (p->max == 0 && p->min == 0)
		return 0;
	if (isnan(p->max))
		return exec_fail(x, -EINVAL, "Ratio value is NaN");
	if (p->max > 1)
		warn_ratio(x, param, p->max, 1);
	if (p->min < -1)
		warn_ratio(x, param, p->min, -1);
	return 1;
}

static void warn_quantile(struct exec *x, const struct expr *param, double v)
{
	char text[GO_FLOAT_BYTES + 1];
	annotations_add(x->annotations, ANNOTATION_WARNING, expr_place(param),
		"quantile value should be between 0 and 1, got %s", as_text(text, v));
}

void aggregate_param_check_quantile(const struct aggregate_param *p, struct exec *x, const struct expr *param)
{
	if (isnan(p->max))
		warn_quantile(x, param, NAN);
	if (p->max > 1)
		warn_quantile(x, param, p->max);
	if (p->min < 0)
		warn_quantile(x, param, p->min);
}
