/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buf.h"
#include "tests/support/rows_table.h"

static const char rows[] = "a{g=\"1\",i=\"x\"} 1 1 NaN\n"
			   "a{g=\"1\",i=\"y\"} 1 2 NaN\n"
			   "a{g=\"2\",i=\"z\"} 1 1 h3\n"
			   "a{g=\"2\",v=\"old\"} _ 1e21 -0.5";

TEST(values_become_labels)
{
	static const struct query queries[] = {
		{ "count_values(\"v\", a)",
			"{v=\"-0.5\"} _ _ 1\n{v=\"1\"} 3 2 _\n{v=\"1000000000000000000000\"} _ 1 "
			"_\n{v=\"2\"} _ 1 _\n"
			"{v=\"NaN\"} _ _ 2\n{v=\"{count:3, sum:3, (0.5,1]:3}\"} _ _ 1\n" },
		{ "count_values by (g) (\"v\", a{g=\"1\"})",
			"{g=\"1\", v=\"1\"} 2 1 _\n{g=\"1\", v=\"2\"} _ 1 _\n{g=\"1\", v=\"NaN\"} _ _ 2\n" },
		{ "count_values without (i) (\"v\", a{g=\"1\"})",
			"{g=\"1\", v=\"1\"} 2 1 _\n{g=\"1\", v=\"2\"} _ 1 _\n{g=\"1\", v=\"NaN\"} _ _ 2\n" },
		{ "count_values without (v, i) (\"v\", a)", "{g=\"1\"} 2 2 2\n{g=\"2\"} 1 2 2\n" },
		{ "count_values by (g, v) (\"g\", a{g=\"1\"})",
			"{g=\"1\"} 2 1 _\n{g=\"2\"} _ 1 _\n{g=\"NaN\"} _ _ 2\n" },
		{ "count_values(\"v\", none)", "" },
		{ "count_values(\"a.b\", a{i=\"z\"} < 5)",
			"{\"a.b\"=\"1\"} 1 1 _\ninfo: PromQL info: incompatible sample types "
			"encountered for binary operator \"<\": histogram < float (1:21)\n" },
		{ "count_values(\"\", a)", "error: invalid label name \"\"\n" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(many_rows_are_counted_by_several_threads)
{
	struct buf text = { 0 };
	for (unsigned i = 0; i < 2000; i++)
		buf_printf(&text, "a{i=\"%u\"} %u %u\n", i, i % 3, i % 2);
	CHECK_STR(rows_query(buf_str(&text), "count_values(\"v\", a)"),
		"{v=\"0\"} 667 1000\n{v=\"1\"} 667 1000\n{v=\"2\"} 666 _\n");
	buf_fini(&text);
}

TEST_MAIN()
