/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/index_read.h"

#include "lib/base/file.h"
#include "lib/tsdb/choose.h"
#include "tests/support/index_by_hand.h"
#include "tests/support/index_fixture.h"
#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

static const char *const some_series[] = { "__name__=down,job=api", "__name__=up,env=a,job=api",
	"__name__=up,env=b,job=api", "__name__=up,job=web", NULL };

static void print_series(struct index_read *r, uint32_t ref, struct index_entry *s, struct buf *out)
{
	struct err e;
	CHECK_OK(index_read_labels(r, ref, s, &e), &e);
	CHECK_OK(index_read_chunks(r, ref, s, &e), &e);
	for (size_t i = 0; i < s->pairs.len; i++) {
		struct text t;
		CHECK_OK(index_read_symbol(r, s->pairs.data[i], &t, &e), &e);
		buf_printf(out, "%.*s%c", (int)t.len, t.p, i % 2 ? ' ' : '=');
	}
	vec_each (c, &s->chunks)
		buf_printf(out, "[%lld,%lld]@%llu ", (long long)c->mint, (long long)c->maxt,
			(unsigned long long)c->ref);
}

static void print_list(struct index_read *r, struct postings list, struct buf *out)
{
	struct index_entry s = { 0 };
	for (size_t i = 0; i < list.n; i++) {
		print_series(r, postings_at(list, i), &s, out);
		buf_add_u8(out, '\n');
	}
	index_entry_fini(&s);
}

/* Everything that can be looked up, as text; 0, or the first error. */
static int read_all(struct index_read *r, struct buf *out, struct err *e)
{
	size_t n;
	const struct index_name *names = index_read_names(r, &n);
	struct index_entry s = { 0 };
	int x = 0;
	for (size_t i = 0; i < n && x >= 0; i++) {
		struct index_values v;
		struct text value;
		uint64_t at;
		buf_printf(out, "%.*s %u:", (int)names[i].name.len, names[i].name.p, names[i].n_values);
		x = index_values_begin(r, &names[i], (struct text){ 0 }, &v, e);
		while (x >= 0 && (x = index_values_next(&v, &value, &at, e)) > 0) {
			struct postings list;
			buf_printf(out, " %.*s", (int)value.len, value.p);
			x = index_read_list(r, at, &list, e);
			for (size_t k = 0; k < list.n && x >= 0; k++) {
				uint32_t ref = postings_at(list, k);
				x = index_read_labels(r, ref, &s, e);
				if (x == 0)
					x = index_read_touches(r, ref, &s, 120, 230, e);
				if (x >= 0)
					buf_printf(out, "%c", x ? '+' : '-');
				if (x >= 0)
					x = index_read_chunks(r, ref, &s, e);
				for (size_t p = 0; p < s.pairs.len && x >= 0; p++) {
					struct text t;
					x = index_read_symbol(r, s.pairs.data[p], &t, e);
				}
			}
		}
		buf_add_u8(out, '\n');
	}
	index_entry_fini(&s);
	return x;
}

TEST(all_versions_are_read)
{
	for (uint8_t version = 1; version <= 3; version++) {
		struct err e;
		struct index_by_hand h;
		struct index_read *r = NULL;
		struct postings list;
		auto_buf struct buf got = { 0 }, looked_up = { 0 };
		index_by_hand(&h, version, some_series);
		CHECK_OK(index_read_open("index", h.bytes.data, h.bytes.len, &r, &e), &e);
		CHECK_INT(index_read_symbols(r), 9);
		CHECK_OK(index_read_all(r, &list, &e), &e);
		CHECK_INT(list.n, 4);
		print_list(r, list, &got);
		CHECK_STR(buf_str(&got), "__name__=down job=api [0,50]@8 \n"
					 "__name__=up env=a job=api [100,150]@8 \n"
					 "__name__=up env=b job=api [200,250]@8 \n"
					 "__name__=up job=web [300,350]@8 \n");
		CHECK_OK(read_all(r, &looked_up, &e), &e);
		CHECK_STR(buf_str(&looked_up), "__name__ 2: down- up++-\nenv 2: a+ b+\njob 2: api-++ web-\n");
		CHECK_OK(index_read_postings(r, TEXT("job"), TEXT("web"), &list, &e), &e);
		CHECK_INT(list.n, 1);
		CHECK_INT(postings_at(list, 0), h.refs[3]);
		CHECK_OK(index_read_postings(r, TEXT("job"), TEXT("wea"), &list, &e), &e);
		CHECK_INT(list.n, 0);
		CHECK_OK(index_read_postings(r, TEXT("jo"), TEXT("web"), &list, &e), &e);
		CHECK_INT(list.n, 0);
		index_read_close(r);
		buf_fini(&h.bytes);
	}
}

