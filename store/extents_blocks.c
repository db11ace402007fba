/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of what is verified take no lock: a reader counts itself in the region and looks at its bits then, and who evicts
 * takes the bits away and looks at the count then.
 */
#include "store/extents_blocks.h"

#include "lib/base/crc32c.h"
#include "lib/base/file.h"
#include "lib/base/metrics.h"
#include "store/extents_object.h"
#include "store/extents_room.h"

#include <errno.h>
#include <fcntl.h>

METRIC_COUNTER(hit_bytes, "thanosfs_extents_hits_bytes_total", "Bytes read from the cache on disk.")
METRIC_COUNTER(damaged_blocks, "thanosfs_extents_damaged_blocks_total",
	"Blocks left by a former process whose checksum was wrong; they are fetched again.")

/* Blocks and regions */

struct extents_region *extents_blocks_region(
	const struct extents *x, const struct extents_object *o, uint64_t block)
{
	uint64_t index = block / x->region_blocks;
	struct extents_leaf *leaf =
		atomic_load_explicit(&o->leaves[index / EXTENTS_LEAF_REGIONS], memory_order_acquire);
	return leaf ? atomic_load_explicit(&leaf->regions[index % EXTENTS_LEAF_REGIONS], memory_order_acquire)
		    : NULL;
}

struct extents_region *extents_blocks_make_region_locked(
	struct extents *x, struct extents_object *o, uint64_t block)
{
	struct extents_region *r = extents_blocks_region(x, o, block);
	if (r)
		return r;
	uint64_t index = block / x->region_blocks;
	struct extents_leaf *_Atomic *at = &o->leaves[index / EXTENTS_LEAF_REGIONS];
	struct extents_leaf *leaf = atomic_load(at);
	if (!leaf) {
		leaf = xcalloc(1, sizeof *leaf);
		atomic_store_explicit(at, leaf, memory_order_release);
	}
	r = xcalloc(1, sizeof *r + x->region_blocks * sizeof *r->crc);
	r->o = o;
	r->index = (uint32_t)index;
	atomic_store_explicit(&leaf->regions[index % EXTENTS_LEAF_REGIONS], r, memory_order_release);
	return r;
}

uint64_t extents_blocks_bytes(
	const struct extents *x, const struct extents_object *o, uint64_t index, uint64_t mask)
{
	uint64_t block_bytes = x->options.block_bytes, last = (o->size - 1) / block_bytes;
	uint64_t bytes = (uint64_t)__builtin_popcountll(mask) * block_bytes;
	if (last / x->region_blocks == index && (mask >> last % x->region_blocks & 1))
		bytes -= (last + 1) * block_bytes - o->size;
	return bytes;
}

static size_t block_bytes(const struct extents *x, const struct extents_object *o, uint64_t block)
{
	uint64_t at = block * x->options.block_bytes;
	return (size_t)MIN_OF(o->size - at, x->options.block_bytes);
}

/* Bits [from, to) of a region. */
static uint64_t bits(uint64_t from, uint64_t to)
{
	uint64_t n = to - from;
	return (n >= 64 ? UINT64_MAX : (1ull << n) - 1) << from;
}

/* Reading */

/* How many blocks from `first` on are verified, `to` being the end. */
static uint64_t verified_until(const struct extents_region *r, uint64_t first, uint64_t to)
{
	uint64_t missing = ~atomic_load(&r->verified) & bits(first, to);
	return missing ? (uint64_t)__builtin_ctzll(missing) : to;
}

/* What of [at, at + n), which lies in one region, can be read from the front. */
static ssize_t read_region(
	struct extents *x, struct extents_region *r, int fd, void *out, size_t n, uint64_t at)
{
	uint64_t begin = at % EXTENTS_REGION_BYTES, size = x->options.block_bytes;
	uint64_t first = begin / size, end = (begin + n + size - 1) / size;
	atomic_fetch_add(&r->pins, 1);
	uint64_t until = verified_until(r, first, end);
	n = until == end ? n : (size_t)(until > first ? until * size - begin : 0);
	int failed = n > 0 ? file_pread_all(fd, out, n, at) : 0;
	uint64_t mask = until > first ? bits(first, until) : 0;
	if (atomic_load_explicit(&r->unused, memory_order_relaxed) & mask)
		atomic_fetch_and_explicit(&r->unused, ~mask, memory_order_relaxed);
	uint64_t tick = atomic_load_explicit(&x->tick, memory_order_relaxed);
	if (atomic_load_explicit(&r->used, memory_order_relaxed) != tick)
		atomic_store_explicit(&r->used, tick, memory_order_relaxed);
	atomic_fetch_sub(&r->pins, 1);
	return failed < 0 ? failed : (ssize_t)n;
}

