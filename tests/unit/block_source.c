/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/block_source.h"

#include "lib/base/file.h"
#include "lib/tsdb/block_dir.h"
#include "tests/support/block_sketch.h"
#include "tests/support/fleet_blocks.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define T0   1700000000000
#define STEP 15000

static struct series_source *open_source(void)
{
	struct err e;
	struct series_source *s;
	CHECK_OK(block_source_open(test_dir(), &s, &e), &e);
	return s;
}

/* What {name=value}, or all where that is NULL, selects; -errno. */
static int try_select(struct series_source *s, const char *name, const char *value, int64_t mint,
	int64_t maxt, struct series_set **out, struct err *e)
{
	struct matcher m;
	CHECK_OK(matcher_init(&m, name ? MATCH_EQUAL : MATCH_NOT_EQUAL, text_of(name ? name : "__name__"),
			 text_of(name ? value : ""), e),
		e);
	const struct selection what = { .matchers = &m, .n_matchers = 1, .mint = mint, .maxt = maxt };
	return s->ops->select(s, &what, out, e);
}

static struct series_set *select_all(struct series_source *s, int64_t mint, int64_t maxt)
{
	struct err e;
	struct series_set *set;
	CHECK_OK(try_select(s, NULL, NULL, mint, maxt, &set, &e), &e);
	return set;
}

/* "{...} t=v t=v", times in seconds from T0; a histogram's v is its count with an h. */
static void print_series(struct series_set *set, size_t i, int64_t mint, int64_t maxt, struct buf *out)
{
	struct err e;
	struct samples s = { 0 };
	label_set_print(&set->labels[i], out);
	CHECK_OK(set->ops->read(set, i, mint, maxt, &s, &e), &e);
	for (size_t k = 0; k < s.n; k++) {
		double t = (double)(s.t[k] - T0) / 1000;
		if (s.h && s.h[k])
			buf_printf(out, " %g=%gh", t, s.h[k]->count);
		else
			buf_printf(out, " %g=%g", t, s.v[k]);
	}
	samples_fini(&s);
}

static const char *all_of(struct series_source *s, int64_t from_s, int64_t to_s, struct buf *out)
{
	int64_t mint = T0 + from_s * 1000, maxt = T0 + to_s * 1000;
	auto_of(series_set) struct series_set *set = select_all(s, mint, maxt);
	set->ops->will_read(set, 0, set->n);
	buf_reset(out);
	for (size_t i = 0; i < set->n; i++) {
		buf_add_str(out, i ? "\n" : "");
		print_series(set, i, mint, maxt, out);
	}
	return buf_str(out);
}

/* Samples at T0 + at seconds with these values, -1 ends them, as one chunk. */
static void add_samples(struct block_sketch *b, const int *at_and_value)
{
	struct sample list[32];
	size_t n = 0;
	for (; at_and_value[2 * n] >= 0; n++)
		list[n] = (struct sample){ T0 + at_and_value[2 * n] * 1000ll,
			bits_of(at_and_value[2 * n + 1]) };
	sketch_list(b, list, n);
}
#define SAMPLES(b, ...) add_samples(b, (const int[]){ __VA_ARGS__, -1 })

TEST(a_directory_without_blocks_has_no_series)
{
	auto_of(series_source) struct series_source *s = open_source();
	auto_of(series_set) struct series_set *set = select_all(s, INT64_MIN, INT64_MAX);
	CHECK_INT(set->n, 0);
}

TEST(only_samples_of_the_range_are_read)
{
	struct block_sketch *b = block_sketch_new(1, "");
	auto_buf struct buf got = { 0 };
	sketch_series(b, "__name__=up,job=a");
	SAMPLES(b, 0, 1, 10, 2, 20, 3);
	SAMPLES(b, 30, 4, 40, 5);
	sketch_series(b, "__name__=up,job=b");
	SAMPLES(b, 50, 6);
	block_sketch_write(b, test_dir());
	auto_of(series_source) struct series_source *s = open_source();
	CHECK_STR(all_of(s, 0, 60, &got),
		"{__name__=\"up\", job=\"a\"} 0=1 10=2 20=3 30=4 40=5\n{__name__=\"up\", job=\"b\"} 50=6");
	CHECK_STR(all_of(s, 10, 30, &got), "{__name__=\"up\", job=\"a\"} 10=2 20=3 30=4");
	CHECK_STR(all_of(s, 11, 19, &got), "{__name__=\"up\", job=\"a\"}");
	CHECK_STR(all_of(s, 21, 29, &got), "");
	CHECK_STR(all_of(s, 45, 100, &got), "{__name__=\"up\", job=\"b\"} 50=6");
	CHECK_STR(all_of(s, 51, 100, &got), "");
}

