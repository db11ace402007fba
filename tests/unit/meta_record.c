/* SPDX-License-Identifier: Apache-2.0 */
#include "store/meta_record.h"

#include "store/block_look.h"
#include "tests/support/test.h"

#include <errno.h>

#define A "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define B "01BX5ZZKBKACTAV9WEVGEMMVRZ"

static const char *const metas[] = {
	"{\"ulid\":\"" A "\",\"version\":1,\"minTime\":0,\"maxTime\":1}",
	"{\"ulid\":\"" A "\",\"version\":1,\"minTime\":-9223372036854775808,\"maxTime\":9223372036854775807,"
	"\"thanos\":{}}",
	"{\"ulid\":\"" A "\",\"version\":1,\"minTime\":1600000000000,\"maxTime\":1600007200000,\"stats\":{"
	"\"numSamples\":1,\"numFloatSamples\":2,\"numHistogramSamples\":3,\"numSeries\":4,\"numChunks\":5,"
	"\"numTombstones\":6},\"compaction\":{\"level\":3,\"failed\":true,\"deletable\":true,\"hints\":["
	"\"from-out-of-order\",\"\"],\"sources\":[\"" A "\",\"" B "\"],\"parents\":[{\"ulid\":\"" B
	"\",\"minTime\":-7,\"maxTime\":8}]},\"thanos\":{\"version\":1,\"labels\":{\"cluster\":\"eu\","
	"\"replica\":"
	"\"\\u00e4\\u0001\"},\"downsample\":{\"resolution\":300000},\"source\":\"compactor\",\"upload_time\":"
	"\"2024-01-02T03:04:05Z\"}}",
};

static struct block_meta *parse(const char *json)
{
	struct err e;
	struct block_meta *m = NULL;
	CHECK_OK(block_meta_parse(json, strlen(json), &m, &e), &e);
	return m;
}

TEST(a_record_reads_back_as_the_meta_it_was_written_from)
{
	for (size_t i = 0; i < ARRAY_LEN(metas); i++) {
		auto_of(block_meta) struct block_meta *m = parse(metas[i]), *again = NULL;
		auto_buf struct buf record = { 0 }, want = { 0 }, got = { 0 };
		meta_record_write(m, &record);
		CHECK_INT(meta_record_read(record.data, record.len, &again), 0);

		block_meta_write(m, &want);
		block_meta_write(again, &got);
		CHECK_STR(buf_str(&got), buf_str(&want));
		CHECK_INT(again->thanos.upload_time_ms, m->thanos.upload_time_ms);
		CHECK_INT(again->compaction.level, m->compaction.level);
	}
}

TEST(a_record_leaves_out_files_and_extensions)
{
	static const char json[] =
		"{\"ulid\":\"" A "\",\"version\":1,\"minTime\":0,\"maxTime\":1,\"thanos\":{"
		"\"segment_files\":[\"000001\"],\"files\":[{\"rel_path\":\"index\",\"size_bytes\":3}],"
		"\"extensions\":{\"a\":1}}}";
	auto_of(block_meta) struct block_meta *m = parse(json), *again = NULL;
	auto_buf struct buf record = { 0 };
	meta_record_write(m, &record);
	CHECK_INT(meta_record_read(record.data, record.len, &again), 0);

	CHECK_INT(again->thanos.files.len, 0);
	CHECK_INT(again->thanos.segment_files.len, 0);
	CHECK(!again->thanos.extensions_json);
}

TEST(a_record_that_is_cut_or_has_bytes_left_is_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(metas); i++) {
		auto_of(block_meta) struct block_meta *m = parse(metas[i]);
		auto_buf struct buf record = { 0 };
		struct block_meta *again = NULL;
		meta_record_write(m, &record);
		for (size_t n = 0; n < record.len; n++)
			CHECK_INT(meta_record_read(record.data, n, &again), -EBADMSG);
		buf_add_u8(&record, 0);
		CHECK_INT(meta_record_read(record.data, record.len, &again), -EBADMSG);
	}
}

TEST(lengths_that_the_bytes_cannot_hold_are_refused_before_memory_is_sized)
{
	auto_of(block_meta) struct block_meta *m = parse(metas[0]);
	auto_buf struct buf record = { 0 };
	meta_record_write(m, &record);
	for (size_t at = sizeof m->ulid.bytes; at < record.len; at++) {
		auto_buf struct buf bad = { 0 };
		struct block_meta *again = NULL;
		buf_add(&bad, record.data, at);
		buf_add_uvarint(&bad, UINT64_MAX);
		buf_add(&bad, record.data + at + 1, record.len - at - 1);
		if (meta_record_read(bad.data, bad.len, &again) == 0)
			block_meta_free(again);
	}
}

TEST_MAIN()
