/* SPDX-License-Identifier: Apache-2.0 */
/* The published set: what is taken writes back as the same bytes. Input that starts with 'r' lacks its checksum, which is added. */
#include "dedup/published.h"
#include "lib/base/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_buf struct buf bytes = { 0 }, again = { 0 };
	struct published p;
	if (n > 0 && data[0] == 'r') {
		buf_add(&bytes, data + 1, n - 1);
		buf_add_be32(&bytes, crc32c(0, bytes.data, bytes.len));
	} else if (n > 0) {
		buf_add(&bytes, data, n);
	}
	if (published_parse("published", bytes.data, bytes.len, &p, NULL) < 0)
		return 0;
	published_write(&p, &again);
	if (again.len != bytes.len || memcmp(again.data, bytes.data, again.len) != 0)
		abort();
	published_fini(&p);
	return 0;
}
