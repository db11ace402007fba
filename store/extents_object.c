/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects are found by the hash of their name; the name itself stands in the companion file, and two names with one hash
 * are noticed.
 */
#include "store/extents_object.h"

#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "store/extents_blocks.h"
#include "store/extents_files.h"
#include "store/extents_room.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

METRIC_COUNTER(dropped_objects, "thanosfs_extents_dropped_objects_total",
	"Objects taken out of the cache because they changed, or because their file could not be used.")
METRIC_COUNTER(
	store_errors, "thanosfs_extents_store_errors_total", "Fetched ranges that could not be stored.")
METRIC_GAUGE(failing_gauge, "thanosfs_extents_failing",
	"1 while fetched ranges can't be stored, and reads go uncached.")

static struct extents_file_id id_of(const struct extents_object *o)
{
	struct extents_file_id id = { .sequence = o->sequence };
	memcpy(id.key, o->key, sizeof id.key);
	return id;
}

/* The table and the objects' lives */

static struct extents_object **chain_of(struct extents *x, const uint8_t *key)
{
	uint64_t hash;
	memcpy(&hash, key, sizeof hash);
	return &x->chains[hash & (x->n_chains - 1)];
}

static struct extents_object *find_locked(struct extents *x, const uint8_t *key)
{
	struct extents_object *o = *chain_of(x, key);
	while (o && memcmp(o->key, key, sizeof o->key) != 0)
		o = o->next_in_chain;
	return o;
}

static void grow_locked(struct extents *x)
{
	struct extents_object **old = x->chains;
	size_t n = x->n_chains;
	x->n_chains = n * 2;
	x->chains = xcalloc(x->n_chains, sizeof(struct extents_object *));
	for (size_t i = 0; i < n; i++)
		for (struct extents_object *o = old[i], *next; o; o = next) {
			struct extents_object **chain = chain_of(x, o->key);
			next = o->next_in_chain;
			o->next_in_chain = *chain;
			*chain = o;
		}
	free(old);
}

static struct extents_object *add_locked(
	struct extents *x, const uint8_t *key, uint64_t size, uint64_t sequence)
{
	struct extents_object *o = xcalloc(1, sizeof *o);
	memcpy(o->key, key, sizeof o->key);
	o->size = size;
	o->sequence = sequence;
	atomic_init(&o->fd, -1);
	TAILQ_INIT(&o->fetches);
	if (x->n_objects >= x->n_chains)
		grow_locked(x);
	struct extents_object **chain = chain_of(x, key);
	o->next_in_chain = *chain;
	*chain = o;
	x->n_objects++;
	return o;
}

static void set_loaded_locked(
	struct extents *x, struct extents_object *o, const char *name, const char *version)
{
	uint64_t regions = (o->size + EXTENTS_REGION_BYTES - 1) / EXTENTS_REGION_BYTES;
	o->name = xstrdup(name);
	memcpy(o->version, version, MIN_OF(strlen(version), EXTENTS_VERSION_MAX));
	o->n_leaves = (size_t)((regions + EXTENTS_LEAF_REGIONS - 1) / EXTENTS_LEAF_REGIONS);
	o->leaves = xcalloc(o->n_leaves, sizeof *o->leaves);
	o->is_loaded = true;
	x->n_loaded++;
	TAILQ_INSERT_TAIL(&x->loaded, o, link);
}

/* Calls fn for every region that was made. */
static void each_region(struct extents *x, struct extents_object *o,
	void (*fn)(struct extents *x, struct extents_region *r, void *arg), void *arg)
{
	for (size_t i = 0; i < o->n_leaves; i++) {
		struct extents_leaf *leaf = atomic_load(&o->leaves[i]);
		for (size_t k = 0; leaf && k < EXTENTS_LEAF_REGIONS; k++) {
			struct extents_region *r = atomic_load(&leaf->regions[k]);
			if (r)
				fn(x, r, arg);
		}
	}
}

static void free_region(struct extents *x, struct extents_region *r, void *arg)
{
	(void)arg;
	extents_room_unlist_locked(x, r);
	free(r);
}

