/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and values: the parameters of a URL and of a form (application/x-www-form-urlencoded), read as Go's net/url does, and the
 * headers of a request. In the order in which they came; a name may come several times.
 */
#ifndef NET_HTTP_PARAMS_H
#define NET_HTTP_PARAMS_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_PARAMS_MAX 10000

/* Owned; a NUL stands behind the last byte, and may stand between others. */
struct http_param {
	char *name, *value;
	size_t name_len, value_len;
};

/* Zero-initialise it, http_params_fini it. */
struct http_params {
	struct http_param *data;
	size_t len, cap;
};

void http_params_fini(struct http_params *p);
void http_params_add(
	struct http_params *p, const char *name, size_t name_len, const char *value, size_t value_len);

/*
 * Adds what stands in "a=1&b=%20": '+' and %XX are undone. -EINVAL with Go's words for the first pair that is malformed, which is
 * left out, and for more than HTTP_PARAMS_MAX; the others are there all the same.
 */
int http_params_parse(struct http_params *p, const char *text, size_t n, struct err *e);

/* The first of this name, which is a C string; NULL: there is none. */
const struct http_param *http_params_get(const struct http_params *p, const char *name);

/* The one after `previous` (NULL: the first) with this name; NULL: no more. */
const struct http_param *http_params_next(
	const struct http_params *p, const char *name, const struct http_param *previous);

/* Undoes %XX in a path, where '+' means itself. -EINVAL where two digits are missing, or a NUL would come out. */
int http_unescape_path(const char *text, size_t n, struct buf *out);

#endif
