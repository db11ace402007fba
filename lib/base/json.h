/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: a writer that appends to a buffer as it goes, and a checked reader of small documents whose errors
 * name the place: "meta.json: thanos.labels.cluster is a number, not a string".
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Writing */

#define JSON_INDENT 1u /* one line an element, indented by tabs, as Go's json.MarshalIndent(v, "", "\t") */
#define JSON_HTML \
	2u /* also escapes <, >, &, U+2028 and U+2029, as Go's encoding/json does unless told otherwise */

/* Fields are private. */
struct json_writer {
	struct buf *out;
	unsigned flags, depth;
	bool is_first;  /* nothing stands yet in the innermost object or array */
	bool after_key; /* the next value belongs to the key just written */
};

/* Values go to the end of `out`, which must outlive the writer. */
void json_writer_init(struct json_writer *w, struct buf *out, unsigned flags);

void json_write_object(struct json_writer *w);
void json_write_object_end(struct json_writer *w);
void json_write_array(struct json_writer *w);
void json_write_array_end(struct json_writer *w);
void json_write_key(struct json_writer *w, const char *key);

/* Bytes that aren't UTF-8 become U+FFFD, one a byte. NULL is written as null. */
void json_write_str(struct json_writer *w, const char *s);
void json_write_str_n(struct json_writer *w, const char *s, size_t n);
void json_write_i64(struct json_writer *w, int64_t v);
void json_write_u64(struct json_writer *w, uint64_t v);
void json_write_double(
	struct json_writer *w, double v); /* shortest that reads back, as Go; null for NaN and Inf */
void json_write_bool(struct json_writer *w, bool v);
void json_write_null(struct json_writer *w);
void json_write_raw(struct json_writer *w, const char *json, size_t n); /* one value, as it is */

/* A key and its value. */
void json_write_key_str(struct json_writer *w, const char *key, const char *s);
void json_write_key_i64(struct json_writer *w, const char *key, int64_t v);
void json_write_key_u64(struct json_writer *w, const char *key, uint64_t v);
void json_write_key_bool(struct json_writer *w, const char *key, bool v);

/* Reading */

#define JSON_MAX_BYTES (64u << 20)
#define JSON_MAX_DEPTH 64

struct json_doc;

/* One JSON value and nothing behind it; `name` is for messages. -EBADMSG; -EFBIG past JSON_MAX_BYTES. */
int json_doc_parse(const char *name, const void *text, size_t n, struct json_doc **out, struct err *e);
void json_doc_free(struct json_doc *d);
DEFINE_AUTO(json_doc, struct json_doc *, json_doc_free)

/*
 * A place in a document. Knows the way it was reached by, for messages: the place it was reached from must
 * outlive it. `node` is NULL where there is nothing, or null.
 */
struct json_at {
	const struct json_doc *doc;
	const void *node;
	const struct json_at *parent; /* NULL: the root */
	const char *key;              /* NULL: element `index` of a list */
	size_t index;
};

struct json_at json_root(const struct json_doc *d);

bool json_at_is_object(const struct json_at *at);
bool json_at_is_array(const struct json_at *at);
bool json_at_is_string(const struct json_at *at);
bool json_at_is_integer(const struct json_at *at);

/* The value itself: 0, or -EBADMSG where it is missing or of another type. Strings are borrowed from the
 * document. */
int json_read_str(const struct json_at *at, const char **out, struct err *e);
int json_read_i64(const struct json_at *at, int64_t lowest, int64_t highest, int64_t *out, struct err *e);
int json_read_double(const struct json_at *at, double *out, struct err *e); /* whole numbers too */
int json_read_bool(const struct json_at *at, bool *out, struct err *e);
int json_read_array(const struct json_at *at, size_t highest, size_t *len, struct err *e);
int json_read_object(const struct json_at *at, size_t highest, size_t *len, struct err *e);

/*
 * A member of an object: 1, or 0 where the object has none or null (*out is left alone), or -EBADMSG where
 * `object` is no object or the member is of another type.
 */
int json_get(const struct json_at *object, const char *key, struct json_at *out, struct err *e);
int json_get_object(const struct json_at *object, const char *key, struct json_at *out, struct err *e);
int json_get_array(
	const struct json_at *object, const char *key, struct json_at *out, size_t *len, struct err *e);
int json_get_str(const struct json_at *object, const char *key, const char **out, struct err *e);
int json_get_i64(const struct json_at *object, const char *key, int64_t lowest, int64_t highest, int64_t *out,
	struct err *e);
int json_get_bool(const struct json_at *object, const char *key, bool *out, struct err *e);

/* Element i of an array; its node is NULL past the end. */
struct json_at json_item(const struct json_at *array, size_t i);

/*
 * Steps over the members of an object: `*iter` starts as NULL. False after the last. Order is the document's.
 * The key is borrowed and is member->key.
 */
bool json_each(const struct json_at *object, void **iter, struct json_at *member);

/* Appends the value as compact JSON text. */
void json_text(const struct json_at *at, struct buf *out);

/* Sets "NAME: PATH " and the formatted words; returns `r`. For checks of the caller's own. */
int json_fail(const struct json_at *at, struct err *e, int r, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
