/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the HTTP API as promtool prints them. */
#ifndef CMD_QUERY_PRINT_H
#define CMD_QUERY_PRINT_H

#include "lib/base/json.h"

/* Each appends lines. -EBADMSG where the answer is not of the form. */
int query_print_value(const struct json_at *data, struct buf *out, struct err *e); /* of query, query_range */
int query_print_series(
	const struct json_at *data, struct buf *out, struct err *e); /* {__name__="up", job="a"} */
int query_print_words(const struct json_at *data, struct buf *out, struct err *e);

#endif