TEST(a_series_of_several_blocks_is_one)
{
	auto_buf struct buf got = { 0 };
	struct block_sketch *b = block_sketch_new(2, "");
	sketch_series(b, "__name__=up,job=a");
	SAMPLES(b, 100, 5, 110, 6);
	sketch_series(b, "__name__=up,job=c");
	SAMPLES(b, 100, 7);
	block_sketch_write(b, test_dir());
	b = block_sketch_new(1, "");
	sketch_series(b, "__name__=up,job=a");
	SAMPLES(b, 0, 1, 10, 2);
	sketch_series(b, "__name__=up,job=b");
	SAMPLES(b, 0, 3);
	block_sketch_write(b, test_dir());
	auto_of(series_source) struct series_source *s = open_source();
	CHECK_STR(all_of(s, 0, 200, &got),
		"{__name__=\"up\", job=\"a\"} 0=1 10=2 100=5 110=6\n"
		"{__name__=\"up\", job=\"b\"} 0=3\n{__name__=\"up\", job=\"c\"} 100=7");
	CHECK_STR(all_of(s, 20, 200, &got),
		"{__name__=\"up\", job=\"a\"} 100=5 110=6\n{__name__=\"up\", job=\"c\"} 100=7");
}

TEST(of_blocks_that_overlap_the_first_sample_of_a_time_stays)
{
	auto_buf struct buf got = { 0 };
	for (unsigned i = 1; i <= 3; i++) {
		struct block_sketch *b = block_sketch_new(i, "");
		sketch_series(b, "__name__=up");
		SAMPLES(b, (int)i, 100 * (int)i, 10, 100 * (int)i, 20 + (int)i, 100 * (int)i);
		block_sketch_write(b, test_dir());
	}
	auto_of(series_source) struct series_source *s = open_source();
	CHECK_STR(all_of(s, 0, 60, &got), "{__name__=\"up\"} 1=100 2=200 3=300 10=100 21=100 22=200 23=300");
}

TEST(deleted_samples_are_not_read)
{
	auto_buf struct buf got = { 0 };
	struct block_sketch *b = block_sketch_new(1, "");
	sketch_series(b, "__name__=up,job=a");
	SAMPLES(b, 0, 1, 10, 2, 20, 3, 30, 4);
	SAMPLES(b, 40, 5, 50, 6);
	sketch_delete(b, T0 + 10000, T0 + 20000);
	sketch_delete(b, T0 + 35000, T0 + 55000);
	sketch_series(b, "__name__=up,job=gone");
	SAMPLES(b, 0, 1, 10, 2);
	sketch_delete(b, T0, T0 + 10000);
	sketch_series(b, "__name__=up,job=kept");
	SAMPLES(b, 0, 1);
	block_sketch_write(b, test_dir());
	auto_of(series_source) struct series_source *s = open_source();
	CHECK_STR(all_of(s, 0, 60, &got),
		"{__name__=\"up\", job=\"a\"} 0=1 30=4\n{__name__=\"up\", job=\"kept\"} 0=1");
	CHECK_STR(all_of(s, 36, 60, &got), "");
}

TEST(histograms_and_floats_of_one_series_are_read)
{
	auto_buf struct buf got = { 0 };
	struct block_sketch *b = block_sketch_new(1, "");
	sketch_series(b, "__name__=h");
	SAMPLES(b, 0, 1);
	sketch_histograms(b, false, HISTOGRAM_UNKNOWN_RESET, T0 + 10000, 10000, 3, 5, 2, 0);
	SAMPLES(b, 50, 2);
	sketch_histograms(b, true, HISTOGRAM_UNKNOWN_RESET, T0 + 60000, 10000, 2, 1, 1, 0);
	block_sketch_write(b, test_dir());
	auto_of(series_source) struct series_source *s = open_source();
	CHECK_STR(all_of(s, 0, 100, &got), "{__name__=\"h\"} 0=1 10=5h 20=7h 30=9h 50=2 60=1h 70=2h");
	CHECK_STR(all_of(s, 20, 60, &got), "{__name__=\"h\"} 20=7h 30=9h 50=2 60=1h");
}

