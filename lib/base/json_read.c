/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON reader: jansson parses, what is here checks. Nesting is measured before jansson, which recurses,
 * sees the text. A place is a chain of places on the caller's stack, so that the path for a message costs
 * nothing until there is a message.
 */
#include "lib/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

struct json_doc {
	json_t *root;
	char *name;
};

static bool too_deep(const char *p, size_t n)
{
	size_t depth = 0;
	bool in_string = false;
	for (const char *end = p + n; p < end; p++) {
		if (in_string && *p == '\\' && p + 1 < end)
			p++;
		else if (*p == '"')
			in_string = !in_string;
		else if (!in_string && (*p == '[' || *p == '{') && ++depth > JSON_MAX_DEPTH)
			return true;
		else if (!in_string && (*p == ']' || *p == '}') && depth)
			depth--;
	}
	return false;
}

int json_doc_parse(const char *name, const void *text, size_t n, struct json_doc **out, struct err *e)
{
	if (n > JSON_MAX_BYTES)
		return err_set(e, -EFBIG, "%s: %zu bytes are too much JSON", name, n);
	if (too_deep(text, n))
		return err_set(e, -EBADMSG, "%s: JSON is nested deeper than %d levels", name, JSON_MAX_DEPTH);
	json_error_t why;
	json_t *root = json_loadb(n ? text : "", n, JSON_DECODE_ANY, &why);
	if (!root)
		return err_set(e, -EBADMSG, "%s: line %d is not JSON: %s", name, why.line, why.text);
	struct json_doc *d = xcalloc(1, sizeof *d);
	d->root = root;
	d->name = xstrdup(name);
	*out = d;
	return 0;
}

void json_doc_free(struct json_doc *d)
{
	if (!d)
		return;
	json_decref(d->root);
	free(d->name);
	free(d);
}

struct json_at json_root(const struct json_doc *d)
{
	return (struct json_at){ .doc = d, .node = json_is_null(d->root) ? NULL : d->root };
}

static void add_path(struct buf *b, const struct json_at *at)
{
	if (!at->parent)
		return;
	add_path(b, at->parent); /* as deep as the document: JSON_MAX_DEPTH */
	if (at->key)
		buf_printf(b, "%s%.80s", b->len ? "." : "", at->key);
	else
		buf_printf(b, "[%zu]", at->index);
}

int json_fail(const struct json_at *at, struct err *e, int r, const char *fmt, ...)
{
	char words[ERR_MSG_BYTES];
	auto_buf struct buf path = { 0 };
	va_list ap;
	if (!e)
		return r;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	add_path(&path, at);
	if (!path.len)
		buf_add_str(&path, "the whole");
	return err_set(e, r, "%s: %s %s", at->doc->name, buf_str(&path), words);
}

static const char *kind_of(const json_t *v)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "a list";
	case JSON_STRING: return "a string";
	case JSON_INTEGER: return "a number";
	case JSON_REAL: return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE: return "true or false";
	case JSON_NULL: break;
	}
	return "missing";
}

static int wrong_kind(const struct json_at *at, const char *want, struct err *e)
{
	if (!at->node)
		return json_fail(at, e, -EBADMSG, "is missing");
	return json_fail(at, e, -EBADMSG, "is %s, not %s", kind_of(at->node), want);
}

bool json_at_is_object(const struct json_at *at)
{
	return at->node && json_typeof((const json_t *)at->node) == JSON_OBJECT;
}

bool json_at_is_array(const struct json_at *at)
{
	return at->node && json_typeof((const json_t *)at->node) == JSON_ARRAY;
}

bool json_at_is_string(const struct json_at *at)
{
	return at->node && json_typeof((const json_t *)at->node) == JSON_STRING;
}

bool json_at_is_integer(const struct json_at *at)
{
	return at->node && json_typeof((const json_t *)at->node) == JSON_INTEGER;
}

int json_read_str(const struct json_at *at, const char **out, struct err *e)
{
	if (!json_at_is_string(at))
		return wrong_kind(at, "a string", e);
	*out = json_string_value(at->node);
	return 0;
}

int json_read_i64(const struct json_at *at, int64_t lowest, int64_t highest, int64_t *out, struct err *e)
{
	if (!json_at_is_integer(at))
		return wrong_kind(at, "a whole number", e);
	int64_t v = json_integer_value(at->node);
	if (v < lowest || v > highest)
		return json_fail(at, e, -EBADMSG, "is %" PRId64 ", not from %" PRId64 " to %" PRId64, v,
			lowest, highest);
	*out = v;
	return 0;
}

