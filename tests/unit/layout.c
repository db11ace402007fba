/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/layout.h"

#include "dedup/slot_overrides.h"
#include "tests/support/index_fixture.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_CHUNKS 32
#define S          1000 /* ms */
#define REPLICAS   3

/*
 * A plan in words: chunks "a0-99 b5-104" in (replica, seconds, inclusive); out come "[0-99 ab]" for a slot with the
 * replicas of its members, best first, and "a0-99" for what passes through.
 */
struct plan {
	const char *in, *want;
};

static struct index_fixture fixtures[REPLICAS];
static struct dedup_source sources[REPLICAS];
static struct layout_input inputs[MAX_CHUNKS];

static void set_up(bool passthrough)
{
	for (unsigned i = 0; i < REPLICAS; i++) {
		index_fixture_init(&fixtures[i], i + 1, 1);
		sources[i] = (struct dedup_source){ &fixtures[i].block, i, passthrough };
	}
}

static void tear_down(void)
{
	for (unsigned i = 0; i < REPLICAS; i++)
		index_fixture_fini(&fixtures[i]);
}

/* A chunk's ref is its place in the words. "!" marks one with deleted samples. */
static size_t read_words(const char *words)
{
	size_t n = 0;
	for (const char *p = words; *p;) {
		char *end;
		struct layout_input *c = &inputs[n];
		*c = (struct layout_input){ .frame_bytes = 200 };
		c->source = c->replica = (uint16_t)(*p - 'a');
		c->meta.mint = strtoll(p + 1, &end, 10) * S;
		c->meta.maxt = strtoll(end + 1, &end, 10) * S;
		c->meta.ref = ++n;
		if (*end == '!') {
			c->tombstoned_series = 16;
			end++;
		}
		p = *end == ' ' ? end + 1 : end;
	}
	return n;
}

static void tell(const struct planned_chunk *plan, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct planned_chunk *c = &plan[i];
		long long mint = c->mint / S, maxt = c->maxt / S;
		CHECK(i == 0 || c->mint > plan[i - 1].maxt);
		buf_printf(out, "%s", i ? " " : "");
		if (!c->is_slot) {
			buf_printf(out, "%c%lld-%lld", 'a' + c->source, mint, maxt);
			continue;
		}
		CHECK(c->slot.from <= c->mint && c->slot.to > c->maxt);
		buf_printf(out, "[%lld-%lld ", mint, maxt);
		for (uint32_t k = 0; k < c->slot.n_sources; k++)
			if (c->slot.sources[k].role == SLOT_MEMBER)
				buf_printf(out, "%c", 'a' + c->slot.sources[k].source);
		buf_printf(out, "]");
	}
}

static void check_plan(enum dedup_func func, const struct plan *p)
{
	struct layout *l = layout_new(sources, REPLICAS, func, NULL);
	size_t n = read_words(p->in);
	for (size_t turn = 0; turn < n + 1; turn++) {
		const struct planned_chunk *plan;
		auto_buf struct buf got = { 0 };
		size_t planned = layout_series(l, inputs, n, &plan);
		tell(plan, planned, &got);
		CHECK_STR(buf_str(&got), p->want);
		/* any other order */
		if (n > 1) {
			struct layout_input first = inputs[0];
			memmove(inputs, inputs + 1, (n - 1) * sizeof *inputs);
			inputs[n - 1] = first;
		}
	}
	layout_free(l);
}

static void check_plans(const struct plan *list, size_t n)
{
	set_up(true);
	for (size_t i = 0; i < n; i++)
		check_plan(DEDUP_COMPLETE, &list[i]);
	tear_down();
}

TEST(chunks_of_one_replica_alone_pass_through)
{
	static const struct plan cases[] = {
		{ "a0-990", "a0-990" },
		{ "a0-990 a1000-1990 a5000-5990", "a0-990 a1000-1990 a5000-5990" },
		{ "b0-990", "b0-990" },
	};
	check_plans(cases, ARRAY_LEN(cases));
}

TEST(chunks_of_one_replica_that_overlap_become_one_slot)
{
	static const struct plan cases[] = {
		{ "a0-990 a500-1500 a2000-2990", "[0-1500 aa] a2000-2990" },
		{ "a0-990 a0-990", "[0-990 aa]" },
		{ "a0-2000 a500-600 a2000-2990", "[0-2990 aaa]" },
	};
	check_plans(cases, ARRAY_LEN(cases));
}

