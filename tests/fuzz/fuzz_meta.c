/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as meta.json; what is taken is written, and must be read and written again the same. */
#include "lib/tsdb/meta.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e;
	auto_of(block_meta) struct block_meta *m = NULL, *again = NULL;
	if (block_meta_parse(data, n, &m, &e) < 0)
		return 0;
	auto_buf struct buf first = { 0 }, second = { 0 };
	block_meta_write(m, &first);
	if (block_meta_parse(first.data, first.len, &again, &e) < 0)
		abort();
	block_meta_write(again, &second);
	if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
		abort();
	return 0;
}
