/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index stream on any bytes: as they are, and with the checksums put right, since behind them nearly nothing would
 * ever be reached. Whatever it gives must keep its promises.
 */
#include "lib/base/crc32c.h"
#include "lib/base/dec.h"
#include "lib/tsdb/index_stream.h"

#include <endian.h>
#include <stdlib.h>

#define TOC_BYTES 52

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool promise)
{
	if (!promise)
		abort();
}

static void put_crc(uint8_t *p, const uint8_t *from, size_t n)
{
	uint32_t crc = htobe32(crc32c(0, from, n));
	memcpy(p, &crc, sizeof crc);
}

static void right_series(uint8_t *p, size_t n, size_t at, size_t align)
{
	while (at < n) {
		at = (at + align - 1) & ~(align - 1);
		if (at >= n)
			return;
		struct dec d = dec_over(p + at, n - at);
		uint64_t len = dec_uvarint(&d);
		if (len == 0) {
			at += align;
			continue;
		}
		if (d.err || dec_left(&d) < 4 || len > dec_left(&d) - 4)
			return;
		put_crc(p + (d.p - p) + len, d.p, (size_t)len);
		at = (size_t)(d.p - p) + (size_t)len + 4;
	}
}

static void right_checksums(uint8_t *p, size_t n)
{
	if (n < 5 + TOC_BYTES)
		return;
	size_t toc = n - TOC_BYTES;
	put_crc(p + n - 4, p + toc, TOC_BYTES - 4);
	struct dec d = dec_over(p + toc, 16);
	uint64_t symbols = dec_be64(&d), series = dec_be64(&d);
	if (series >= 5 && series < toc)
		right_series(p, toc, (size_t)series, p[4] == 1 ? 1 : 16);
	if (symbols >= 5 && symbols < toc && toc - symbols >= 8) {
		d = dec_over(p + symbols, 4);
		uint32_t len = dec_be32(&d);
		if (len <= toc - symbols - 8)
			put_crc(p + symbols + 4 + len, p + symbols + 4, len);
	}
}

static void check_series(const struct index_series *s, uint32_t n_symbols)
{
	must(s->n_labels > 0);
	for (uint32_t i = 0; i < s->n_labels; i++) {
		must(s->pairs[2 * i] < n_symbols && s->pairs[2 * i + 1] < n_symbols);
		must(i == 0 || s->pairs[2 * i - 2] < s->pairs[2 * i]);
	}
	for (uint32_t i = 0; i < s->n_chunks; i++) {
		must(s->chunks[i].mint <= s->chunks[i].maxt);
		must(i == 0 || s->chunks[i - 1].mint <= s->chunks[i].mint);
	}
}

static void read_all(const uint8_t *data, size_t n)
{
	struct err e;
	auto_of(blob) struct blob *b = blob_of_memory("fuzzed", data, n);
	auto_of(index_stream) struct index_stream *s = NULL;
	if (index_stream_open(b, &s, &e) < 0)
		return;
	const char *text;
	size_t len;
	uint32_t symbols = 0;
	int r;
	while ((r = index_stream_symbol(s, &text, &len, &e)) > 0) {
		must(text[len] == 0 && len < n);
		symbols++;
	}
	if (r < 0)
		return;
	must(symbols == index_stream_symbol_count(s));
	struct index_series one = { 0 };
	uint64_t last = 0;
	while ((r = index_stream_series(s, &one, &e)) > 0) {
		must(one.ref > last);
		last = one.ref;
		check_series(&one, symbols);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	read_all(data, n);
	auto_free uint8_t *copy = xmalloc(n + 1);
	if (n)
		memcpy(copy, data, n);
	right_checksums(copy, n);
	read_all(copy, n);
	return 0;
}
