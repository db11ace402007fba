/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line an event on stderr, logfmt or JSON. The message is constant, what varies is in fields:
 *
 *	log_info("block left out", KV("block", id), KV("reason", e.msg), KV_U64("bytes", n));
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
	const char *key;
	enum { LOG_STR, LOG_I64, LOG_U64, LOG_F64 } type;
	union {
		const char *str; /* NULL prints as empty */
		int64_t i64;
		uint64_t u64;
		double f64;
	};
};

#define KV(k, v)     ((struct log_field){ .key = (k), .type = LOG_STR, .str = (v) })
#define KV_I64(k, v) ((struct log_field){ .key = (k), .type = LOG_I64, .i64 = (int64_t)(v) })
#define KV_U64(k, v) ((struct log_field){ .key = (k), .type = LOG_U64, .u64 = (uint64_t)(v) })
#define KV_F64(k, v) ((struct log_field){ .key = (k), .type = LOG_F64, .f64 = (v) })

void log_setup(enum log_level least, enum log_format format);

/* debug, info, warn, error; logfmt, json. False for any other word. */
bool log_level_parse(const char *word, enum log_level *out);
bool log_format_parse(const char *word, enum log_format *out);

/* One write(2) a line, so that lines of threads and processes never mix. Fields end at a NULL key. */
void log_event(enum log_level level, const char *msg, const struct log_field *fields);

#define log_at(level, msg, ...) \
	log_event(level, msg, (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ .key = NULL } })
#define log_debug(msg, ...) log_at(LOG_LEVEL_DEBUG, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_info(msg, ...)  log_at(LOG_LEVEL_INFO, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(msg, ...)  log_at(LOG_LEVEL_WARN, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_error(msg, ...) log_at(LOG_LEVEL_ERROR, msg __VA_OPT__(, ) __VA_ARGS__)

#endif
