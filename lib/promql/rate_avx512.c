/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/rate_avx512.h"

#ifdef __x86_64__

#include "lib/base/avx512.h"
#include "lib/promql/rate_usual.h"

#include <immintrin.h>

AVX512_INLINE __m512d all(double x)
{
	return _mm512_set1_pd(x);
}

AVX512_INLINE __m512i times_at(const int64_t *t, __m256i k, __mmask8 which)
{
	return _mm512_mask_i32gather_epi64(_mm512_setzero_si512(), which, k, t, sizeof *t);
}

AVX512_INLINE __m512d values_at(const double *v, __m256i k, __mmask8 which)
{
	return _mm512_mask_i32gather_pd(_mm512_setzero_pd(), which, k, v, sizeof *v);
}

AVX512_INLINE __m512d span(__m512i from, __m512i to)
{
	return _mm512_cvtepi64_pd(_mm512_sub_epi64(to, from));
}

AVX512_INLINE __m512d seconds(__m512d ms)
{
	return _mm512_add_pd(_mm512_mul_pd(ms, all(RATE_MILLI_HIGH)), _mm512_mul_pd(ms, all(RATE_MILLI_LOW)));
}

AVX512 unsigned rate_avx512(
	const struct range_series *s, uint32_t i, bool is_counter, double divisor, struct row *out)
{
	const __m256i one = _mm256_set1_epi32(1);
	__m256i lo = _mm256_loadu_si256((const void *)(s->f.lo + i)),
		hi = _mm256_loadu_si256((const void *)(s->f.hi + i));
	__m256i last = _mm256_sub_epi32(hi, one), n_gaps = _mm256_sub_epi32(last, lo);
	__mmask8 some = _mm256_cmpgt_epi32_mask(n_gaps, _mm256_setzero_si256()); /* two samples, or more */
	__m512i first_t = times_at(s->f.t, lo, some), last_t = times_at(s->f.t, last, some);
	__m512d first = values_at(s->f.v, lo, some),
		change = _mm512_sub_pd(values_at(s->f.v, last, some), first);
	__m512d to_start = span(_mm512_loadu_si512(s->start + i), first_t), sampled = span(first_t, last_t),
		to_end = span(last_t, _mm512_loadu_si512(s->end + i)), gaps = _mm512_cvtepi32_pd(n_gaps);

	__m512d limit = _mm512_mul_pd(sampled, all(RATE_NEAR));
	__mmask8 usual = _mm512_mask_cmp_pd_mask(some, _mm512_mul_pd(to_start, gaps), limit, _CMP_LT_OQ);
	usual = _mm512_mask_cmp_pd_mask(usual, _mm512_mul_pd(to_end, gaps), limit, _CMP_LT_OQ);
	if (is_counter) {
		__mmask8 rises = _mm512_cmp_pd_mask(change, _mm512_setzero_pd(), _CMP_GT_OQ);
		__m512d from_zero = _mm512_mul_pd(_mm512_mul_pd(change, to_start), all(RATE_FAR));
		usual &= (__mmask8)~rises |
			 _mm512_cmp_pd_mask(_mm512_mul_pd(first, sampled), from_zero, _CMP_GT_OQ);
	}

	to_start = seconds(to_start);
	to_end = seconds(to_end);
	sampled = seconds(sampled);
	__m512d whole = _mm512_add_pd(_mm512_add_pd(sampled, to_start), to_end),
		factor = _mm512_div_pd(_mm512_div_pd(whole, sampled), all(divisor));
	_mm512_mask_storeu_pd(out->v + i, usual, _mm512_mul_pd(change, factor));
	_mm_mask_storeu_epi8(out->kind + i, usual, _mm_set1_epi8(CELL_FLOAT));
	return some & ~usual & 0xffu;
}

#else

unsigned rate_avx512(
	const struct range_series *s, uint32_t i, bool is_counter, double divisor, struct row *out)
{
	(void)s, (void)i, (void)is_counter, (void)divisor, (void)out;
	return (1u << RATE_AVX512_STEPS) - 1;
}

#endif
