/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole series through layout and slot merge, from random replicas, against what deduplication promises
 *(doc/dedup.md).
 *
 *	prop_series [CASES [SEED]]
 */
#include "dedup/layout.h"
#include "dedup/slot_merge.h"
#include "dedup/slot_overrides.h"
#include "lib/tsdb/xor.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_REPLICAS 4
#define MAX_SOURCES  8

struct sample {
	int64_t t;
	uint64_t v;
};

/* One block's chunks of the series. */
struct block {
	VEC(struct buf) frames;
	VEC(struct chunk_meta) metas;
};

struct world {
	uint64_t seed;
	unsigned replicas, sources;
	int64_t interval, jitter;
	VEC(struct sample) samples[MAX_REPLICAS]; /* all of a replica, markers too */
	struct block blocks[MAX_SOURCES];
	unsigned replica_of[MAX_SOURCES];
	bool markers;
};

static uint64_t rng;
static uint64_t below(uint64_t n)
{
	return test_random(&rng) % n;
}

static bool chance(unsigned percent)
{
	return below(100) < percent;
}

static bool is_stale(uint64_t v)
{
	return v == STALE_NAN_BITS;
}

static uint64_t bits_of(double v)
{
	uint64_t b;
	memcpy(&b, &v, 8);
	return b;
}

static void add_chunk(struct block *b, const struct sample *s, size_t n)
{
	struct buf data = { 0 }, frame = { 0 };
	struct xor_encoder x;
	xor_encoder_init(&x, &data);
	for (size_t i = 0; i < n; i++)
		xor_encoder_add(&x, s[i].t, s[i].v);
	xor_encoder_finish(&x);
	chunk_frame_write(&frame, CHUNK_XOR, data.data, data.len);
	vec_push(&b->metas, (struct chunk_meta){ s[0].t, s[n - 1].t, b->frames.len });
	vec_push(&b->frames, frame);
	buf_fini(&data);
}

/* Cuts samples into chunks of random lengths. */
static void cut(struct block *b, const struct sample *s, size_t n)
{
	size_t longest = chance(20) ? 4 : 120;
	while (n) {
		size_t want = 1 + below(longest), len = MIN_OF(n, want);
		while (len < n &&
			is_stale(s[len - 1].v)) /* a chunk of markers alone hides what stands before it */
			len++;
		add_chunk(b, s, len);
		s += len;
		n -= len;
	}
}

static void scrape(struct world *w, unsigned r, int64_t span)
{
	int64_t phase = (int64_t)below((uint64_t)w->interval);
	bool down = false, marked = false;
	for (int64_t t = phase; t < span; t += w->interval) {
		if (chance(down ? 15 : 2))
			down = !down;
		int64_t at = 1000000 + t +
			     (w->jitter ? (int64_t)below(2 * (uint64_t)w->jitter + 1) - w->jitter : 0);
		bool missed = down || chance(3);
		if (!missed) {
			/* a counter: rises with time; the fraction tells the replica */
			vec_push(&w->samples[r], (struct sample){ at, bits_of((double)at * 16 + r) });
			marked = false;
		} else if (w->markers && !marked && chance(70)) {
			vec_push(&w->samples[r], (struct sample){ at, STALE_NAN_BITS });
			marked = true;
		}
	}
}

static void make_world(struct world *w, uint64_t seed)
{
	rng = seed;
	w->seed = seed;
	w->replicas = 1 + (unsigned)below(MAX_REPLICAS);
	w->interval = (int64_t[]){ 5000, 15000, 60000, 30 }[below(4)];
	w->jitter = chance(50) ? 0 : MIN_OF(w->interval / 50, 20);
	w->markers = chance(40);
	int64_t span = w->interval * (int64_t)(1 + below(chance(30) ? 12 : 260));
	for (unsigned r = 0; r < w->replicas; r++) {
		scrape(w, r, span);
		struct sample *s = w->samples[r].data;
		size_t n = w->samples[r].len;
		if (n == 0)
			continue;
		unsigned source = w->sources++;
		w->replica_of[source] = r;
		if (chance(10) && n > 2) { /* two blocks of one replica that overlap */
			size_t mid = 1 + below(n - 1);
			size_t back = below(mid);
			cut(&w->blocks[source], s, mid);
			w->replica_of[w->sources] = r;
			cut(&w->blocks[w->sources++], s + back, n - back);
		} else {
			cut(&w->blocks[source], s, n);
		}
	}
}

