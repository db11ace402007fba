/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/ulid.h"

#include <stdlib.h>
#include <sys/random.h>

static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static int value_of(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	const char *at = c ? strchr(letters, c) : NULL;
	return at ? (int)(at - letters) : -1;
}

bool ulid_parse(const char *s, struct ulid *out)
{
	if (strnlen(s, ULID_CHARS + 1) != ULID_CHARS || value_of(s[0]) > 7)
		return false; /* 26 letters hold 130 bits: the first has only three */
	unsigned __int128 v = 0;
	for (int i = 0; i < ULID_CHARS; i++) {
		int digit = value_of(s[i]);
		if (digit < 0)
			return false;
		v = v << 5 | (unsigned)digit;
	}
	for (int i = 15; i >= 0; i--, v >>= 8)
		out->bytes[i] = (uint8_t)v;
	return true;
}

void ulid_format(const struct ulid *u, char out[ULID_CHARS + 1])
{
	unsigned __int128 v = 0;
	for (int i = 0; i < 16; i++)
		v = v << 8 | u->bytes[i];
	for (int i = ULID_CHARS - 1; i >= 0; i--, v >>= 5)
		out[i] = letters[(unsigned)v & 31];
	out[ULID_CHARS] = 0;
}

int64_t ulid_time_ms(const struct ulid *u)
{
	int64_t t = 0;
	for (int i = 0; i < 6; i++)
		t = t << 8 | u->bytes[i];
	return t;
}

struct ulid ulid_make(int64_t time_ms, const uint8_t rest[10])
{
	struct ulid u;
	for (int i = 5; i >= 0; i--, time_ms >>= 8)
		u.bytes[i] = (uint8_t)time_ms;
	memcpy(u.bytes + 6, rest, 10);
	return u;
}

struct ulid ulid_random(int64_t time_ms)
{
	uint8_t rest[10];
	if (getrandom(rest, sizeof rest, 0) != sizeof rest)
		abort();
	return ulid_make(time_ms, rest);
}