TEST(slots_are_cut_along_the_chunks_of_the_replica_that_covers_most)
{
	static const struct plan cases[] = {
		{ "a0-990 a1000-1990 b5-995 b1005-1995", "[0-995 ab] [1000-1995 abb]" },
		{ "a0-990 b5-3995", "[5-3995 ba]" },
		{ "a0-990 b0-990", "[0-990 ab]" }, /* a tie: the lower name */
	};
	set_up(true);
	for (size_t i = 2; i < ARRAY_LEN(cases); i++)
		check_plan(DEDUP_COMPLETE, &cases[i]);
	tear_down();
}

TEST(what_another_replica_has_clear_of_the_base_passes_through)
{
	static const struct plan cases[] = {
		{ "a0-9900 a20000-29900 b14000-15000", "a0-9900 b14000-15000 a20000-29900" },
		{ "a0-9900 b20000-21000", "a0-9900 b20000-21000" },
	};
	check_plans(cases, ARRAY_LEN(cases));
}

TEST(a_chunk_with_deleted_samples_is_a_slot)
{
	static const struct plan cases[] = {
		{ "a0-990! a1000-1990", "[0-990 a] a1000-1990" },
	};
	check_plans(cases, ARRAY_LEN(cases));
}

TEST(a_source_that_does_not_pass_through_is_copied_into_slots)
{
	static const struct plan p = { "a0-990 a1000-1990", "[0-990 a] [1000-1990 a]" };
	set_up(false);
	check_plan(DEDUP_COMPLETE, &p);
	tear_down();
}

TEST(slots_cover_every_source_chunk_once_or_more)
{
	uint64_t seed = 11;
	set_up(true);
	struct layout *l = layout_new(sources, REPLICAS, DEDUP_COMPLETE, NULL);
	for (int round = 0; round < 20000; round++) {
		size_t n = 0;
		int64_t t[REPLICAS];
		for (unsigned r = 0; r < REPLICAS; r++)
			t[r] = (int64_t)(test_random(&seed) % 500) * S;
		while (n < 12) {
			unsigned r = (unsigned)(test_random(&seed) % REPLICAS);
			int64_t mint =
				t[r] + (int64_t)(test_random(&seed) % 2 ? 15 : test_random(&seed) % 900) * S;
			int64_t maxt = mint + (int64_t)(test_random(&seed) % 1800) * S;
			t[r] = maxt;
			inputs[n] = (struct layout_input){ .meta = { mint, maxt, n + 1 },
				.frame_bytes = 100,
				.source = (uint16_t)r,
				.replica = (uint16_t)r };
			n++;
		}
		const struct planned_chunk *plan;
		size_t planned = layout_series(l, inputs, n, &plan);
		unsigned used[13] = { 0 };
		for (size_t i = 0; i < planned; i++) {
			CHECK(plan[i].mint <= plan[i].maxt);
			CHECK(i == 0 || plan[i].mint > plan[i - 1].maxt);
			if (!plan[i].is_slot) {
				used[plan[i].ref]++;
				continue;
			}
			const struct slot *s = &plan[i].slot;
			CHECK(s->n_sources > 0 && s->sources[0].role == SLOT_MEMBER);
			for (uint32_t k = 0; k < s->n_sources; k++) {
				bool is_member = s->sources[k].role == SLOT_MEMBER;
				used[s->sources[k].ref] += is_member;
				CHECK(k == 0 || !is_member || s->sources[k].rank >= s->sources[k - 1].rank);
				if (is_member) {
					const struct layout_input *c = &inputs[s->sources[k].ref - 1];
					CHECK(c->meta.maxt >= s->from && c->meta.mint < s->to);
				}
			}
		}
		for (size_t i = 1; i <= n; i++)
			CHECK(used[i] > 0);
	}
	layout_free(l);
	tear_down();
}

/* The slots of one overlapping pair with overrides of `parts` for the slot [from, to). */
static struct slot_overrides *overrides_open(void)
{
	struct err e;
	struct slot_overrides *o;
	auto_free char *path = xasprintf("%s/slot-overrides", test_dir());
	CHECK_OK(slot_overrides_open(path, &o, &e), &e);
	return o;
}

static void learn(struct slot_overrides *o, const struct slot *s, const struct slot_part *parts, unsigned n)
{
	struct err e;
	struct slot_key key = { .source = fixtures[s->sources[0].source].meta.ulid,
		.ref = s->sources[0].ref,
		.from = s->from,
		.to = s->to };
	CHECK_INT(slot_overrides_add(o, &key, parts, n, &e), 1);
	slot_overrides_activate(o);
}