/* "at:start at:start", in ms from T0; "-" for a start that isn't known. */
static const char *starts_of(struct series_source *s, int64_t mint, int64_t maxt, struct buf *out)
{
	struct err e;
	auto_of(series_set) struct series_set *set = select_all(s, T0 + mint, T0 + maxt);
	struct samples got = { 0 };
	buf_reset(out);
	CHECK_INT(set->n, 1);
	CHECK_OK(set->ops->read(set, 0, T0 + mint, T0 + maxt, &got, &e), &e);
	for (size_t i = 0; i < got.n; i++) {
		buf_printf(out, "%s%lld:", i ? " " : "", (long long)(got.t[i] - T0));
		if (got.start && got.start[i])
			buf_printf(out, "%lld", (long long)(got.start[i] - T0));
		else
			buf_add_u8(out, '-');
	}
	samples_fini(&got);
	return buf_str(out);
}

TEST(start_times_of_chunks_that_have_them_are_read)
{
	auto_buf struct buf got = { 0 };
	struct block_sketch *b = block_sketch_new(1, "");
	sketch_series(b, "__name__=up");
	sketch_chunk(b, CHUNK_XOR2,
		"00070280a0abfef96200000000000000009875c22bffa12bfff83a97aa173f0753113f73cb35824f"
		"f0000c5e7f31f6c548feffbfff9d0c065cc240",
		T0, T0 + 90000, 7);
	SAMPLES(b, 100, 1);
	sketch_delete(b, T0 + 46000, T0 + 61000);
	block_sketch_write(b, test_dir());
	b = block_sketch_new(2, "");
	sketch_series(b, "__name__=up");
	sketch_chunk(b, CHUNK_HISTOGRAM_ST,
		"c00580019a53dd1fc0003179fcad001595ffc8e1852605c114af7aeac0af83a98b30ffffcddbacab6202c6d231"
		"328007b6a3337768c6d2b16dad0003f808d79cc747de48a46001d01d6af68c8134de5c",
		T0, T0 + 60000, 5);
	block_sketch_write(b, test_dir());
	auto_of(series_source) struct series_source *s = open_source();
	/* The second block only has what was deleted from the first; that is a histogram. */
	CHECK_STR(starts_of(s, 0, 200000, &got),
		"0:- 15000:- 30000:1 45000:1 60000:-84759 75000:- 90000:89999 100000:-");
	CHECK_STR(starts_of(s, 30000, 60000, &got), "30000:1 45000:1 60000:-84759");
	CHECK_STR(starts_of(s, 100000, 200000, &got), "100000:-");
}

TEST(where_blocks_meet_a_histogram_says_nothing_of_resets)
{
	struct err e;
	for (unsigned i = 1; i <= 2; i++) {
		struct block_sketch *b = block_sketch_new(i, "");
		sketch_series(b, "__name__=h");
		sketch_histograms(b, false, HISTOGRAM_NOT_RESET, T0 + i * 100000, 10000, 3, 5, 2, 0);
		block_sketch_write(b, test_dir());
	}
	auto_of(series_source) struct series_source *s = open_source();
	auto_of(series_set) struct series_set *set = select_all(s, T0, T0 + 1000000);
	struct samples got = { 0 };
	CHECK_OK(set->ops->read(set, 0, T0, T0 + 1000000, &got, &e), &e);
	CHECK_INT(got.n, 6);
	for (size_t i = 0; i < 6; i++)
		CHECK_INT(got.h[i]->reset_hint, i % 3 ? RESET_NO : RESET_UNKNOWN);
	samples_fini(&got);
}

/* Writes a block of two series of 300 samples and returns the path of a file of it. */
static char *big_block(const char *file)
{
	struct block_sketch *b = block_sketch_new(1, "");
	sketch_series(b, "__name__=up,job=a");
	sketch_floats(b, T0, STEP, 300, 0);
	sketch_series(b, "__name__=up,job=b");
	sketch_floats(b, T0, STEP, 300, 0.5);
	return xasprintf("%s/%s/%s", test_dir(), block_sketch_write(b, test_dir()), file);
}