int json_read_double(const struct json_at *at, double *out, struct err *e)
{
	if (!at->node || !json_is_number((const json_t *)at->node))
		return wrong_kind(at, "a number", e);
	*out = json_number_value(at->node);
	return 0;
}

int json_read_bool(const struct json_at *at, bool *out, struct err *e)
{
	if (!at->node || !json_is_boolean((const json_t *)at->node))
		return wrong_kind(at, "true or false", e);
	*out = json_is_true((const json_t *)at->node);
	return 0;
}

static int checked_len(const struct json_at *at, size_t highest, size_t n, size_t *len, struct err *e)
{
	if (n > highest)
		return json_fail(at, e, -EBADMSG, "has %zu elements; at most %zu are allowed", n, highest);
	*len = n;
	return 0;
}

int json_read_array(const struct json_at *at, size_t highest, size_t *len, struct err *e)
{
	if (!json_at_is_array(at))
		return wrong_kind(at, "a list", e);
	return checked_len(at, highest, json_array_size(at->node), len, e);
}

int json_read_object(const struct json_at *at, size_t highest, size_t *len, struct err *e)
{
	if (!json_at_is_object(at))
		return wrong_kind(at, "an object", e);
	return checked_len(at, highest, json_object_size(at->node), len, e);
}

int json_get(const struct json_at *object, const char *key, struct json_at *out, struct err *e)
{
	if (!json_at_is_object(object))
		return wrong_kind(object, "an object", e);
	const json_t *v = json_object_get(object->node, key);
	if (!v || json_is_null(v))
		return 0;
	*out = (struct json_at){ .doc = object->doc, .node = v, .parent = object, .key = key };
	return 1;
}

int json_get_object(const struct json_at *object, const char *key, struct json_at *out, struct err *e)
{
	size_t len;
	int r = json_get(object, key, out, e);
	return r > 0 && json_read_object(out, SIZE_MAX, &len, e) < 0 ? -EBADMSG : r;
}

int json_get_array(
	const struct json_at *object, const char *key, struct json_at *out, size_t *len, struct err *e)
{
	int r = json_get(object, key, out, e);
	return r > 0 && json_read_array(out, SIZE_MAX, len, e) < 0 ? -EBADMSG : r;
}

int json_get_str(const struct json_at *object, const char *key, const char **out, struct err *e)
{
	struct json_at at = { 0 };
	int r = json_get(object, key, &at, e);
	return r > 0 && json_read_str(&at, out, e) < 0 ? -EBADMSG : r;
}

int json_get_i64(const struct json_at *object, const char *key, int64_t lowest, int64_t highest, int64_t *out,
	struct err *e)
{
	struct json_at at = { 0 };
	int r = json_get(object, key, &at, e);
	return r > 0 && json_read_i64(&at, lowest, highest, out, e) < 0 ? -EBADMSG : r;
}

int json_get_bool(const struct json_at *object, const char *key, bool *out, struct err *e)
{
	struct json_at at = { 0 };
	int r = json_get(object, key, &at, e);
	return r > 0 && json_read_bool(&at, out, e) < 0 ? -EBADMSG : r;
}

struct json_at json_item(const struct json_at *array, size_t i)
{
	const json_t *v = array->node ? json_array_get(array->node, i) : NULL;
	return (struct json_at){
		.doc = array->doc, .node = v && json_is_null(v) ? NULL : v, .parent = array, .index = i
	};
}

bool json_each(const struct json_at *object, void **iter, struct json_at *member)
{
	if (!json_at_is_object(object))
		return false;
	/* jansson's iterators want an object they may change; stepping does not. */
	json_t *o = (json_t *)(uintptr_t)object->node;
	*iter = *iter ? json_object_iter_next(o, *iter) : json_object_iter(o);
	if (!*iter)
		return false;
	const json_t *v = json_object_iter_value(*iter);
	*member = (struct json_at){ .doc = object->doc,
		.node = json_is_null(v) ? NULL : v,
		.parent = object,
		.key = json_object_iter_key(*iter) };
	return true;
}

static int add_text(const char *text, size_t n, void *out)
{
	buf_add(out, text, n);
	return 0;
}

void json_text(const struct json_at *at, struct buf *out)
{
	if (at->node)
		json_dump_callback(at->node, add_text, out, JSON_COMPACT | JSON_ENCODE_ANY);
	else
		buf_add_str(out, "null");
}
