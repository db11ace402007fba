/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of HTTP answers: whatever comes, what is kept is lines of "name: value" that are no longer than what came. */
#include "lib/net/http_head.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const struct buf *b)
{
	for (size_t at = 0; at < b->len;) {
		const uint8_t *line = b->data + at, *end = memchr(line, '\n', b->len - at);
		const uint8_t *colon = end ? memchr(line, ':', (size_t)(end - line)) : NULL;
		if (!colon || colon == line || colon[1] != ' ')
			abort();
		for (const uint8_t *p = line; p < colon; p++)
			if (*p <= ' ' || *p >= 0x7f || (*p >= 'A' && *p <= 'Z'))
				abort();
		at += (size_t)(end - line) + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf headers = { 0 };
	struct http_head h = { .headers = &headers };
	for (size_t at = 0; at < size;) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t n = end ? (size_t)(end - data) - at + 1 : size - at;
		if (!http_head_add(&h, (const char *)data + at, n))
			break;
		check_lines(&headers);
		if (headers.len > 2 * size || h.status > 999)
			abort();
		at += n;
	}
	return 0;
}
