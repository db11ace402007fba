/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small worlds of blocks, merged, and read over a bucket that is as bad as seeded plans make it. What a reader must never
 * see is another value: each chunk frame is right, or fails its checksum; and it is right unless the read says that it was
 * incomplete, or wrong bytes of a passed-through segment were among the faults. A sync never takes away what is published.
 * Once the faults stop, all is right.
 *
 *	PROP_FAULTS=10000 PROP_SEED=1 prop_faults
 */
#include "dedup/block_state.h"
#include "dedup/view.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/tsdb/chunk.h"
#include "store/bucket_faults.h"
#include "store/bucket_retry.h"
#include "tests/support/index_fixture.h"
#include "tests/support/test.h"
#include "tests/support/view_fixture.h"

#include <pthread.h>
#include <stdio.h>

#define T0           1699999200000
#define STEP         15000
#define SCRAPES      240 /* a window */
#define READERS      4
#define READS_EACH   60
#define HEAL_LIMIT_S 20

/* What one chunk must be. */
struct frame {
	size_t block, file;
	uint64_t at;
	bool is_slot;
	struct buf bytes;
};

struct world {
	struct view_fixture *f;
	struct bucket *faults; /* inside f->bucket */
	bool has_wrong_bytes;
	size_t n_blocks;
	struct ulid ulids[8];
	VEC(struct frame) frames;
	uint64_t seed;
};

static uint64_t below(uint64_t *rng, uint64_t n)
{
	return test_random(rng) % n;
}

/* One replica's block of one window: series with gaps. */
static void put_block(
	struct view_fixture *f, uint64_t *rng, unsigned window, unsigned cluster, unsigned replica)
{
	char words[64];
	snprintf(words, sizeof words, "cluster=%u,replica=%u", cluster, replica);
	struct block_sketch *s = block_sketch_new(1 + 16 * window + 4 * cluster + replica, words);
	int64_t start = T0 + (int64_t)window * SCRAPES * STEP;
	unsigned n = 1 + (unsigned)(cluster + window) % 4;
	for (unsigned i = 0; i < n; i++) {
		snprintf(words, sizeof words, "__name__=m%u", i);
		sketch_series(s, words);
		for (unsigned at = 0; at < SCRAPES;) {
			unsigned left = SCRAPES - at, len = 1 + (unsigned)below(rng, 150);
			len = MIN_OF(len, left);
			sketch_floats(
				s, start + at * STEP + replica * 4000, STEP, len, (double)below(rng, 1000));
			at += len + (unsigned)below(rng, 10);
		}
	}
	sketch_times(s, start, start + (int64_t)SCRAPES * STEP);
	block_sketch_write(s, f->bucket_dir);
}

static void make_bucket(struct view_fixture *f, uint64_t *rng)
{
	unsigned windows = 1 + (unsigned)below(rng, 2), clusters = 1 + (unsigned)below(rng, 2);
	for (unsigned w = 0; w < windows; w++)
		for (unsigned c = 0; c < clusters; c++) {
			unsigned replicas = 1 + (unsigned)below(rng, 3);
			for (unsigned r = 0; r < replicas; r++)
				put_block(f, rng, w, c, r);
		}
}

/* What goes wrong in this world. */
static struct fault_plan make_plan(uint64_t *rng, bool *has_wrong_bytes)
{
	static const char *const kinds[] = {
		"error=0.2",
		"error=0.6,retry-after=5ms",
		"read.lasting=0.1,open.lasting=0.1,list.lasting=0.3",
		"truncate=0.3",
		"read.corrupt=0.3",
		"stall=0.05:40ms",
		"outage=0s+10ms,outage=20ms+60ms,outage=100ms+20ms",
		"error=0.1,truncate=0.1,read.corrupt=0.1,read.lasting=0.02,latency=0s..1ms",
	};
	struct err e;
	struct fault_plan p;
	const char *kind = kinds[below(rng, ARRAY_LEN(kinds))];
	CHECK_OK(fault_plan_parse(kind, &p, &e), &e);
	p.seed = test_random(rng);
	*has_wrong_bytes = strstr(kind, "corrupt");
	return p;
}

