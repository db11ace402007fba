/* SPDX-License-Identifier: Apache-2.0 */
#include "query/api_params.h"

#include "query/api_endpoints.h"
#include "tests/support/test.h"

#include <errno.h>

TEST(a_time_is_seconds_or_a_date)
{
	static const struct {
		const char *text;
		int64_t t;
	} table[] = { { "0", 0 }, { "1", 1000 }, { "1.5", 1500 }, { "-1.5", -1500 },
		{ "1699990000.781", 1699990000781 }, { "0.0004", 0 }, { "0.0006", 1 }, { "1e3", 1000000 },
		{ "2023-11-14T19:26:40Z", 1699990000000 }, { "2023-11-14T20:26:40.5+01:00", 1699990000500 },
		{ "-292273086-05-16T16:47:06Z", API_MIN_TIME },
		{ "292277025-08-18T07:12:54.999999999Z", API_MAX_TIME } };
	static const char *const bad[] = { "", "x", "1x", "NaN", "Inf", "1e300", "-1e16",
		"2023-13-01T00:00:00Z", "now" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct err e;
		int64_t t;
		CHECK_OK(api_parse_time(table[i].text, &t, &e), &e);
		CHECK_INT(t, table[i].t);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e;
		int64_t t;
		auto_free char *words = xasprintf("cannot parse \"%s\" to a valid timestamp", bad[i]);
		CHECK_INT(api_parse_time(bad[i], &t, &e), -EINVAL);
		CHECK_STR(e.msg, words);
	}
}

TEST(a_duration_is_seconds_or_units)
{
	static const struct {
		const char *text;
		int64_t ns;
	} table[] = { { "0", 0 }, { "1", 1000000000 }, { "0.5", 500000000 }, { "-1", -1000000000 },
		{ "1e-9", 1 }, { "1m", 60000000000 }, { "1h30m", 5400000000000 }, { "250ms", 250000000 } };
	struct err e;
	int64_t ns;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		CHECK_OK(api_parse_duration_ns(table[i].text, &ns, &e), &e);
		CHECK_INT(ns, table[i].ns);
	}
	CHECK_INT(api_parse_duration_ns("1y2", &ns, &e), -EINVAL);
	CHECK_STR(e.msg, "cannot parse \"1y2\" to a valid duration");
	CHECK_INT(api_parse_duration_ns("1e10", &ns, &e), -EINVAL);
	CHECK_STR(e.msg, "cannot parse \"1e10\" to a valid duration. It overflows int64");
	CHECK_INT(api_parse_duration_ns("NaN", &ns, &e), -EINVAL);
	CHECK_INT(api_parse_duration_ns("", &ns, &e), -EINVAL);
}

TEST(a_limit_is_a_whole_number)
{
	struct err e;
	uint64_t n;
	CHECK_OK(api_parse_limit("", &n, &e), &e);
	CHECK_INT(n, 0);
	CHECK_OK(api_parse_limit("+12", &n, &e), &e);
	CHECK_INT(n, 12);
	CHECK_INT(api_parse_limit("1.5", &n, &e), -EINVAL);
	CHECK_STR(e.msg, "strconv.Atoi: parsing \"1.5\": invalid syntax");
	CHECK_INT(api_parse_limit("99999999999999999999", &n, &e), -EINVAL);
	CHECK_STR(e.msg, "strconv.Atoi: parsing \"99999999999999999999\": value out of range");
	CHECK_INT(api_parse_limit("-1", &n, &e), -EINVAL);
	CHECK_STR(e.msg, "limit must be non-negative");
}

TEST(escaped_label_names_are_undone)
{
	static const struct {
		const char *escaped, *name;
	} table[] = { { "U__a_2e_b", "a.b" }, { "U__a__b", "a_b" }, { "U___20ac_", "\xe2\x82\xac" },
		{ "U__plain", "plain" }, { "U__a_zz_", "U__a_zz_" }, { "U__a_2e", "U__a_2e" },
		{ "U__a_", "U__a_" }, { "U__a_d800_", "U__a_d800_" }, { "U__a_110000_", "U__a_110000_" } };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_buf struct buf b = { 0 };
		api_unescape_label_name(table[i].escaped, &b);
		CHECK_STR(buf_str(&b), table[i].name);
	}
}

TEST_MAIN()
