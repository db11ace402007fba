/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_params.h"

#include <errno.h>

void http_params_fini(struct http_params *p)
{
	for (size_t i = 0; i < p->len; i++) {
		free(p->data[i].name);
		free(p->data[i].value);
	}
	free(p->data);
	*p = (struct http_params){ 0 };
}

static struct http_param *next_free(struct http_params *p)
{
	if (p->len == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 8;
		p->data = xreallocarray(p->data, p->cap, sizeof *p->data);
	}
	return &p->data[p->len++];
}

void http_params_add(
	struct http_params *p, const char *name, size_t name_len, const char *value, size_t value_len)
{
	*next_free(p) = (struct http_param){ .name = xstrndup(name, name_len),
		.value = xstrndup(value, value_len),
		.name_len = name_len,
		.value_len = value_len };
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Where the first malformed escape stands; n: there is none. */
static size_t unescape(const char *p, size_t n, bool plus_is_blank, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)p[i];
		if (c == '%') {
			if (n - i < 3 || digit(p[i + 1]) < 0 || digit(p[i + 2]) < 0)
				return i;
			c = (uint8_t)(digit(p[i + 1]) << 4 | digit(p[i + 2]));
			i += 2;
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		buf_add_u8(out, c);
	}
	return n;
}

static char *owned(struct buf *b, size_t *len)
{
	*len = b->len;
	buf_add_u8(b, 0);
	char *p = (char *)b->data;
	*b = (struct buf){ 0 };
	return p;
}

static int add_pair(struct http_params *p, const char *text, size_t n, struct err *e)
{
	auto_buf struct buf name = { 0 }, value = { 0 };
	if (memchr(text, ';', n))
		return err_set(e, -EINVAL, "invalid semicolon separator in query");
	const char *equals = memchr(text, '=', n);
	size_t name_len = equals ? (size_t)(equals - text) : n, skip = equals ? name_len + 1 : n;
	const char *part = text;
	size_t len = name_len, at = unescape(part, len, true, &name);
	if (at == len) {
		part = text + skip;
		len = n - skip;
		at = unescape(part, len, true, &value);
	}
	if (at < len)
		return err_set(
			e, -EINVAL, "invalid URL escape \"%.*s\"", (int)MIN_OF(len - at, 3u), part + at);
	struct http_param *to = next_free(p);
	to->name = owned(&name, &to->name_len);
	to->value = owned(&value, &to->value_len);
	return 0;
}

int http_params_parse(struct http_params *p, const char *text, size_t n, struct err *e)
{
	int first = 0;
	for (const char *end = text + n; text < end;) {
		const char *amp = memchr(text, '&', (size_t)(end - text));
		const char *stop = amp ? amp : end;
		if (p->len >= HTTP_PARAMS_MAX)
			return err_set(
				first ? NULL : e, -EINVAL, "number of URL query parameters exceeded limit");
		if (stop > text) {
			int r = add_pair(p, text, (size_t)(stop - text), first ? NULL : e);
			first = first ? first : r;
		}
		text = amp ? amp + 1 : end;
	}
	return first;
}

const struct http_param *http_params_next(
	const struct http_params *p, const char *name, const struct http_param *previous)
{
	for (size_t i = previous ? (size_t)(previous - p->data) + 1 : 0; i < p->len; i++)
		if (!strcmp(p->data[i].name, name) && p->data[i].name_len == strlen(name))
			return &p->data[i];
	return NULL;
}

const struct http_param *http_params_get(const struct http_params *p, const char *name)
{
	return http_params_next(p, name, NULL);
}

int http_unescape_path(const char *text, size_t n, struct buf *out)
{
	size_t begin = out->len;
	if (unescape(text, n, false, out) < n)
		return -EINVAL;
	return out->len > begin && memchr(out->data + begin, 0, out->len - begin) ? -EINVAL : 0;
}