ssize_t extents_blocks_read(struct extents *x, struct extents_object *o, void *out, size_t n, uint64_t at)
{
	size_t done = 0;
	ssize_t got = 0;
	int fd = -1;
	atomic_fetch_add(&o->readers, 1);
	while (done < n && !atomic_load_explicit(&o->is_dead, memory_order_relaxed)) {
		struct extents_region *r = extents_blocks_region(x, o, (at + done) / x->options.block_bytes);
		if (!r || (atomic_load_explicit(&r->verified, memory_order_relaxed) == 0))
			break;
		if (fd < 0 && (fd = extents_object_fd(x, o, false)) < 0) {
			got = fd;
			break;
		}
		size_t piece = MIN_OF(n - done, EXTENTS_REGION_BYTES - (at + done) % EXTENTS_REGION_BYTES);
		got = read_region(x, r, fd, (uint8_t *)out + done, piece, at + done);
		if (got <= 0)
			break;
		done += (size_t)got;
		if ((size_t)got < piece)
			break;
	}
	atomic_fetch_sub(&o->readers, 1);
	metric_add(hit_bytes, done);
	return got < 0 ? got : (ssize_t)done;
}

bool extents_blocks_present(struct extents *x, struct extents_object *o, uint64_t first, uint64_t last)
{
	for (uint64_t b = first; b < last;) {
		uint64_t begin = b - b % x->region_blocks, end = MIN_OF(last, begin + x->region_blocks);
		const struct extents_region *r = extents_blocks_region(x, o, b);
		if (!r || verified_until(r, b - begin, end - begin) != end - begin)
			return false;
		b = end;
	}
	return true;
}

/* The blocks of `mask` whose bytes have the checksum `crcs` says; false where the file can't be opened. */
static bool check_blocks(struct extents *x, struct extents_object *o, uint64_t begin, uint64_t mask,
	const uint32_t *crcs, uint64_t *out)
{
	uint64_t good = 0;
	auto_free uint8_t *block = xmalloc(x->options.block_bytes);
	atomic_fetch_add(&o->readers, 1);
	int fd = extents_object_fd(x, o, false);
	for (uint64_t left = mask; fd >= 0 && left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		size_t n = block_bytes(x, o, begin + i);
		if (file_pread_all(fd, block, n, (begin + i) * x->options.block_bytes) == 0 &&
			crc32c(0, block, n) == crcs[i])
			good |= 1ull << i;
	}
	atomic_fetch_sub(&o->readers, 1);
	*out = good;
	return fd >= 0;
}

static void verify_region(
	struct extents *x, struct extents_object *o, struct extents_region *r, uint64_t mask)
{
	uint32_t crcs[64];
	uint64_t begin = (uint64_t)r->index * x->region_blocks;
	atomic_fetch_add(&r->pins, 1);
	pthread_mutex_lock(&x->lock);
	uint64_t wanted = r->present & ~atomic_load(&r->verified) & mask;
	memcpy(crcs, r->crc, x->region_blocks * sizeof *crcs);
	pthread_mutex_unlock(&x->lock);
	uint64_t good;
	if (wanted && check_blocks(x, o, begin, wanted, crcs, &good)) {
		pthread_mutex_lock(&x->lock);
		/* Another thread may have found the same, and even had the block fetched again. */
		uint64_t bad = wanted & ~good & r->present & ~atomic_load(&r->verified);
		uint64_t bytes = extents_blocks_bytes(x, o, r->index, bad);
		atomic_fetch_or(&r->verified, good & r->present);
		r->present &= ~bad;
		o->is_dirty |= bad != 0;
		o->bytes -= bytes;
		if (r->present == 0)
			extents_room_unlist_locked(x, r);
		extents_room_give_back_locked(x, bytes);
		pthread_mutex_unlock(&x->lock);
		metric_add(damaged_blocks, (uint64_t)__builtin_popcountll(bad));
	}
	atomic_fetch_sub(&r->pins, 1);
}

void extents_blocks_verify(struct extents *x, struct extents_object *o, uint64_t first, uint64_t last)
{
	for (uint64_t b = first; b < last;) {
		uint64_t begin = b - b % x->region_blocks, end = MIN_OF(last, begin + x->region_blocks);
		struct extents_region *r = extents_blocks_region(x, o, b);
		if (r && verified_until(r, b - begin, end - begin) != end - begin)
			verify_region(x, o, r, bits(b - begin, end - begin));
		b = end;
	}
}

