/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/block_samples.h"

#include "lib/base/fault_guard.h"
#include "lib/base/interrupt.h"
#include "lib/tsdb/histogram.h"

#include <errno.h>

#define CHUNK_WORK         1000u        /* that decoding one is: see interrupt_after */
#define CHUNK_LIKELY_BYTES 4096         /* of one whose successor doesn't tell */
#define AHEAD_GAP_BYTES    (128u << 10) /* between chunks that are announced together */
#define AHEAD_MAX_BYTES    (16u << 20)  /* of one announcement */

struct job {
	const struct block_read *block;
	uint32_t ref;
	int64_t mint, maxt;
	struct chunk_batch *batch;
	struct index_entry entry;
	struct histogram_chunk *histograms; /* of the chunk at hand */
	const struct tombstone *deleted;
	size_t n_deleted;
};

static bool is_wanted(const struct job *j, int64_t t)
{
	if (t < j->mint || t > j->maxt)
		return false;
	for (size_t i = 0; i < j->n_deleted; i++)
		if (j->deleted[i].range.mint <= t && t <= j->deleted[i].range.maxt)
			return false;
	return true;
}

/* What is to be done with a chunk, as far as its meta tells. Who asked cuts off what lies outside of the range. */
enum use { USE_NONE, USE_PART, USE_WHOLE };

static enum use use_of(const struct job *j, const struct chunk_meta *c)
{
	if (c->maxt < j->mint || c->mint > j->maxt)
		return USE_NONE;
	enum use use = USE_WHOLE;
	for (size_t i = 0; i < j->n_deleted; i++) {
		const struct interval *d = &j->deleted[i].range;
		if (d->mint <= c->mint && c->maxt <= d->maxt)
			return USE_NONE;
		if (d->mint <= c->maxt && c->mint <= d->maxt)
			use = USE_PART;
	}
	return use;
}

/* Takes what isn't wanted out of the samples from there on, which are floats. */
static void leave_out(const struct job *j, size_t from)
{
	struct samples *s = j->batch->out;
	size_t kept = from;
	for (size_t i = from; i < s->n; i++) {
		s->t[kept] = s->t[i];
		s->v[kept] = s->v[i];
		if (s->start)
			s->start[kept] = s->start[i];
		kept += is_wanted(j, s->t[i]);
	}
	s->n = kept;
}

static int add_floats(struct job *j, uint64_t ref, const struct chunk *c, enum use use, struct err *e)
{
	size_t from = j->batch->out->n;
	int r = chunk_batch_add(j->batch, (struct chunk_origin){ j->block, ref }, c, e);
	if (r < 0 || use == USE_WHOLE)
		return r;
	r = chunk_batch_flush(j->batch, e);
	if (r == 0)
		leave_out(j, from);
	return r;
}

static int add_histograms(struct job *j, uint64_t ref, const struct chunk *c, struct err *e)
{
	struct samples *s = j->batch->out;
	int r = histogram_chunk_decode(c->encoding, c->data, c->size, &j->histograms, e);
	if (r < 0)
		return chunk_batch_fail(j->batch, (struct chunk_origin){ j->block, ref }, r, e);
	const struct histogram_chunk *from = j->histograms;
	uint64_t bytes = from->n * sizeof s->h[0];
	samples_reserve(s, s->n + from->n);
	if (!s->h && s->cap)
		s->h = xcalloc(s->cap, sizeof(*s->h));
	for (size_t i = 0; i < from->n; i++) {
		if (!is_wanted(j, from->t[i]))
			continue;
		struct float_histogram *h = float_histogram_of_chunk(from, i);
		s->t[s->n] = from->t[i];
		s->v[s->n] = h->sum;
		if (s->start)
			s->start[s->n] = 0;
		if (from->start && from->start[i])
			samples_set_start(s, s->n, from->start[i]);
		s->h[s->n++] = h;
		bytes += float_histogram_bytes(h);
	}
	samples_charge(s, bytes);
	histogram_chunk_free(take(j->histograms));
	return 0;
}

static int add_chunk(struct job *j, const struct chunk_meta *m, enum use use, struct err *e)
{
	struct chunk c;
	int r = block_read_chunk(j->block, m->ref, &c, e);
	if (r < 0)
		return r;
	bool is_float = c.encoding == CHUNK_XOR || c.encoding == CHUNK_XOR2;
	return is_float ? add_floats(j, m->ref, &c, use, e) : add_histograms(j, m->ref, &c, e);
}

