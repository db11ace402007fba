/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints, a file a group; api.c gives each its paths. */
#ifndef QUERY_API_ENDPOINTS_H
#define QUERY_API_ENDPOINTS_H

#include "query/api_call.h"

/* api_query.c */
api_endpoint api_query, api_query_range, api_query_explain, api_query_range_explain;

/* api_expr.c: what is only about expressions */
api_endpoint api_format_query, api_parse_query, api_query_exemplars;

/* api_labels.c, api_series.c */
api_endpoint api_labels, api_label_values, api_series;
void api_unescape_label_name(const char *escaped, struct buf *out);

/* api_status.c */
api_endpoint api_buildinfo, api_runtimeinfo, api_config, api_flags, api_tsdb, api_walreplay, api_features;

/* federate.c: not JSON */
bool api_federate(struct api *a, const struct http_request *q, struct http_reply *reply);

#endif