static void write_at(const char *path, int64_t at, const void *p, size_t n)
{
	auto_close_fd int fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && pwrite(fd, p, n, at) == (ssize_t)n);
}

TEST(a_damaged_chunk_fails_its_series_in_the_words_of_prometheus)
{
	struct err e;
	auto_free char *path = big_block("chunks/000001");
	write_at(path, 40, "damage", 6);
	auto_of(series_source) struct series_source *s = open_source();
	auto_of(series_set) struct series_set *set = select_all(s, T0, T0 + 1000 * STEP);
	struct samples got = { 0 };
	samples_reserve(&got, 1);
	got.n = 1;
	CHECK_INT(set->n, 2);
	CHECK_INT(set->ops->read(set, 0, T0, T0 + 1000 * STEP, &got, &e), -EBADMSG);
	CHECK_HAS(e.msg, "cannot populate chunk 8 from block 01");
	CHECK_HAS(e.msg, ": checksum mismatch expected:");
	CHECK_HAS(e.msg, ", actual:");
	CHECK_HAS(e.msg, "(series {__name__=\"up\", job=\"a\"})");
	CHECK_INT(got.n, 1); /* what stood there before */
	CHECK_OK(set->ops->read(set, 1, T0, T0 + 1000 * STEP, &got, &e), &e);
	CHECK_INT(got.n, 301);
	/* Chunks beside the damaged one can be read. */
	CHECK_OK(set->ops->read(set, 0, T0 + 120 * STEP, T0 + 1000 * STEP, &got, &e), &e);
	CHECK_INT(got.n, 301 + 180);
	samples_fini(&got);
}

TEST(zeros_for_a_chunk_are_a_wrong_checksum)
{
	struct err e;
	static const char zeros[2000];
	auto_free char *path = big_block("chunks/000001");
	write_at(path, 8, zeros, sizeof zeros);
	auto_of(series_source) struct series_source *s = open_source();
	auto_of(series_set) struct series_set *set = select_all(s, T0, T0 + 1000 * STEP);
	struct samples got = { 0 };
	CHECK_INT(set->ops->read(set, 0, T0, T0 + 1000 * STEP, &got, &e), -EBADMSG);
	CHECK_HAS(e.msg, "checksum mismatch expected:0, actual:527d5351");
	samples_fini(&got);
}

TEST(a_segment_that_becomes_shorter_fails_the_query_and_not_the_process)
{
	struct err e;
	auto_free char *path = big_block("chunks/000001");
	auto_buf struct buf bytes = { 0 };
	CHECK_OK(file_read(path, 1 << 20, &bytes, &e), &e);
	auto_of(series_source) struct series_source *s = open_source();
	auto_of(series_set) struct series_set *set = select_all(s, T0, T0 + 1000 * STEP);
	struct samples got = { 0 };
	CHECK_INT(truncate(path, 0), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(set->ops->read(set, 1, T0, T0 + 1000 * STEP, &got, &e), -EIO);
		CHECK_HAS(e.msg, "can't be read");
		CHECK_HAS(e.msg, "job=\"b\"");
		CHECK_INT(got.n, 0);
	}
	set->ops->will_read(set, 0, 2);
	write_at(path, 0, bytes.data, bytes.len);
	CHECK_OK(set->ops->read(set, 1, T0, T0 + 1000 * STEP, &got, &e), &e);
	CHECK_INT(got.n, 300);
	samples_fini(&got);
}

TEST(an_index_that_becomes_shorter_fails_the_query_and_not_the_process)
{
	struct err e;
	auto_free char *path = big_block("index");
	auto_of(series_source) struct series_source *s = open_source();
	struct series_set *set = select_all(s, T0, T0 + 1000 * STEP), *none;
	struct samples got = { 0 };
	CHECK_INT(truncate(path, 0), 0);
	CHECK_INT(try_select(s, "job", "a", T0, T0 + 1000 * STEP, &none, &e), -EIO);
	CHECK_HAS(e.msg, "can't be read");
	CHECK_INT(set->ops->read(set, 0, T0, T0 + 1000 * STEP, &got, &e), -EIO);
	set->ops->will_read(set, 0, 2);
	CHECK_HAS(set->labels[0].pairs[1].value.p, "a"); /* labels are memory of our own */
	series_set_free(set);
	samples_fini(&got);
}

