/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slots of a range are gone through three times: once to see which are missing, so that the sources of all of them can
 * be announced before any is read; once to make them; and once to make those that turned out to need more than their
 * base's chunks, which were announced meanwhile. Most bases have no gap, so the other replicas' chunks are not asked for
 * before it is known that they are needed.
 *
 * Several threads may be at the same range. Who starts a slot claims it; others pass it by, and come back to it when they
 * have nothing else to do. Nobody waits for anybody: at worst a slot is made twice.
 */
#include "dedup/merged_slots.h"

#include "dedup/slot_overrides.h"
#include "lib/base/clock.h"
#include "lib/base/complaint.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

METRIC_COUNTER(slots_made, "thanosfs_slots_made_total", "Slots whose content was made.")
METRIC_COUNTER(samples_decoded, "thanosfs_slot_input_samples_total", "Source samples decoded to make slots.")
METRIC_COUNTER(samples_encoded, "thanosfs_slot_output_samples_total", "Samples in the slots that were made.")
METRIC_COUNTER(slots_overflowed, "thanosfs_slots_overflowed_total",
	"Slots that did not fit and hold the base replica's samples alone until their window is merged "
	"again.")
METRIC_COUNTER(slots_without_data, "thanosfs_slots_without_data_total",
	"Slots that are zeros because no source chunk was usable.")
METRIC_COUNTER(slots_ahead, "thanosfs_slots_made_ahead_total", "Slots made before anybody asked for them.")

#define STAND_IN_US 1000000 /* how long, before a place on the disk is tried for again */
#define SETTLE_MS   5000

static struct complaint unkept = COMPLAINT_INIT;

static void complain_unkept(int r, const struct err *e)
{
	complain(&unkept, LOG_LEVEL_WARN, "made slots can't be kept", -r, KV("err", e->msg));
}

/* Where there is no place for them on the disk, slots are made anew for each reader. */
static int open_locked(struct merged_block *b, struct holdings *h, uint32_t segment, struct err *e)
{
	char name[32];
	struct made_slots *made = NULL;
	snprintf(name, sizeof name, "segment-%u", segment);
	auto_free char *path = merged_block_path(b, name);
	uint64_t first = slot_map_segment_first(h->map, segment);
	uint64_t n = slot_map_segment_first(h->map, segment + 1) - first;
	uint64_t bytes = slot_map_segment_bytes(h->map, segment);
	int r = made_slots_open(path, bytes, first, n, &made, e);
	if (r < 0) {
		complain_unkept(r, e);
		r = made_slots_stand_in(path, bytes, first, n, &made, e);
	}
	if (r == 0) {
		made_slots_unref(h->made[segment]);
		h->made[segment] = made;
	}
	return r;
}

int merged_slots_open(
	struct merged_block *b, struct holdings *h, uint32_t segment, struct made_slots **out, struct err *e)
{
	int r = 0;
	pthread_mutex_lock(&b->lock);
	if (!h->made[segment] || made_slots_stands_in_us(h->made[segment]) > STAND_IN_US)
		r = open_locked(b, h, segment, e);
	if (r == 0)
		*out = made_slots_ref(h->made[segment]);
	pthread_mutex_unlock(&b->lock);
	return r;
}

struct maker *merged_slots_maker(struct merged_block *b, struct holdings *h)
{
	pthread_mutex_lock(&b->lock);
	struct maker *k = h->idle;
	if (k)
		h->idle = k->next;
	pthread_mutex_unlock(&b->lock);
	if (!k) {
		k = xcalloc(1, sizeof *k);
		k->merger = slot_merger_new(b->env->func);
		k->reader = source_reader_new(h->chunks);
	}
	return k;
}

void merged_slots_done(struct merged_block *b, struct holdings *h, struct maker *k)
{
	source_reader_expect(k->reader, NULL, NULL);
	pthread_mutex_lock(&b->lock);
	k->next = h->idle;
	h->idle = k;
	pthread_mutex_unlock(&b->lock);
}

static void learn_parts(struct merged_block *b, const struct slot *slot, const struct slot_result *result)
{
	struct err e;
	const struct slot_source *base = &slot->sources[0];
	struct catalogue_block *const *sources;
	if (base->source >= merged_block_sources(b, &sources))
		return;
	struct slot_key key = { .source = sources[base->source]->meta->ulid,
		.ref = base->ref,
		.from = slot->from,
		.to = slot->to };
	metric_add(slots_overflowed, 1);
	int r = slot_overrides_add(b->env->overrides, &key, result->parts, result->n_parts, &e);
	if (r < 0)
		log_error("a slot's exact size can't be kept", KV("err", e.msg));
	if (r > 0) {
		log_debug("slot needs more room than planned, its window will be merged again",
			KV("block", sources[base->source]->ulid), KV_U64("parts", result->n_parts),
			KV_U64("capacity", slot->capacity), KV_U64("bytes", result->parts[0].bytes));
		int64_t now = clock_monotonic_us(), none = 0;
		atomic_compare_exchange_strong(&b->env->news->first_us, &none, now);
		atomic_store(&b->env->news->last_us, now);
	}
}

