/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the client's interface that are about text alone. */
#include "lib/net/http_client.h"

#include <stdio.h>

const char *http_call_header(const struct http_call *call, const char *name, char *out, size_t out_bytes)
{
	const struct buf *b = &call->answer_headers;
	size_t n = strlen(name);
	for (size_t at = 0; at < b->len;) {
		const char *line = (const char *)b->data + at;
		const char *end = memchr(line, '\n', b->len - at);
		size_t bytes = end ? (size_t)(end - line) : b->len - at;
		if (bytes >= n + 2 && !memcmp(line, name, n) && line[n] == ':') {
			snprintf(out, out_bytes, "%.*s", (int)(bytes - n - 2), line + n + 2);
			return out;
		}
		at += bytes + 1;
	}
	return NULL;
}

void http_escape(const char *text, bool keep_slashes, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
		bool is_unreserved = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
				     (*p >= '0' && *p <= '9') || strchr("-._~", *p);
		if (is_unreserved || (*p == '/' && keep_slashes)) {
			buf_add_u8(out, *p);
		} else {
			buf_add_u8(out, '%');
			buf_add_u8(out, (uint8_t)hex[*p >> 4]);
			buf_add_u8(out, (uint8_t)hex[*p & 15]);
		}
	}
}
