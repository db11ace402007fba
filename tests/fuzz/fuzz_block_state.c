/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block.json: what is taken fits the sources, and is the same after it was written and read again. Bytes that start with
 * 'r' are what follows the checksum: the right one is put before them.
 */
#include "dedup/block_state.h"
#include "lib/base/crc32c.h"

#include <inttypes.h>
#include <stdio.h>

#define SOURCES 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put_checksum(struct buf *text, size_t at)
{
	char digits[9];
	snprintf(digits, sizeof digits, "%08" PRIx32, crc32c(0, text->data, text->len));
	memcpy(text->data + at, digits, 8);
}

static struct catalogue_block *make_source(unsigned i)
{
	struct block_meta *meta = xcalloc(1, sizeof *meta);
	uint64_t *bytes = xcalloc(i + 1, sizeof *bytes);
	meta->ulid.bytes[15] = (uint8_t)i;
	for (unsigned k = 0; k < i; k++)
		bytes[k] = 1000 + k;
	return catalogue_block_new(meta, 0, bytes, i, i == 1);
}

static void check(const struct block_state *s, struct catalogue_block *const *sources)
{
	struct block_state again;
	auto_buf struct buf first = { 0 }, second = { 0 };
	vec_each (seg, &s->merge.segments)
		if (!seg->is_synthetic &&
			(seg->source >= SOURCES || seg->segment >= sources[seg->source]->n_segments))
			abort();
	block_state_write(s, sources, SOURCES, &first);
	if (block_state_parse("again", first.data, first.len, sources, SOURCES, &again, NULL) < 0)
		abort();
	block_state_write(&again, sources, SOURCES, &second);
	if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
		abort();
	struct source_list list = { 0 };
	if (block_state_sources("again", first.data, first.len, &list, NULL) < 0 ||
		list.blocks.len != SOURCES)
		abort();
	source_list_fini(&list);
	block_state_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_buf struct buf text = { 0 };
	struct catalogue_block *sources[SOURCES];
	struct block_state s;
	struct source_list list = { 0 };
	if (n == 0)
		return 0;
	if (data[0] == 'r') {
		buf_add_str(&text, "{\n\t\"crc32c\": \"00000000");
		buf_add(&text, data + 1, n - 1);
		put_checksum(&text, strlen("{\n\t\"crc32c\": \""));
	} else {
		buf_add(&text, data, n);
	}
	for (unsigned i = 0; i < SOURCES; i++)
		sources[i] = make_source(i);
	if (block_state_parse("block.json", text.data, text.len, sources, SOURCES, &s, NULL) == 0) {
		check(&s, sources);
		block_state_fini(&s);
	}
	if (block_state_sources("block.json", text.data, text.len, &list, NULL) == 0)
		source_list_fini(&list);
	for (unsigned i = 0; i < SOURCES; i++)
		catalogue_block_unref(sources[i]);
	return 0;
}