enum outcome { SLOT_KEPT, SLOT_LOOSE, SLOT_LATE };

/*
 * Makes one slot, whose frame is appended to k->bytes. Kept: it is in `made`. Loose: it is only in k->bytes, as the local
 * disk is full, or nowhere, as a source was unavailable. Late: what it needs is in k->later.
 */
static enum outcome make_slot(struct merged_block *b, struct maker *k, struct made_slots *made,
	const struct mapped_slot *s, bool *incomplete)
{
	struct slot_result result;
	struct err e;
	size_t start = k->bytes.len;
	slot_merge(k->merger, &s->slot, source_reader_slots(k->reader), &k->bytes, &result);
	metric_add(samples_decoded, result.input_samples);
	if (result.unavailable && source_reader_put_off(k->reader)) {
		k->bytes.len = start;
		return SLOT_LATE;
	}
	metric_add(slots_made, 1);
	metric_add(samples_encoded, result.output_samples);
	if (result.no_data)
		metric_add(slots_without_data, 1);
	if (result.unavailable) { /* less than all there is would be a wrong answer, zeros are none */
		*incomplete = true;
		k->bytes.len = start;
		return SLOT_LOOSE;
	}
	if (result.n_parts)
		learn_parts(b, &s->slot, &result);
	int r = made_slots_put(made, s->number, s->offset, k->bytes.data + start, k->bytes.len - start, &e);
	if (r < 0)
		complain_unkept(r, &e);
	else
		complaint_ends(&unkept, SETTLE_MS, "made slots are kept again");
	return r == 0 ? SLOT_KEPT : SLOT_LOOSE;
}

/* A slot map that its checksums disown: without block.json the next process merges the window again. */
static void give_up_map(struct merged_block *b, struct err *e)
{
	auto_free char *path = merged_block_path(b, "block.json");
	log_error(
		"local slot map is damaged, its window is merged again at the next start", KV("err", e->msg));
	unlink(path);
}

/* What the slot will be made of, as far as that can be told before its base is decoded, where it is far away. */
static void add_sources(
	const struct merged_block *b, struct holdings *h, const struct slot *slot, struct source_ranges *out)
{
	bool all = slot_needs_all(slot, b->env->func);
	for (uint32_t i = 0; i < slot->n_sources; i++) {
		const struct slot_source *s = &slot->sources[i];
		bool is_base = s->role == SLOT_MEMBER && s->rank == slot->sources[0].rank;
		if ((all || is_base) &&
			source_chunks_takes_hints(h->chunks, s->source, chunk_ref_segment(s->ref)))
			source_ranges_add(out, s);
	}
}

/* The slots in [at, at + n) that aren't made: k->todo, and what they will be made of: k->announced. */
static int look(struct merged_block *b, struct holdings *h, struct maker *k, struct made_slots *made,
	uint32_t segment, uint64_t at, uint64_t n, struct err *e)
{
	k->todo.len = k->late.len = k->loose.len = k->announced.len = k->later.len = 0;
	k->expected_to = 0;
	buf_reset(&k->bytes);
	buf_reserve(&k->bytes, 1); /* a slot without data still has a place in it */
	int r = slot_map_seek(h->map, &k->cursor, segment, at, e);
	for (; r == 1; r = slot_map_next(h->map, &k->cursor, e)) {
		const struct mapped_slot *s = slot_cursor_get(&k->cursor);
		if (s->offset >= at + n)
			break;
		if (made_slots_has(made, s->number))
			continue;
		vec_push(&k->todo, s->offset);
		add_sources(b, h, &s->slot, &k->announced);
	}
	if (r == -EBADMSG)
		give_up_map(b, e);
	if (r < 0)
		return r;
	source_ranges_join(&k->announced);
	source_chunks_announce(h->chunks, &k->announced);
	return 0;
}

/* Announces what late slots need, and from now on waits for everything. */
static void stop_putting_off(struct holdings *h, struct maker *k)
{
	source_ranges_join(&k->later);
	source_chunks_announce(h->chunks, &k->later);
	vec_each (r, &k->later)
		vec_push(&k->announced, *r);
	source_ranges_join(&k->announced);
	source_reader_expect(k->reader, &k->announced, NULL);
}

/* The slot that starts at `offset`: to the cursor. */
static const struct mapped_slot *seek_slot(
	struct holdings *h, struct maker *k, uint32_t segment, uint64_t offset, struct err *e)
{
	if (slot_map_seek(h->map, &k->cursor, segment, offset, e) == 1)
		return slot_cursor_get(&k->cursor);
	err_set(e, -EBADMSG, "there is no slot at %llu", (unsigned long long)offset);
	return NULL;
}

