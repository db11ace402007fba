/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info(v, {selector}): rows get labels of info series, such as target_info, that have the same job and instance (promql/info.go). Which
 * info series counts is decided step by step, the one with the newest sample, so a row of v may become several.
 */
#ifndef PROMQL_INFO_H
#define PROMQL_INFO_H

#include "lib/base/err.h"
#include "lib/promql/select.h"

/* How an info series is chosen: what the call's second argument says. Owned by the operator. */
struct info_matchers {
	struct matcher *all; /* of the selector and of the name, what the series are selected by */
	size_t n;
	size_t n_named;    /* of them the last ones are of __name__ */
	size_t n_compiled; /* of them the last ones are the operator's to free */
};

/* Of the call's second argument; may be NULL: target_info. */
int info_matchers_init(struct info_matchers *m, const struct expr *selector, struct err *e);
void info_matchers_fini(struct info_matchers *m);

/* Takes everything but `at`, which says when the info series are looked at. `from` selects by m->all. */
struct op *info_new(const struct expr *call, struct op *inner, struct info_matchers *m, struct selected *from,
	const struct lookup *at, int64_t lookback_ms);

#endif
