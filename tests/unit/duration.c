/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/duration.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>
#include <time.h>

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

TEST(durations_have_the_units_of_prometheus)
{
	static const struct {
		const char *text;
		int64_t ms;
	} table[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "0y0w0d0h0m0s0ms", 0 },
		{ "1ms", 1 },
		{ "500ms", 500 },
		{ "3s", 3000 },
		{ "5m", 300000 },
		{ "1m500ms", 60500 },
		{ "1h30m", HOUR * 3 / 2 },
		{ "15d", 15 * DAY },
		{ "4w", 28 * DAY },
		{ "1y", 365 * DAY },
		{ "1y2w3d4h5m6s7ms", 382 * DAY + 4 * HOUR + 306007 },
		{ "00000000000000000000000000000001s", 1000 },
		{ "90m", HOUR * 3 / 2 },
		{ "9223372036854ms", DURATION_MAX_MS },
		{ "292y", 292 * 365 * DAY },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int64_t ms = -1;
		struct err e;
		CHECK_OK(duration_parse(table[i].text, &ms, &e), &e);
		CHECK_INT(ms, table[i].ms);
	}
}

TEST(a_bad_duration_is_refused_and_quoted)
{
	static const struct {
		const char *text;
		int error;
	} table[] = {
		{ "", -EINVAL },
		{ "1", -EINVAL },
		{ "00", -EINVAL },
		{ "h", -EINVAL },
		{ "-1h", -EINVAL },
		{ "+1h", -EINVAL },
		{ "1 h", -EINVAL },
		{ "1h ", -EINVAL },
		{ "1.5h", -EINVAL },
		{ "1m1h", -EINVAL },
		{ "1h1h", -EINVAL },
		{ "1ms1s", -EINVAL },
		{ "1H", -EINVAL },
		{ "1hour", -EINVAL },
		{ "1us", -EINVAL },
		{ "1h30", -EINVAL },
		{ "9223372036855ms", -ERANGE },
		{ "293y", -ERANGE },
		{ "292y365d", -ERANGE },
		{ "99999999999999999999999999999999999999y", -ERANGE },
		{ "18446744073709551617s", -ERANGE },
		{ "99999999999999999999999s0ms", -ERANGE },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int64_t ms = 77;
		struct err e = { .msg = "" };
		CHECK_INT(duration_parse(table[i].text, &ms, &e), table[i].error);
		CHECK_HAS(e.msg, table[i].text);
		CHECK_INT(ms, 77);
	}
}

