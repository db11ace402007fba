/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/series_sort.h"
#include "tests/support/test.h"

/* Records of one label and a few chunks; the first chunk's ref is the place in the input. */
static void add(struct series_sort *s, uint32_t name, uint32_t value, uint64_t place, uint32_t n_chunks,
	bool in_order)
{
	struct err e;
	struct series_record *record;
	CHECK_OK(series_sort_slot(s, series_record_bytes(1, 1, n_chunks), &record, &e), &e);
	*record = (struct series_record){ .n_labels = 1, .n_identity = 1, .n_chunks = n_chunks };
	record->bytes = (uint32_t)series_record_bytes(1, 1, n_chunks);
	record->words[0] = name;
	record->words[1] = value;
	record->words[2] = (uint32_t)place;
	for (uint32_t i = 0; i < n_chunks; i++)
		series_record_chunks(record)[i] = (struct layout_input){ .meta.ref = place + i };
	series_sort_push(s, in_order);
}

/* Sorts n records through buffers of these sizes and checks all that comes back. */
static void check_sort(
	size_t n, size_t sort_bytes, size_t keep_bytes, unsigned percent_in_order, uint64_t seed)
{
	struct err e;
	struct series_sort *s = series_sort_new(test_dir(), sort_bytes, keep_bytes);
	auto_free uint8_t *seen = xcalloc(n + 1, 1);
	for (size_t i = 0; i < n; i++) {
		bool in_order = test_random(&seed) % 100 < percent_in_order;
		uint32_t name = in_order ? (uint32_t)(i / 16) : (uint32_t)(test_random(&seed) % (n / 16 + 1));
		add(s, name, (uint32_t)(test_random(&seed) % 8), i, (uint32_t)(i % 7), in_order);
	}
	CHECK_OK(series_sort_end(s, &e), &e);

	const struct series_record *record;
	uint32_t before[2] = { 0, 0 };
	size_t given = 0;
	int r;
	for (; (r = series_sort_next(s, &record, &e)) > 0; given++) {
		CHECK(series_labels_cmp(before, 1, record->words, 1) <= 0);
		memcpy(before, record->words, sizeof before);
		size_t place = series_record_identity(record)[0];
		CHECK(place < n && !seen[place]);
		seen[place] = 1;
		CHECK_INT(record->n_chunks, place % 7);
		for (uint32_t i = 0; i < record->n_chunks; i++)
			CHECK_INT(series_record_chunks(record)[i].meta.ref, place + i);
	}
	CHECK_OK(r, &e);
	CHECK_INT(given, n);
	series_sort_free(s);
}

TEST(nothing_sorts_to_nothing)
{
	check_sort(0, 1000, 1000, 0, 1);
	check_sort(0, 1000, 0, 0, 1);
}

TEST(what_fits_is_sorted_in_memory)
{
	check_sort(1, 1 << 20, 1 << 20, 0, 1);
	check_sort(2000, 1 << 20, 1 << 20, 0, 2);
	check_sort(2000, 1 << 20, 1 << 20, 90, 3);
	check_sort(2000, 1 << 20, 1 << 20, 100, 4);
}

TEST(what_does_not_fit_goes_through_runs)
{
	check_sort(2000, 1 << 20, 1 << 10, 50, 5);   /* one run */
	check_sort(3000, 100 << 10, 1 << 20, 50, 6); /* few */
	check_sort(20000, 4 << 10, 1 << 20, 95, 7);  /* many */
	check_sort(500, 1, 1 << 20, 50, 8);          /* one a record */
}

TEST(records_larger_than_any_buffer_pass)
{
	struct err e;
	struct series_sort *s = series_sort_new(test_dir(), 1 << 10, 0);
	add(s, 2, 0, 1, 100000, false);
	add(s, 1, 0, 2, 1, false);
	add(s, 3, 0, 3, 200000, true);
	CHECK_OK(series_sort_end(s, &e), &e);
	static const uint32_t names[] = { 1, 2, 3 }, chunks[] = { 1, 100000, 200000 };
	const struct series_record *record;
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(series_sort_next(s, &record, &e), 1);
		CHECK_INT(record->words[0], names[i]);
		CHECK_INT(record->n_chunks, chunks[i]);
		CHECK_INT(series_record_chunks(record)[chunks[i] - 1].meta.ref,
			series_record_identity(record)[0] + chunks[i] - 1);
	}
	CHECK_INT(series_sort_next(s, &record, &e), 0);
	series_sort_free(s);
}

TEST(equal_labels_keep_the_order_they_came_in)
{
	static const size_t sort_bytes[] = { 1 << 20, 200 };
	for (size_t k = 0; k < ARRAY_LEN(sort_bytes); k++) {
		struct err e;
		struct series_sort *s = series_sort_new(test_dir(), sort_bytes[k], 1 << 20);
		for (uint32_t i = 0; i < 50; i++)
			add(s, i % 2, 0, i, 1, false);
		CHECK_OK(series_sort_end(s, &e), &e);
		const struct series_record *record;
		for (uint32_t i = 0; i < 50; i++) {
			CHECK_INT(series_sort_next(s, &record, &e), 1);
			CHECK_INT(series_record_identity(record)[0], i < 25 ? 2 * i : 2 * (i - 25) + 1);
		}
		series_sort_free(s);
	}
}

TEST_MAIN()