static void open_faulty(struct world *w, uint64_t *rng)
{
	struct faults_options faults = { .plan = make_plan(rng, &w->has_wrong_bytes) };
	struct retry_options retry = { .deadline_ms = 30,
		.first_pause_ms = 1,
		.longest_pause_ms = 8,
		.probe_ms = below(rng, 2) ? 5 : 0 };
	w->faults = bucket_faults_new(w->f->bucket, &faults);
	w->f->bucket = bucket_retry_new(w->faults, &retry);
	w->f->read_deadline_ms = 60;
	bucket_faults_enable(w->faults, false);
}

/* True: all of it could be had. */
static bool read_range(struct merged_block *b, size_t file, uint64_t at, size_t n, struct buf *out)
{
	struct merged_range range;
	size_t start = out->len;
	merged_block_read(b, file, at, n, out, &range);
	CHECK_INT(range.n, n);
	if (range.fd >= 0) {
		CHECK_INT(file_pread_all(range.fd, buf_reserve(out, n), n, range.fd_at), 0);
		out->len += n;
	}
	CHECK_INT(out->len - start, n);
	bool complete = !range.incomplete;
	merged_block_range_done(b, file, &range);
	return complete;
}

static void learn_block(struct world *w, size_t i)
{
	struct err e;
	struct index_contents contents;
	auto_buf struct buf index = { 0 };
	auto_free char *path = xasprintf("%s/index-read-back", test_dir());
	struct merged_block *b = view_fixture_block(w->f, i, w->n_blocks);
	const struct block_state *state = merged_block_state(b, &e);
	CHECK(state);
	CHECK(merged_file_read(b, "index", &index));
	CHECK_OK(file_replace(path, index.data, index.len, &e), &e);
	index_contents_read(&contents, path);
	vec_each (s, &contents.series)
		vec_each (meta, &s->chunks) {
			char name[32];
			uint64_t size;
			struct chunk c;
			size_t need;
			struct frame frame = { .block = i, .at = chunk_ref_offset(meta->ref) };
			uint32_t segment = chunk_ref_segment(meta->ref);
			snprintf(name, sizeof name, "chunks/%06u", segment + 1);
			frame.file = merged_file_number(b, name, &size);
			frame.is_slot = state->merge.segments.data[segment].is_synthetic;
			CHECK(read_range(
				b, frame.file, frame.at, MIN_OF(size - frame.at, 4096u), &frame.bytes));
			int whole = chunk_frame_read(frame.bytes.data, frame.bytes.len, &c, &need, &e);
			CHECK_OK(whole, &e);
			frame.bytes.len = (size_t)whole;
			vec_push(&w->frames, frame);
		}
	index_contents_fini(&contents);
	merged_block_unref(b);
}

static void learn(struct world *w)
{
	struct view_snapshot *s = view_snapshot(w->f->view);
	w->n_blocks = s->n;
	CHECK(s->n <= ARRAY_LEN(w->ulids));
	for (size_t i = 0; i < s->n; i++)
		w->ulids[i] = *merged_block_ulid(s->blocks[i]);
	view_snapshot_unref(s);
	for (size_t i = 0; i < w->n_blocks; i++)
		learn_block(w, i);
}

/* True: right. Ends the test at what must never be. */
static bool check_frame(struct world *w, const struct frame *frame, uint64_t ahead)
{
	struct err e;
	struct chunk c;
	size_t need;
	auto_buf struct buf got = { 0 };
	struct view_snapshot *s = view_snapshot(w->f->view);
	CHECK_INT(s->n, w->n_blocks);
	struct merged_block *b = s->blocks[frame->block];
	CHECK(ulid_cmp(merged_block_ulid(b), &w->ulids[frame->block]) == 0);
	ahead = MIN_OF(ahead, frame->at);
	bool complete = read_range(b, frame->file, frame->at - ahead, ahead + frame->bytes.len, &got);
	view_snapshot_unref(s);
	if (!memcmp(got.data + ahead, frame->bytes.data, frame->bytes.len))
		return complete;
	if (complete && (frame->is_slot || !w->has_wrong_bytes))
		test_fail(__FILE__, __LINE__, "seed %llu: a complete read gave other bytes",
			(unsigned long long)w->seed);
	if (chunk_frame_read(got.data + ahead, frame->bytes.len, &c, &need, &e) >= 0)
		test_fail(__FILE__, __LINE__, "seed %llu: another chunk", (unsigned long long)w->seed);
	return false;
}

struct reader {
	struct world *w;
	uint64_t rng;
	pthread_t thread;
};