/* What a stub doesn't have. */
static void free_regions_locked(struct extents *x, struct extents_object *o)
{
	each_region(x, o, free_region, NULL);
	for (size_t i = 0; i < o->n_leaves; i++)
		free(atomic_load(&o->leaves[i]));
	free(o->leaves);
	free(o->name);
	o->leaves = NULL;
	o->n_leaves = 0;
	o->name = NULL;
}

static int forget_fd_locked(struct extents *x, struct extents_object *o)
{
	int fd = atomic_exchange(&o->fd, -1);
	if (fd >= 0) {
		TAILQ_REMOVE(&x->fds, o, fd_link);
		x->n_fds--;
	}
	return fd;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void extents_object_unref(struct extents *x, struct extents_object *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&x->lock);
	if (--o->refs > 0 || !atomic_load(&o->is_dead)) {
		pthread_mutex_unlock(&x->lock);
		return;
	}
	int fd = forget_fd_locked(x, o);
	free_regions_locked(x, o);
	pthread_mutex_unlock(&x->lock);
	close_fd(fd);
	free(o);
}

static void empty_region(struct extents *x, struct extents_region *r, void *arg)
{
	(void)arg;
	extents_room_unlist_locked(x, r);
	atomic_store(&r->verified, 0);
	r->present = 0;
}

/* The caller holds a reference, lets go of the lock, and removes the files. */
static void kill_locked(struct extents *x, struct extents_object *o)
{
	struct extents_object **at = chain_of(x, o->key);
	while (*at != o)
		at = &(*at)->next_in_chain;
	*at = o->next_in_chain;
	x->n_objects--;
	TAILQ_REMOVE(o->is_loaded ? &x->loaded : &x->stubs, o, link);
	x->n_loaded -= o->is_loaded;
	atomic_store(&o->is_dead, true);
	each_region(x, o, empty_region, NULL);
	extents_room_give_back_locked(x, o->bytes);
	o->bytes = 0;
}

void extents_object_kill(struct extents *x, struct extents_object *o)
{
	pthread_mutex_lock(&x->lock);
	bool is_first = !atomic_load(&o->is_dead);
	if (is_first)
		kill_locked(x, o);
	pthread_mutex_unlock(&x->lock);
	if (!is_first)
		return;
	struct extents_file_id id = id_of(o);
	extents_files_remove(x->dir, &id);
	metric_add(dropped_objects, 1);
}

void extents_object_forget(struct extents *x, const char *name)
{
	uint8_t key[EXTENTS_KEY_BYTES];
	extents_files_key(name, key);
	pthread_mutex_lock(&x->lock);
	struct extents_object *o = find_locked(x, key);
	if (o)
		o->refs++;
	pthread_mutex_unlock(&x->lock);
	if (o)
		extents_object_kill(x, o);
	extents_object_unref(x, o);
}

static void fill_locked(struct extents *x, struct extents_object *o, const struct extents_map *m)
{
	uint64_t bytes = 0;
	set_loaded_locked(x, o, m->name, m->version);
	vec_each (mr, &m->regions) {
		struct extents_region *r =
			extents_blocks_make_region_locked(x, o, (uint64_t)mr->index * x->region_blocks);
		size_t crc = mr->crc;
		r->present = mr->present;
		for (uint64_t left = mr->present; left; left &= left - 1)
			r->crc[__builtin_ctzll(left)] = m->crcs.data[crc++];
		atomic_store(&r->used, mr->used);
		extents_room_list_locked(x, r, mr->used, true);
		bytes += extents_blocks_bytes(x, o, mr->index, mr->present);
	}
	/* The file may have lost blocks since the scan. */
	x->bytes += bytes - o->bytes;
	o->bytes = bytes;
	extents_room_give_back_locked(x, 0);
}

