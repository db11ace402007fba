/* SPDX-License-Identifier: Apache-2.0 */
/* How many queries run at a time; the others wait, for as long as their own deadline allows. First come, first served. */
#ifndef QUERY_ADMISSION_H
#define QUERY_ADMISSION_H

#include "lib/base/mem.h"

#include <stdatomic.h>
#include <stdint.h>

struct admission;

struct admission *admission_new(unsigned most);
void admission_free(struct admission *a); /* NULL is fine */
DEFINE_AUTO(admission, struct admission *, admission_free)

/* 0; -ETIMEDOUT at `until_us` of the monotonic clock; -ECANCELED within 100 ms after *cancel became true. */
int admission_enter(struct admission *a, int64_t until_us, const atomic_bool *cancel);
void admission_leave(struct admission *a);

/* For metrics. */
unsigned admission_running(struct admission *a);
unsigned admission_waiting(struct admission *a);

#endif
