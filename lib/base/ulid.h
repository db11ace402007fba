/* SPDX-License-Identifier: Apache-2.0 */
/* ULIDs, the names of blocks: 48 bits of unix milliseconds, 80 bits of anything; 26 letters of Crockford's base 32. */
#ifndef BASE_ULID_H
#define BASE_ULID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ULID_CHARS 26

struct ulid {
	uint8_t bytes[16]; /* big endian: comparing bytes compares ULIDs */
};

/* Exactly 26 letters, as oklog/ulid's ParseStrict takes them (either case); false for anything else. */
bool ulid_parse(const char *s, struct ulid *out);

/* Writes 26 upper-case letters and a NUL. */
void ulid_format(const struct ulid *u, char out[ULID_CHARS + 1]);

int64_t ulid_time_ms(const struct ulid *u);

/* A ULID of this time whose other 80 bits are the first ten bytes of `rest`. */
struct ulid ulid_make(int64_t time_ms, const uint8_t rest[10]);

/* A ULID of this time and random bits. */
struct ulid ulid_random(int64_t time_ms);

static inline int ulid_cmp(const struct ulid *a, const struct ulid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

#endif
