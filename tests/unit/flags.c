/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/flags.h"

#include "lib/base/duration.h"
#include "lib/base/nearest.h"
#include "tests/support/test.h"

#include <errno.h>

enum level { LOW, MIDDLE, HIGH };

struct options {
	bool help, quick, careful;
	char *file, *dir;
	struct flag_strings labels, lines;
	enum level level;
	int64_t delay_ms;
	struct time_or_duration min_time;
	uint64_t size, count;
};

static const char *const levels[] = { "low", "middle", "high", NULL };

#define AT(field) .offset = offsetof(struct options, field)

static const struct flag table[] = {
	{ .name = "help", .letter = 'h', .type = FLAG_BOOL, AT(help), .help = "Shows this." },
	{ .letter = 'q', .type = FLAG_BOOL, AT(quick), .help = "Is quick." },
	{ .name = "careful",
		.letter = 'c',
		.type = FLAG_BOOL,
		AT(careful),
		.default_text = "true",
		.help = "Is careful." },
	{ .name = "config.file",
		.letter = 'f',
		.type = FLAG_STRING,
		AT(file),
		.value_name = "FILE",
		.help = "Reads it." },
	{ .name = "data-dir",
		.type = FLAG_STRING,
		AT(dir),
		.value_name = "DIR",
		.default_text = "./data",
		.help = "Where data is." },
	{ .name = "query.replica-label",
		.alias = "deduplication.replica-label",
		.letter = 'o',
		.type = FLAG_STRINGS,
		.splits_commas = true,
		AT(labels),
		.value_name = "LABEL",
		.help = "A label to drop." },
	{ .name = "line",
		.type = FLAG_STRINGS,
		AT(lines),
		.value_name = "TEXT",
		.default_text = "x,y",
		.help = "A line." },
	{ .name = "level",
		.type = FLAG_ENUM,
		AT(level),
		.value_name = "LEVEL",
		.choices = levels,
		.default_text = "middle",
		.help = "How high." },
	{ .name = "delay",
		.type = FLAG_DURATION,
		AT(delay_ms),
		.value_name = "DURATION",
		.default_text = "24h",
		.help = "How long." },
	{ .name = "min-time",
		.type = FLAG_TIME,
		AT(min_time),
		.value_name = "TIME",
		.default_text = "0000-01-01T00:00:00Z",
		.help = "From when on, as an RFC 3339 time or relative to now." },
	{ .name = "max-size",
		.type = FLAG_BYTES,
		AT(size),
		.value_name = "SIZE",
		.default_text = "10GB",
		.help = "Size." },
	{ .name = "count",
		.type = FLAG_COUNT,
		AT(count),
		.value_name = "N",
		.default_text = "5",
		.lowest = 1,
		.highest = 64,
		.help = "How many." },
	{ .name = "secret.hatch", .type = FLAG_BOOL, .is_hidden = true, AT(quick), .help = "Is hidden." },
	{ 0 },
};
static const struct flag_set set = {
	.usage = "prog [flags] PLACE", .summary = "Does things.", .table = table
};

#define MOST 32

static int parse(struct options *o, const char **rest, size_t *n_rest, struct err *e, const char *const *args)
{
	char *argv[MOST] = { NULL };
	int argc = 1;
	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1]; /* flags_parse changes nothing */
	memset(o, 0, sizeof *o);
	e->msg[0] = 0;
	return flags_parse(&set, argc, argv, o, rest, n_rest, e);
}

#define PARSE(...) parse(&o, rest, &n_rest, &e, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })
#define SETUP                   \
	struct options o;       \
	const char *rest[MOST]; \
	size_t n_rest;          \
	struct err e;

TEST(without_arguments_there_are_the_defaults)
{
	SETUP
	CHECK_OK(PARSE(), &e);
	CHECK(!o.help && !o.quick && o.careful && !o.file);
	CHECK_STR(o.dir, "./data");
	CHECK_INT(o.labels.len, 0);
	CHECK_INT(o.lines.len, 1);
	CHECK_STR(o.lines.data[0], "x,y");
	CHECK_INT(o.level, MIDDLE);
	CHECK_INT(o.delay_ms, 86400000);
	CHECK(!o.min_time.is_relative);
	CHECK_INT(o.size, INT64_C(10) << 30);
	CHECK_INT(o.count, 5);
	CHECK_INT(n_rest, 0);
	flags_fini(&set, &o);
}

