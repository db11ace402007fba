/* SPDX-License-Identifier: Apache-2.0 */
/* Error messages of a fixed size: no allocation, so that reporting a failure can't fail. */
#include "lib/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int r, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
		e->retry_after_ms = 0;
	}
	return r;
}

static void append(struct err *e, const char *text)
{
	size_t used = strlen(e->msg);
	snprintf(e->msg + used, sizeof e->msg - used, ": %s", text);
}

int err_errno(struct err *e, int r, const char *fmt, ...)
{
	if (e) {
		char words[128];
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
		append(e, strerror_r(-r, words, sizeof words));
		e->retry_after_ms = 0;
	}
	return r;
}

int err_wrap(struct err *e, int r, const char *fmt, ...)
{
	if (e) {
		struct err inner = *e;
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
		append(e, inner.msg);
	}
	return r;
}
