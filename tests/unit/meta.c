/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/meta.h"

#include "tests/support/test.h"

#include <errno.h>

#define ID_A "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define ID_B "01BX5ZZKBKACTAV9WEVGEMMVRZ"

/* Field for field in the order and with the indent that Thanos has. */
static const char whole[] = "{\n"
			    "\t\"ulid\": \"" ID_A "\",\n"
			    "\t\"minTime\": 1700000000000,\n"
			    "\t\"maxTime\": 1700007200000,\n"
			    "\t\"stats\": {\n"
			    "\t\t\"numSamples\": 120,\n"
			    "\t\t\"numFloatSamples\": 100,\n"
			    "\t\t\"numHistogramSamples\": 20,\n"
			    "\t\t\"numSeries\": 3,\n"
			    "\t\t\"numChunks\": 4,\n"
			    "\t\t\"numTombstones\": 1\n"
			    "\t},\n"
			    "\t\"compaction\": {\n"
			    "\t\t\"level\": 2,\n"
			    "\t\t\"sources\": [\n"
			    "\t\t\t\"" ID_A "\",\n"
			    "\t\t\t\"" ID_B "\"\n"
			    "\t\t],\n"
			    "\t\t\"deletable\": true,\n"
			    "\t\t\"parents\": [\n"
			    "\t\t\t{\n"
			    "\t\t\t\t\"ulid\": \"" ID_B "\",\n"
			    "\t\t\t\t\"minTime\": -5,\n"
			    "\t\t\t\t\"maxTime\": 6\n"
			    "\t\t\t}\n"
			    "\t\t],\n"
			    "\t\t\"failed\": true,\n"
			    "\t\t\"hints\": [\n"
			    "\t\t\t\"from-out-of-order\"\n"
			    "\t\t]\n"
			    "\t},\n"
			    "\t\"version\": 1,\n"
			    "\t\"thanos\": {\n"
			    "\t\t\"version\": 1,\n"
			    "\t\t\"labels\": {\n"
			    "\t\t\t\"cluster\": \"a\\u003cb\\\"\\\\ \xc3\xa4\",\n"
			    "\t\t\t\"replica\": \"0\"\n"
			    "\t\t},\n"
			    "\t\t\"downsample\": {\n"
			    "\t\t\t\"resolution\": 300000\n"
			    "\t\t},\n"
			    "\t\t\"source\": \"compactor\",\n"
			    "\t\t\"segment_files\": [\n"
			    "\t\t\t\"000001\"\n"
			    "\t\t],\n"
			    "\t\t\"files\": [\n"
			    "\t\t\t{\n"
			    "\t\t\t\t\"rel_path\": \"chunks/000001\",\n"
			    "\t\t\t\t\"size_bytes\": 4096\n"
			    "\t\t\t},\n"
			    "\t\t\t{\n"
			    "\t\t\t\t\"rel_path\": \"meta.json\"\n"
			    "\t\t\t}\n"
			    "\t\t],\n"
			    "\t\t\"index_stats\": {},\n"
			    "\t\t\"extensions\": {\n"
			    "\t\t\t\"k\": [\n"
			    "\t\t\t\t1,\n"
			    "\t\t\t\t{}\n"
			    "\t\t\t]\n"
			    "\t\t},\n"
			    "\t\t\"upload_time\": \"2023-11-14T22:13:20.123Z\"\n"
			    "\t}\n"
			    "}\n";

TEST(a_meta_json_as_thanos_writes_it_is_read_and_written_back_byte_for_byte)
{
	struct err e;
	struct block_meta *m = NULL;
	struct buf out = { 0 };
	CHECK_OK(block_meta_parse(whole, strlen(whole), &m, &e), &e);
	CHECK_INT(m->max_time, 1700007200000);
	CHECK_INT(m->stats.histogram_samples, 20);
	CHECK_INT(m->compaction.sources.len, 2);
	CHECK_INT(m->compaction.parents.data[0].min_time, -5);
	CHECK_STR(m->compaction.hints.data[0], "from-out-of-order");
	CHECK(m->compaction.deletable && m->compaction.failed && m->thanos.present);
	CHECK_STR(labels_get(&m->thanos.labels, "cluster"), "a<b\"\\ \xc3\xa4");
	CHECK_INT(m->thanos.resolution_ms, 300000);
	CHECK_STR(m->thanos.files.data[0].rel_path, "chunks/000001");
	CHECK_INT(m->thanos.files.data[0].size_bytes, 4096);
	CHECK_INT(m->thanos.upload_time_ms, 1700000000123);
	CHECK_STR(m->thanos.extensions_json, "{\"k\":[1,{}]}");

	block_meta_write(m, &out);
	CHECK_STR(buf_str(&out), whole);
	block_meta_free(m);
	buf_fini(&out);
}