void extents_object_load_locked(struct extents *x, struct extents_object *o)
{
	auto_extents_map struct extents_map m = { 0 };
	struct extents_file_id id = id_of(o);
	o->is_busy = true;
	pthread_mutex_unlock(&x->lock);
	int r = extents_files_read_map(x->dir, &id, x->options.block_bytes, &m, NULL);
	pthread_mutex_lock(&x->lock);
	o->is_busy = false;
	if (!atomic_load(&o->is_dead) && (r < 0 || m.size != o->size)) {
		kill_locked(x, o);
		pthread_mutex_unlock(&x->lock);
		extents_files_remove(x->dir, &id);
		metric_add(dropped_objects, 1);
		pthread_mutex_lock(&x->lock);
	} else if (!atomic_load(&o->is_dead)) {
		TAILQ_REMOVE(&x->stubs, o, link);
		fill_locked(x, o, &m);
	}
	pthread_cond_broadcast(&x->changed);
}

static bool is_other_version(const struct extents_object *o, uint64_t size, const char *version)
{
	return o->size != size || (*version && o->version[0] && strcmp(o->version, version) != 0);
}

/* The object when it is loaded and not busy; NULL: look again. */
static struct extents_object *settle_locked(struct extents *x, struct extents_object *o)
{
	if (o->is_loaded)
		return o;
	if (o->is_busy) {
		pthread_cond_wait(&x->changed, &x->lock);
		return NULL;
	}
	o->refs++;
	extents_object_load_locked(x, o);
	pthread_mutex_unlock(&x->lock);
	extents_object_unref(x, o);
	pthread_mutex_lock(&x->lock);
	return NULL;
}

struct extents_object *extents_object_get(
	struct extents *x, const char *name, uint64_t size, const char *version)
{
	uint8_t key[EXTENTS_KEY_BYTES];
	extents_files_key(name, key);
	pthread_mutex_lock(&x->lock);
	for (;;) {
		struct extents_object *o = find_locked(x, key);
		if (!o) {
			o = add_locked(x, key, size, ++x->sequence);
			set_loaded_locked(x, o, name, version);
		}
		o = settle_locked(x, o);
		if (!o)
			continue;
		if (strcmp(o->name, name) != 0) {
			pthread_mutex_unlock(&x->lock);
			return NULL;
		}
		o->refs++;
		if (!is_other_version(o, size, version)) {
			if (!o->version[0])
				memcpy(o->version, version, MIN_OF(strlen(version), EXTENTS_VERSION_MAX));
			pthread_mutex_unlock(&x->lock);
			return o;
		}
		pthread_mutex_unlock(&x->lock);
		extents_object_kill(x, o);
		extents_object_unref(x, o);
		pthread_mutex_lock(&x->lock);
	}
}

/* The descriptor */

/* One that nobody uses and that was not used since it came up here last; the order as with regions. */
static int spare_fd_locked(struct extents *x)
{
	for (size_t i = 0; x->n_fds > x->options.max_fds && i < 2 * x->n_fds; i++) {
		struct extents_object *o = TAILQ_LAST(&x->fds, extents_objects);
		int fd = -1;
		if (!atomic_exchange(&o->is_fd_used, false) && !o->holds) {
			fd = atomic_exchange(&o->fd, -1);
			if (atomic_load(&o->readers) > 0) {
				atomic_store(&o->fd, fd);
				fd = -1;
			}
		}
		TAILQ_REMOVE(&x->fds, o, fd_link);
		if (fd >= 0) {
			x->n_fds--;
			return fd;
		}
		TAILQ_INSERT_HEAD(&x->fds, o, fd_link);
	}
	return -1;
}

int extents_object_fd(struct extents *x, struct extents_object *o, bool may_create)
{
	int fd = atomic_load(&o->fd);
	if (!atomic_load_explicit(&o->is_fd_used, memory_order_relaxed))
		atomic_store_explicit(&o->is_fd_used, true, memory_order_relaxed);
	if (fd >= 0)
		return fd;
	struct extents_file_id id = id_of(o);
	int opened = extents_files_open(x->dir, &id, may_create);
	if (opened < 0)
		return opened;
	int unwanted = opened;
	pthread_mutex_lock(&x->lock);
	bool is_dead = atomic_load(&o->is_dead);
	fd = is_dead ? -ESTALE : atomic_load(&o->fd);
	if (!is_dead && fd < 0) {
		fd = opened;
		atomic_store(&o->fd, fd);
		TAILQ_INSERT_HEAD(&x->fds, o, fd_link);
		x->n_fds++;
		unwanted = spare_fd_locked(x);
	}
	pthread_mutex_unlock(&x->lock);
	if (is_dead)
		extents_files_remove(x->dir, &id);
	close_fd(unwanted);
	return fd;
}