TEST(a_block_whose_index_is_bad_fails_the_queries_that_need_it)
{
	struct err e;
	struct series_set *set;
	auto_free char *path = big_block("index");
	write_at(path, 0, "x", 1);
	auto_of(series_source) struct series_source *s = open_source();
	CHECK_INT(try_select(s, "job", "a", T0, T0 + STEP, &set, &e), -EBADMSG);
	CHECK_HAS(e.msg, "/index is not an index");
	CHECK_OK(try_select(s, "job", "a", T0 - 2 * STEP, T0 - STEP, &set, &e), &e);
	CHECK_INT(set->n, 0);
	series_set_free(set);
}

static const char *texts_of(const struct text *list, size_t n, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%.*s", i ? " " : "", (int)list[i].len, list[i].p);
	return buf_str(out);
}

TEST(names_and_values_of_labels_are_listed)
{
	struct err e;
	auto_buf struct buf got = { 0 };
	auto_of(arena) struct arena *a = arena_new(NULL);
	struct block_sketch *b = block_sketch_new(1, "");
	sketch_series(b, "__name__=up,job=a,x=1");
	SAMPLES(b, 0, 1);
	sketch_series(b, "__name__=up,job=c");
	SAMPLES(b, 0, 1);
	block_sketch_write(b, test_dir());
	b = block_sketch_new(2, "");
	sketch_series(b, "__name__=up,job=b,y=1");
	SAMPLES(b, 100, 1);
	block_sketch_write(b, test_dir());
	auto_of(series_source) struct series_source *s = open_source();
	struct matcher m;
	CHECK_OK(matcher_init(&m, MATCH_REGEX, TEXT("job"), TEXT("a|b"), &e), &e);
	static const struct {
		const char *name; /* NULL: names */
		size_t n_matchers;
		int from, to;
		size_t limit;
		const char *want;
	} cases[] = {
		{ NULL, 0, 0, 100, 0, "__name__ job x y" },
		{ NULL, 0, 0, 50, 0, "__name__ job x" },
		{ NULL, 0, 0, 100, 3, "__name__ job x" },
		{ NULL, 1, 50, 100, 0, "__name__ job y" },
		{ "job", 0, 0, 100, 0, "a b c" },
		{ "job", 0, 0, 100, 2, "a b" },
		{ "job", 0, 60, 100, 0, "b" },
		{ "job", 1, 0, 100, 0, "a b" },
		{ "job", 1, 0, 100, 1, "a" },
		{ "x", 1, 0, 100, 0, "1" },
		{ "nothing", 0, 0, 100, 0, "" },
		{ "nothing", 1, 0, 100, 0, "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct text *list;
		size_t n;
		const struct selection what = { .matchers = &m,
			.n_matchers = cases[i].n_matchers,
			.mint = T0 + cases[i].from * 1000,
			.maxt = T0 + cases[i].to * 1000 };
		if (cases[i].name)
			CHECK_OK(s->ops->label_values(
					 s, text_of(cases[i].name), &what, cases[i].limit, a, &list, &n, &e),
				&e);
		else
			CHECK_OK(s->ops->label_names(s, &what, cases[i].limit, a, &list, &n, &e), &e);
		CHECK_STR(texts_of(list, n, &got), cases[i].want);
	}
	matcher_fini(&m);
}

TEST(a_query_goes_on_with_blocks_that_have_gone)
{
	auto_buf struct buf got = { 0 };
	struct err e;
	auto_free char *path = big_block("");
	auto_of(series_source) struct series_source *s = open_source();
	struct series_set *set = select_all(s, T0, T0 + 1000 * STEP);
	CHECK_OK(file_remove_tree(path, &e), &e);
	print_series(set, 0, T0, T0 + STEP, &got);
	CHECK_STR(buf_str(&got), "{__name__=\"up\", job=\"a\"} 0=1.7e+09 15=1.7e+09");
	series_source_free(take(s));
	print_series(set, 1, T0, T0 + STEP, &got);
	series_set_free(set);
}

TEST(a_block_that_went_before_it_was_opened_is_not_missed)
{
	struct err e;
	auto_buf struct buf got = { 0 };
	struct block_sketch *b = block_sketch_new(1, "");
	sketch_series(b, "__name__=up");
	SAMPLES(b, 0, 1);
	auto_free char *gone = xasprintf("%s/%s", test_dir(), block_sketch_write(b, test_dir()));
	auto_of(series_source) struct series_source *s = open_source();
	CHECK_OK(file_remove_tree(gone, &e), &e);
	b = block_sketch_new(2, "");
	sketch_series(b, "__name__=up");
	SAMPLES(b, 0, 2);
	block_sketch_write(b, test_dir());
	CHECK_STR(all_of(s, 0, 10, &got), "{__name__=\"up\"} 0=2");
}

/* Whether the line is this sample as promtool dumps it: labels, value, time. */
static bool is_dumped(const char *line, const char *labels, double v, int64_t t)
{
	size_t n = strlen(labels);
	char *rest;
	if (strncmp(line, labels, n) != 0 || line[n] != ' ')
		return false;
	double value = strtod(line + n, &rest);
	return bits_of(value) == bits_of(v) && strtoll(rest, &rest, 10) == t && *rest == '\n';
}

TEST(promtool_dumps_what_is_read)
{
	struct err e;
	if (access("/usr/bin/promtool", X_OK) < 0)
		test_skip("promtool is not installed");
	for (unsigned i = 0; i < 2; i++)
		fleet_block_write(test_dir(), "eu", 0, i, 2);
	auto_free char *wal = xasprintf("%s/wal", test_dir());
	CHECK_OK(file_mkdirs(wal, 0755, &e), &e);
	auto_of(series_source) struct series_source *s = open_source();
	auto_of(series_set) struct series_set *set = select_all(s, INT64_MIN, INT64_MAX);
	auto_free char *command = xasprintf("promtool tsdb dump %s 2>&1", test_dir());
	FILE *f = popen(command, "r");
	CHECK(f != NULL);
	struct samples got = { 0 };
	char line[1024];
	size_t n = 0;
	for (size_t i = 0; i < set->n; i++) {
		auto_buf struct buf labels = { 0 };
		label_set_print(&set->labels[i], &labels);
		samples_clear(&got);
		CHECK_OK(set->ops->read(set, i, INT64_MIN, INT64_MAX, &got, &e), &e);
		for (size_t k = 0; k < got.n; k++, n++) {
			CHECK(fgets(line, sizeof line, f) != NULL);
			if (!is_dumped(line, buf_str(&labels), got.v[k], got.t[k]))
				test_fail(__FILE__, __LINE__, "%s %.17g %lld isn't %s", buf_str(&labels),
					got.v[k], (long long)got.t[k], line);
		}
	}
	CHECK(fgets(line, sizeof line, f) == NULL);
	CHECK_INT(pclose(f), 0);
	CHECK(n > 10000);
	samples_fini(&got);
}

struct reading {
	struct series_source *source;
	uintptr_t wrong;
};

static void *read_over_and_over(void *arg)
{
	struct reading *r = arg;
	struct samples got = { 0 };
	for (int round = 0; round < 20; round++) {
		struct series_set *set;
		struct err e;
		if (try_select(r->source, NULL, NULL, T0, T0 + 1000 * STEP, &set, &e) < 0) {
			r->wrong++;
			continue;
		}
		set->ops->will_read(set, 0, set->n);
		for (size_t i = 0; i < set->n; i++) {
			samples_clear(&got);
			r->wrong +=
				set->ops->read(set, i, T0, T0 + 1000 * STEP, &got, &e) < 0 || got.n != 300;
		}
		r->wrong += set->n != 2;
		series_set_free(set);
	}
	samples_fini(&got);
	return NULL;
}

TEST(several_queries_at_a_time_read_the_same)
{
	free(big_block(""));
	auto_of(series_source) struct series_source *s = open_source();
	pthread_t threads[4];
	struct reading r[4];
	for (int i = 0; i < 4; i++) {
		r[i] = (struct reading){ .source = s };
		CHECK_INT(pthread_create(&threads[i], NULL, read_over_and_over, &r[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		CHECK_INT(pthread_join(threads[i], NULL), 0);
		CHECK_INT(r[i].wrong, 0);
	}
}

TEST_MAIN()
