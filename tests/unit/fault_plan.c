/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fault_plan.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>

TEST(a_plan_says_what_goes_wrong_and_how_often)
{
	struct err e;
	struct fault_plan p;
	CHECK_OK(fault_plan_parse(
			 "seed=7,error=0.05,latency=20ms..200ms,truncate=0.01,corrupt=0.02,stall=0.001:30s,"
			 "outage=60s+1m,outage=5m+10s,lasting=1,retry-after=2s,read.error=0.5",
			 &p, &e),
		&e);
	CHECK_INT(p.seed, 7);
	for (int i = 0; i < BUCKET_OPS; i++) {
		CHECK(p.op[i].error == (i == BUCKET_OP_READ ? 0.5 : 0.05));
		CHECK(p.op[i].truncate == 0.01 && p.op[i].corrupt == 0.02 && p.op[i].lasting == 1);
		CHECK(p.op[i].stall == 0.001 && p.op[i].has_outages);
		CHECK_INT(p.op[i].stall_ms, 30000);
		CHECK_INT(p.op[i].latency_min_ms, 20);
		CHECK_INT(p.op[i].latency_max_ms, 200);
		CHECK_INT(p.op[i].retry_after_ms, 2000);
	}
	CHECK_INT(p.n_outages, 2);
	CHECK_INT(p.outages[0].from_ms, 60000);
	CHECK_INT(p.outages[1].length_ms, 10000);
}

TEST(the_operations_may_be_named_anywhere)
{
	struct err e;
	struct fault_plan p;
	CHECK_OK(fault_plan_parse("put.error=1,error=0.5,latency=1s,ops=read|list,outage=/run/down", &p, &e),
		&e);
	CHECK(p.op[BUCKET_OP_READ].error == 0.5 && p.op[BUCKET_OP_LIST].error == 0.5);
	CHECK(p.op[BUCKET_OP_PUT].error == 1);
	CHECK(p.op[BUCKET_OP_STAT].error == 0 && p.op[BUCKET_OP_OPEN].error == 0);
	CHECK_INT(p.op[BUCKET_OP_READ].latency_max_ms, 1000);
	CHECK(p.op[BUCKET_OP_READ].has_outages && !p.op[BUCKET_OP_OPEN].has_outages);
	CHECK_STR(p.outage_file, "/run/down");
	CHECK_OK(fault_plan_parse("", &p, &e), &e);
}

TEST(what_is_wrong_with_a_plan_is_named)
{
	static const struct {
		const char *text, *part;
	} bad[] = {
		{ "error", "NAME=VALUE" },
		{ "error=2", "\"error=2\": the chance is not a number from 0 to 1" },
		{ "error=-0", "chance" },
		{ "error=nan", "chance" },
		{ "error=", "chance" },
		{ "eror=0.1", "did you mean error" },
		{ "seed=x", "seed" },
		{ "seed=", "seed" },
		{ "seed=99999999999999999999", "seed" },
		{ "latency=2s..1s", "less than the shortest" },
		{ "latency=fast", "fast" },
		{ "stall=0.1", "CHANCE:DURATION" },
		{ "stall=0.1:x", "x" },
		{ "outage=5s", "START+DURATION" },
		{ "ops=read|fly", "none of list" },
		{ "fly.error=1", "none of list" },
		{ "read.seed=1", "not for a single operation" },
		{ "retry-after=2h", "more than an hour" },
		{ "=", "unknown setting" },
		{ ",", "NAME=VALUE" },
		{ "seed=1,error=7,corrupt=1", "error=7" },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = { .msg = "" };
		struct fault_plan p;
		CHECK_INT(fault_plan_parse(bad[i].text, &p, &e), -EINVAL);
		CHECK_HAS(e.msg, bad[i].part);
	}
	char outages[400] = "", path[400] = "outage=/";
	struct err e;
	struct fault_plan p;
	for (int i = 0; i < 20; i++)
		strcat(outages, "outage=1s+1s,");
	CHECK_INT(fault_plan_parse(outages, &p, &e), -EINVAL);
	CHECK_HAS(e.msg, "too many");
	memset(path + 8, 'x', 300);
	CHECK_INT(fault_plan_parse(path, &p, &e), -EINVAL);
	CHECK_HAS(e.msg, "too long");
	memset(path + 8, 'x', 390);
	CHECK_INT(fault_plan_parse(path, &p, &e), -EINVAL);
	CHECK_HAS(e.msg, "too long");
}

TEST_MAIN()