int extents_object_punch(struct extents *x, struct extents_object *o, uint64_t index)
{
	atomic_fetch_add(&o->readers, 1);
	int fd = extents_object_fd(x, o, false), r = fd < 0 ? fd : 0;
	if (r == 0 && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)(index * EXTENTS_REGION_BYTES), (off_t)EXTENTS_REGION_BYTES) < 0)
		r = -errno;
	atomic_fetch_sub(&o->readers, 1);
	return r;
}

static bool is_complete(struct extents *x, struct extents_object *o)
{
	return extents_blocks_present(
		x, o, 0, (o->size + x->options.block_bytes - 1) / x->options.block_bytes);
}

int extents_object_hold(struct extents *x, struct extents_object *o)
{
	pthread_mutex_lock(&x->lock);
	bool may_be = o->bytes == o->size;
	pthread_mutex_unlock(&x->lock);
	if (!may_be)
		return -1;
	atomic_fetch_add(&o->readers, 1);
	int fd = extents_object_fd(x, o, false);
	pthread_mutex_lock(&x->lock);
	/* Half of the cache stays for others. */
	bool has_room = o->holds || x->held_bytes + o->size <= x->max_bytes / 2;
	if (fd < 0 || !has_room || atomic_load(&o->is_dead) || !is_complete(x, o))
		fd = -1;
	else if (o->holds++ == 0)
		x->held_bytes += o->size;
	pthread_mutex_unlock(&x->lock);
	atomic_fetch_sub(&o->readers, 1);
	return fd;
}

void extents_object_release(struct extents *x, struct extents_object *o)
{
	pthread_mutex_lock(&x->lock);
	if (--o->holds == 0)
		x->held_bytes -= o->size;
	pthread_mutex_unlock(&x->lock);
}

/* The directory's health */

/* Said once when the directory begins to fail, in another way too, and once when it works again. */
void extents_object_note_health(struct extents *x, int r)
{
	pthread_mutex_lock(&x->lock);
	int before = x->failing;
	x->failing = -r;
	if (r < 0)
		x->failing_until_us = extents_now_us(x) + x->options.retry_ms * 1000;
	atomic_store(&x->is_failing, r < 0);
	pthread_mutex_unlock(&x->lock);
	if (r < 0)
		metric_add(store_errors, 1);
	metric_set(failing_gauge, r < 0);
	if (r < 0 && before != -r)
		log_warn("remote objects are not cached", KV("dir", x->dir), KV("reason", strerror(-r)));
	else if (r == 0 && before)
		log_info("remote objects are cached again", KV("dir", x->dir));
}

/* Saving and loading */

static void describe_region(struct extents *x, struct extents_region *r, void *arg)
{
	struct extents_map *m = arg;
	(void)x;
	if (!r->present)
		return;
	uint64_t used = atomic_load(&r->used);
	m->used = MAX_OF(m->used, used);
	vec_push(&m->regions, (struct extents_map_region){ r->index, used, r->present, m->crcs.len });
	for (uint64_t left = r->present; left; left &= left - 1)
		vec_push(&m->crcs, r->crc[__builtin_ctzll(left)]);
}

void extents_object_save(struct extents *x, struct extents_object *o)
{
	auto_buf struct buf b = { 0 };
	auto_extents_map struct extents_map m = { .block_bytes = x->options.block_bytes, .size = o->size };
	struct extents_file_id id = id_of(o);
	pthread_mutex_lock(&x->lock);
	while (o->is_busy)
		pthread_cond_wait(&x->changed, &x->lock);
	if (!o->is_loaded || !o->is_dirty || atomic_load(&o->is_dead)) {
		pthread_mutex_unlock(&x->lock);
		return;
	}
	o->is_busy = true;
	o->is_dirty = false;
	m.name = xstrdup(o->name);
	m.version = xstrdup(o->version);
	each_region(x, o, describe_region, &m);
	pthread_mutex_unlock(&x->lock);
	extents_map_write(&m, &b);
	int r = extents_files_write_map(x->dir, &id, b.data, b.len);
	pthread_mutex_lock(&x->lock);
	o->is_busy = false;
	o->is_dirty |= r < 0;
	bool is_dead = atomic_load(&o->is_dead);
	pthread_cond_broadcast(&x->changed);
	pthread_mutex_unlock(&x->lock);
	if (is_dead)
		extents_files_remove(x->dir, &id);
	else if (r < 0)
		extents_object_note_health(x, r);
}

