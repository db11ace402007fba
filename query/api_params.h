/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of parameters, as Prometheus reads them. Times and durations are ms. Messages are upstream's, as they stand behind
 * `invalid parameter "...": `.
 */
#ifndef QUERY_API_PARAMS_H
#define QUERY_API_PARAMS_H

#include "lib/base/err.h"
#include "query/api_call.h"

#include <stdint.h>

/* What start and end are where they are not given: before and after everything, as upstream's MinTime and MaxTime. */
#define API_MIN_TIME (-9223309901257974000)
#define API_MAX_TIME 9223309901257974999

/* Seconds since 1970 with a fraction, or RFC 3339. -EINVAL. */
int api_parse_time(const char *text, int64_t *t, struct err *e);

/* Seconds with a fraction, or as "1h30m"; in nanoseconds, as a step may be shorter than a millisecond. -EINVAL. */
int api_parse_duration_ns(const char *text, int64_t *ns, struct err *e);

/* "" is 0: no limit. -EINVAL. */
int api_parse_limit(const char *text, uint64_t *limit, struct err *e);

/* One match[]. */
struct api_matchers {
	struct matcher *data;
	size_t len;
};

struct api_selection {
	uint64_t limit; /* 0: none */
	int64_t start, end;
	struct api_matchers *sets;
	size_t n_sets;
};

/*
 * limit, start, end and match[]. False: the call has failed, in upstream's words; `names_match` where upstream names the parameter
 * match[], too. api_selection_fini in any case.
 */
bool api_read_selection(struct api_call *c, bool names_match, struct api_selection *out);
void api_selection_fini(struct api_selection *s);

#endif