TEST(values_come_with_an_equals_sign_or_as_the_next_argument)
{
	SETUP
	CHECK_OK(PARSE("--config.file=a=b", "--data-dir", "d", "--level", "high", "--delay=0s", "--min-time",
			 "-2w", "--max-size=1MiB", "--count", "64"),
		&e);
	CHECK_STR(o.file, "a=b");
	CHECK_STR(o.dir, "d");
	CHECK_INT(o.level, HIGH);
	CHECK_INT(o.delay_ms, 0);
	CHECK(o.min_time.is_relative);
	CHECK_INT(o.size, 1 << 20);
	CHECK_INT(o.count, 64);
	flags_fini(&set, &o);
}

TEST(switches_have_a_negative_form)
{
	SETUP
	CHECK_OK(PARSE("--help", "--no-careful"), &e);
	CHECK(o.help && !o.careful);
	flags_fini(&set, &o);
	CHECK_OK(PARSE("--help=false", "--careful=true"), &e);
	CHECK(!o.help && o.careful);
	flags_fini(&set, &o);
}

TEST(lists_are_repeated_and_split_where_the_flag_says_so)
{
	SETUP
	CHECK_OK(PARSE("--query.replica-label=a,b", "--deduplication.replica-label", "c", "-o", ",d,,", "-oe",
			 "-o=f", "--line=p,q", "--line="),
		&e);
	CHECK_INT(o.labels.len, 6);
	for (int i = 0; i < 6; i++)
		CHECK_STR(o.labels.data[i], ((char[]){ (char)('a' + i), 0 }));
	CHECK_INT(o.lines.len, 2);
	CHECK_STR(o.lines.data[0], "p,q");
	CHECK_STR(o.lines.data[1], "");
	flags_fini(&set, &o);
}

TEST(letters_can_stand_together)
{
	SETUP
	CHECK_OK(PARSE("-hqfname"), &e);
	CHECK(o.help && o.quick);
	CHECK_STR(o.file, "name");
	flags_fini(&set, &o);
}

TEST(other_arguments_may_stand_anywhere_and_two_dashes_end_the_flags)
{
	SETUP
	CHECK_OK(PARSE("a", "--help", "-", "--", "--careful", "-q"), &e);
	CHECK(o.help && !o.quick);
	CHECK_INT(n_rest, 4);
	CHECK_STR(rest[0], "a");
	CHECK_STR(rest[1], "-");
	CHECK_STR(rest[2], "--careful");
	CHECK_STR(rest[3], "-q");
	flags_fini(&set, &o);
}

