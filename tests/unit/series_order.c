/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/series_order.h"
#include "dedup/label_edit.h"
#include "tests/support/test.h"

#include <errno.h>

#define MAX_LABELS 6

/* The source's symbol k is the merged 2k + 1; even merged numbers are left for external labels. */
static const uint32_t odd[] = { 1, 3, 5, 7, 9, 11, 13, 15 };
static const struct symbol_map map = { .merged = odd, .n = 8 };

/* Label sets as pairs of small numbers. */
struct set {
	uint32_t n, pairs[2 * MAX_LABELS];
};

struct sets {
	struct set *data;
	size_t len, cap;
};

static int cmp_sets(const void *a, const void *b)
{
	const struct set *x = a, *y = b;
	return series_labels_cmp(x->pairs, x->n, y->pairs, y->n);
}

static void random_sets(struct sets *out, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++) {
		struct set s = { 0 };
		for (uint32_t name = 0; name < 6 && s.n < MAX_LABELS - 2; name++) {
			if (test_random(seed) % 3 == 0)
				continue;
			s.pairs[2 * s.n] = name;
			s.pairs[2 * s.n++ + 1] = (uint32_t)(test_random(seed) % 3);
		}
		vec_push(out, s);
	}
	vec_sort(out, cmp_sets);
	size_t kept = 0;
	for (size_t i = 0; i < out->len; i++) {
		if (!kept || cmp_sets(&out->data[kept - 1], &out->data[i]) != 0)
			out->data[kept++] = out->data[i];
	}
	out->len = kept;
}

static uint32_t common_labels(const struct set *a, const struct set *b)
{
	uint32_t i = 0;
	while (i < MIN_OF(a->n, b->n) && memcmp(&a->pairs[2 * i], &b->pairs[2 * i], 8) == 0)
		i++;
	return i;
}

static void drain(struct series_order *o, struct sets *out)
{
	const struct series_record *record;
	struct err e;
	int r;
	while ((r = series_order_pop(o, &record, &e)) > 0) {
		struct set s = { .n = record->n_labels };
		CHECK_INT(record->n_chunks, 1);
		memcpy(s.pairs, record->words, record->n_labels * 8);
		vec_push(out, s);
	}
	CHECK_OK(r, &e);
}

/* Sends the sets through an order with these rules; `most` is the largest number held back. */
static void send(const struct sets *in, const struct label_edit *edit, struct sets *out, size_t *most)
{
	struct err e;
	struct series_order *o = series_order_new(test_dir(), edit->may_reorder, 1 << 20);
	*most = 0;
	for (size_t i = 0; i < in->len; i++) {
		const struct set *s = &in->data[i];
		struct series_record *record;
		CHECK_OK(
			series_order_slot(o, series_record_bytes(s->n + edit->n_set, 0, 1), &record, &e), &e);
		uint32_t identity[1];
		bool touched =
			label_edit_apply(edit, s->pairs, s->n, record->words, &record->n_labels, identity);
		record->n_identity = 0;
		record->n_chunks = 1;
		record->bytes = (uint32_t)series_record_bytes(record->n_labels, 0, 1);
		*series_record_chunks(record) = (struct layout_input){ 0 };
		series_order_push(o, i ? common_labels(&in->data[i - 1], s) : 0, s->n, touched);
		drain(o, out);
		*most = MAX_OF(*most, i + 1 - out->len);
	}
	CHECK_OK(series_order_end(o, &e), &e);
	drain(o, out);
	series_order_free(o);
}

static void check_sorted(const struct sets *in, const struct label_edit *edit, const struct sets *out)
{
	struct sets want = { 0 };
	for (size_t i = 0; i < in->len; i++) {
		struct set s;
		uint32_t identity[1];
		label_edit_apply(edit, in->data[i].pairs, in->data[i].n, s.pairs, &s.n, identity);
		vec_push(&want, s);
	}
	vec_sort(&want, cmp_sets);
	CHECK_INT(out->len, want.len);
	for (size_t i = 0; i < want.len; i++)
		CHECK(cmp_sets(&out->data[i], &want.data[i]) == 0);
	vec_fini(&want);
}