static void make_one(struct merged_block *b, struct maker *k, struct made_slots *made,
	const struct mapped_slot *s, bool *incomplete)
{
	size_t start = k->bytes.len;
	enum outcome got = make_slot(b, k, made, s, incomplete);
	if (got == SLOT_LATE)
		vec_push(&k->late, s->offset);
	else if (got == SLOT_LOOSE)
		vec_push(&k->loose, (struct loose_slot){ s->offset, start, k->bytes.len - start });
	else
		k->bytes.len = start;
}

/* Has the bases of the slots from the cursor on decoded together, as far as they stand in its block of the map and are still to be made. */
static void expect_bases(struct maker *k, struct made_slots *made)
{
	uint64_t last = k->todo.data[k->todo.len - 1];
	slot_merger_expect_none(k->merger);
	for (size_t i = k->cursor.at; i < k->cursor.slots.len; i++) {
		const struct mapped_slot *s = &k->cursor.slots.data[i];
		if (s->offset > last)
			break;
		if (!made_slots_has(made, s->number) && slot_decodes_base(&s->slot) &&
			!slot_merger_expect(k->merger, &s->slot, source_reader_slots(k->reader)))
			break;
		if (source_reader_put_off(k->reader))
			slot_merger_unexpect(k->merger);
		k->expected_to = (uint64_t)s->offset + 1;
	}
	slot_merger_expect_end(k->merger);
}

static int make_each(struct merged_block *b, struct holdings *h, struct maker *k, struct made_slots *made,
	uint32_t segment, bool *incomplete, struct err *e)
{
	vec_each (offset, &k->todo) {
		const struct mapped_slot *s = seek_slot(h, k, segment, *offset, e);
		if (!s)
			return -EBADMSG;
		if (made_slots_has(made, s->number))
			continue;
		if (!made_slots_claim(made, s->number)) {
			vec_push(&k->late, *offset);
			continue;
		}
		if (*offset >= k->expected_to)
			expect_bases(k, made);
		uint64_t number = s->number;
		make_one(b, k, made, s, incomplete);
		made_slots_unclaim(made, number);
	}
	return 0;
}

/* Makes what is in k->todo and nobody else is at; the rest, and what needs more than its base, goes to k->late. */
static int make_claimed(struct merged_block *b, struct holdings *h, struct maker *k, struct made_slots *made,
	uint32_t segment, bool *incomplete, struct err *e)
{
	source_reader_expect(k->reader, &k->announced, &k->later);
	int r = make_each(b, h, k, made, segment, incomplete, e);
	slot_merger_expect_none(k->merger); /* what couldn't be had may be had the next time */
	return r;
}

int merged_slots_make(struct merged_block *b, struct holdings *h, struct maker *k, struct made_slots *made,
	uint32_t segment, uint64_t at, uint64_t n, bool *incomplete, struct err *e)
{
	int r = look(b, h, k, made, segment, at, n, e);
	if (r == 0)
		r = make_claimed(b, h, k, made, segment, incomplete, e);
	if (r < 0 || k->late.len == 0)
		return r;
	stop_putting_off(h, k);
	size_t n_late = k->late.len;
	for (size_t i = 0; i < n_late; i++) {
		const struct mapped_slot *s = seek_slot(h, k, segment, k->late.data[i], e);
		if (!s)
			return -EBADMSG;
		if (!made_slots_has(made, s->number))
			make_one(b, k, made, s, incomplete);
	}
	return 0;
}

void merged_slots_make_ahead(
	struct merged_block *b, struct holdings *h, uint32_t segment, uint64_t at, uint64_t n, bool is_last)
{
	struct made_slots *made = NULL;
	struct err e;
	bool incomplete;
	if (merged_slots_open(b, h, segment, &made, &e) < 0)
		return;                           /* who reads it will say so */
	if (made_slots_stands_in_us(made) >= 0) { /* it would be for nothing */
		made_slots_unref(made);
		return;
	}
	struct deadline deadline = merged_block_enter_deadline(b);
	struct maker *k = merged_slots_maker(b, h);
	size_t not_made = 0;
	int r;
	if (is_last) {
		r = merged_slots_make(b, h, k, made, segment, at, n, &incomplete, &e);
	} else {
		r = look(b, h, k, made, segment, at, n, &e);
		if (r == 0)
			r = make_claimed(b, h, k, made, segment, &incomplete, &e);
		not_made = k->late.len;
		stop_putting_off(h, k);
	}
	not_made += k->loose.len;
	if (r == 0 && k->todo.len > not_made)
		metric_add(slots_ahead, k->todo.len - not_made);
	merged_slots_done(b, h, k);
	deadline_leave(deadline);
	made_slots_unref(made);
}

void merged_slots_announce(
	struct merged_block *b, struct holdings *h, uint32_t segment, uint64_t at, uint64_t n)
{
	struct made_slots *made = NULL;
	struct err e;
	if (merged_slots_open(b, h, segment, &made, &e) < 0)
		return;
	struct maker *k = merged_slots_maker(b, h);
	look(b, h, k, made, segment, at, n, &e);
	merged_slots_done(b, h, k);
	made_slots_unref(made);
}