TEST(errors_name_the_flag_and_what_is_wrong)
{
	static const struct {
		const char *first, *second, *message;
	} cases[] = {
		{ "--nonsense", NULL, "unknown flag --nonsense" },
		{ "--data_dir=x", NULL, "unknown flag --data_dir; did you mean --data-dir?" },
		{ "--replica-label=x", NULL,
			"unknown flag --replica-label; did you mean --query.replica-label?" },
		{ "--config.flie=secret", NULL, "unknown flag --config.flie; did you mean --config.file?" },
		{ "--secret.hitch", NULL, "unknown flag --secret.hitch" },
		{ "--no-level", NULL, "unknown flag --no-level" },
		{ "-x", NULL, "unknown flag -x" },
		{ "-q\x01", NULL, "unknown flag -?" },
		{ "--data-dir", NULL, "flag --data-dir: needs a value" },
		{ "--data-dir", "--help", "flag --data-dir: needs a value" },
		{ "-f", "-q", "flag --config.file: needs a value" },
		{ "--data-dir=a", "--data-dir=b", "flag --data-dir: was given twice" },
		{ "-q", "-q", "flag -q: was given twice" },
		{ "--careful", "--no-careful", "flag --careful: was given twice" },
		{ "--careful=yes", NULL, "flag --careful: takes no value but true or false" },
		{ "--no-careful=true", NULL, "flag --careful: takes no value after --no-" },
		{ "--level=huge", NULL, "flag --level: \"huge\" is none of low, middle, high" },
		{ "--delay=5", NULL,
			"flag --delay: duration \"5\" is not of the form 1h30m (units y, w, d, h, m, s, ms, "
			"in this order)" },
		{ "--min-time=now", NULL,
			"flag --min-time: time \"now\" is neither RFC 3339 (2020-01-31T23:59:59Z) nor a "
			"duration relative to "
			"now (-2w)" },
		{ "--max-size=big", NULL,
			"flag --max-size: size \"big\" is not a number of bytes such as 512MiB or 10GB" },
		{ "--count=", NULL, "flag --count: \"\" is not a whole number" },
		{ "--count=-1", NULL, "flag --count: \"-1\" is not a whole number" },
		{ "--count=0", NULL, "flag --count: 0 is not from 1 to 64" },
		{ "--count=65", NULL, "flag --count: 65 is not from 1 to 64" },
		{ "--count=18446744073709551617", NULL,
			"flag --count: 18446744073709551617 is not from 1 to 64" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		SETUP
		CHECK_INT(PARSE(cases[i].first, cases[i].second), -EINVAL);
		CHECK_STR(e.msg, cases[i].message);
		flags_fini(&set, &o);
	}
}

TEST(a_bad_default_is_an_error_too)
{
	static const struct flag bad[] = { { .name = "d",
						   .type = FLAG_DURATION,
						   AT(delay_ms),
						   .value_name = "D",
						   .default_text = "1",
						   .help = "" },
		{ 0 } };
	static const struct flag_set bad_set = { .usage = "", .summary = "", .table = bad };
	SETUP
	memset(&o, 0, sizeof o);
	CHECK_INT(flags_parse(&bad_set, 0, NULL, &o, rest, &n_rest, &e), -EINVAL);
}

TEST(the_help_is_made_from_the_table)
{
	auto_buf struct buf b = { 0 };
	flags_help(&set, &b);
	CHECK_STR(buf_str(&b),
		"usage: prog [flags] PLACE\n\nDoes things.\n\nFlags:\n"
		"  -h, --help                  Shows this.\n"
		"  -q                          Is quick.\n"
		"  -c, --[no-]careful          Is careful.\n"
		"  -f, --config.file=FILE      Reads it.\n"
		"      --data-dir=DIR          Where data is. (default: ./data)\n"
		"  -o, --query.replica-label=LABEL ...\n"
		"      --deduplication.replica-label=LABEL ...\n"
		"                              A label to drop.\n"
		"      --line=TEXT ...         A line. (default: x,y)\n"
		"      --level=LEVEL           How high. One of low, middle, high. (default:\n"
		"                              middle)\n"
		"      --delay=DURATION        How long. (default: 24h)\n"
		"      --min-time=TIME         From when on, as an RFC 3339 time or relative to\n"
		"                              now. (default: 0000-01-01T00:00:00Z)\n"
		"      --max-size=SIZE         Size. (default: 10GB)\n"
		"      --count=N               How many. (default: 5)\n");
}

TEST(the_list_has_a_line_a_flag)
{
	auto_buf struct buf b = { 0 };
	flags_list(&set, &b);
	CHECK_HAS(buf_str(&b), "-h|--help|--no-help\t\t\n-q\t\t\n");
	CHECK_HAS(buf_str(&b), "-o|--query.replica-label|--deduplication.replica-label\tLABEL\t\n");
	CHECK_HAS(buf_str(&b), "--level\tLEVEL\tlow|middle|high\n");
	CHECK(!strstr(buf_str(&b), "hatch"));
}

TEST(text_is_wrapped_at_blanks)
{
	auto_buf struct buf b = { 0 };
	flags_wrap(&b, "  one two   three averyveryverylongword end ", 2, 12);
	CHECK_STR(buf_str(&b), "  one two\n  three\n  averyveryverylongword\n  end\n");
}

TEST(a_word_that_is_far_from_all_has_no_nearest)
{
	static const struct {
		const char *typed, *nearest;
	} cases[] = {
		{ "sync-blok-duration", "sync-block-duration" },
		{ "sycn-block-duration", "sync-block-duration" },
		{ "sync", "sync-block-duration" },
		{ "level", "log.level" },
		{ "loglevel", "log.level" },
		{ "xyzzy", NULL },
		{ "", NULL },
		{ "o", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct nearest n = { .typed = cases[i].typed };
		nearest_try(&n, "sync-block-duration");
		nearest_try(&n, "log.level");
		nearest_try(&n, "log.format");
		if (cases[i].nearest)
			CHECK_STR(n.best, cases[i].nearest);
		else
			CHECK(!n.best);
	}
}

TEST_MAIN()
