/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/index_stream.h"

#include "lib/base/crc32c.h"
#include "lib/base/file.h"
#include "lib/base/vec.h"
#include "lib/tsdb/index_write.h"
#include "tests/support/test.h"

#include <errno.h>

/* An index made by hand, so that it can be wrong in any way. */
struct by_hand {
	struct buf b;
	uint8_t version;
	uint32_t offsets[16]; /* of symbols in the file */
	uint64_t series_at;
};

static void begin(struct by_hand *h, uint8_t version)
{
	*h = (struct by_hand){ .version = version };
	buf_add_be32(&h->b, 0xbaaad700);
	buf_add_u8(&h->b, version);
}

static void add_symbols(struct by_hand *h, const char *const *text, uint32_t claimed)
{
	struct buf s = { 0 };
	buf_add_be32(&s, claimed);
	for (int i = 0; text[i]; i++) {
		h->offsets[i] = (uint32_t)(h->b.len + 4 + s.len);
		buf_add_uvarint(&s, strlen(text[i]));
		buf_add_str(&s, text[i]);
	}
	buf_add_be32(&h->b, (uint32_t)s.len);
	buf_add(&h->b, s.data, s.len);
	buf_add_be32(&h->b, crc32c(0, s.data, s.len));
	buf_fini(&s);
	h->series_at = h->b.len;
}

