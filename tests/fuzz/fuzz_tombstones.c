/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a tombstones file, as they are and with head and checksum put right. What is read must be sorted and
 * apart, be found again, and survive writing and reading.
 */
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "lib/tsdb/tombstones.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool promise)
{
	if (!promise)
		abort();
}

static void check(const void *p, size_t n)
{
	struct err e;
	struct tombstones t, again;
	if (tombstones_parse(p, n, &t, &e) < 0)
		return;
	for (size_t i = 0; i < t.len; i++) {
		const struct tombstone *at = &t.data[i], *first;
		must(at->range.mint <= at->range.maxt);
		if (i && at[-1].series_ref == at->series_ref)
			must(at[-1].range.maxt < at->range.mint - 1 && at->range.mint != INT64_MIN);
		else
			must(i == 0 || at[-1].series_ref < at->series_ref);
		size_t of_series = tombstones_of(&t, at->series_ref, &first);
		must(first <= at && at < first + of_series);
	}
	auto_buf struct buf b = { 0 };
	tombstones_write(&t, &b);
	must(tombstones_parse(b.data, b.len, &again, &e) == 0 && again.len == t.len);
	must(t.len == 0 || memcmp(again.data, t.data, t.len * sizeof *t.data) == 0);
	tombstones_fini(&t);
	tombstones_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	check(data, n);
	auto_buf struct buf b = { 0 };
	buf_add_be32(&b, 0x0130ba30);
	buf_add_u8(&b, 1);
	buf_add(&b, data, n);
	buf_add_be32(&b, crc32c(0, data, n));
	check(b.data, b.len);
	return 0;
}
