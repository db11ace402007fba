/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_head.h"

#include <ctype.h>

/* "HTTP/1.1 200 OK"; 0 for anything else. */
static unsigned status_of(const char *line, size_t n)
{
	const char *p = memchr(line, ' ', n);
	if (!p || n - (size_t)(p - line) < 4 || !isdigit((unsigned char)p[1]) ||
		!isdigit((unsigned char)p[2]) || !isdigit((unsigned char)p[3]))
		return 0;
	return (unsigned)(p[1] - '0') * 100 + (unsigned)(p[2] - '0') * 10 + (unsigned)(p[3] - '0');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Appends the text without the blanks around it; bytes that would end or split a line become blanks. */
static void add_value(struct buf *out, const char *p, size_t n)
{
	while (n && is_blank(*p))
		p++, n--;
	while (n && is_blank(p[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++)
		buf_add_u8(out, p[i] == '\n' || p[i] == '\r' || !p[i] ? ' ' : (uint8_t)p[i]);
}

static void add_header(struct buf *out, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	if (!colon || colon == line)
		return;
	size_t name = (size_t)(colon - line);
	for (size_t i = 0; i < name; i++)
		if (!isgraph((unsigned char)line[i]))
			return;
	for (size_t i = 0; i < name; i++)
		buf_add_u8(out, (uint8_t)tolower((unsigned char)line[i]));
	buf_add_str(out, ": ");
	add_value(out, colon + 1, n - name - 1);
	buf_add_u8(out, '\n');
}

bool http_head_add(struct http_head *h, const char *line, size_t n)
{
	if (n > HTTP_HEAD_BYTES - h->bytes)
		return false;
	h->bytes += n;
	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (n >= 5 && !memcmp(line, "HTTP/", 5)) {
		h->status = status_of(line, n);
		h->complete = false;
		buf_reset(h->headers);
	} else if (h->complete) {
		/* A trailer: it may not say what the head has not said. */
	} else if (n == 0) {
		h->complete = true;
	} else if (is_blank(*line)) {
		if (h->headers->len) {
			h->headers->data[h->headers->len - 1] = ' ';
			add_value(h->headers, line, n);
			buf_add_u8(h->headers, '\n');
		}
	} else {
		add_header(h->headers, line, n);
	}
	return true;
}