TEST(added_labels_reorder_a_series_only_against_those_it_is_a_prefix_of)
{
	struct sets in = { 0 }, out = { 0 };
	vec_push(&in, (struct set){ 1, { 0, 0 } });
	vec_push(&in, (struct set){ 2, { 0, 0, 1, 0 } });
	vec_push(&in, (struct set){ 3, { 0, 0, 1, 0, 2, 0 } });
	vec_push(&in, (struct set){ 2, { 0, 0, 2, 0 } });
	vec_push(&in, (struct set){ 1, { 0, 1 } });
	struct label_edit edit;
	label_edit_init(&edit, map, 0);
	label_edit_set(&edit, 20, 0);
	label_edit_ready(&edit);
	CHECK(!edit.may_reorder);
	size_t most;
	send(&in, &edit, &out, &most);
	static const struct set want[] = {
		{ 4, { 1, 1, 3, 1, 5, 1, 20, 0 } },
		{ 3, { 1, 1, 3, 1, 20, 0 } },
		{ 3, { 1, 1, 5, 1, 20, 0 } },
		{ 2, { 1, 1, 20, 0 } },
		{ 2, { 1, 3, 20, 0 } },
	};
	CHECK_INT(out.len, ARRAY_LEN(want));
	for (size_t i = 0; i < out.len; i++)
		CHECK(cmp_sets(&out.data[i], &want[i]) == 0);
	CHECK_INT(most, 3);
	label_edit_fini(&edit);
	vec_fini(&in);
	vec_fini(&out);
}

TEST(whatever_labels_are_added_the_order_is_right_and_little_is_held_back)
{
	uint64_t seed = 1;
	for (int round = 0; round < 3000; round++) {
		struct sets in = { 0 }, out = { 0 };
		random_sets(&in, test_random(&seed) % 60, &seed);
		struct label_edit edit;
		label_edit_init(&edit, map, 0);
		uint32_t n = test_random(&seed) % 3;
		for (uint32_t i = 0, name = 0; i < n; i++) {
			name += 2 + 2 * (uint32_t)(test_random(&seed) % 3);
			label_edit_set(&edit, name, 0);
		}
		label_edit_ready(&edit);
		CHECK(!edit.may_reorder);
		size_t most;
		send(&in, &edit, &out, &most);
		check_sorted(&in, &edit, &out);
		CHECK(most <= MAX_LABELS);
		label_edit_fini(&edit);
		vec_fini(&in);
		vec_fini(&out);
	}
}

TEST(lost_and_overwritten_labels_are_sorted_out)
{
	uint64_t seed = 2;
	for (int round = 0; round < 1000; round++) {
		struct sets in = { 0 }, out = { 0 };
		random_sets(&in, test_random(&seed) % 60, &seed);
		struct label_edit edit;
		label_edit_init(&edit, map, 1);
		label_edit_take(&edit, 1 + 2 * (uint32_t)(test_random(&seed) % 3), 0);
		label_edit_set(&edit, 7 + 2 * (uint32_t)(test_random(&seed) % 3), 1);
		label_edit_ready(&edit);
		CHECK(edit.may_reorder);
		size_t most;
		send(&in, &edit, &out, &most);
		check_sorted(&in, &edit, &out);
		label_edit_fini(&edit);
		vec_fini(&in);
		vec_fini(&out);
	}
}

TEST(a_ladder_of_prefixes_past_the_limit_is_refused)
{
	struct err e;
	struct series_order *o = series_order_new(test_dir(), false, 0);
	int r = 0;
	uint32_t n;
	for (n = 1; n < 10000; n++) {
		struct series_record *record;
		r = series_order_slot(o, series_record_bytes(n + 1, 0, 0), &record, &e);
		if (r < 0)
			break;
		*record = (struct series_record){ .n_labels = n + 1 };
		record->bytes = (uint32_t)series_record_bytes(n + 1, 0, 0);
		for (uint32_t i = 0; i < 2 * n; i++)
			record->words[i] = i;
		record->words[2 * n] = UINT32_MAX; /* an external label past all of the series' own */
		record->words[2 * n + 1] = 0;
		series_order_push(o, n - 1, n, false);
		const struct series_record *none;
		CHECK_INT(series_order_pop(o, &none, &e), 0);
	}
	CHECK_INT(r, -E2BIG);
	CHECK_HAS(e.msg, "prefixes");
	CHECK(n > 1000);
	series_order_free(o);
}

TEST_MAIN()
