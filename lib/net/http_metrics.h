/* SPDX-License-Identifier: Apache-2.0 */
/* The process' metrics as an answer: Prometheus' text format, 0.0.4. */
#ifndef NET_HTTP_METRICS_H
#define NET_HTTP_METRICS_H

#include "lib/net/http_server.h"

/* An http_route's answer; arg is not looked at. */
void http_metrics_answer(void *arg, const struct http_request *q, struct http_response *out);

#endif
