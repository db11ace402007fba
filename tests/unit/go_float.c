/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/go_float.h"

#include "tests/support/test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

static const char *format(double v, char f)
{
	static char text[GO_FLOAT_BYTES + 1];
	text[go_float_format(text, v, f)] = 0;
	return text;
}

TEST(floats_are_written_as_go_writes_them)
{
	static const struct {
		double v;
		const char *f, *g, *e;
	} cases[] = {
		{ 0, "0", "0", "0e+00" },
		{ -0.0, "-0", "-0", "-0e+00" },
		{ 1, "1", "1", "1e+00" },
		{ -1, "-1", "-1", "-1e+00" },
		{ 10, "10", "10", "1e+01" },
		{ 0.1, "0.1", "0.1", "1e-01" },
		{ 0.25, "0.25", "0.25", "2.5e-01" },
		{ 123456, "123456", "123456", "1.23456e+05" },
		{ 100000, "100000", "100000", "1e+05" },
		{ 1000000, "1000000", "1e+06", "1e+06" },
		{ 1234567, "1234567", "1.234567e+06", "1.234567e+06" },
		{ 1234567.5, "1234567.5", "1.2345675e+06", "1.2345675e+06" },
		{ 0.0001, "0.0001", "0.0001", "1e-04" },
		{ 0.00001, "0.00001", "1e-05", "1e-05" },
		{ 1.0 / 3, "0.3333333333333333", "0.3333333333333333", "3.333333333333333e-01" },
		{ 100.0 / 3, "33.333333333333336", "33.333333333333336", "3.3333333333333336e+01" },
		{ 1e21, "1000000000000000000000", "1e+21", "1e+21" },
		{ 1e23, "100000000000000000000000", "1e+23", "1e+23" },
		{ 9007199254740994, "9007199254740994", "9.007199254740994e+15", "9.007199254740994e+15" },
		{ 1700000000.123, "1700000000.123", "1.700000000123e+09", "1.700000000123e+09" },
		{ 5e-324, NULL, "5e-324", "5e-324" },
		{ 2.2250738585072014e-308, NULL, "2.2250738585072014e-308", "2.2250738585072014e-308" },
		{ DBL_MAX, NULL, "1.7976931348623157e+308", "1.7976931348623157e+308" },
		{ NAN, "NaN", "NaN", "NaN" },
		{ INFINITY, "+Inf", "+Inf", "+Inf" },
		{ -INFINITY, "-Inf", "-Inf", "-Inf" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].f)
			CHECK_STR(format(cases[i].v, 'f'), cases[i].f);
		CHECK_STR(format(cases[i].v, 'g'), cases[i].g);
		CHECK_STR(format(cases[i].v, 'e'), cases[i].e);
	}
	CHECK_INT(strlen(format(-5e-324, 'f')), 327);
	CHECK_INT(strlen(format(-DBL_MAX, 'f')), 310);
	CHECK_INT(strlen(format(-2.2250738585072014e-308, 'f')), 327);
}

TEST(answers_have_exponents_only_far_out)
{
	static const struct {
		double v;
		const char *want;
	} cases[] = { { 0, "0" }, { 1e20, "100000000000000000000" }, { 1e21, "1e+21" }, { 1e-6, "0.000001" },
		{ 9.9e-7, "9.9e-07" }, { -1.5, "-1.5" }, { INFINITY, "+Inf" }, { NAN, "NaN" } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[GO_FLOAT_BYTES + 1];
		text[go_float_format_api(text, cases[i].v)] = 0;
		CHECK_STR(text, cases[i].want);
	}
}

/* The shortest that %.*e finds, which is what any other way must find. */
static int fewest_digits(double v)
{
	char text[40];
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*e", digits - 1, v);
		if (strtod(text, NULL) == v)
			return digits;
	}
	return 17;
}

static int digits_of(const char *text)
{
	int n = 0;
	for (; *text && *text != 'e'; text++)
		n += *text != '.' && *text != '-';
	return n;
}

static double random_double(uint64_t *seed)
{
	uint64_t r = test_random(seed);
	double v;
	switch (r % 5) {
	case 0: return (double)(test_random(seed) % 1000000007);
	case 1: return (double)(test_random(seed) % 1000000007) / 1000;
	case 2: return (double)(test_random(seed) >> 11) / 9007199254740992.0;
	case 3: return (double)test_random(seed);
	default: break;
	}
	do {
		r = test_random(seed);
		memcpy(&v, &r, sizeof v);
	} while (!isfinite(v));
	return v;
}

TEST(any_float_reads_back_from_the_fewest_digits)
{
	uint64_t seed = 3;
	for (int i = 0; i < 200000; i++) {
		double v = random_double(&seed), back;
		for (const char *f = "fge"; *f; f++) {
			const char *text = format(v, *f);
			if (!go_float_parse(text, strlen(text), &back) || memcmp(&back, &v, sizeof v) != 0)
				test_fail(__FILE__, __LINE__, "%a is written as %s", v, text);
		}
		if (v != 0 && digits_of(format(v, 'e')) != fewest_digits(v))
			test_fail(__FILE__, __LINE__, "%a is written as %s", v, format(v, 'e'));
	}
}

TEST(floats_are_read_as_go_reads_them)
{
	static const struct {
		const char *text;
		double v;
	} good[] = { { "0", 0 }, { "+1", 1 }, { "-1.5", -1.5 }, { ".5", 0.5 }, { "5.", 5 }, { "1e3", 1000 },
		{ "1E+3", 1000 }, { "1e-3", 0.001 }, { "Inf", INFINITY }, { "+Inf", INFINITY },
		{ "-inf", -INFINITY }, { "INFINITY", INFINITY }, { "1_000.5", 1000.5 }, { "0x1p4", 16 },
		{ "0x1.8P1", 3 }, { "0x_1p0", 1 }, { "1e-400", 0 }, { "00012", 12 },
		{ "1_23.50_0_0e+1_2", 1.235e14 }, { "0.1", 0.1 },
		{ "0.00000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
			1e-86 } };
	static const char *const bad[] = { "", "+", "-", ".", "e5", "1e", "1e+", "1 ", " 1", "1.2.3", "0x",
		"0x1", "0xp1", "--1", "+-1", "inf1", "infin", "+nan", "-nan", "nan1", "1__0", "_1", "1_",
		"1_.5", "1._5", "1e400", "-1e400", "1f", "0b11", "a" };
	double v;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!go_float_parse(good[i].text, strlen(good[i].text), &v) || v != good[i].v)
			test_fail(__FILE__, __LINE__, "%s", good[i].text);
	}
	CHECK(go_float_parse("nAn", 3, &v) && isnan(v));
	CHECK(go_float_parse("12345", 2, &v) && v == 12);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		v = 42;
		if (go_float_parse(bad[i], strlen(bad[i]), &v) || v != 42)
			test_fail(__FILE__, __LINE__, "%s was read as %g", bad[i], v);
	}
}

TEST_MAIN()
