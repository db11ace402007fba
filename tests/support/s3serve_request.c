/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the head; every piece is a span of the one copy. */
#include "tests/support/s3serve_request.h"

#include <ctype.h>

bool span_is(struct span s, const char *text)
{
	return s.p && s.n == strlen(text) && !memcmp(s.p, text, s.n);
}

bool span_starts(struct span s, const char *text)
{
	size_t n = strlen(text);
	return s.p && s.n >= n && !memcmp(s.p, text, n);
}

size_t s3serve_head_length(const void *p, size_t n)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4);
	return end ? (size_t)(end - (const char *)p) + 4 : 0;
}

struct span s3serve_header(const struct s3serve_request *q, const char *name)
{
	for (size_t i = 0; i < q->n_headers; i++)
		if (span_is(q->headers[i].name, name))
			return q->headers[i].value;
	return (struct span){ 0 };
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool s3serve_decode(struct span s, bool plus_is_blank, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%') {
			if (s.n - i < 3 || hex_digit(s.p[i + 1]) < 0 || hex_digit(s.p[i + 2]) < 0)
				return false;
			buf_add_u8(out, (uint8_t)(hex_digit(s.p[i + 1]) << 4 | hex_digit(s.p[i + 2])));
			i += 2;
		} else {
			buf_add_u8(out, s.p[i] == '+' && plus_is_blank ? ' ' : (uint8_t)s.p[i]);
		}
	}
	return true;
}

void s3serve_encode(const void *p, size_t n, bool keep_slash, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	const uint8_t *s = p;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = s[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
			c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash)) {
			buf_add_u8(out, c);
			continue;
		}
		buf_add(out, (uint8_t[]){ '%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15] }, 3);
	}
}

bool s3serve_param(const struct s3serve_request *q, const char *name, struct buf *out)
{
	for (size_t i = 0; i < q->n_params; i++) {
		if (!span_is(q->params[i].name, name))
			continue;
		if (out) {
			buf_reset(out);
			buf_reserve(out, 1);
			if (!s3serve_decode(q->params[i].value, true, out) || memchr(out->data, 0, out->len))
				buf_reset(out);
			buf_str(out);
		}
		return true;
	}
	return false;
}

static bool parse_query(struct s3serve_request *q)
{
	const char *p = q->query.p, *end = p + q->query.n;
	while (p < end) {
		const char *stop = memchr(p, '&', (size_t)(end - p));
		if (!stop)
			stop = end;
		if (stop > p) {
			if (q->n_params == S3SERVE_PARAMS)
				return false;
			const char *eq = memchr(p, '=', (size_t)(stop - p));
			struct s3serve_pair *pair = &q->params[q->n_params++];
			pair->name = (struct span){ p, (size_t)((eq ? eq : stop) - p) };
			pair->value = eq ? (struct span){ eq + 1, (size_t)(stop - eq - 1) }
					 : (struct span){ stop, 0 };
		}
		p = stop + 1;
	}
	return true;
}

static struct span trimmed(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct span){ p, (size_t)(end - p) };
}

static int parse_header(struct s3serve_request *q, char *line, const char *end)
{
	char *colon = memchr(line, ':', (size_t)(end - line));
	if (!colon || colon == line || q->n_headers == S3SERVE_HEADERS)
		return colon && colon != line ? 431 : 400;
	for (char *c = line; c < colon; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
			return 400;
		*c = (char)tolower((unsigned char)*c);
	}
	q->headers[q->n_headers++] =
		(struct s3serve_pair){ { line, (size_t)(colon - line) }, trimmed(colon + 1, end) };
	return 0;
}

static bool parse_number(struct span s, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || i > 17)
			return false;
		*out = *out * 10 + (uint64_t)(s.p[i] - '0');
	}
	return s.n > 0;
}

/* What the headers say of the message itself. */
static int parse_framing(struct s3serve_request *q)
{
	struct span length = s3serve_header(q, "content-length"),
		    connection = s3serve_header(q, "connection");
	if (s3serve_header(q, "transfer-encoding").p)
		return 501;
	if (length.p && !parse_number(length, &q->body_bytes))
		return 400;
	if (!length.p && (span_is(q->method, "PUT") || span_is(q->method, "POST")))
		return 411;
	if (!s3serve_header(q, "host").p)
		return 400;
	q->keep_alive = !(connection.p && connection.n == 5 && !strncasecmp(connection.p, "close", 5));
	struct span expect = s3serve_header(q, "expect");
	q->expects_continue = expect.p && expect.n == 12 && !strncasecmp(expect.p, "100-continue", 12);
	return 0;
}

int s3serve_request_parse(struct s3serve_request *q, const void *p, size_t n)
{
	*q = (struct s3serve_request){ 0 };
	if (memchr(p, 0, n))
		return 400;
	q->head = xstrndup(p, n);
	q->head_bytes = n;
	char *line = q->head, *end = strstr(line, "\r\n");
	if (!end)
		return 400;
	const char *blank = memchr(line, ' ', (size_t)(end - line)),
		   *last = memrchr(line, ' ', (size_t)(end - line));
	if (!blank || blank == last || end - last != 9 || memcmp(last, " HTTP/1.1", 9))
		return 400;
	q->method = (struct span){ line, (size_t)(blank - line) };
	struct span target = { blank + 1, (size_t)(last - blank - 1) };
	if (!target.n || target.p[0] != '/' || memchr(target.p, ' ', target.n))
		return 400;
	const char *mark = memchr(target.p, '?', target.n);
	q->path = (struct span){ target.p, mark ? (size_t)(mark - target.p) : target.n };
	q->query = mark ? (struct span){ mark + 1, target.n - q->path.n - 1 } : (struct span){ target.p, 0 };
	if (!parse_query(q))
		return 414;
	for (line = end + 2; (end = strstr(line, "\r\n")) && end > line; line = end + 2) {
		int status = parse_header(q, line, end);
		if (status)
			return status;
	}
	return parse_framing(q);
}

void s3serve_request_fini(struct s3serve_request *q)
{
	free(q->head);
	*q = (struct s3serve_request){ 0 };
}