static void free_world(struct world *w)
{
	for (unsigned r = 0; r < MAX_REPLICAS; r++)
		vec_fini(&w->samples[r]);
	for (unsigned s = 0; s < MAX_SOURCES; s++) {
		vec_each (f, &w->blocks[s].frames)
			buf_fini(f);
		vec_fini(&w->blocks[s].frames);
		vec_fini(&w->blocks[s].metas);
	}
}

struct reader {
	struct slot_reader base;
	struct world *w;
};

static int read_chunk(struct slot_reader *r, const struct slot_source *s, struct chunk *out)
{
	const struct buf *f = &((struct reader *)r)->w->blocks[s->source].frames.data[s->ref];
	size_t need;
	return chunk_frame_read(f->data, f->len, out, &need, NULL) > 0 ? 0 : -EBADMSG;
}

static void corrupt(struct slot_reader *r, const struct slot_source *s, const char *why)
{
	printf("seed %llu: source %u: %s\n", (unsigned long long)((struct reader *)r)->w->seed, s->source,
		why);
	exit(1);
}

struct series {
	VEC(struct sample) samples;
	unsigned slots, passed, overflows;
};

static void fail(const struct world *w, const char *what, int64_t t)
{
	printf("seed %llu: %s at %lld (interval %lld, jitter %lld, %u replicas)\n",
		(unsigned long long)w->seed, what, (long long)t, (long long)w->interval, (long long)w->jitter,
		w->replicas);
	exit(1);
}

static void append_frame(const struct world *w, const uint8_t *p, size_t n, const struct planned_chunk *plan,
	struct series *out)
{
	struct chunk c;
	size_t need;
	struct float_columns cols = { 0 };
	struct err e = { .msg = "" };
	if (chunk_frame_read(p, n, &c, &need, &e) < 0 ||
		float_chunk_decode(c.encoding, c.data, c.size, &cols, &e) < 0)
		fail(w, e.msg, 0);
	for (size_t i = 0; i < cols.len; i++) {
		if (cols.t[i] < plan->mint || cols.t[i] > plan->maxt)
			fail(w, "a sample outside its chunk's times", cols.t[i]);
		vec_push(&out->samples, (struct sample){ cols.t[i], cols.v[i] });
	}
	float_columns_fini(&cols);
}

/* The whole series as a reader of the merged block would see it. */
static void read_series(struct world *w, enum dedup_func func, struct slot_overrides *overrides, bool shuffle,
	bool passthrough, struct series *out)
{
	struct catalogue_block fake[MAX_SOURCES];
	struct block_meta meta[MAX_SOURCES];
	struct dedup_source sources[MAX_SOURCES];
	VEC(struct layout_input) in = { 0 };
	memset(fake, 0, sizeof fake);
	memset(meta, 0, sizeof meta);
	for (unsigned s = 0; s < w->sources; s++) {
		meta[s].ulid.bytes[15] = (uint8_t)s;
		fake[s].meta = &meta[s];
		sources[s] = (struct dedup_source){ &fake[s], w->replica_of[s], passthrough };
		for (size_t i = 0; i < w->blocks[s].metas.len; i++)
			vec_push(&in, (struct layout_input){ .meta = w->blocks[s].metas.data[i],
					      .frame_bytes = (uint32_t)w->blocks[s].frames.data[i].len,
					      .source = (uint16_t)s,
					      .replica = (uint16_t)w->replica_of[s] });
	}
	for (size_t i = in.len; shuffle && i > 1; i--) {
		size_t k = below(i);
		struct layout_input swap = in.data[i - 1];
		in.data[i - 1] = in.data[k];
		in.data[k] = swap;
	}
	struct layout *l = layout_new(sources, w->sources, func, overrides);
	struct slot_merger *m = slot_merger_new(func);
	struct reader reader = { { read_chunk, corrupt, NULL }, w };
	const struct planned_chunk *plan;
	size_t n = layout_series(l, in.data, in.len, &plan);
	struct buf frame = { 0 };
	size_t expected_to = 0;
	for (size_t i = 0; i < n; i++) {
		if (i && plan[i].mint <= plan[i - 1].maxt)
			fail(w, "planned chunks overlap", plan[i].mint);
		if (!plan[i].is_slot) {
			const struct buf *f = &w->blocks[plan[i].source].frames.data[plan[i].ref];
			append_frame(w, f->data, f->len, &plan[i], out);
			out->passed++;
			continue;
		}
		struct slot_result r;
		buf_reset(&frame);
		if (i >= expected_to) {
			slot_merger_expect_none(m);
			for (expected_to = i; expected_to < n; expected_to++)
				if (plan[expected_to].is_slot && slot_decodes_base(&plan[expected_to].slot) &&
					!slot_merger_expect(m, &plan[expected_to].slot, &reader.base))
					break;
			slot_merger_expect_end(m);
		}
		slot_merge(m, &plan[i].slot, &reader.base, &frame, &r);
		if (r.no_data || r.unavailable || frame.len > plan[i].slot.capacity)
			fail(w, "a slot without data, or too large", plan[i].mint);
		if (r.n_parts && overrides) {
			struct slot_key key = { meta[plan[i].slot.sources[0].source].ulid,
				plan[i].slot.sources[0].ref, plan[i].slot.from, plan[i].slot.to };
			slot_overrides_add(overrides, &key, r.parts, r.n_parts, NULL);
		}
		out->overflows += r.n_parts > 0;
		out->slots++;
		append_frame(w, frame.data, frame.len, &plan[i], out);
	}
	buf_fini(&frame);
	slot_merger_free(m);
	layout_free(l);
	vec_fini(&in);
}

