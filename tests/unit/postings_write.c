/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/postings_write.h"

#include "lib/base/crc32c.h"
#include "lib/base/dec.h"
#include "lib/base/file.h"
#include "lib/tsdb/postings_gather.h"
#include "tests/support/test.h"

#include <stdio.h>

#define SYMBOLS 400
#define NAMES   12

/* Symbol k is "k" in four digits, so numbers and texts sort alike. */
static const uint8_t *digits(const struct symbol_lookup *l, uint32_t number, size_t *len)
{
	static char text[16];
	(void)l;
	*len = (size_t)snprintf(text, sizeof text, "%04u", number);
	return (const uint8_t *)text;
}

struct pair_list {
	uint32_t name, value;
	VEC(uint32_t) refs;
};

struct model {
	VEC(struct pair_list) lists;
	VEC(uint32_t) all;
};

static void model_add(struct model *m, uint32_t name, uint32_t value, uint32_t ref)
{
	size_t at = 0;
	while (at < m->lists.len &&
		(m->lists.data[at].name < name ||
			(m->lists.data[at].name == name && m->lists.data[at].value < value)))
		at++;
	if (at == m->lists.len || m->lists.data[at].name != name || m->lists.data[at].value != value) {
		vec_push(&m->lists, (struct pair_list){ 0 });
		memmove(&m->lists.data[at + 1], &m->lists.data[at],
			(m->lists.len - 1 - at) * sizeof *m->lists.data);
		m->lists.data[at] = (struct pair_list){ .name = name, .value = value };
	}
	vec_push(&m->lists.data[at].refs, ref);
}

static void model_fini(struct model *m)
{
	vec_each (l, &m->lists)
		vec_fini(&l->refs);
	vec_fini(&m->lists);
	vec_fini(&m->all);
}

static struct dec section(const struct buf *file, uint64_t at)
{
	CHECK(at + 8 <= file->len);
	struct dec head = dec_over(file->data + at, 4);
	uint32_t len = dec_be32(&head);
	CHECK(at + 8 + len <= file->len);
	struct dec tail = dec_over(file->data + at + 4 + len, 4);
	CHECK(crc32c(0, file->data + at + 4, len) == dec_be32(&tail));
	return dec_over(file->data + at + 4, len);
}

static void check_list(const struct buf *file, uint64_t at, const uint32_t *want, size_t n)
{
	CHECK_INT(at % 4, 0);
	struct dec d = section(file, at);
	CHECK_INT(dec_be32(&d), n);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(dec_be32(&d), want[i]);
	CHECK_INT(dec_left(&d), 0);
}

static void check_text(struct dec *d, const char *want)
{
	size_t n = (size_t)dec_uvarint(d);
	CHECK_INT(n, strlen(want));
	const uint8_t *p = dec_bytes(d, n);
	CHECK(p && memcmp(p, want, n) == 0);
}

static void check_file(const struct buf *file, uint64_t table, const struct model *m)
{
	struct dec d = section(file, table);
	CHECK_INT(dec_be32(&d), m->lists.len + 1);
	for (size_t i = 0; i <= m->lists.len; i++) {
		const struct pair_list *l = i ? &m->lists.data[i - 1] : NULL;
		char name[16] = "", value[16] = "";
		if (l) {
			snprintf(name, sizeof name, "%04u", l->name);
			snprintf(value, sizeof value, "%04u", l->value);
		}
		CHECK_INT(dec_u8(&d), 2);
		check_text(&d, name);
		check_text(&d, value);
		check_list(
			file, dec_uvarint(&d), l ? l->refs.data : m->all.data, l ? l->refs.len : m->all.len);
	}
	CHECK_INT(d.err, 0);
	CHECK_INT(dec_left(&d), 0);
}

struct limits {
	size_t window_bytes, run_bytes;
};

/* Random series, their names and values from few symbols, so that values occur under several names. */
static void run(uint64_t seed, unsigned series, unsigned names, const struct limits *limits)
{
	struct err e;
	struct model m = { 0 };
	auto_of(postings_writer) struct postings_writer *w = NULL;
	auto_free char *path = xasprintf("%s/out", test_dir());
	CHECK_OK(postings_writer_open(path, SYMBOLS, &w, &e), &e);
	if (limits) {
		w->window_bytes = limits->window_bytes;
		w->run_bytes_max = limits->run_bytes;
	}
	uint32_t last[2 * NAMES] = { 0 }, now[2 * NAMES], n_last = 0, ref = 1;
	for (unsigned i = 0; i < series; i++) {
		uint32_t n = 0, same = 0;
		for (uint32_t k = 0; k < names; k++) {
			if (k && test_random(&seed) % 4 == 0)
				continue;
			now[2 * n] = 30 * k;
			now[2 * n + 1] = k == 0   ? 7
					 : k == 1 ? i % SYMBOLS
						  : (uint32_t)(test_random(&seed) % (5 * k));
			n++;
		}
		while (same < n && same < n_last && memcmp(&now[2 * same], &last[2 * same], 8) == 0)
			same++;
		ref += 1 + (uint32_t)(test_random(&seed) % 1000);
		CHECK_OK(postings_writer_series(w, now, n, same, ref, &e), &e);
		for (uint32_t k = 0; k < n; k++)
			model_add(&m, now[2 * k], now[2 * k + 1], ref);
		vec_push(&m.all, ref);
		memcpy(last, now, sizeof last);
		n_last = n;
	}
	struct append_file out;
	struct symbol_lookup lookup = { .text = digits };
	uint64_t lists, table;
	CHECK_OK(append_file_open(&out, path, &e), &e);
	CHECK_OK(append_file_add(&out, "abc", 3, &e), &e);
	CHECK_OK(postings_writer_finish(w, &out, &lookup, &lists, &table, &e), &e);
	CHECK_INT(lists, 4);
	CHECK_OK(append_file_sync(&out, &e), &e);
	append_file_close(&out);
	auto_buf struct buf file = { 0 };
	CHECK_OK(file_read(path, 1 << 26, &file, &e), &e);
	check_file(&file, table, &m);
	model_fini(&m);
}

TEST(every_pair_gets_the_series_that_have_it)
{
	run(1, 0, 1, NULL);
	run(2, 1, 1, NULL);
	run(3, 1, NAMES, NULL);
	for (uint64_t seed = 4; seed < 30; seed++)
		run(seed, 200, NAMES, NULL);
	run(30, 12000, NAMES, NULL);
}

TEST(lists_come_out_the_same_however_small_the_window_and_the_memory_for_runs_are)
{
	for (uint64_t seed = 1; seed < 20; seed++) {
		run(seed, 500, NAMES, &(struct limits){ .window_bytes = 4096, .run_bytes = 64 });
		run(seed, 500, NAMES, &(struct limits){ .window_bytes = 256, .run_bytes = 1 << 20 });
		run(seed, 500, 3, &(struct limits){ .window_bytes = 16, .run_bytes = 1024 });
	}
}

TEST_MAIN()
