/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON writer. All it has to remember is whether something stands already in the innermost container:
 * once a container ends, it is itself an element of the one around it, so one flag and a depth replace a
 * stack.
 */
#include "lib/base/json.h"

#include "lib/base/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void json_writer_init(struct json_writer *w, struct buf *out, unsigned flags)
{
	*w = (struct json_writer){ .out = out, .flags = flags, .is_first = true };
}

static void new_line(struct json_writer *w)
{
	if (!(w->flags & JSON_INDENT))
		return;
	buf_add_u8(w->out, '\n');
	memset(buf_reserve(w->out, w->depth + 1), '\t', w->depth);
	w->out->len += w->depth;
}

/* What stands before a value or a key. */
static void separate(struct json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (!w->is_first)
		buf_add_u8(w->out, ',');
	w->is_first = false;
	if (w->depth)
		new_line(w);
}

static void begin(struct json_writer *w, char bracket)
{
	separate(w);
	buf_add_u8(w->out, (uint8_t)bracket);
	w->depth++;
	w->is_first = true;
}

static void end(struct json_writer *w, char bracket)
{
	assert(w->depth && !w->after_key);
	w->depth--;
	if (!w->is_first)
		new_line(w);
	buf_add_u8(w->out, (uint8_t)bracket);
	w->is_first = false;
}

void json_write_object(struct json_writer *w)
{
	begin(w, '{');
}

void json_write_object_end(struct json_writer *w)
{
	end(w, '}');
}

void json_write_array(struct json_writer *w)
{
	begin(w, '[');
}

void json_write_array_end(struct json_writer *w)
{
	end(w, ']');
}

/* Writes the escape of what stands at p and returns the bytes it took; 0: these bytes need none. */
static size_t escape(struct json_writer *w, const uint8_t *p, size_t n, size_t *plain)
{
	static const char letters[] = "btn\0fr";
	uint8_t c = *p;
	*plain = 1;
	if (c == '"' || c == '\\')
		buf_printf(w->out, "\\%c", c);
	else if (c >= '\b' && c <= '\r' && letters[c - '\b'])
		buf_printf(w->out, "\\%c", letters[c - '\b']);
	else if (c < 0x20 || ((w->flags & JSON_HTML) && (c == '<' || c == '>' || c == '&')))
		buf_printf(w->out, "\\u%04x", c);
	else if (c < 0x80)
		return 0;
	else if (!(*plain = utf8_sequence(p, n)))
		buf_add_str(w->out, "\\ufffd");
	else if ((w->flags & JSON_HTML) && *plain == 3 && p[0] == 0xe2 && p[1] == 0x80 &&
		 (p[2] | 1) == 0xa9) {
		buf_printf(w->out, "\\u202%c", p[2] == 0xa8 ? '8' : '9');
		return 3;
	} else
		return 0;
	return 1;
}

static void quoted(struct json_writer *w, const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + n, *plain = p;
	buf_add_u8(w->out, '"');
	while (p < end) {
		if (*p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\' && !(w->flags & JSON_HTML)) {
			p++;
			continue;
		}
		/* The run before goes out first; an escape that turns out not to be needed only ends it
		 * early. */
		buf_add(w->out, plain, (size_t)(p - plain));
		size_t sequence, used = escape(w, p, (size_t)(end - p), &sequence);
		if (!used)
			buf_add(w->out, p, sequence);
		p += used ? used : sequence;
		plain = p;
	}
	buf_add(w->out, plain, (size_t)(p - plain));
	buf_add_u8(w->out, '"');
}

void json_write_key(struct json_writer *w, const char *key)
{
	assert(!w->after_key);
	separate(w);
	quoted(w, key, strlen(key));
	buf_add_str(w->out, w->flags & JSON_INDENT ? ": " : ":");
	w->after_key = true;
}

void json_write_str_n(struct json_writer *w, const char *s, size_t n)
{
	separate(w);
	quoted(w, s, n);
}

void json_write_str(struct json_writer *w, const char *s)
{
	if (s)
		json_write_str_n(w, s, strlen(s));
	else
		json_write_null(w);
}

void json_write_i64(struct json_writer *w, int64_t v)
{
	separate(w);
	buf_printf(w->out, "%" PRId64, v);
}

void json_write_u64(struct json_writer *w, uint64_t v)
{
	separate(w);
	buf_printf(w->out, "%" PRIu64, v);
}

void json_write_double(struct json_writer *w, double v)
{
	if (!isfinite(v)) {
		json_write_null(w);
		return;
	}
	separate(w);
	char text[40];
	for (int digits = 0; digits < 17; digits++) {
		snprintf(text, sizeof text, "%.*e", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	double size = fabs(v);
	const char *e = strchr(text, 'e');
	int exponent = atoi(e + 1);
	int digits = (int)(e - text) - (text[0] == '-') - (strchr(text, '.') != NULL); /* that matter */
	if (v == 0 || (size >= 1e-6 && size < 1e21)) {
		int after = digits - 1 - exponent;
		if (after >= 0)
			buf_printf(w->out, "%.*f", after, v);
		else /* the digits that matter, and zeros: "%f" would print the exact value of a large double
		      */
			buf_printf(w->out, "%s%s%.*s%.*s", v < 0 ? "-" : "", (char[]){ text[v < 0], 0 },
				digits > 1 ? digits - 1 : 0, digits > 1 ? text + (v < 0) + 2 : "", -after,
				"000000000000000000000");
		return;
	}
	buf_printf(w->out, "%.*se%c%d", (int)(e - text), text, exponent < 0 ? '-' : '+', abs(exponent));
}

void json_write_bool(struct json_writer *w, bool v)
{
	separate(w);
	buf_add_str(w->out, v ? "true" : "false");
}

void json_write_null(struct json_writer *w)
{
	separate(w);
	buf_add_str(w->out, "null");
}

void json_write_raw(struct json_writer *w, const char *json, size_t n)
{
	separate(w);
	buf_add(w->out, json, n);
}

void json_write_key_str(struct json_writer *w, const char *key, const char *s)
{
	json_write_key(w, key);
	json_write_str(w, s);
}

void json_write_key_i64(struct json_writer *w, const char *key, int64_t v)
{
	json_write_key(w, key);
	json_write_i64(w, v);
}

void json_write_key_u64(struct json_writer *w, const char *key, uint64_t v)
{
	json_write_key(w, key);
	json_write_u64(w, v);
}

void json_write_key_bool(struct json_writer *w, const char *key, bool v)
{
	json_write_key(w, key);
	json_write_bool(w, v);
}
