/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directory positions. A directory is listed in three phases, each in the order of a number that belongs to
 * the entry and to nothing else; the position after an entry is that number with its phase above it. So a
 * listing goes on at the right place in any process and whatever came or went meanwhile: no entry twice, none
 * that stays is lost.
 */
#ifndef FS_COOKIE_H
#define FS_COOKIE_H

#include <stdint.h>

enum cookie_phase {
	COOKIE_FIXED, /* ".", ".." and entries that are always there, by number */
	COOKIE_BLOCKS, /* merged blocks, by the hash of their ULID; above it which set of blocks the listing began with */
	COOKIE_NAMES, /* everything else, by the hash of its name */
};

#define COOKIE_HASH_BITS 44 /* of a block; the 17 above are the set's tag */

#define COOKIE_DOT    1u
#define COOKIE_DOTDOT 2u
#define COOKIE_FIRST  3u /* of the numbers of fixed entries */

static inline uint64_t cookie_make(enum cookie_phase phase, uint64_t number)
{
	return (uint64_t)phase << 61 | number;
}

static inline enum cookie_phase cookie_phase(uint64_t cookie)
{
	return (enum cookie_phase)(cookie >> 61 & 3);
}

/* The least number of this phase that a listing which goes on after `cookie` has not shown yet. */
static inline uint64_t cookie_next(uint64_t cookie, enum cookie_phase phase)
{
	if (cookie_phase(cookie) < phase)
		return 0;
	if (cookie_phase(cookie) > phase)
		return UINT64_MAX;
	return (cookie & ((1ull << 61) - 1)) + 1;
}

#endif
