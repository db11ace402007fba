/* SPDX-License-Identifier: Apache-2.0 */
/* A query's answer, kept whole: what promql_run gives to a sink, and how it ended. */
#ifndef TESTS_KEPT_ANSWER_H
#define TESTS_KEPT_ANSWER_H

#include "lib/base/vec.h"
#include "lib/promql/promql.h"

struct kept_series {
	struct label_set labels;
	size_t n;
	int64_t *t;
	double *v;
	struct float_histogram **h; /* of each point; NULL where it is a float */
};

struct kept_answer {
	enum value_type type;
	VEC(struct kept_series) series;
	struct buf string;
	enum promql_error_kind error;
	struct buf message;
	VEC(char *) notes[2]; /* by enum annotation_level, as users see them */
	struct arena *arena;
};

/* Runs the query and keeps what came. */
void kept_answer_of(struct series_source *source, const struct promql_options *o,
	const struct promql_query *q, struct kept_answer *out);
void kept_answer_fini(struct kept_answer *a);
static inline void mem_auto_kept_answer(struct kept_answer *a)
{
	kept_answer_fini(a);
}

/* Appends {a="b"} 1@60 {{count:2}}@120, or without the times. */
void kept_series_print(const struct kept_series *s, bool has_times, struct buf *out);
void kept_point_print(double v, const struct float_histogram *h, struct buf *out);

#endif
