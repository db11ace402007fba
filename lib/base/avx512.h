/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVX-512 where the processor has it, which is found out at run time: what is built on one machine runs on all. A file that uses it has
 * its functions marked with AVX512, and something else for other processors and other architectures.
 */
#ifndef BASE_AVX512_H
#define BASE_AVX512_H

#include <stdbool.h>

#ifdef __x86_64__

#define AVX512        __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))
#define AVX512_INLINE AVX512 __attribute__((always_inline)) static inline

static inline bool avx512_is_there(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

#else

static inline bool avx512_is_there(void)
{
	return false;
}

#endif
#endif
