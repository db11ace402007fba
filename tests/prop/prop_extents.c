/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The extents cache against a plain copy: threads read and announce at random while the store fails at times, limits change,
 * objects are replaced, and what is cached is evicted; then the cache is closed, its files are torn or damaged, and the
 * next one takes over. Never a wrong byte, never more bytes than allowed, and after each restart as many as are on disk.
 * At last a child that reads is killed at a random moment, again and again.
 *
 *	prop_extents [CASES [SEED [KILLS]]]
 */
#include "lib/base/file.h"
#include "store/bucket_extents.h"
#include "tests/support/bucket_fault.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/bucket_slow.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OBJECTS 5
#define THREADS 16
#define KIB     1024ull
#define MIB     (1024 * KIB)
#define ALIKE   97 /* reads a thread makes in one life of the cache */

struct object {
	char name[16];
	uint8_t *bytes;
	size_t n;
};

struct world {
	uint64_t seed;
	char dir[64];
	struct object objects[OBJECTS];
	struct bucket *fault, *slow;
	struct extents_options options;
	struct extents *x;
	struct bucket *b;
	struct blob *blobs[OBJECTS];
};

static struct world world;

__attribute__((noreturn)) static void fail(const char *what, const char *detail)
{
	printf("seed %llu: %s: %s\n", (unsigned long long)world.seed, what, detail);
	exit(1);
}

static uint64_t below(uint64_t *rng, uint64_t n)
{
	return test_random(rng) % n;
}

static bool chance(uint64_t *rng, unsigned percent)
{
	return below(rng, 100) < percent;
}

static void make_objects(struct world *w, uint64_t *rng)
{
	w->fault = bucket_fault_new(bucket_memory_new(false));
	w->slow = bucket_slow_new(w->fault);
	for (size_t i = 0; i < OBJECTS; i++) {
		struct object *o = &w->objects[i];
		snprintf(o->name, sizeof o->name, "object/%zu", i);
		o->n = 1 + (size_t)below(rng, chance(rng, 50) ? 300 * KIB : 5 * MIB);
		o->bytes = xmalloc(o->n + 8);
		for (size_t at = 0; at < o->n; at += 8) {
			uint64_t word = chance(rng, 10) ? 0 : test_random(rng);
			memcpy(o->bytes + at, &word, 8);
		}
		auto_of(blob) struct blob *content = blob_of_memory(o->name, o->bytes, o->n);
		if (bucket_put(w->slow, o->name, content, NULL) < 0)
			fail("putting", o->name);
	}
}

static void check_bytes(const struct object *o, const uint8_t *got, size_t n, uint64_t at)
{
	if (memcmp(got, o->bytes + at, n) != 0)
		fail("wrong bytes", o->name);
}

static void read_one(struct world *w, uint64_t *rng, uint64_t *next, size_t *last)
{
	struct err e = { 0 };
	size_t i = chance(rng, 60) ? *last : (size_t)below(rng, OBJECTS);
	const struct object *o = &w->objects[i];
	uint64_t at = i == *last && chance(rng, 60) ? *next : below(rng, o->n);
	at = at < o->n ? at : 0;
	size_t most = chance(rng, 10) ? 3 * MIB : chance(rng, 50) ? 200 * KIB : 5000;
	size_t wanted = 1 + (size_t)below(rng, most), n = MIN_OF(wanted, o->n - at);
	if (chance(rng, 15)) {
		blob_will_read(w->blobs[i], at, 1 + below(rng, 2 * MIB));
		return;
	}
	if (chance(rng, 3)) {
		int fd = blob_fd(w->blobs[i]);
		auto_free uint8_t *got = xmalloc(n);
		int failed = fd >= 0 ? file_pread_all(fd, got, n, at) : 0;
		if (failed < 0)
			fail("reading a descriptor", strerror(-failed));
		if (fd >= 0)
			check_bytes(o, got, n, at);
		return;
	}
	auto_free uint8_t *got = xmalloc(n);
	int r = blob_read(w->blobs[i], got, n, at, &e);
	if (r == 0)
		check_bytes(o, got, n, at);
	else if (r != -ETIMEDOUT && r != -EBADMSG)
		fail("another error than the store's", e.msg);
	*last = i;
	*next = at + n;
}

