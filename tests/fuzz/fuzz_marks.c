/* SPDX-License-Identifier: Apache-2.0 */
/* Marks: whatever is taken must survive being written and read again. */
#include "store/marks.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int kind = MARK_DELETION; kind <= MARK_NO_DOWNSAMPLE; kind++) {
		struct err e;
		auto_of(mark) struct mark *m = NULL, *again = NULL;
		if (mark_parse("fuzz", (enum mark_kind)kind, data, size, &m, &e) < 0)
			continue;
		auto_buf struct buf text = { 0 };
		mark_write(m, &text);
		if (mark_parse("fuzz", (enum mark_kind)kind, text.data, text.len, &again, &e) < 0)
			abort();
		if (again->time_s != m->time_s || ulid_cmp(&again->id, &m->id) != 0 ||
			!is_same_text(again->details, m->details) || !is_same_text(again->reason, m->reason))
			abort();
	}
	return 0;
}
