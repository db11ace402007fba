/* SPDX-License-Identifier: Apache-2.0 */
/* Reads values out of a YAML tree, and replaces environment variables in its text before there is a tree. */
#include "lib/base/duration.h"
#include "lib/base/nearest.h"
#include "lib/base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

int yaml_fail(const struct yaml_node *n, struct err *e, const char *fmt, ...)
{
	char words[ERR_MSG_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	return err_set(e, -EINVAL, "%s:%u: %s", n->name, n->line, words);
}

bool yaml_is_null(const struct yaml_node *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };
	if (!n)
		return true;
	if (n->kind != YAML_SCALAR || !n->is_plain)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(n->text, words[i]))
			return true;
	return false;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->len; i++)
		if (!strcmp(map->keys[i], key))
			return yaml_is_null(map->items[i]) ? NULL : map->items[i];
	return NULL;
}

static int wrong_kind(const struct yaml_node *n, const char *key, const char *want, struct err *e)
{
	static const char *const kinds[] = {
		[YAML_SCALAR] = "a plain value", [YAML_LIST] = "a list", [YAML_MAP] = "a map"
	};
	return yaml_fail(n, e, "%.64s is %s, not %s", key, kinds[n->kind], want);
}

/* The item's text: 1, 0, or -EINVAL. */
static int text_of(const struct yaml_node *map, const char *key, const char *want, const struct yaml_node **n,
	struct err *e)
{
	*n = yaml_get(map, key);
	if (!*n)
		return 0;
	return (*n)->kind == YAML_SCALAR ? 1 : wrong_kind(*n, key, want, e);
}

int yaml_get_str(const struct yaml_node *map, const char *key, const char **out, struct err *e)
{
	const struct yaml_node *n;
	int r = text_of(map, key, "a text", &n, e);
	if (r > 0)
		*out = n->text;
	return r;
}

int yaml_get_bool(const struct yaml_node *map, const char *key, bool *out, struct err *e)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "n", "y" };
	const struct yaml_node *n;
	int r = text_of(map, key, "true or false", &n, e);
	if (r <= 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!strcasecmp(n->text, words[i])) {
			*out = i % 2;
			return 1;
		}
	}
	return yaml_fail(n, e, "%.64s is \"%.64s\", not true or false", key, n->text);
}

/* Decimal digits with an optional sign; a zero in front would mean octal to other readers, so there can't be
 * one. */
static bool whole_number(const char *text, bool *is_negative, uint64_t *out, bool *fits)
{
	const char *p = text + (*text == '-' || *text == '+');
	*is_negative = *text == '-';
	*out = 0;
	*fits = true;
	if (!isdigit((unsigned char)*p) || (*p == '0' && p[1]))
		return false;
	for (; isdigit((unsigned char)*p); p++)
		*fits = *fits && !__builtin_mul_overflow(*out, 10, out) &&
			!__builtin_add_overflow(*out, *p - '0', out);
	return !*p;
}

int yaml_get_i64(const struct yaml_node *map, const char *key, int64_t lowest, int64_t highest, int64_t *out,
	struct err *e)
{
	const struct yaml_node *n;
	int r = text_of(map, key, "a whole number", &n, e);
	if (r <= 0)
		return r;
	bool is_negative, fits;
	uint64_t size;
	if (!whole_number(n->text, &is_negative, &size, &fits))
		return yaml_fail(n, e, "%.64s is \"%.64s\", not a whole number", key, n->text);
	int64_t v = 0;
	fits = fits &&
	       !(is_negative ? __builtin_sub_overflow(0, size, &v) : __builtin_add_overflow(0, size, &v));
	if (!fits || v < lowest || v > highest)
		return yaml_fail(n, e, "%.64s is %.64s, not from %" PRId64 " to %" PRId64, key, n->text,
			lowest, highest);
	*out = v;
	return 1;
}