/* l = v000 ... v299 and nothing else: more values than are kept of the table. */
static struct index_read *many_values(struct buf *file)
{
	struct err e;
	struct index_fixture f;
	struct index_read *r = NULL;
	auto_free char *path = xasprintf("%s/index", test_dir());
	index_fixture_init(&f, 1, 1);
	for (int i = 0; i < 300; i++) {
		auto_free char *words = xasprintf("k=%c,l=v%03d", 'a' + i % 3, i * 2);
		fixture_chunk(index_fixture_add(&f, words), i, i + 5, 8);
	}
	index_fixture_write(&f, path);
	index_fixture_fini(&f);
	CHECK_OK(file_read(path, 1 << 20, file, &e), &e);
	CHECK_OK(index_read_open("index", file->data, file->len, &r, &e), &e);
	return r;
}

TEST(any_value_is_found_and_those_after_it_follow)
{
	struct err e;
	auto_buf struct buf file = { 0 };
	auto_of(index_read) struct index_read *r = many_values(&file);
	const struct index_name *l = index_read_name(r, TEXT("l"));
	CHECK(l != NULL);
	CHECK_INT(l->n_values, 300);
	for (int i = -1; i <= 600; i++) {
		struct index_values v;
		struct text value;
		uint64_t at;
		char want[8], from[8];
		snprintf(from, sizeof from, i < 0 ? "u" : "v%03d", i);
		CHECK_OK(index_values_begin(r, l, text_of(from), &v, &e), &e);
		for (int k = i < 0 ? 0 : i + i % 2; k < 600; k += 2) {
			CHECK_INT(index_values_next(&v, &value, &at, &e), 1);
			snprintf(want, sizeof want, "v%03d", k);
			CHECK(text_is(value, text_of(want)));
		}
		CHECK_INT(index_values_next(&v, &value, &at, &e), 0);
		struct postings list;
		CHECK_OK(index_read_postings(r, TEXT("l"), text_of(from), &list, &e), &e);
		CHECK_INT(list.n, i >= 0 && i < 600 && i % 2 == 0);
	}
}

static void *read_symbols(void *arg)
{
	struct index_read *r = arg;
	uintptr_t wrong = 0;
	struct text before = { 0 };
	for (uint32_t i = 0; i < index_read_symbols(r); i++) {
		struct text t, again;
		wrong += index_read_symbol(r, i, &t, NULL) < 0 || text_cmp(before, t) >= 0;
		wrong += index_read_symbol(r, i, &again, NULL) < 0 || t.p != again.p;
		before = t;
	}
	return (void *)wrong;
}

TEST(threads_that_ask_for_symbols_get_the_same_ones)
{
	auto_buf struct buf file = { 0 };
	auto_of(index_read) struct index_read *r = many_values(&file);
	pthread_t threads[4];
	void *wrong;
	for (int i = 0; i < 4; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, read_symbols, r), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_INT(pthread_join(threads[i], &wrong), 0);
		CHECK(wrong == NULL);
	}
}

TEST(any_flipped_bit_is_noticed)
{
	for (uint8_t version = 1; version <= 2; version++) {
		struct err e;
		struct index_by_hand h;
		struct index_read *good = NULL;
		auto_buf struct buf want = { 0 };
		index_by_hand(&h, version, some_series);
		CHECK_OK(index_read_open("index", h.bytes.data, h.bytes.len, &good, &e), &e);
		CHECK_OK(read_all(good, &want, &e), &e);
		index_read_close(good);
		for (size_t i = 0; i < h.bytes.len * 8; i++) {
			auto_buf struct buf got = { 0 };
			struct index_read *r = NULL;
			h.bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
			int x = index_read_open("some/index", h.bytes.data, h.bytes.len, &r, &e);
			if (x == 0)
				x = read_all(r, &got, &e);
			if (x == 0) {
				/* Padding, the list of all series, and 2 for 3. */
				CHECK_STR(buf_str(&got), buf_str(&want));
			} else {
				CHECK_INT(x, -EBADMSG);
				CHECK_HAS(e.msg, "some/index");
			}
			index_read_close(r);
			h.bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
		}
		buf_fini(&h.bytes);
	}
}

