/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/query_flags.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>

TEST(what_is_not_given_has_prometheus_defaults)
{
	char *argv[] = { (char[]){ "query" }, (char[]){ "--tsdb.path=/x" },
		(char[]){ "--web.route-prefix=a/" }, NULL };
	struct query_flags f;
	struct err e;
	auto_buf struct buf json = { 0 };
	CHECK_OK(query_flags_parse(3, argv, &f, &e), &e);
	CHECK_STR(f.tsdb_path, "/x");
	CHECK_STR(f.http_address, ":10902");
	CHECK_INT(f.timeout_ms, 120000);
	CHECK_INT(f.lookback_ms, 300000);
	CHECK_INT(f.max_samples, 50000000);
	CHECK_INT(f.max_concurrency, 20);
	CHECK_STR(f.route_prefix, "/a");
	CHECK_STR(f.external_prefix, "/a");
	query_flags_json(&f, &json);
	CHECK_HAS(buf_str(&json), "\"query.timeout\":\"2m\"");
	CHECK_HAS(buf_str(&json), "\"log.level\":\"info\"");
	query_flags_fini(&f);
}

TEST(what_makes_no_sense_is_refused)
{
	static const struct {
		const char *flag, *message;
	} table[] = { { "--log.level=info", "--tsdb.path" }, { "--tsdb.path=", "--tsdb.path" },
		{ "--query.timeout=0", "--query.timeout" },
		{ "--query.max-concurrency=0", "query.max-concurrency" },
		{ "--query.lookback-delta=0s", "--query.lookback-delta" },
		{ "--web.read-timeout=1ms", "--web.read-timeout" },
		{ "--query.memory-limit=x", "query.memory-limit" }, { "extra", "\"extra\" is too much" },
		{ "--nosuch", "nosuch" } };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		bool is_path = !strncmp(table[i].flag, "--tsdb", 6) || !strncmp(table[i].flag, "--log", 5);
		char *argv[] = { (char[]){ "query" }, (char *)(uintptr_t)table[i].flag,
			is_path ? NULL : (char[]){ "--tsdb.path=/x" }, NULL };
		struct query_flags f;
		struct err e = { .msg = "" };
		CHECK_INT(query_flags_parse(is_path ? 2 : 3, argv, &f, &e), -EINVAL);
		CHECK_HAS(e.msg, table[i].message);
		query_flags_fini(&f);
	}
}

TEST_MAIN()
