/* SPDX-License-Identifier: Apache-2.0 */
/* What functions of instant vectors compute of a float, and the table of their names. */
#include "lib/promql/instant_function.h"

#include "lib/promql/date.h"
#include "lib/promql/go_math.h"

static double degrees(double v)
{
	return v * 180 / M_PI;
}

static double radians(double v)
{
	return v * M_PI / 180;
}

static double sign(double v)
{
	return v < 0 ? -1 : v > 0 ? 1 : v;
}

static void clamp_row(const double *least, const double *most, struct row *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		double lo = least ? least[i] : -INFINITY, hi = most ? most[i] : INFINITY;
		if (hi < lo)
			r->kind[i] = CELL_NONE;
		else if (r->kind[i])
			r->v[i] = go_max(lo, go_min(hi, r->v[i]));
	}
}

static void clamp(const struct op *op, const double *const *params, struct row *r)
{
	(void)op;
	clamp_row(params[0], params[1], r);
}

static void clamp_min(const struct op *op, const double *const *params, struct row *r)
{
	(void)op;
	clamp_row(params[0], NULL, r);
}

static void clamp_max(const struct op *op, const double *const *params, struct row *r)
{
	(void)op;
	clamp_row(NULL, params[0], r);
}

/* To the nearest multiple, halves up. The inverse, as upstream, because 1 / 0.1 is exact and 0.1 isn't. */
static void round_row(const struct op *op, const double *const *params, struct row *r)
{
	(void)op;
	for (uint32_t i = 0; i < r->n; i++) {
		double inverse = 1.0 / (params[0] ? params[0][i] : 1.0);
		if (r->kind[i])
			r->v[i] = floor(r->v[i] * inverse + 0.5) / inverse;
	}
}

/* start_timestamp() of what isn't a selector, or where nobody wants start times: upstream has no result either. */
static void nothing(const struct op *op, const double *const *params, struct row *r)
{
	(void)op, (void)params;
	memset(r->kind, CELL_NONE, r->n);
}

static const struct instant_kernel kernels[] = {
	{ "abs", fabs, NULL },
	{ "acos", acos, NULL },
	{ "acosh", acosh, NULL },
	{ "asin", asin, NULL },
	{ "asinh", asinh, NULL },
	{ "atan", atan, NULL },
	{ "atanh", atanh, NULL },
	{ "ceil", ceil, NULL },
	{ "clamp", NULL, clamp },
	{ "clamp_max", NULL, clamp_max },
	{ "clamp_min", NULL, clamp_min },
	{ "cos", cos, NULL },
	{ "cosh", go_cosh, NULL },
	{ "day_of_month", date_day_of_month, NULL },
	{ "day_of_week", date_day_of_week, NULL },
	{ "day_of_year", date_day_of_year, NULL },
	{ "days_in_month", date_days_in_month, NULL },
	{ "deg", degrees, NULL },
	{ "exp", go_exp, NULL },
	{ "floor", floor, NULL },
	{ "hour", date_hour, NULL },
	{ "ln", log, NULL },
	{ "log10", log10, NULL },
	{ "log2", log2, NULL },
	{ "minute", date_minute, NULL },
	{ "month", date_month, NULL },
	{ "rad", radians, NULL },
	{ "round", NULL, round_row },
	{ "sgn", sign, NULL },
	{ "sin", sin, NULL },
	{ "sinh", go_sinh, NULL },
	{ "sqrt", sqrt, NULL },
	{ "start_timestamp", NULL, nothing },
	{ "tan", tan, NULL },
	{ "tanh", tanh, NULL },
	{ "year", date_year, NULL },
};

const struct instant_kernel *instant_kernel_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kernels); i++)
		if (strcmp(kernels[i].name, name) == 0)
			return &kernels[i];
	return NULL;
}
