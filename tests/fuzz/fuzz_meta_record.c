/* SPDX-License-Identifier: Apache-2.0 */
/* Meta records: whatever is taken must be the same after it was written and read again. */
#include "store/meta_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_of(block_meta) struct block_meta *m = NULL, *again = NULL;
	if (meta_record_read(data, size, &m) < 0)
		return 0;
	auto_buf struct buf first = { 0 }, second = { 0 };
	meta_record_write(m, &first);
	if (meta_record_read(first.data, first.len, &again) < 0)
		abort();
	meta_record_write(again, &second);
	if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
		abort();
	return 0;
}
