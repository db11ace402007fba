/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many bytes of chunks a query needs: the frames of all chunks of one metric that overlap a range of time, summed over
 * block directories. Arguments: METRIC MINT MAXT BLOCK..., times in ms.
 */
#include "lib/base/file.h"
#include "lib/base/vec.h"
#include "lib/tsdb/index_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENTS_MAX 1000

__attribute__((noreturn)) static void fail(const char *what, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", what, e->msg);
	exit(1);
}

/* The numbers of the symbols "__name__" and the metric; false: the block has no such metric. */
static bool find_symbols(
	struct index_stream *s, const char *metric, uint32_t *name, uint32_t *value, struct err *e)
{
	const char *text;
	size_t len;
	bool has_name = false, has_value = false;
	int r;
	for (uint32_t k = 0; (r = index_stream_symbol(s, &text, &len, e)) > 0; k++) {
		if (len == strlen("__name__") && !memcmp(text, "__name__", len))
			*name = k, has_name = true;
		if (len == strlen(metric) && !memcmp(text, metric, len))
			*value = k, has_value = true;
	}
	if (r < 0)
		fail("symbols", e);
	return has_name && has_value;
}

static uint64_t frame_bytes(const char *block, int *fds, uint64_t ref)
{
	struct err e = { .msg = "read" };
	uint32_t segment = chunk_ref_segment(ref);
	if (segment >= SEGMENTS_MAX)
		fail(block, &e);
	if (fds[segment] < 0) {
		auto_free char *path = xasprintf("%s/chunks/%06u", block, segment + 1);
		fds[segment] = open(path, O_RDONLY | O_CLOEXEC);
	}
	uint8_t head[8];
	if (fds[segment] < 0 || file_pread_all(fds[segment], head, sizeof head, chunk_ref_offset(ref)) < 0)
		fail(block, &e);
	uint64_t length = 0;
	size_t n = 0;
	do
		length |= (uint64_t)(head[n] & 0x7f) << 7 * n;
	while (head[n++] & 0x80 && n < 5);
	return n + 1 + length + 4;
}

static void count_block(
	const char *block, const char *metric, int64_t mint, int64_t maxt, uint64_t *bytes, uint64_t *chunks)
{
	struct err e = { .msg = "" };
	auto_of(blob) struct blob *index = NULL;
	auto_of(index_stream) struct index_stream *s = NULL;
	auto_free char *path = xasprintf("%s/index", block);
	int fds[SEGMENTS_MAX];
	uint32_t name = 0, value = 0;
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		fds[i] = -1;
	if (blob_open_file(path, &index, &e) < 0 || index_stream_open(index, &s, &e) < 0)
		fail(block, &e);
	bool has = find_symbols(s, metric, &name, &value, &e);
	struct index_series series;
	while (has && index_stream_series(s, &series, &e) > 0) {
		bool is_it = false;
		for (uint32_t i = 0; i < series.n_labels; i++)
			is_it |= series.pairs[2 * i] == name && series.pairs[2 * i + 1] == value;
		for (uint32_t i = 0; is_it && i < series.n_chunks; i++)
			if (series.chunks[i].mint <= maxt && mint <= series.chunks[i].maxt) {
				*bytes += frame_bytes(block, fds, series.chunks[i].ref);
				++*chunks;
			}
	}
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int main(int argc, char **argv)
{
	uint64_t bytes = 0, chunks = 0;
	if (argc < 5) {
		fprintf(stderr, "usage: bench_chunk_bytes METRIC MINT MAXT BLOCK...\n");
		return 2;
	}
	for (int i = 4; i < argc; i++)
		count_block(argv[i], argv[1], atoll(argv[2]), atoll(argv[3]), &bytes, &chunks);
	printf("%llu bytes in %llu chunks\n", (unsigned long long)bytes, (unsigned long long)chunks);
	return 0;
}
