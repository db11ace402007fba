/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SSE4.2 instruction has a latency of three cycles and a throughput of one, so inputs run as three interleaved
 * streams over blocks, long ones as long as there is enough and short ones then, whose checksums a small matrix joins; what is
 * left is one stream.
 */
#include "lib/base/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLY  0x82f63b78u /* reflected */
#define LONG  1024        /* bytes a stream and round */
#define SHORT 64

static uint32_t table[8][256];
/* Append LONG or SHORT zero bytes to a checksum, a byte of it at a time. */
static uint32_t shift_long[4][256], shift_short[4][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int has_sse42;

static uint32_t update_portable(uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t w;
		memcpy(&w, p, 8);
		w ^= crc;
		crc = table[7][w & 255] ^ table[6][w >> 8 & 255] ^ table[5][w >> 16 & 255] ^
		      table[4][w >> 24 & 255] ^ table[3][w >> 32 & 255] ^ table[2][w >> 40 & 255] ^
		      table[1][w >> 48 & 255] ^ table[0][w >> 56];
	}
	while (n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return crc;
}

static void init(void)
{
	static const uint8_t zeros[LONG];
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ POLY : c >> 1;
		table[0][i] = c;
	}
	for (int t = 1; t < 8; t++)
		for (int i = 0; i < 256; i++)
			table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
	for (uint32_t byte = 0; byte < 4; byte++)
		for (uint32_t i = 0; i < 256; i++) {
			shift_long[byte][i] = update_portable(i << 8 * byte, zeros, LONG);
			shift_short[byte][i] = update_portable(i << 8 * byte, zeros, SHORT);
		}
#ifdef __x86_64__
	has_sse42 = __builtin_cpu_supports("sse4.2");
#endif
}

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n)
{
	pthread_once(&once, init);
	return ~update_portable(~crc, p, n);
}

#ifdef __x86_64__
static inline uint64_t word(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, 8);
	return w;
}

static inline uint32_t shifted(const uint32_t by[4][256], uint32_t crc)
{
	return by[0][crc & 255] ^ by[1][crc >> 8 & 255] ^ by[2][crc >> 16 & 255] ^ by[3][crc >> 24];
}

/* Three blocks. */
__attribute__((target("sse4.2"))) static inline uint32_t update_three(
	uint32_t crc, const uint8_t *p, size_t block, const uint32_t by[4][256])
{
	uint64_t a = crc, b = 0, c = 0;
	for (size_t i = 0; i < block; i += 8) {
		a = __builtin_ia32_crc32di(a, word(p + i));
		b = __builtin_ia32_crc32di(b, word(p + block + i));
		c = __builtin_ia32_crc32di(c, word(p + 2 * block + i));
	}
	return shifted(by, shifted(by, (uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
}

__attribute__((target("sse4.2"))) static uint32_t update_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n >= 3 * LONG; n -= 3 * LONG, p += 3 * LONG)
		crc = update_three(crc, p, LONG, shift_long);
	for (; n >= 3 * SHORT; n -= 3 * SHORT, p += 3 * SHORT)
		crc = update_three(crc, p, SHORT, shift_short);
	uint64_t wide = crc;
	for (; n >= 8; n -= 8, p += 8)
		wide = __builtin_ia32_crc32di(wide, word(p));
	crc = (uint32_t)wide;
	while (n--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	pthread_once(&once, init);
#ifdef __x86_64__
	if (has_sse42)
		return ~update_sse42(~crc, p, n);
#endif
	return ~update_portable(~crc, p, n);
}
