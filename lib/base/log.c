/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum log_level least_level = LOG_LEVEL_INFO;
static enum log_format log_format = LOG_FORMAT_LOGFMT;

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const char *const format_names[] = { "logfmt", "json" };

void log_setup(enum log_level least, enum log_format format)
{
	least_level = least;
	log_format = format;
}

bool log_level_parse(const char *word, enum log_level *out)
{
	for (unsigned i = 0; i < ARRAY_LEN(level_names); i++)
		if (!strcmp(word, level_names[i]))
			return *out = (enum log_level)i, true;
	return false;
}

bool log_format_parse(const char *word, enum log_format *out)
{
	for (unsigned i = 0; i < ARRAY_LEN(format_names); i++)
		if (!strcmp(word, format_names[i]))
			return *out = (enum log_format)i, true;
	return false;
}

static void add_quoted(struct buf *b, const char *s)
{
	buf_add_u8(b, '"');
	size_t left = strlen(s), len;
	for (; left; s += len, left -= len) {
		unsigned char c = (unsigned char)*s;
		uint32_t character;
		len = utf8_decode(s, left, &character);
		if (c >= 0x80)
			utf8_add(b, character); /* a byte that is no UTF-8 would make the line no JSON */
		else if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n')
			buf_add_str(b, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\u%04x", c);
		else
			buf_add_u8(b, c);
	}
	buf_add_u8(b, '"');
}

static void add_str(struct buf *b, const char *s)
{
	bool plain = *s && log_format == LOG_FORMAT_LOGFMT;
	plain = plain && utf8_is_valid(s, strlen(s));
	for (const char *p = s; plain && *p; p++)
		plain = (unsigned char)*p > ' ' && *p != '"' && *p != '=' && *p != 0x7f;
	if (plain)
		buf_add_str(b, s);
	else
		add_quoted(b, s);
}

static void add_field(struct buf *b, const struct log_field *f)
{
	if (log_format == LOG_FORMAT_JSON)
		buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", f->key);
	else
		buf_printf(b, "%s%s=", b->len ? " " : "", f->key);
	switch (f->type) {
	case LOG_STR: add_str(b, f->str ? f->str : ""); break;
	case LOG_I64: buf_printf(b, "%" PRId64, f->i64); break;
	case LOG_U64: buf_printf(b, "%" PRIu64, f->u64); break;
	case LOG_F64: buf_printf(b, "%g", f->f64); break;
	}
}

void log_event(enum log_level level, const char *msg, const struct log_field *fields)
{
	if (level < least_level)
		return;
	auto_buf struct buf b = { 0 };
	char when[40];
	int64_t now = clock_unix_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	size_t n = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
	snprintf(when + n, sizeof when - n, ".%03dZ", (int)(now % 1000));

	if (log_format == LOG_FORMAT_JSON)
		buf_add_u8(&b, '{');
	add_field(&b, &KV("ts", when));
	add_field(&b, &KV("level", level_names[level]));
	add_field(&b, &KV("msg", msg));
	for (; fields->key; fields++)
		add_field(&b, fields);
	buf_add_str(&b, log_format == LOG_FORMAT_JSON ? "}\n" : "\n");
	if (write(STDERR_FILENO, b.data, b.len) < 0)
		return; /* nowhere left to say it */
}
