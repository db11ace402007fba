/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_metrics.h"

#include "lib/base/metrics.h"

void http_metrics_answer(void *arg, const struct http_request *q, struct http_response *out)
{
	(void)arg, (void)q;
	out->content_type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_render(&out->body);
}
