/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the extents cache share: the cache, under one lock, its objects and their regions. One lock is enough
 * because no read of cached bytes takes it: see extents_blocks_read. It is never held across I/O.
 *
 * A block is in one of these states (bits of its region):
 *
 *	present  fetching  verified
 *	   -        -         -      not there
 *	   -        x         -      exactly one fetch in the object's list owns it
 *	   x        -         -      a former process stored it; its checksum decides when it is first used
 *	   x        -         x      can be read
 *
 * An object is
 *	a stub    known by its file; nothing of it in memory but this struct
 *	loaded    its regions stand in `lru` as far as blocks are present
 *	busy      being loaded or saved by one thread, the others wait for `changed`
 *	dead      taken out of the cache: its files are gone, its blobs read past it
 */
#ifndef STORE_EXTENTS_STATE_H
#define STORE_EXTENTS_STATE_H

#include "lib/base/clock.h"
#include "store/extents.h"
#include "store/extents_map.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#define EXTENTS_KEY_BYTES    16
#define EXTENTS_LEAF_REGIONS 64

struct extents_object;
struct extents_fetch;

struct extents_region {
	struct extents_object *o;
	uint32_t index;
	_Atomic uint32_t pins;     /* readers: nothing is evicted under them */
	_Atomic uint64_t verified; /* set under the lock, read without */
	_Atomic uint64_t unused;   /* fetched ahead, and not read so far */
	_Atomic uint64_t used;     /* the tick of the last read */
	/* under the lock */
	TAILQ_ENTRY(extents_region) lru;
	uint64_t listed; /* `used` when it was put into its place in the list */
	uint64_t present, fetching;
	bool is_listed, is_evicting;
	uint32_t crc[];
};

/* Regions are made when something happens in them, and live as long as their object is loaded. */
struct extents_leaf {
	struct extents_region *_Atomic regions[EXTENTS_LEAF_REGIONS];
};

TAILQ_HEAD(extents_objects, extents_object);
TAILQ_HEAD(extents_fetches, extents_fetch);
TAILQ_HEAD(extents_regions, extents_region);

struct extents_object {
	uint64_t size;
	uint8_t key[EXTENTS_KEY_BYTES];
	uint64_t
		sequence; /* part of the file's name, so that a dead object and its successor never share one */
	_Atomic bool is_dead;
	_Atomic int fd;           /* -1: not open */
	_Atomic uint32_t readers; /* users of fd: it stays open */
	_Atomic bool is_fd_used;
	/* set when it is loaded */
	char *name;
	struct extents_leaf *_Atomic *leaves;
	size_t n_leaves;
	/* under the lock */
	struct extents_object *next_in_chain;
	TAILQ_ENTRY(extents_object) link; /* in stubs or loaded */
	TAILQ_ENTRY(extents_object) fd_link;
	struct extents_fetches fetches;
	unsigned refs, holds, idle_rounds;
	bool is_loaded, is_busy, is_dirty;
	uint64_t bytes; /* present */
	uint64_t used;  /* a stub's */
	char version[EXTENTS_VERSION_MAX + 1];
};

struct extents {
	struct extents_options options;
	char *dir;
	uint32_t region_blocks, part_blocks, gap_blocks;
	_Atomic uint64_t tick;
	_Atomic bool is_failing;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* an object is no longer busy, room was made, a source was closed */
	/* under the lock: objects */
	struct extents_object **chains;
	size_t n_chains, n_objects, n_loaded, n_fds;
	uint64_t sequence;
	struct extents_objects stubs; /* by last use, the oldest first */
	struct extents_objects loaded, fds;
	/* room */
	struct extents_regions lru; /* the one used longest ago last, as far as it was put into place */
	uint64_t max_bytes, bytes, evicting_bytes, held_bytes;
	/* the directory's health */
	int failing;
	int64_t failing_until_us;
	/* fetches */
	struct extents_fetches reads, prefetches; /* queued */
	size_t n_reads, n_prefetches, n_fetching, n_prefetching;
	pthread_t threads[EXTENTS_MAX_THREADS];
	unsigned n_threads, n_idle;
	pthread_cond_t work;
	bool is_stopping;
	/* the keeper, which saves and trims */
	pthread_t keeper;
	pthread_cond_t keep;
	bool has_keeper, is_trim_wanted;
};

static inline int64_t extents_now_us(const struct extents *x)
{
	return x->options.now_us ? x->options.now_us(x->options.arg) : clock_monotonic_us();
}

#endif