TEST(any_shortened_file_is_refused)
{
	struct err e;
	struct index_by_hand h;
	index_by_hand(&h, 2, some_series);
	for (size_t n = 0; n < h.bytes.len; n++) {
		struct index_read *r = NULL;
		auto_free uint8_t *exact = xmalloc(n + 1);
		memcpy(exact, h.bytes.data, n);
		CHECK_INT(index_read_open("index", exact, n, &r, &e), -EBADMSG);
		CHECK(r == NULL);
	}
	buf_fini(&h.bytes);
}

/* The index of some_series with `n` bytes at `at` replaced, and its checksums put right. */
static int with_bytes(struct index_by_hand *h, uint64_t at, const char *bytes, size_t n, struct err *e)
{
	struct index_read *r = NULL;
	auto_buf struct buf got = { 0 };
	memcpy(h->bytes.data + at, bytes, n);
	index_right_checksums(h->bytes.data, h->bytes.len);
	int x = index_read_open("index", h->bytes.data, h->bytes.len, &r, e);
	if (x == 0)
		x = read_all(r, &got, e);
	index_read_close(r);
	return x;
}

TEST(what_is_wrong_behind_a_right_checksum_is_refused_with_the_reason)
{
	static const struct {
		enum { SYMBOLS, SERIES, POSTINGS, TABLE } from;
		unsigned at;
		const char *bytes;
		size_t n;
		const char *words;
	} cases[] = {
		{ SYMBOLS, 4, "\xff\xff\xff\xff", 4, "claims 4294967295 entries" },
		{ SYMBOLS, 8, "\x7f", 1, "symbol 0 leaves the symbol table" },
		{ SYMBOLS, 9, "zz", 2, "symbol 1 is not greater than the one before it" },
		{ TABLE, 4, "\xff\xff\xff\xff", 4, "table of postings claims 4294967295 entries" },
		{ TABLE, 8, "\x03", 1, "entry 0 of the table of postings is malformed" },
		{ TABLE, 9, "\x7f", 1, "entry 0 of the table of postings is malformed" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct index_by_hand h;
		index_by_hand(&h, 2, some_series);
		const uint64_t from[] = { h.symbols_at, h.series_at, h.postings_at, h.table_at };
		CHECK_INT(with_bytes(&h, from[cases[i].from] + cases[i].at, cases[i].bytes, cases[i].n, &e),
			-EBADMSG);
		CHECK_HAS(e.msg, cases[i].words);
		buf_fini(&h.bytes);
	}
}

TEST(a_malformed_series_is_refused_with_the_reason)
{
	/* Its first series: length, 2 labels, 4 symbols, 1 chunk, its times and its ref. */
	static const struct {
		unsigned at;
		char byte;
		const char *words;
	} cases[] = {
		{ 1, 60, "claims more labels than fit" },
		{ 2, 9, "names a symbol that isn't there" },
		{ 4, 0, "has label names that don't rise" },
		{ 6, 60, "claims more chunks than fit" },
		{ 9, (char)0x80, "ends within its chunks" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct index_by_hand h;
		index_by_hand(&h, 2, some_series);
		CHECK_INT(with_bytes(&h, h.refs[0] * 16ull + cases[i].at, &cases[i].byte, 1, &e), -EBADMSG);
		CHECK_HAS(e.msg, cases[i].words);
		buf_fini(&h.bytes);
	}
}

/* Which of some_series match, by number: "0 2 3". */
static const char *chosen_of(struct index_read *r, const struct index_by_hand *h, const struct matcher *m,
	size_t n, struct buf *out)
{
	struct err e;
	struct chosen c = { 0 };
	auto_of(arena) struct arena *a = arena_new(NULL);
	CHECK_OK(choose(r, conditions_of(m, n, a), n, &c, &e), &e);
	struct index_entry s = { 0 };
	for (size_t i = 0; i < c.list.n; i++) {
		uint32_t ref = postings_at(c.list, i);
		CHECK_OK(index_read_labels(r, ref, &s, &e), &e);
		int fits = chosen_fits(&c, r, &s, &e);
		CHECK_OK(fits, &e);
		for (int k = 0; k < 4 && fits; k++)
			if (h->refs[k] == ref)
				buf_printf(out, "%s%d", out->len ? " " : "", k);
	}
	index_entry_fini(&s);
	chosen_fini(&c);
	return buf_str(out);
}

TEST(matchers_choose_series)
{
	static const struct {
		struct {
			enum matcher_kind kind;
			const char *name, *value;
		} m[3];
		const char *want;
	} cases[] = {
		{ { { MATCH_EQUAL, "__name__", "up" } }, "1 2 3" },
		{ { { MATCH_EQUAL, "__name__", "up" }, { MATCH_EQUAL, "job", "api" } }, "1 2" },
		{ { { MATCH_EQUAL, "nothing", "" } }, "0 1 2 3" },
		{ { { MATCH_EQUAL, "nothing", "x" } }, "" },
		{ { { MATCH_NOT_EQUAL, "nothing", "" } }, "" },
		{ { { MATCH_NOT_EQUAL, "nothing", "x" } }, "0 1 2 3" },
		{ { { MATCH_EQUAL, "env", "" } }, "0 3" },
		{ { { MATCH_NOT_EQUAL, "env", "" } }, "1 2" },
		{ { { MATCH_NOT_EQUAL, "env", "a" } }, "0 2 3" },
		{ { { MATCH_REGEX, "env", ".*" } }, "0 1 2 3" },
		{ { { MATCH_REGEX, "env", ".+" } }, "1 2" },
		{ { { MATCH_NOT_REGEX, "env", ".*" } }, "" },
		{ { { MATCH_NOT_REGEX, "env", ".+" } }, "0 3" },
		{ { { MATCH_REGEX, "env", "a|b" } }, "1 2" },
		{ { { MATCH_REGEX, "env", "a|" } }, "0 1 3" },
		{ { { MATCH_NOT_REGEX, "env", "a|" } }, "2" },
		{ { { MATCH_NOT_REGEX, "env", "[b]" } }, "0 1 3" },
		{ { { MATCH_REGEX, "env", "[b]?" } }, "0 2 3" },
		{ { { MATCH_REGEX, "job", "w.*" } }, "3" },
		{ { { MATCH_NOT_REGEX, "job", "w.*" } }, "0 1 2" },
		{ { { MATCH_REGEX, "env", "." }, { MATCH_NOT_EQUAL, "env", "a" } }, "2" },
		{ { { MATCH_EQUAL, "__name__", "up" }, { MATCH_EQUAL, "env", "" },
			  { MATCH_NOT_EQUAL, "job", "api" } },
			"3" },
	};
	for (uint8_t version = 1; version <= 2; version++) {
		struct err e;
		struct index_by_hand h;
		struct index_read *r = NULL;
		index_by_hand(&h, version, some_series);
		CHECK_OK(index_read_open("index", h.bytes.data, h.bytes.len, &r, &e), &e);
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			struct matcher m[3];
			size_t n = 0;
			auto_buf struct buf got = { 0 };
			for (; n < 3 && cases[i].m[n].name; n++)
				CHECK_OK(matcher_init(&m[n], cases[i].m[n].kind, text_of(cases[i].m[n].name),
						 text_of(cases[i].m[n].value), &e),
					&e);
			CHECK_STR(chosen_of(r, &h, m, n, &got), cases[i].want);
			while (n)
				matcher_fini(&m[--n]);
		}
		index_read_close(r);
		buf_fini(&h.bytes);
	}
}

TEST(of_few_series_the_expression_is_asked_instead_of_all_values)
{
	struct err e;
	auto_buf struct buf file = { 0 };
	auto_of(index_read) struct index_read *r = many_values(&file);
	struct matcher m[2];
	struct chosen c = { 0 };
	auto_of(arena) struct arena *a = arena_new(NULL);
	CHECK_OK(matcher_init(&m[0], MATCH_REGEX, TEXT("l"), TEXT(".*1[0-4]"), &e), &e);
	CHECK_OK(matcher_init(&m[1], MATCH_EQUAL, TEXT("k"), TEXT("b"), &e), &e);
	const struct condition *conditions = conditions_of(m, 2, a);
	CHECK_OK(choose(r, conditions, 2, &c, &e), &e);
	CHECK_INT(c.list.n, 100);
	CHECK_INT(c.late.len, 1);
	CHECK(text_is(c.late.data[0].condition->name, TEXT("l")));
	CHECK_OK(choose(r, conditions + 1, 1, &c, &e), &e); /* alone, the values are tried */
	CHECK_INT(c.late.len, 0);
	CHECK_INT(c.list.n, 6 * 3); /* 010, 012, 014, 110 ... */
	chosen_fini(&c);
	matcher_fini(&m[0]);
}

TEST_MAIN()