void extents_blocks_distrust(struct extents *x, struct extents_object *o, uint64_t first, uint64_t last)
{
	pthread_mutex_lock(&x->lock);
	for (uint64_t b = first; b < last && !atomic_load(&o->is_dead);) {
		uint64_t begin = b - b % x->region_blocks, end = MIN_OF(last, begin + x->region_blocks);
		struct extents_region *r = extents_blocks_region(x, o, b);
		uint64_t gone = r ? r->present & bits(b - begin, end - begin) : 0;
		b = end;
		if (!gone || r->is_evicting)
			continue;
		uint64_t bytes = extents_blocks_bytes(x, o, r->index, gone);
		atomic_fetch_and(&r->verified, ~gone);
		r->present &= ~gone;
		o->bytes -= bytes;
		o->is_dirty = true;
		if (r->present == 0)
			extents_room_unlist_locked(x, r);
		extents_room_give_back_locked(x, bytes);
	}
	pthread_mutex_unlock(&x->lock);
}

/* Storing */

/* What may be stored of `own` now, with room for it. */
static uint64_t admit_locked(
	struct extents *x, struct extents_object *o, uint64_t first, uint64_t own, uint64_t *bytes)
{
	uint64_t may = 0;
	*bytes = 0;
	if (x->failing && extents_now_us(x) < x->failing_until_us)
		return 0;
	for (uint64_t left = own; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		if (extents_blocks_region(x, o, first + i)->is_evicting)
			continue;
		may |= 1ull << i;
		*bytes += block_bytes(x, o, first + i);
	}
	/* What is being fetched is not evicted, so no region begins to be while this waits. */
	if (may && !extents_room_reserve_locked(x, *bytes))
		may = 0;
	if (may && atomic_load(&o->is_dead)) {
		extents_room_give_back_locked(x, *bytes);
		may = 0;
	}
	return may;
}

static int write_blocks(struct extents *x, struct extents_object *o, uint64_t first, uint64_t own,
	const uint8_t *data, uint32_t *crcs)
{
	atomic_fetch_add(&o->readers, 1);
	int fd = extents_object_fd(x, o, true), r = MIN_OF(fd, 0);
	for (uint64_t left = own; left && r == 0;) {
		unsigned from = (unsigned)__builtin_ctzll(left), to = from;
		size_t bytes = 0;
		for (; to < 64 && (left >> to & 1); to++) {
			size_t n = block_bytes(x, o, first + to);
			crcs[to] = crc32c(0, data + (size_t)to * x->options.block_bytes, n);
			bytes += n;
		}
		uint64_t at = (first + from) * x->options.block_bytes;
		r = file_pwrite_all(fd, data + (size_t)from * x->options.block_bytes, bytes, at);
		if (r < 0) /* what was written of it is not counted */
			(void)!fallocate(
				fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)bytes);
		left &= ~bits(from, to);
	}
	atomic_fetch_sub(&o->readers, 1);
	return r;
}

static void publish_locked(struct extents *x, struct extents_object *o, uint64_t first, uint64_t own,
	const uint32_t *crcs, bool is_unused)
{
	uint64_t tick = atomic_fetch_add(&x->tick, 1) + 1;
	for (uint64_t left = own; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		struct extents_region *r = extents_blocks_region(x, o, first + i);
		uint64_t bit = 1ull << (first + i) % x->region_blocks;
		r->crc[(first + i) % x->region_blocks] = crcs[i];
		r->present |= bit;
		atomic_fetch_or(&r->verified, bit);
		if (is_unused)
			atomic_fetch_or(&r->unused, bit);
		atomic_store(&r->used, tick);
		if (r->listed != tick || !r->is_listed)
			extents_room_list_locked(x, r, tick, false);
	}
	o->is_dirty = true;
}

void extents_blocks_store(struct extents *x, struct extents_object *o, uint64_t first, uint64_t own,
	const uint8_t *data, bool is_unused)
{
	uint32_t crcs[64];
	uint64_t bytes;
	pthread_mutex_lock(&x->lock);
	own = admit_locked(x, o, first, own, &bytes);
	pthread_mutex_unlock(&x->lock);
	if (!own)
		return;
	int r = write_blocks(x, o, first, own, data, crcs);
	pthread_mutex_lock(&x->lock);
	if (r == 0 && !atomic_load(&o->is_dead)) {
		publish_locked(x, o, first, own, crcs, is_unused);
		o->bytes += bytes;
	} else {
		extents_room_give_back_locked(x, bytes);
	}
	bool is_news = r != -ESTALE && (r < 0 || x->failing);
	pthread_mutex_unlock(&x->lock);
	if (is_news)
		extents_object_note_health(x, r);
}