struct actor {
	pthread_t thread;
	uint64_t rng;
	bool may_disturb;
};

static void disturb(struct world *w, uint64_t *rng)
{
	switch (below(rng, 6)) {
	case 0: bucket_fault_set(w->fault, FAULT_READ, "", -ETIMEDOUT, (unsigned)below(rng, 4)); break;
	case 1: bucket_fault_set(w->fault, FAULT_READ, "", -EBADMSG, (unsigned)below(rng, 2)); break;
	case 2: extents_trim(w->x, below(rng, 3 * MIB), NULL); break;
	case 3: extents_set_max(w->x, 256 * KIB + below(rng, 8 * MIB)); break;
	case 4: extents_save(w->x); break;
	case 5: bucket_slow_set(w->slow, (int64_t)below(rng, 300), 0); break;
	}
}

static void *act(void *arg)
{
	struct actor *a = arg;
	uint64_t next = 0;
	size_t last = 0;
	for (int i = 0; i < ALIKE; i++) {
		if (a->may_disturb && chance(&a->rng, 10))
			disturb(&world, &a->rng);
		read_one(&world, &a->rng, &next, &last);
	}
	return NULL;
}

static void open_all(struct world *w)
{
	struct err e = { 0 };
	if (extents_open(&w->options, &w->x, &e) < 0)
		fail("opening the cache", e.msg);
	/* The layers below are the next life's too. */
	w->b = bucket_extents_new(w->slow, w->x);
	for (size_t i = 0; i < OBJECTS; i++)
		if (bucket_open(w->b, w->objects[i].name, &w->blobs[i], &e) < 0)
			fail("opening an object", e.msg);
}

/* Everything but the store. The layer frees what is below it, so the store is put behind another one. */
static void close_all(struct world *w)
{
	for (size_t i = 0; i < OBJECTS; i++)
		blob_close(w->blobs[i]);
	bucket_free(w->b);
	extents_close(w->x);
	w->fault = bucket_fault_new(bucket_memory_new(false));
	w->slow = bucket_slow_new(w->fault);
	for (size_t i = 0; i < OBJECTS; i++) {
		auto_of(blob) struct blob *content =
			blob_of_memory("content", w->objects[i].bytes, w->objects[i].n);
		if (bucket_put(w->slow, w->objects[i].name, content, NULL) < 0)
			fail("putting", w->objects[i].name);
	}
}

static void damage_file(const char *path, uint64_t *rng)
{
	struct stat st;
	uint8_t garbage[5000];
	if (stat(path, &st) < 0 || st.st_size == 0)
		return;
	for (size_t i = 0; i < sizeof garbage; i++)
		garbage[i] = (uint8_t)test_random(rng);
	switch (below(rng, 5)) {
	case 0: (void)!truncate(path, (off_t)below(rng, (uint64_t)st.st_size)); break;
	case 1: unlink(path); break;
	default: {
		auto_close_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
		size_t n = 1 + (size_t)below(rng, sizeof garbage);
		if (fd < 0 || file_pwrite_all(fd, garbage, n, below(rng, (uint64_t)st.st_size)) < 0)
			fail("damaging", path);
	}
	}
}

/* Calls fn for every file of the cache; the sum of what it gives. */
static uint64_t each_file(const char *dir, uint64_t (*fn)(const char *path, void *arg), void *arg)
{
	uint64_t sum = 0;
	DIR *d = opendir(dir);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		if (entry->d_name[0] == '.')
			continue;
		auto_free char *path = xasprintf("%s/%s", dir, entry->d_name);
		sum += entry->d_type == DT_DIR ? each_file(path, fn, arg) : fn(path, arg);
	}
	if (d)
		closedir(d);
	return sum;
}

static uint64_t maybe_damage(const char *path, void *rng)
{
	if (chance(rng, 30))
		damage_file(path, rng);
	return 0;
}