TEST(what_prometheus_needs_is_enough)
{
	static const char text[] = "{\"ulid\":\"" ID_A "\",\"minTime\":0,\"maxTime\":0}";
	struct err e;
	struct block_meta *m = NULL;
	struct buf out = { 0 };
	CHECK_OK(block_meta_parse(text, strlen(text), &m, &e), &e);
	CHECK(!m->thanos.present);
	block_meta_write(m, &out);
	CHECK_STR(buf_str(&out),
		"{\n\t\"ulid\": \"" ID_A "\",\n\t\"minTime\": 0,\n\t\"maxTime\": 0,\n\t\"stats\": {},\n"
		"\t\"compaction\": {\n\t\t\"level\": 0\n\t},\n\t\"version\": 1\n}\n");
	block_meta_free(m);
	buf_fini(&out);
}

TEST(the_zero_time_of_go_means_none)
{
	static const char text[] =
		"{\"ulid\":\"" ID_A "\",\"thanos\":{\"labels\":{},\"upload_time\":\"0001-01-01T00:00:00Z\"}}";
	struct err e;
	struct block_meta *m = NULL;
	struct buf out = { 0 };
	CHECK_OK(block_meta_parse(text, strlen(text), &m, &e), &e);
	CHECK_INT(m->thanos.upload_time_ms, 0);
	block_meta_write(m, &out);
	CHECK_HAS(buf_str(&out), "\"upload_time\": \"0001-01-01T00:00:00Z\"");
	block_meta_free(m);
	buf_fini(&out);
}

TEST(a_malformed_meta_json_is_refused_with_the_place_and_the_reason)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "meta.json" },
		{ "[]", "is no JSON object" },
		{ "{\"ulid\":\"" ID_A "\"", "meta.json" },
		{ "{\"ulid\":\"" ID_A "\"} {}", "meta.json" },
		{ "{}", "has no \"ulid\"" },
		{ "{\"ulid\":null}", "has no \"ulid\"" },
		{ "{\"ulid\":7}", "ulid" },
		{ "{\"ulid\":\"01ARZ3NDEKTSV4RRFFQ69G5FA\"}", "is no ULID" },
		{ "{\"ulid\":\"81ARZ3NDEKTSV4RRFFQ69G5FAV\"}", "is no ULID" },
		{ "{\"ulid\":\"" ID_A "\",\"version\":2}", "version 2" },
		{ "{\"ulid\":\"" ID_A "\",\"version\":0}", "version 0" },
		{ "{\"ulid\":\"" ID_A "\",\"minTime\":2,\"maxTime\":1}", "minTime 2 behind maxTime 1" },
		{ "{\"ulid\":\"" ID_A "\",\"minTime\":1}", "minTime 1 behind maxTime 0" },
		{ "{\"ulid\":\"" ID_A "\",\"minTime\":1.5}", "minTime" },
		{ "{\"ulid\":\"" ID_A "\",\"maxTime\":99999999999999999999}", "meta.json" },
		{ "{\"ulid\":\"" ID_A "\",\"stats\":{\"numSeries\":-1}}", "stats.numSeries" },
		{ "{\"ulid\":\"" ID_A "\",\"stats\":[]}", "stats" },
		{ "{\"ulid\":\"" ID_A "\",\"compaction\":{\"level\":3000000000}}", "compaction.level" },
		{ "{\"ulid\":\"" ID_A "\",\"compaction\":{\"sources\":[\"x\"]}}", "sources[0] is no ULID" },
		{ "{\"ulid\":\"" ID_A "\",\"compaction\":{\"parents\":[{}]}}", "has no \"ulid\"" },
		{ "{\"ulid\":\"" ID_A "\",\"thanos\":{\"version\":9}}", "version 9" },
		{ "{\"ulid\":\"" ID_A "\",\"thanos\":{\"labels\":{\"a\":1}}}", "thanos.labels.a" },
		{ "{\"ulid\":\"" ID_A "\",\"thanos\":{\"labels\":{\"\":\"x\"}}}", "without a name" },
		{ "{\"ulid\":\"" ID_A "\",\"thanos\":{\"labels\":{\"a\":\"\xff\"}}}", "meta.json" },
		{ "{\"ulid\":\"" ID_A "\",\"thanos\":{\"files\":[{\"rel_path\":\"x\",\"size_bytes\":-1}]}}",
			"size_bytes" },
		{ "{\"ulid\":\"" ID_A "\",\"thanos\":{\"files\":[{}]}}", "rel_path" },
		{ "{\"ulid\":\"" ID_A "\",\"thanos\":{\"upload_time\":\"yesterday\"}}",
			"upload_time is no time" },
		{ "{\"ulid\":\"" ID_A "\",\"thanos\":{\"downsample\":{\"resolution\":-1}}}", "resolution" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct block_meta *m = NULL;
		CHECK_INT(block_meta_parse(cases[i].text, strlen(cases[i].text), &m, &e), -EBADMSG);
		CHECK_HAS(e.msg, cases[i].words);
	}
}

TEST_MAIN()