static void *read_at_random(void *arg)
{
	struct reader *r = arg;
	for (int i = 0; i < READS_EACH; i++)
		check_frame(r->w, &r->w->frames.data[below(&r->rng, r->w->frames.len)], below(&r->rng, 2000));
	return NULL;
}

static void sync_badly(struct world *w)
{
	struct err e;
	view_sync(w->f->view, VIEW_NOW_MS, &e);
	struct view_snapshot *s = view_snapshot(w->f->view);
	CHECK_INT(s->n, w->n_blocks);
	for (size_t i = 0; i < s->n; i++)
		CHECK(ulid_cmp(merged_block_ulid(s->blocks[i]), &w->ulids[i]) == 0);
	view_snapshot_unref(s);
}

static void forget_what_is_local(struct world *w)
{
	for (size_t i = 0; i < w->n_blocks; i++) {
		struct merged_block *b = view_fixture_block(w->f, i, w->n_blocks);
		for (uint32_t segment = 0; segment < 4; segment++)
			merged_block_discard_made(b, segment);
		merged_block_unref(b);
	}
	view_fixture_open(w->f);
	view_fixture_sync(w->f);
}

static void heal(struct world *w)
{
	struct err e;
	int64_t until = clock_monotonic_us() + HEAL_LIMIT_S * 1000000ll;
	bucket_faults_enable(w->faults, false);
	for (bool all = false; !all;) {
		CHECK(clock_monotonic_us() < until);
		all = view_sync(w->f->view, VIEW_NOW_MS, &e) == 0;
		vec_each (frame, &w->frames)
			all &= check_frame(w, frame, 0);
	}
}

/* Returns how many faults there were. */
static uint64_t live_through(uint64_t seed)
{
	struct err e;
	uint64_t rng = seed;
	struct world w = { .f = view_fixture_new(), .seed = seed };
	make_bucket(w.f, &rng);
	open_faulty(&w, &rng);
	view_fixture_sync(w.f);
	learn(&w);
	if (below(&rng, 4) == 0 && !w.has_wrong_bytes) { /* even the first merge sees the faults */
		view_fixture_close(w.f);
		CHECK_OK(file_remove_tree(w.f->data_dir, &e), &e);
		bucket_faults_enable(w.faults, true);
		view_fixture_open(w.f);
		for (int i = 0; i < 3; i++)
			view_sync(w.f->view, VIEW_NOW_MS, &e);
		bucket_faults_enable(w.faults, false);
		clock_pause_us(10000, NULL); /* until a probe is due */
		view_fixture_sync(w.f);
		sync_badly(&w);
	}
	forget_what_is_local(&w);
	bucket_faults_enable(w.faults, true);
	struct reader readers[READERS];
	for (int i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .w = &w, .rng = test_random(&rng) };
		CHECK_INT(pthread_create(&readers[i].thread, NULL, read_at_random, &readers[i]), 0);
	}
	sync_badly(&w);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	uint64_t n = bucket_faults_count(w.faults);
	heal(&w);
	vec_each (frame, &w.frames)
		buf_fini(&frame->bytes);
	vec_fini(&w.frames);
	view_fixture_free(w.f);
	CHECK_OK(file_remove_tree(w.f->bucket_dir, &e), &e);
	CHECK_OK(file_remove_tree(w.f->data_dir, &e), &e);
	return n;
}

/* One of the quarters that the faults are lived through in, each a test with a time limit of its own. */
static void live_through_quarter(unsigned quarter)
{
	const char *count = getenv("PROP_FAULTS"), *first = getenv("PROP_SEED");
	uint64_t wanted = (count ? strtoull(count, NULL, 10) : 2000) / 4, faults = 0, worlds = 0;
	uint64_t seed = (first ? strtoull(first, NULL, 10) : 1) + quarter * 1000000ull;
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	for (; faults < wanted; worlds++)
		faults += live_through(seed + worlds);
	printf("%llu faults in %llu worlds from seed %llu\n", (unsigned long long)faults,
		(unsigned long long)worlds, (unsigned long long)seed);
}

TEST(no_fault_gives_a_wrong_value_and_all_is_right_when_they_stop)
{
	live_through_quarter(0);
}

TEST(nor_does_one_of_the_second_quarter)
{
	live_through_quarter(1);
}

TEST(nor_does_one_of_the_third_quarter)
{
	live_through_quarter(2);
}

TEST(nor_does_one_of_the_last_quarter)
{
	live_through_quarter(3);
}

TEST_MAIN()