static uint64_t disk_bytes(const char *path, void *arg)
{
	struct stat st;
	(void)arg;
	return strstr(path, ".data") && stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

/* After a start the files hold what is counted: less the last blocks' ends, more the file system's own. */
static void check_accounting(struct world *w)
{
	uint64_t disk = each_file(w->dir, disk_bytes, NULL), counted = extents_bytes(w->x);
	if (disk > counted + OBJECTS * 16 * KIB || counted > disk + 16 * KIB)
		fail("the sum of bytes", disk > counted ? "more on disk" : "fewer on disk");
	if (counted > w->options.max_bytes)
		fail("the sum of bytes", "more than the limit");
}

static void live_once(struct world *w, uint64_t *rng)
{
	struct actor actors[THREADS];
	open_all(w);
	check_accounting(w);
	for (int i = 0; i < THREADS; i++) {
		actors[i] = (struct actor){ .rng = test_random(rng), .may_disturb = i < 2 };
		if (pthread_create(&actors[i].thread, NULL, act, &actors[i]) != 0)
			fail("starting", "a thread");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(actors[i].thread, NULL);
	close_all(w);
	if (chance(rng, 50))
		each_file(w->dir, maybe_damage, rng);
}

static void make_world(struct world *w, uint64_t seed, uint64_t *rng)
{
	*rng = seed;
	w->seed = seed;
	snprintf(w->dir, sizeof w->dir, "/tmp/thanosfs-prop-extents-%d", getpid());
	file_remove_tree(w->dir, NULL);
	make_objects(w, rng);
	w->options = (struct extents_options)EXTENTS_DEFAULTS;
	w->options.dir = w->dir;
	w->options.min_object_bytes = 1;
	w->options.max_bytes = MIB + below(rng, 12 * MIB);
	w->options.threads = (unsigned[]){ 0, 1, 4, 32 }[below(rng, 4)];
	w->options.block_bytes = (uint32_t[]){ 16, 64, 256 }[below(rng, 3)] * 1024;
	w->options.part_bytes = w->options.block_bytes * (uint32_t)(1 + below(rng, 16));
	w->options.gap_bytes = (uint32_t)below(rng, 256 * KIB);
	w->options.max_queued = 1 + (unsigned)below(rng, 50);
	w->options.max_fds = 1 + (unsigned)below(rng, 4);
	w->options.save_ms = 1 + (int64_t)below(rng, 30);
	w->options.retry_ms = 1;
}

static void end_world(struct world *w)
{
	bucket_free(w->slow);
	for (size_t i = 0; i < OBJECTS; i++)
		free(w->objects[i].bytes);
	file_remove_tree(w->dir, NULL);
}

/* The child lives in a copy of our memory: it opens the cache, and reads until it is killed. */
static void kill_once(struct world *w, uint64_t *rng)
{
	uint64_t child_rng = test_random(rng);
	int64_t us = (int64_t)below(rng, 20000);
	pid_t pid = fork();
	if (pid == 0) {
		uint64_t next = 0;
		size_t last = 0;
		open_all(w);
		for (;;)
			read_one(w, &child_rng, &next, &last);
	}
	struct timespec ts = { .tv_nsec = us * 1000 };
	nanosleep(&ts, NULL);
	kill(pid, SIGKILL);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFSIGNALED(status))
		fail("the child", "ended by itself");
	open_all(w);
	check_accounting(w);
	for (size_t i = 0; i < OBJECTS; i++) {
		struct err e;
		const struct object *o = &w->objects[i];
		auto_free uint8_t *got = xmalloc(o->n);
		size_t n = 1 + (size_t)below(rng, o->n);
		if (blob_read(w->blobs[i], got, n, o->n - n, &e) < 0)
			fail("reading after a kill", e.msg);
		check_bytes(o, got, n, o->n - n);
	}
	close_all(w);
}

int main(int argc, char **argv)
{
	uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : 30;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	uint64_t kills = argc > 3 ? strtoull(argv[3], NULL, 10) : 200;
	uint64_t rng;
	for (uint64_t c = 0; c < cases; c++) {
		make_world(&world, seed + c, &rng);
		for (int life = 0; life < 3; life++)
			live_once(&world, &rng);
		end_world(&world);
	}
	make_world(&world, seed, &rng);
	world.options.threads = 8;
	for (uint64_t k = 0; k < kills; k++)
		kill_once(&world, &rng);
	end_world(&world);
	printf("%llu worlds of three lives from seed %llu, %llu kills\n", (unsigned long long)cases,
		(unsigned long long)seed, (unsigned long long)kills);
	printf("1 passed, 0 failed\n");
	return 0;
}
