/* SPDX-License-Identifier: Apache-2.0 */
/* Node ids are hashes and numbers of what the file is; see the header for the layout. */
#include "fs/node_id.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LOW_BITS(n) ((1ull << (n)) - 1)

uint64_t node_block_hash(const struct ulid *u)
{
	return XXH3_64bits(u->bytes, sizeof u->bytes) & LOW_BITS(44);
}

uint64_t node_bucket(const char *name)
{
	/* The whole name's hash is independent of the first part's: two blocks that share 28 bits differ
	 * there. */
	uint64_t first = XXH3_64bits_withSeed(name, strcspn(name, "/"), 1) & LOW_BITS(28);
	uint64_t whole = XXH3_64bits(name, strlen(name)) & LOW_BITS(32);
	return (uint64_t)NODE_BUCKET << 60 | first << 32 | whole;
}

uint64_t node_upper(uint64_t ino, const void *generation, size_t n)
{
	uint64_t gen = n ? XXH3_64bits(generation, n) & LOW_BITS(20) : 0;
	/* Stacked filesystems may use the high bits of inode numbers. */
	if (ino > LOW_BITS(40))
		ino = XXH3_64bits(&ino, sizeof ino) & LOW_BITS(40);
	return (uint64_t)NODE_UPPER << 60 | gen << 40 | ino;
}

uint32_t node_set_tag(const struct ulid *all, size_t n)
{
	return (uint32_t)(XXH3_64bits(all, n * sizeof *all) & LOW_BITS(17));
}

uint64_t node_name_hash(const char *name)
{
	return XXH3_64bits(name, strlen(name)) & LOW_BITS(60);
}