static bool has_sample(const struct world *w, struct sample s)
{
	for (unsigned r = 0; r < w->replicas; r++)
		for (size_t i = 0; i < w->samples[r].len; i++)
			if (w->samples[r].data[i].t == s.t && w->samples[r].data[i].v == s.v)
				return true;
	return false;
}

/* How many live samples any replica has strictly between. */
static unsigned between(const struct world *w, int64_t x, int64_t y)
{
	unsigned n = 0;
	for (unsigned r = 0; r < w->replicas; r++)
		for (size_t i = 0; i < w->samples[r].len; i++) {
			const struct sample *s = &w->samples[r].data[i];
			n += s->t > x && s->t < y && !is_stale(s->v);
		}
	return n;
}

/*
 * A gap of the output from x to y must be a gap of every replica: each has one of more than 1.5 intervals there, and
 * what it has beside that lies within half an interval of x or y.
 */
static bool is_fillable(const struct world *w, int64_t x, int64_t y)
{
	for (unsigned r = 0; r < w->replicas; r++) {
		int64_t before = INT64_MIN, widest = 0;
		for (size_t i = 0; i <= w->samples[r].len; i++) {
			bool end = i == w->samples[r].len;
			if (!end && is_stale(w->samples[r].data[i].v))
				continue;
			int64_t t = end ? INT64_MAX : w->samples[r].data[i].t;
			if (t > x && before < y)
				widest = before == INT64_MIN || end ? INT64_MAX : MAX_OF(widest, t - before);
			before = t;
		}
		if (widest == INT64_MAX)
			continue;
		if (2 * widest <= 3 * w->interval - 8 * w->jitter ||
			y - x - widest > w->interval + 4 * w->jitter)
			return true;
	}
	return false;
}

static void check_series(const struct world *w, const struct series *s)
{
	const struct sample *last = NULL;
	int64_t before = INT64_MIN;
	double value = 0;
	unsigned close = 0, live = 0, switches = 0;
	for (size_t i = 0; i < s->samples.len; i++) {
		const struct sample *x = &s->samples.data[i];
		if (x->t <= before)
			fail(w, "times don't rise", x->t);
		before = x->t;
		if (!has_sample(w, *x))
			fail(w, "a sample that no replica has", x->t);
		if (is_stale(x->v))
			continue;
		double v;
		memcpy(&v, &x->v, 8);
		if (last && v < value)
			fail(w, "a counter falls", x->t);
		value = v;
		if (last && 2 * (x->t - last->t) > 3 * (w->interval + 4 * w->jitter) &&
			is_fillable(w, last->t, x->t))
			fail(w, "a gap that a replica could fill", last->t);
		if (last) {
			double u;
			memcpy(&u, &last->v, 8);
			bool switched = (uint64_t)u % 16 != (uint64_t)v % 16;
			switches += switched;
			close += 2 * (x->t - last->t) < w->interval - 4 * w->jitter;
			if (!switched && x->t - last->t < w->interval - 2 * w->jitter)
				fail(w, "one replica's samples closer than it scrapes", x->t);
		}
		last = x;
		live++;
	}
	if (close > switches)
		fail(w, "more than one extra sample a switch", before);
	/* nothing is missing at the ends but what lies within half an interval */
	if (live) {
		int64_t first = INT64_MAX;
		for (size_t i = s->samples.len; i-- > 0;)
			if (!is_stale(s->samples.data[i].v))
				first = s->samples.data[i].t;
		int64_t slack = 3 * (w->interval + 4 * w->jitter) / 2;
		if (between(w, INT64_MIN, first - slack) || between(w, last->t + slack, INT64_MAX))
			fail(w, "an end that a replica reaches beyond", first);
	} else if (between(w, INT64_MIN, INT64_MAX)) {
		fail(w, "no live sample is left", 0);
	}
}