/* Plans with what is known now: each merge has a layout of its own. */
static size_t plan_anew(
	struct layout **l, const struct slot_overrides *o, size_t n, const struct planned_chunk **plan)
{
	layout_free(*l);
	*l = layout_new(sources, REPLICAS, DEDUP_COMPLETE, o);
	return layout_series(*l, inputs, n, plan);
}

TEST(a_slot_that_was_too_small_gets_its_exact_parts_and_these_theirs)
{
	set_up(true);
	struct slot_overrides *o = overrides_open();
	struct layout *l = NULL;
	const struct planned_chunk *plan;
	size_t n = read_words("a0-990 b0-990");
	CHECK_INT(plan_anew(&l, o, n, &plan), 1);
	struct planned_chunk whole = plan[0];
	const struct slot_part one = { 0, 990 * S, 5000 };
	struct slot_source kept = whole.slot.sources[0];
	whole.slot.sources = &kept;
	learn(o, &whole.slot, &one, 1);
	CHECK_INT(plan_anew(&l, o, n, &plan), 1);
	CHECK_INT(plan[0].slot.capacity, 5000);

	const struct slot_part three[] = { { 0, 100 * S, 60 }, { 200 * S, 300 * S, 70 },
		{ 500 * S, 990 * S, 80 } };
	learn(o, &whole.slot, three, 3);
	CHECK_INT(plan_anew(&l, o, n, &plan), 3);
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(plan[i].slot.capacity, three[i].bytes);
		CHECK_INT(plan[i].slot.from, i ? three[i].mint : whole.slot.from);
		CHECK_INT(plan[i].slot.to, i < 2 ? three[i + 1].mint : whole.slot.to);
		CHECK(plan[i].mint <= three[i].mint && plan[i].maxt >= three[i].maxt);
		CHECK_INT(plan[i].slot.n_sources, whole.slot.n_sources);
	}

	struct slot middle = plan[1].slot;
	struct slot_source base = middle.sources[0];
	middle.sources = &base;
	const struct slot_part two[] = { { 200 * S, 240 * S, 90 }, { 250 * S, 300 * S, 91 } };
	learn(o, &middle, two, 2);
	CHECK_INT(plan_anew(&l, o, n, &plan), 4);
	CHECK_INT(plan[1].slot.capacity, 90);
	CHECK_INT(plan[2].slot.capacity, 91);
	CHECK_INT(plan[2].slot.from, 250 * S);
	CHECK_INT(plan[2].slot.to, 500 * S);
	layout_free(l);
	slot_overrides_close(o);
	tear_down();
}

TEST(parts_learned_for_a_slot_that_ends_elsewhere_are_not_taken)
{
	set_up(true);
	struct slot_overrides *o = overrides_open();
	struct layout *l = NULL;
	const struct planned_chunk *plan;
	size_t n = read_words("a0-990 b0-990");
	CHECK_INT(plan_anew(&l, o, n, &plan), 1);
	struct slot longer = plan[0].slot;
	struct slot_source base = longer.sources[0];
	longer.sources = &base;
	longer.to += 1000 * S;
	const struct slot_part parts[] = { { 0, 100 * S, 60 }, { 1500 * S, 1900 * S, 70 } };
	learn(o, &longer, parts, 2);
	CHECK_INT(plan_anew(&l, o, n, &plan), 1);
	CHECK(plan[0].slot.to < longer.to);
	layout_free(l);
	slot_overrides_close(o);
	tear_down();
}

TEST(times_at_the_ends_of_their_range_do_not_overflow)
{
	set_up(true);
	struct layout *l = layout_new(sources, REPLICAS, DEDUP_COMPLETE, NULL);
	const struct planned_chunk *plan;
	inputs[0] = (struct layout_input){ .meta = { INT64_MIN, INT64_MAX, 1 }, .frame_bytes = UINT32_MAX };
	inputs[1] = (struct layout_input){ .meta = { INT64_MIN, 0, 2 }, .source = 1, .replica = 1 };
	inputs[2] = (struct layout_input){ .meta = { INT64_MAX, INT64_MAX, 3 }, .source = 2, .replica = 2 };
	CHECK(layout_series(l, inputs, 3, &plan) > 0);
	layout_free(l);
	tear_down();
}

TEST_MAIN()
