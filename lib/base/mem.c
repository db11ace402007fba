/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that aborts instead of failing: call sites stay flat. */
#include "lib/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *p, size_t bytes)
{
	if (!p && bytes) {
		fprintf(stderr, "thanosfs: out of memory: %zu bytes\n", bytes);
		abort();
	}
	return p;
}

void *xmalloc(size_t bytes)
{
	return checked(malloc(bytes), bytes);
}

void *xcalloc(size_t count, size_t bytes)
{
	return checked(calloc(count, bytes), count * bytes);
}

void *xrealloc(void *p, size_t bytes)
{
	return checked(realloc(p, bytes ? bytes : 1), bytes);
}

void *xreallocarray(void *p, size_t count, size_t bytes)
{
	size_t total;
	if (__builtin_mul_overflow(count, bytes, &total))
		checked(NULL, SIZE_MAX);
	return xrealloc(p, total);
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
	char *copy = xmalloc(n + 1);
	memcpy(copy, s, n);
	copy[n] = 0;
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return checked(n < 0 ? NULL : s, 1);
}

void mem_auto_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