TEST(a_duration_is_written_in_its_shortest_form)
{
	static const struct {
		int64_t ms;
		const char *text;
	} table[] = {
		{ 0, "0s" },
		{ 1, "1ms" },
		{ 1000, "1s" },
		{ 324000, "5m24s" },
		{ HOUR * 3 / 2, "1h30m" },
		{ 15 * DAY, "15d" },
		{ 14 * DAY, "2w" },
		{ 365 * DAY, "1y" },
		{ 366 * DAY, "366d" },
		{ 14 * DAY + 1, "14d1ms" },
		{ -2 * HOUR, "-2h" },
		{ INT64_MIN, "-106751991167d7h12m55s808ms" },
		{ INT64_MAX, "106751991167d7h12m55s807ms" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char out[DURATION_CHARS];
		CHECK_STR(duration_format(table[i].ms, out), table[i].text);
	}
}

TEST(a_written_duration_reads_back)
{
	uint64_t seed = 1;
	for (int i = 0; i < 100000; i++) {
		int64_t want = (int64_t)(test_random(&seed) % DURATION_MAX_MS) >> test_random(&seed) % 40,
			got;
		char text[DURATION_CHARS];
		struct err e;
		CHECK_OK(duration_parse(duration_format(want, text), &got, &e), &e);
		CHECK_INT(got, want);
	}
}

TEST(times_are_rfc_3339)
{
	static const struct {
		const char *text;
		int64_t ms;
	} table[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1969-12-31T23:59:59.999Z", -1 },
		{ "2020-01-01T00:00:00Z", 1577836800000 },
		{ "2020-02-29T12:00:00.25Z", 1582977600250 },
		{ "2020-01-01T01:30:00+01:30", 1577836800000 },
		{ "2019-12-31T19:00:00-05:00", 1577836800000 },
		{ "2020-01-01T00:00:00.123456789Z", 1577836800123 },
		{ "0000-01-01T00:00:00Z", -62167219200000 },
		{ "0001-01-01T00:00:00Z", -62135596800000 },
		{ "9999-12-31T23:59:59Z", 253402300799000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int64_t ms = 0;
		struct err e;
		CHECK_OK(time_parse(table[i].text, &ms, &e), &e);
		CHECK_INT(ms, table[i].ms);
	}
}

TEST(a_bad_time_is_refused)
{
	static const char *const table[] = { "", "2020", "2020-01-01", "2020-01-01T00:00:00",
		"2020-01-01 00:00:00Z", "2020-13-01T00:00:00Z", "2020-00-01T00:00:00Z",
		"2021-02-29T00:00:00Z", "2020-01-32T00:00:00Z", "2020-01-00T00:00:00Z",
		"2020-01-01T24:00:00Z", "2020-01-01T00:60:00Z", "2020-01-01T00:00:60Z",
		"2020-01-01T00:00:00.Z", "2020-01-01T00:00:00ZZ", "2020-01-01T00:00:00+1:00",
		"2020-01-01T00:00:00+24:00", "12020-01-01T00:00:00Z", "-020-01-01T00:00:00Z",
		"2020-1-01T00:00:00Z", "2020-01-01T00:00:00+00:60", "2020-01-01T00:00:00+00:000" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int64_t ms = 77;
		struct err e = { .msg = "" };
		CHECK_INT(time_parse(table[i], &ms, &e), -EINVAL);
		CHECK_HAS(e.msg, table[i]);
	}
}

TEST(times_agree_with_the_c_library)
{
	uint64_t seed = 2;
	for (int i = 0; i < 100000; i++) {
		int64_t want = (int64_t)(test_random(&seed) % 315569519999999) - 62167219200000, got;
		time_t seconds = (time_t)((want - (want % 1000 + 1000) % 1000) / 1000);
		struct tm tm;
		gmtime_r(&seconds, &tm);
		char text[DURATION_CHARS], expected[64];
		size_t n = strftime(expected, sizeof expected, "-%m-%dT%H:%M:%S", &tm);
		time_format(want, text);
		CHECK_INT(strncmp(text + 4, expected, n), 0);
		CHECK_INT(atoi(text), tm.tm_year + 1900);
		struct err e;
		CHECK_OK(time_parse(text, &got, &e), &e);
		CHECK_INT(got, want);
	}
}

TEST(a_time_is_written_with_milliseconds_where_it_has_any)
{
	char out[DURATION_CHARS];
	CHECK_STR(time_format(1577836800000, out), "2020-01-01T00:00:00Z");
	CHECK_STR(time_format(1577836800007, out), "2020-01-01T00:00:00.007Z");
	CHECK_STR(time_format(-62167219200000, out), "0000-01-01T00:00:00Z");
	CHECK_STR(time_format(253402300799000, out), "9999-12-31T23:59:59Z");
	CHECK_STR(time_format(INT64_MIN, out), "-9223372036854775808ms");
	CHECK_STR(time_format(INT64_MAX, out), "9223372036854775807ms");
}

TEST(a_time_may_be_relative_to_now)
{
	static const struct {
		const char *text;
		int64_t at; /* when now is 1000 days */
	} table[] = {
		{ "-2w", 986 * DAY },
		{ "2w", 1014 * DAY },
		{ "+2w", 1014 * DAY },
		{ "0s", 1000 * DAY },
		{ "1970-01-02T00:00:00Z", DAY },
		{ "0000-01-01T00:00:00Z", -62167219200000 },
		{ "9999-12-31T23:59:59Z", 253402300799000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct time_or_duration t;
		struct err e;
		CHECK_OK(time_or_duration_parse(table[i].text, &t, &e), &e);
		CHECK_INT(time_or_duration_at(&t, 1000 * DAY), table[i].at);
	}
}

TEST(a_relative_time_does_not_wrap_around)
{
	struct time_or_duration past = { .is_relative = true, .ms = -DURATION_MAX_MS };
	struct time_or_duration future = { .is_relative = true, .ms = DURATION_MAX_MS };
	CHECK(time_or_duration_at(&past, INT64_MIN + 5) == INT64_MIN);
	CHECK(time_or_duration_at(&future, INT64_MAX - 5) == INT64_MAX);
}

TEST(what_is_neither_time_nor_duration_is_refused)
{
	static const char *const table[] = { "", "-", "yesterday", "--2w", "-2w3", "2020-01-01" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct time_or_duration t;
		struct err e = { .msg = "" };
		CHECK_INT(time_or_duration_parse(table[i], &t, &e), -EINVAL);
		CHECK_HAS(e.msg, "neither");
	}
	struct time_or_duration t;
	struct err e = { .msg = "" };
	CHECK_INT(time_or_duration_parse("-300y", &t, &e), -ERANGE);
	CHECK_HAS(e.msg, "-300y");
}

TEST(sizes_are_powers_of_1024)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} table[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "1B", 1 },
		{ "1KB", 1024 },
		{ "1KiB", 1024 },
		{ "1k", 1024 },
		{ "512MiB", UINT64_C(512) << 20 },
		{ "10GB", UINT64_C(10) << 30 },
		{ "10gib", UINT64_C(10) << 30 },
		{ "2T", UINT64_C(2) << 40 },
		{ "1PB", UINT64_C(1) << 50 },
		{ "7EiB", UINT64_C(7) << 60 },
		{ "1.5G", UINT64_C(3) << 29 },
		{ "0.1KB", 102 },
		{ "0.99999999999999999999999999999999999999KB", 1023 },
		{ "9223372036854775807", INT64_MAX },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uint64_t bytes = 77;
		struct err e;
		CHECK_OK(bytes_parse(table[i].text, &bytes, &e), &e);
		CHECK_INT(bytes, table[i].bytes);
	}
}

TEST(a_bad_size_is_refused)
{
	static const struct {
		const char *text;
		int error;
	} table[] = {
		{ "", -EINVAL },
		{ "GB", -EINVAL },
		{ "-1", -EINVAL },
		{ "1 GB", -EINVAL },
		{ "1iB", -EINVAL },
		{ "1GBs", -EINVAL },
		{ "1.GB", -EINVAL },
		{ ".5GB", -EINVAL },
		{ "1XB", -EINVAL },
		{ "0x10", -EINVAL },
		{ "8EiB", -ERANGE },
		{ "9223372036854775808", -ERANGE },
		{ "18446744073709551617", -ERANGE },
		{ "99999999999999999999999999GB", -ERANGE },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uint64_t bytes = 77;
		struct err e = { .msg = "" };
		CHECK_INT(bytes_parse(table[i].text, &bytes, &e), table[i].error);
		CHECK_HAS(e.msg, table[i].text);
		CHECK_INT(bytes, 77);
	}
}

TEST_MAIN()
