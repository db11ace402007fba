/* SPDX-License-Identifier: Apache-2.0 */
/* What a request of the query API says: its path, its parameters, and their values. Nothing grows past what came. */
#include "lib/net/http_params.h"
#include "query/api_endpoints.h"
#include "query/api_params.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(const struct http_param *p)
{
	auto_buf struct buf name = { 0 };
	int64_t n;
	uint64_t limit;
	struct err e;
	if (api_parse_time(p->value, &n, &e) == 0 && (n < API_MIN_TIME || n > API_MAX_TIME))
		abort();
	api_parse_duration_ns(p->value, &n, &e);
	if (api_parse_limit(p->value, &limit, &e) == 0 && limit > INT64_MAX)
		abort();
	if (!strncmp(p->value, "U__", 3)) {
		api_unescape_label_name(p->value, &name);
		if (name.len > p->value_len)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_params p = { 0 };
	auto_buf struct buf path = { 0 };
	struct err e;
	size_t bytes = 0;
	http_params_parse(&p, (const char *)data, size, &e);
	for (size_t i = 0; i < p.len; i++) {
		bytes += p.data[i].name_len + p.data[i].value_len;
		if (p.data[i].name[p.data[i].name_len] || p.data[i].value[p.data[i].value_len])
			abort();
		check_value(&p.data[i]);
	}
	if (bytes > size || p.len > HTTP_PARAMS_MAX)
		abort();
	if (http_unescape_path((const char *)data, size, &path) == 0 && path.len > size)
		abort();
	http_params_fini(&p);
	return 0;
}