static bool is_same_series(const struct series *a, const struct series *b)
{
	return a->samples.len == b->samples.len &&
	       (a->samples.len == 0 ||
		       !memcmp(a->samples.data, b->samples.data, a->samples.len * sizeof(struct sample)));
}

static void check_chain(const struct world *w, const struct series *s)
{
	size_t i = 0;
	for (int64_t t = INT64_MIN;;) {
		int64_t next = INT64_MAX;
		for (unsigned r = 0; r < w->replicas; r++)
			for (size_t k = 0; k < w->samples[r].len; k++)
				if (w->samples[r].data[k].t > t)
					next = MIN_OF(next, w->samples[r].data[k].t);
		if (next == INT64_MAX)
			break;
		if (i >= s->samples.len || s->samples.data[i].t != next)
			fail(w, "chain lacks a sample", next);
		t = next;
		i++;
	}
	if (i != s->samples.len)
		fail(w, "chain has a sample too many", s->samples.data[i].t);
}

static void check_penalty(const struct world *w, const struct series *s)
{
	for (size_t i = 0; i < s->samples.len; i++)
		if (!has_sample(w, s->samples.data[i]) ||
			(i && s->samples.data[i].t <= s->samples.data[i - 1].t))
			fail(w, "penalty's samples are not the replicas', in order", s->samples.data[i].t);
}

int main(int argc, char **argv)
{
	uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	uint64_t slots = 0, passed = 0, overflows = 0;
	char path[64];
	snprintf(path, sizeof path, "/tmp/thanosfs-prop-%d", getpid());
	for (uint64_t c = 0; c < cases; c++) {
		struct world w = { 0 };
		struct series a = { 0 }, b = { 0 }, again = { 0 }, chain = { 0 }, penalty = { 0 };
		struct slot_overrides *overrides;
		make_world(&w, seed + c);
		if (slot_overrides_open(path, &overrides, NULL) < 0)
			return 1;
		read_series(&w, DEDUP_COMPLETE, overrides, false, true, &a);
		slot_overrides_activate(overrides);
		if (a.overflows) { /* laid out again with the exact sizes: now all must fit */
			read_series(&w, DEDUP_COMPLETE, overrides, false, true, &again);
			if (again.overflows)
				fail(&w, "a slot does not fit its exact size", 0);
		}
		const struct series *final = a.overflows ? &again : &a;
		check_series(&w, final);
		read_series(&w, DEDUP_COMPLETE, overrides, true, chance(50), &b);
		if (!b.overflows && !is_same_series(final, &b))
			fail(&w, "another order of inputs gives another series", 0);
		slot_overrides_close(overrides);
		unlink(path);
		if (c % 8 == 0) {
			if (slot_overrides_open(path, &overrides, NULL) < 0)
				return 1;
			read_series(&w, DEDUP_CHAIN, overrides, true, true, &chain);
			if (chain.overflows) {
				chain.samples.len = 0;
				slot_overrides_activate(overrides);
				read_series(&w, DEDUP_CHAIN, overrides, true, true, &chain);
			}
			check_chain(&w, &chain);
			slot_overrides_close(overrides);
			unlink(path);
			read_series(&w, DEDUP_PENALTY, NULL, true, true, &penalty);
			check_penalty(&w, &penalty);
		}
		slots += a.slots;
		passed += a.passed;
		overflows += a.overflows;
		vec_fini(&a.samples);
		vec_fini(&b.samples);
		vec_fini(&again.samples);
		vec_fini(&chain.samples);
		vec_fini(&penalty.samples);
		free_world(&w);
	}
	printf("%llu series from seed %llu: %llu slots, %llu chunks passed through, %llu slots laid out "
	       "again\n",
		(unsigned long long)cases, (unsigned long long)seed, (unsigned long long)slots,
		(unsigned long long)passed, (unsigned long long)overflows);
	printf("1 passed, 0 failed\n");
	return 0;
}
