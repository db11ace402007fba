/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A typed growable array: `VEC(struct series) v = { 0 };`. Fields: data, len, cap.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "lib/base/mem.h"

#include <string.h>

#define VEC(type)                \
	struct {                 \
		type *data;      \
		size_t len, cap; \
	}

#define vec_reserve(v, count)                                                              \
	do {                                                                               \
		if ((v)->cap < (count)) {                                                  \
			size_t vec_cap_ = (v)->cap ? (v)->cap * 2 : 8;                     \
			(v)->cap = vec_cap_ < (count) ? (count) : vec_cap_;                \
			(v)->data = xreallocarray((v)->data, (v)->cap, sizeof *(v)->data); \
		}                                                                          \
	} while (0)

/* A pointer to a new, uninitialised last element. */
#define vec_push_slot(v)                      \
	({                                    \
		vec_reserve(v, (v)->len + 1); \
		&(v)->data[(v)->len++];       \
	})
#define vec_push(v, ...) (*vec_push_slot(v) = (__VA_ARGS__))

#define vec_fini(v)                      \
	do {                             \
		free((v)->data);         \
		(v)->data = NULL;        \
		(v)->len = (v)->cap = 0; \
	} while (0)

#define vec_each(p, v) for (__typeof__(&*(v)->data) p = (v)->data; p && p < (v)->data + (v)->len; p++)

#define vec_sort(v, cmp)                                                    \
	do {                                                                \
		if ((v)->len > 1)                                           \
			qsort((v)->data, (v)->len, sizeof *(v)->data, cmp); \
	} while (0)

#endif
