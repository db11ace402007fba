/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: allocation that aborts when there is none (so every size that comes from outside is bounded before it
 * gets here), and cleanup at the end of a scope.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *p, size_t bytes);
void *xreallocarray(void *p, size_t count, size_t bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline void mem_auto_free(void *p)
{
	free(*(void **)p);
}

/* Declares a pointer that free() gets at the end of its scope. */
#define auto_free __attribute__((cleanup(mem_auto_free)))

/*
 * DEFINE_AUTO(buf, struct buf *, buf_free) lets `auto_of(buf) struct buf *b = ...;` call buf_free(b) at the end of
 * the scope; the function must take NULL.
 */
#define DEFINE_AUTO(name, type, fn)                 \
	static inline void mem_auto_##name(type *p) \
	{                                           \
		fn(*p);                             \
	}
#define auto_of(name) __attribute__((cleanup(mem_auto_##name)))

/* The pointer, with the variable set to NULL: hands ownership on past a cleanup. */
#define take(p)                                   \
	({                                        \
		__typeof__(p) *take_p_ = &(p);    \
		__typeof__(p) take_v_ = *take_p_; \
		*take_p_ = NULL;                  \
		take_v_;                          \
	})

/* Closes a file descriptor at the end of its scope when it is >= 0. */
void mem_auto_close_fd(int *fd);
#define auto_close_fd __attribute__((cleanup(mem_auto_close_fd)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

#endif