static int read_samples(void *arg, struct err *e)
{
	struct job *j = arg;
	int r = index_read_labels(j->block->index, j->ref, &j->entry, e);
	if (r == 0)
		r = index_read_chunks(j->block->index, j->ref, &j->entry, e);
	if (r < 0)
		return r;
	vec_each (c, &j->entry.chunks) {
		if (c->mint > j->maxt)
			break;
		enum use use = use_of(j, c);
		if (use != USE_NONE)
			r = add_chunk(j, c, use, e);
		if (r == 0 && use != USE_NONE && interrupt_after(CHUNK_WORK) < 0)
			r = err_set(e, -ECANCELED, "nobody wants the rest");
		if (r < 0)
			return r;
	}
	return 0;
}

int block_samples(const struct block_read *b, uint32_t ref, int64_t mint, int64_t maxt, bool joins,
	struct chunk_batch *batch, struct err *e)
{
	struct job j = { .block = b, .ref = ref, .mint = mint, .maxt = maxt, .batch = batch };
	struct samples *out = batch->out;
	size_t from = out->n;
	j.n_deleted = tombstones_of(&b->tombstones, ref, &j.deleted);
	int r = fault_guard_run(read_samples, &j, e);
	index_entry_fini(&j.entry);
	histogram_chunk_free(j.histograms);
	if (joins && out->h && out->n > from && out->h[from]) {
		struct float_histogram *first = (struct float_histogram *)(uintptr_t)out->h[from];
		if (first->reset_hint != RESET_GAUGE)
			first->reset_hint = RESET_UNKNOWN;
	}
	if (r < 0 && !batch->at_fault)
		batch->at_fault = b;
	return r == -EIO ? err_wrap(e, r, "block %s", b->name) : r;
}

/* How far a chunk reaches, guessed from where the series' next one begins. */
static uint64_t likely_end(const struct index_entry *s, size_t i)
{
	uint64_t ref = s->chunks.data[i].ref, at = chunk_ref_offset(ref);
	if (i + 1 < s->chunks.len) {
		uint64_t next = s->chunks.data[i + 1].ref;
		if (next > ref && next - ref <= CHUNK_LIKELY_BYTES)
			return at + (next - ref);
	}
	return at + CHUNK_LIKELY_BYTES;
}

static void gather(struct block_ahead *a, uint32_t segment, uint64_t from, uint64_t to)
{
	bool joins = a->from < a->to && segment == a->segment && from + AHEAD_GAP_BYTES >= a->from &&
		     from <= a->to + AHEAD_GAP_BYTES && a->to - a->from < AHEAD_MAX_BYTES;
	if (!joins) {
		block_ahead_end(a);
		a->segment = segment;
		a->from = from;
		a->to = to;
	}
	a->from = MIN_OF(a->from, from);
	a->to = MAX_OF(a->to, to);
}

struct ahead_job {
	struct block_ahead *ahead;
	uint32_t ref;
};

static int read_entry(void *arg, struct err *e)
{
	const struct ahead_job *j = arg;
	struct block_ahead *a = j->ahead;
	int r = index_read_labels(a->block->index, j->ref, &a->entry, e);
	return r < 0 ? r : index_read_chunks(a->block->index, j->ref, &a->entry, e);
}

void block_ahead_add(struct block_ahead *a, uint32_t ref, int64_t mint, int64_t maxt)
{
	struct ahead_job j = { a, ref };
	if (fault_guard_run(read_entry, &j, NULL) < 0)
		return;
	const struct index_entry *s = &a->entry;
	for (size_t i = 0; i < s->chunks.len; i++) {
		const struct chunk_meta *c = &s->chunks.data[i];
		if (c->maxt >= mint && c->mint <= maxt)
			gather(a, chunk_ref_segment(c->ref), chunk_ref_offset(c->ref), likely_end(s, i));
	}
}

void block_ahead_end(struct block_ahead *a)
{
	if (a->from < a->to)
		block_read_announce(a->block, a->segment, a->from, a->to);
	a->from = a->to = 0;
}