static void latest_use(struct extents *x, struct extents_region *r, void *arg)
{
	(void)x;
	uint64_t *used = arg;
	if (r->present)
		*used = MAX_OF(*used, atomic_load(&r->used));
}

static void insert_stub_locked(struct extents *x, struct extents_object *o)
{
	struct extents_object *before = TAILQ_LAST(&x->stubs, extents_objects);
	while (before && before->used > o->used)
		before = TAILQ_PREV(before, extents_objects, link);
	if (before)
		TAILQ_INSERT_AFTER(&x->stubs, before, o, link);
	else
		TAILQ_INSERT_HEAD(&x->stubs, o, link);
}

void extents_object_unload(struct extents *x, struct extents_object *o)
{
	struct extents_file_id id = id_of(o);
	pthread_mutex_lock(&x->lock);
	bool is_free =
		o->refs == 1 && !o->is_busy && o->is_loaded && !atomic_load(&o->is_dead); /* the caller's */
	bool is_empty = is_free && o->bytes == 0, is_stub = is_free && !is_empty && !o->is_dirty;
	int fd = is_stub ? forget_fd_locked(x, o) : -1;
	if (is_empty)
		kill_locked(x, o);
	if (is_stub) {
		o->used = 0;
		each_region(x, o, latest_use, &o->used);
		free_regions_locked(x, o);
		o->is_loaded = false;
		x->n_loaded--;
		TAILQ_REMOVE(&x->loaded, o, link);
		insert_stub_locked(x, o);
	}
	pthread_mutex_unlock(&x->lock);
	close_fd(fd);
	if (is_empty)
		extents_files_remove(x->dir, &id);
}

static void add_stub(void *arg, const struct extents_file_id *id, const struct extents_map *m)
{
	struct extents *x = arg;
	struct extents_object *o = add_locked(x, id->key, m->size, id->sequence);
	o->used = m->used;
	vec_each (r, &m->regions)
		o->bytes += extents_blocks_bytes(x, o, r->index, r->present);
	TAILQ_INSERT_TAIL(&x->stubs, o, link);
	x->bytes += o->bytes;
	if (atomic_load(&x->tick) < m->used)
		atomic_store(&x->tick, m->used);
}

static int by_use(const void *a, const void *b)
{
	const struct extents_object *p = *(struct extents_object *const *)a,
				    *q = *(struct extents_object *const *)b;
	return (p->used > q->used) - (p->used < q->used);
}

int extents_object_scan(struct extents *x, struct err *e)
{
	VEC(struct extents_object *) all = { 0 };
	int r = extents_files_scan(x->dir, x->options.block_bytes, &x->sequence, add_stub, x, e);
	for (struct extents_object *o = TAILQ_FIRST(&x->stubs); o; o = TAILQ_NEXT(o, link))
		vec_push(&all, o);
	vec_sort(&all, by_use);
	TAILQ_INIT(&x->stubs);
	vec_each (o, &all)
		TAILQ_INSERT_TAIL(&x->stubs, *o, link);
	vec_fini(&all);
	extents_room_give_back_locked(x, 0);
	return r;
}

void extents_object_free_all(struct extents *x)
{
	for (size_t i = 0; i < x->n_chains; i++)
		for (struct extents_object *o = x->chains[i], *next; o; o = next) {
			next = o->next_in_chain;
			close_fd(forget_fd_locked(x, o));
			free_regions_locked(x, o);
			free(o);
		}
	free(x->chains);
}