static void add_entry(struct by_hand *h, const uint64_t *numbers, size_t n)
{
	struct buf s = { 0 };
	while (h->version > 1 && h->b.len % 16)
		buf_add_u8(&h->b, 0);
	for (size_t i = 0; i < n; i++)
		buf_add_uvarint(&s, numbers[i]);
	buf_add_uvarint(&h->b, s.len);
	buf_add(&h->b, s.data, s.len);
	buf_add_be32(&h->b, crc32c(0, s.data, s.len));
	buf_fini(&s);
}
#define ENTRY(h, ...) \
	add_entry(h, (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8)

static struct blob *end(struct by_hand *h)
{
	uint64_t at = h->b.len, toc[6] = { 5, h->series_at, 0, 0, at, at };
	for (int i = 0; i < 6; i++)
		buf_add_be64(&h->b, toc[i]);
	buf_add_be32(&h->b, crc32c(0, h->b.data + at, 48));
	struct blob *b = blob_of_memory("block/index", h->b.data, h->b.len);
	buf_fini(&h->b);
	return b;
}

/* Reads all of it; 0, or the error. What was read goes to `text`. */
static int read_all(struct blob *b, struct buf *text, struct err *e)
{
	auto_of(index_stream) struct index_stream *s = NULL;
	int r = index_stream_open(b, &s, e);
	if (r < 0)
		return r;
	const char *symbol;
	size_t len;
	while ((r = index_stream_symbol(s, &symbol, &len, e)) > 0)
		buf_printf(text, "%s ", symbol);
	struct index_series one;
	while (r == 0 && (r = index_stream_series(s, &one, e)) > 0) {
		buf_printf(text, "| %llu:", (unsigned long long)one.ref);
		for (uint32_t i = 0; i < one.n_labels; i++)
			buf_printf(text, " %u=%u", one.pairs[2 * i], one.pairs[2 * i + 1]);
		for (uint32_t i = 0; i < one.n_chunks; i++)
			buf_printf(text, " [%lld,%lld]@%llu", (long long)one.chunks[i].mint,
				(long long)one.chunks[i].maxt, (unsigned long long)one.chunks[i].ref);
		buf_add_u8(text, ' ');
		r = 0;
	}
	return r;
}

static const char *const symbols[] = { "", "a", "b", "c", NULL };

static struct blob *good(uint8_t version)
{
	struct by_hand h;
	begin(&h, version);
	add_symbols(&h, symbols, 4);
	const uint32_t *o = h.offsets;
	uint64_t n[4] = { 0, 1, 2, 3 };
	for (int i = 0; version == 1 && i < 4; i++)
		n[i] = o[i];
	ENTRY(&h, 1, n[1], n[2], 0);
	ENTRY(&h, 2, n[1], n[2], n[2], n[3], 2, zigzag(-10), 15, 8, 5, 10, zigzag(-3));
	ENTRY(&h, 1, n[2], n[0], 1, zigzag(1), 0, 77);
	return end(&h);
}

static const char contents[] = " a b c | %s: 1=2 | %s: 1=2 2=3 [-10,5]@8 [10,20]@5 | %s: 2=0 [1,1]@77 ";

TEST(all_versions_are_read)
{
	static const struct {
		uint8_t version;
		const char *refs[3];
	} cases[] = { { 1, { "24", "33", "50" } }, { 2, { "2", "3", "5" } }, { 3, { "2", "3", "5" } } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		auto_of(blob) struct blob *b = good(cases[i].version);
		auto_buf struct buf got = { 0 }, want = { 0 };
		CHECK_OK(read_all(b, &got, &e), &e);
		const char *const *r = cases[i].refs;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buf_printf(&want, contents, r[0], r[1], r[2]);
#pragma GCC diagnostic pop
		CHECK_STR(buf_str(&got), buf_str(&want));
	}
}

TEST(any_flipped_bit_is_noticed)
{
	struct err e;
	for (uint8_t version = 1; version <= 2; version++) {
		auto_of(blob) struct blob *b = good(version);
		auto_buf struct buf bytes = { 0 }, want = { 0 };
		CHECK_OK(blob_read_buf(b, &bytes, (size_t)b->size, 0, &e), &e);
		CHECK_OK(read_all(b, &want, &e), &e);
		for (size_t i = 0; i < bytes.len * 8; i++) {
			auto_buf struct buf got = { 0 };
			bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
			auto_of(blob) struct blob *bad = blob_of_memory("block/index", bytes.data, bytes.len);
			/* Only padding may be different and the same be read, and versions 2 and 3 are alike. */
			int r = read_all(bad, &got, &e);
			if (r == 0) {
				CHECK_STR(buf_str(&got), buf_str(&want));
				CHECK(bytes.data[i / 8] == (1 << i % 8) || i / 8 == 4);
			} else {
				CHECK_INT(r, -EBADMSG);
				CHECK_HAS(e.msg, "block/index");
			}
			bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
		}
	}
}

TEST(any_shortened_file_is_refused)
{
	struct err e;
	auto_of(blob) struct blob *b = good(2);
	auto_buf struct buf bytes = { 0 };
	CHECK_OK(blob_read_buf(b, &bytes, (size_t)b->size, 0, &e), &e);
	for (size_t n = 0; n < bytes.len; n++) {
		auto_buf struct buf got = { 0 };
		auto_of(blob) struct blob *bad = blob_of_memory("block/index", bytes.data, n);
		CHECK_INT(read_all(bad, &got, &e), -EBADMSG);
	}
}

static void refuse(struct by_hand *h, const char *words)
{
	struct err e = { 0 };
	auto_buf struct buf got = { 0 };
	auto_of(blob) struct blob *b = end(h);
	CHECK_INT(read_all(b, &got, &e), -EBADMSG);
	CHECK_HAS(e.msg, words);
}

TEST(a_malformed_symbol_table_is_refused_with_the_reason)
{
	static const struct {
		const char *text[4];
		uint32_t claimed;
		const char *words;
	} cases[] = {
		{ { "b", "a", NULL }, 2, "symbol 1 is not greater" },
		{ { "a", "a", NULL }, 2, "symbol 1 is not greater" },
		{ { "ab", "a", NULL }, 2, "symbol 1 is not greater" },
		{ { "a", NULL }, 2, "leaves the symbol table" },
		{ { "a", "b", NULL }, 1, "2 bytes follow the last symbol" },
		{ { "a", NULL }, 0xffffffff, "claims 4294967295 entries" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct by_hand h;
		begin(&h, 2);
		add_symbols(&h, cases[i].text, cases[i].claimed);
		refuse(&h, cases[i].words);
	}
}

TEST(a_malformed_series_is_refused_with_the_reason)
{
	static const struct {
		uint64_t numbers[12];
		size_t n;
		const char *words;
	} cases[] = {
		{ { 0, 0 }, 2, "has no labels" },
		{ { 5, 1, 2 }, 3, "more labels than fit" },
		{ { UINT64_MAX, 1, 2, 0 }, 4, "more labels than fit" },
		{ { 1, 1, 4, 0 }, 4, "names a symbol that isn't there" },
		{ { 1, 1ull << 40, 1, 0 }, 4, "names a symbol that isn't there" },
		{ { 2, 2, 1, 1, 1, 0 }, 6, "label names that don't rise" },
		{ { 2, 1, 1, 1, 1, 0 }, 6, "label names that don't rise" },
		{ { 1, 1, 1, 1 }, 4, "more chunks than fit" },
		{ { 1, 1, 1, UINT64_MAX, 1, 1, 1 }, 7, "more chunks than fit" },
		{ { 2, 1, 300, 2, 1 }, 5, "names a symbol" },
		{ { 1, 1, 1, 1, UINT64_MAX - 1 /* INT64_MAX */, 1, 0 }, 7, "ends before it starts" },
		{ { 1, 1, 1, 2, 0, 0, 0, (uint64_t)-5, 9, 0 }, 10, "don't rise by time" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct by_hand h;
		begin(&h, 2);
		add_symbols(&h, symbols, 4);
		add_entry(&h, cases[i].numbers, cases[i].n);
		refuse(&h, cases[i].words);
	}
}

TEST(series_are_not_given_before_the_symbols)
{
	struct err e;
	auto_of(blob) struct blob *b = good(2);
	auto_of(index_stream) struct index_stream *s = NULL;
	struct index_series one;
	CHECK_OK(index_stream_open(b, &s, &e), &e);
	CHECK_INT(index_stream_symbol_count(s), 4);
	CHECK_INT(index_stream_series(s, &one, &e), -EINVAL);
}

TEST(entries_of_all_sizes_survive_the_edges_of_the_window)
{
	struct err e;
	auto_free char *path = xasprintf("%s/index", test_dir());
	struct index_writer *w = NULL;
	CHECK_OK(index_writer_open(path, &w, &e), &e);
	static char text[5000];
	memset(text, 'x', sizeof text);
	for (int i = 1; i < 2000; i++) /* 2 MB of symbols */
		CHECK_OK(index_writer_symbol(w, text, (size_t)i, &e), &e);
	struct chunk_meta chunks[400];
	uint64_t random = 7, bytes;
	uint64_t sum = 0;
	for (uint32_t i = 0; i < 1900; i++) {
		uint32_t n = (uint32_t)(test_random(&random) % 400);
		for (uint32_t k = 0; k < n; k++)
			chunks[k] = (struct chunk_meta){
				.mint = k * 100, .maxt = k * 100 + 50, .ref = i * 400ull + k
			};
		sum += n;
		CHECK_OK(index_writer_series(w, (const uint32_t[]){ 0, i }, 1, chunks, n, NULL, &e), &e);
	}
	CHECK_OK(index_writer_finish(w, &bytes, &e), &e);
	index_writer_close(w);

	auto_of(blob) struct blob *b = NULL;
	auto_of(index_stream) struct index_stream *s = NULL;
	CHECK_OK(blob_open_file(path, &b, &e), &e);
	CHECK_OK(index_stream_open(b, &s, &e), &e);
	const char *symbol;
	size_t len;
	for (size_t i = 1; i < 2000; i++) {
		CHECK_INT(index_stream_symbol(s, &symbol, &len, &e), 1);
		CHECK_INT(len, i);
		CHECK(memcmp(symbol, text, len) == 0);
	}
	CHECK_INT(index_stream_symbol(s, &symbol, &len, &e), 0);
	struct index_series one;
	for (uint32_t i = 0; i < 1900; i++) {
		int r = index_stream_series(s, &one, &e);
		CHECK_OK(r, &e);
		CHECK_INT(r, 1);
		CHECK_INT(one.pairs[1], i);
		for (uint32_t k = 0; k < one.n_chunks; k++)
			CHECK_INT(one.chunks[k].ref, i * 400ull + k);
		sum -= one.n_chunks;
	}
	CHECK_INT(index_stream_series(s, &one, &e), 0);
	CHECK_INT(sum, 0);
}

TEST_MAIN()
