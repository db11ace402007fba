/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include "lib/base/json.h"
#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int pipe_read;

/* Standard error goes into a pipe from here on. */
static void capture(enum log_level least, enum log_format format)
{
	int ends[2];
	CHECK_INT(pipe(ends), 0);
	CHECK(dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
	pipe_read = ends[0];
	log_setup(least, format);
}

/* What was logged since capture; ends the capture. */
static const char *captured(struct buf *b)
{
	ssize_t n;
	CHECK(dup2(STDOUT_FILENO, STDERR_FILENO) >= 0);
	while ((n = read(pipe_read, buf_reserve(b, 4096), 4096)) > 0)
		b->len += (size_t)n;
	close(pipe_read);
	return buf_str(b);
}

static void log_samples(void)
{
	log_info("block left out", KV("block", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
		KV("reason", "it's \"bad\" = bad\n\x01\\"), KV_U64("bytes", UINT64_MAX),
		KV_I64("min_time", INT64_MIN), KV_F64("ratio", 0.5), KV("none", NULL));
}

TEST(a_line_of_logfmt_quotes_what_needs_it)
{
	auto_buf struct buf b = { 0 };
	capture(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	log_samples();
	const char *line = captured(&b);
	int y, mo, d, h, mi, s, ms, used = 0;
	CHECK_INT(sscanf(line, "ts=%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &y, &mo, &d, &h, &mi, &s, &ms, &used), 7);
	CHECK_STR(line + used, " level=info msg=\"block left out\" block=01ARZ3NDEKTSV4RRFFQ69G5FAV "
			       "reason=\"it's \\\"bad\\\" = bad\\n\\u0001\\\\\" bytes=18446744073709551615 "
			       "min_time=-9223372036854775808 "
			       "ratio=0.5 none=\"\"\n");
}

TEST(a_line_of_json_is_json)
{
	auto_buf struct buf b = { 0 };
	struct err e;
	auto_of(json_doc) struct json_doc *d = NULL;
	const char *text;
	int64_t n;
	capture(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	log_samples();
	captured(&b);
	CHECK_INT(b.data[b.len - 1], '\n');
	/* jansson knows no number past int64. */
	char *bytes = strstr((char *)b.data, "18446744073709551615");
	CHECK(bytes);
	memcpy(bytes, "               12345", 20);
	CHECK_OK(json_doc_parse("log", b.data, b.len, &d, &e), &e);
	struct json_at root = json_root(d);
	CHECK_INT(json_get_str(&root, "msg", &text, &e), 1);
	CHECK_STR(text, "block left out");
	CHECK_INT(json_get_str(&root, "level", &text, &e), 1);
	CHECK_STR(text, "info");
	CHECK_INT(json_get_str(&root, "reason", &text, &e), 1);
	CHECK_STR(text, "it's \"bad\" = bad\n\x01\\");
	CHECK_INT(json_get_str(&root, "none", &text, &e), 1);
	CHECK_STR(text, "");
	CHECK_INT(json_get_i64(&root, "min_time", INT64_MIN, 0, &n, &e), 1);
	CHECK(n == INT64_MIN);
	CHECK_INT(json_get_str(&root, "ts", &text, &e), 1);
}

TEST(bytes_that_are_not_utf8_are_replaced)
{
	for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++) {
		auto_buf struct buf b = { 0 };
		capture(LOG_LEVEL_INFO, (enum log_format)format);
		log_info("x", KV("path", "h\xc3\xa4\xff.json"), KV("plain", "h\xc3\xa4"));
		const char *line = captured(&b);
		CHECK_HAS(line, format == LOG_FORMAT_JSON ? "\"path\":\"h\xc3\xa4\xef\xbf\xbd.json\""
							  : " path=\"h\xc3\xa4\xef\xbf\xbd.json\"");
		CHECK_HAS(line, format == LOG_FORMAT_JSON ? "\"plain\":\"h\xc3\xa4\"" : " plain=h\xc3\xa4\n");
	}
}

TEST(lower_levels_are_left_out)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	for (int least = LOG_LEVEL_DEBUG; least <= LOG_LEVEL_ERROR; least++) {
		auto_buf struct buf b = { 0 };
		capture((enum log_level)least, LOG_FORMAT_LOGFMT);
		log_debug("x");
		log_info("x");
		log_warn("x");
		log_error("x");
		const char *text = captured(&b);
		for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
			auto_free char *want = xasprintf("level=%s ", names[level]);
			CHECK_INT(strstr(text, want) != NULL, level >= least);
		}
	}
}

TEST(words_name_levels_and_formats)
{
	enum log_level level;
	enum log_format format;
	CHECK(log_level_parse("warn", &level));
	CHECK_INT(level, LOG_LEVEL_WARN);
	CHECK(log_format_parse("json", &format));
	CHECK_INT(format, LOG_FORMAT_JSON);
	CHECK(!log_level_parse("WARN", &level) && !log_level_parse("", &level) &&
		!log_level_parse("fatal", &level));
	CHECK(!log_format_parse("text", &format));
}

static void *log_often(void *word)
{
	for (int i = 0; i < 200; i++)
		log_info("line", KV("word", word), KV("again", word));
	return NULL;
}

static void *read_all(void *out)
{
	struct buf *b = out;
	ssize_t n;
	while ((n = read(pipe_read, buf_reserve(b, 4096), 4096)) > 0)
		b->len += (size_t)n;
	return NULL;
}

TEST(lines_of_threads_do_not_mix)
{
	auto_buf struct buf b = { 0 };
	static char words[4][32] = { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccc",
		"dddddddddddddddddddd" };
	pthread_t threads[4], reader;
	capture(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	CHECK_INT(pthread_create(&reader, NULL, read_all, &b), 0);
	for (int i = 0; i < 4; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, log_often, words[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(dup2(STDOUT_FILENO, STDERR_FILENO) >= 0); /* the pipe's last writer */
	pthread_join(reader, NULL);
	int lines = 0;
	buf_str(&b);
	char *save = NULL;
	for (char *line = strtok_r((char *)b.data, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save), lines++) {
		char first[64], second[64];
		CHECK_INT(sscanf(line, "ts=%*s level=info msg=line word=%63s again=%63s", first, second), 2);
		CHECK_STR(first, second);
	}
	CHECK_INT(lines, 800);
}

TEST_MAIN()