int yaml_get_u64(const struct yaml_node *map, const char *key, uint64_t *out, struct err *e)
{
	const struct yaml_node *n;
	int r = text_of(map, key, "a whole number", &n, e);
	if (r <= 0)
		return r;
	bool is_negative, fits;
	uint64_t v;
	if (!whole_number(n->text, &is_negative, &v, &fits) || (is_negative && v))
		return yaml_fail(n, e, "%.64s is \"%.64s\", not a whole number from 0", key, n->text);
	if (!fits)
		return yaml_fail(n, e, "%.64s is %.64s, which is too large", key, n->text);
	*out = v;
	return 1;
}

int yaml_get_duration(const struct yaml_node *map, const char *key, int64_t *ms, struct err *e)
{
	const struct yaml_node *n;
	struct err why;
	int r = text_of(map, key, "a duration", &n, e);
	if (r > 0 && duration_parse(n->text, ms, &why) < 0)
		return yaml_fail(n, e, "%.64s: %s", key, why.msg);
	return r;
}

int yaml_get_bytes(const struct yaml_node *map, const char *key, uint64_t *bytes, struct err *e)
{
	const struct yaml_node *n;
	struct err why;
	int r = text_of(map, key, "a size", &n, e);
	if (r > 0 && bytes_parse(n->text, bytes, &why) < 0)
		return yaml_fail(n, e, "%.64s: %s", key, why.msg);
	return r;
}

static int container_of(const struct yaml_node *map, const char *key, enum yaml_kind kind, const char *want,
	const struct yaml_node **out, struct err *e)
{
	const struct yaml_node *n = yaml_get(map, key);
	if (!n)
		return 0;
	if (n->kind != kind)
		return wrong_kind(n, key, want, e);
	*out = n;
	return 1;
}

int yaml_get_map(const struct yaml_node *map, const char *key, const struct yaml_node **out, struct err *e)
{
	return container_of(map, key, YAML_MAP, "a map", out, e);
}

int yaml_get_list(const struct yaml_node *map, const char *key, const struct yaml_node **out, struct err *e)
{
	return container_of(map, key, YAML_LIST, "a list", out, e);
}

int yaml_check_keys(const struct yaml_node *map, const char *const *known, struct err *e)
{
	for (size_t i = 0; i < map->len && map->kind == YAML_MAP; i++) {
		struct nearest near = { .typed = map->keys[i] };
		const char *const *k = known;
		for (; *k && strcmp(*k, map->keys[i]) != 0; k++)
			nearest_try(&near, *k);
		if (*k)
			continue;
		if (near.best)
			return yaml_fail(map->items[i], e, "unknown key \"%.64s\"; did you mean \"%s\"?",
				map->keys[i], near.best);
		return yaml_fail(map->items[i], e, "unknown key \"%.64s\"", map->keys[i]);
	}
	return 0;
}

/* The length of the reference at p, "${NAME}" or "$(NAME)"; 0: there is none. */
static size_t reference(const char *p, size_t n)
{
	if (n < 4 || p[0] != '$' || (p[1] != '{' && p[1] != '('))
		return 0;
	size_t i = 2;
	while (i < n && (isalnum((unsigned char)p[i]) || p[i] == '_'))
		i++;
	return i > 2 && i < n && p[i] == (p[1] == '{' ? '}' : ')') ? i + 1 : 0;
}

int yaml_expand_env(const char *name, const char *text, size_t n, struct buf *out, struct err *e)
{
	size_t start = out->len;
	unsigned line = 1;
	for (size_t i = 0; i < n;) {
		size_t len = reference(text + i, n - i);
		if (len) {
			auto_free char *variable = xstrndup(text + i + 2, len - 3);
			const char *value = getenv(variable);
			if (!value)
				return err_set(e, -EINVAL, "%s:%u: environment variable %.128s is not set",
					name, line, variable);
			buf_add_str(out, value);
		} else {
			line += text[i] == '\n';
			buf_add_u8(out, (uint8_t)text[i]);
		}
		i += len ? len : 1;
		if (out->len - start > YAML_MAX_BYTES)
			return err_set(e, -EFBIG, "%s is larger than %u bytes", name, YAML_MAX_BYTES);
	}
	return 0;
}
