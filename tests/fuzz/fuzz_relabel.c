/* SPDX-License-Identifier: Apache-2.0 */
/* Relabelling: whatever configuration is taken can be applied, and leaves a well-formed label set of bounded
 * size. */
#include "store/relabel.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct labels *l)
{
	if (l->len > 2000)
		abort();
	for (size_t i = 0; i < l->len; i++) {
		const struct label *label = &l->data[i];
		if (!*label->name || !*label->value || strlen(label->value) > 65536)
			abort();
		if (i && strcmp(l->data[i - 1].name, label->name) >= 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const sample[][2] = { { "__block_id", "01ARZ3NDEKTSV4RRFFQ69G5FAV" },
		{ "cluster", "eu-west-1" }, { "replica", "a" }, { "a", "foo" }, { "b", "b\xc3\xa4r\n" } };
	struct err e = { .msg = "" };
	auto_of(relabel) struct relabel_configs *r = NULL;
	if (relabel_parse("fuzz", (const char *)data, size, &r, &e) < 0) {
		if (!*e.msg)
			abort();
		return 0;
	}
	for (size_t n = 0; n <= ARRAY_LEN(sample); n += ARRAY_LEN(sample)) {
		struct labels l = { 0 };
		for (size_t i = 0; i < n; i++)
			labels_set(&l, sample[i][0], sample[i][1]);
		relabel_apply(r, &l);
		check(&l);
		labels_fini(&l);
	}
	return 0;
}
