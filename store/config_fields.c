/* SPDX-License-Identifier: Apache-2.0 */
/* Walks tables of fields: one function a verb, one case a type. */
#include "store/config_fields.h"

#include "lib/base/duration.h"
#include "lib/base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

static void *at(void *base, const struct config_field *f)
{
	return (char *)base + f->offset;
}

static const void *const_at(const void *base, const struct config_field *f)
{
	return (const char *)base + f->offset;
}

static int check_keys(const struct config_field *fields, const struct yaml_node *map, struct err *e)
{
	const char *known[CONFIG_MAX_FIELDS + 1] = { 0 };
	size_t n = 0;
	for (; fields[n].key; n++) {
		assert(n < CONFIG_MAX_FIELDS);
		known[n] = fields[n].key;
	}
	return yaml_check_keys(map, known, e);
}

static int read_str(const struct config_field *f, const struct yaml_node *map, char **out, struct err *e)
{
	const char *text = "";
	int r = yaml_get_str(map, f->key, &text, e);
	free(*out);
	*out = xstrdup(r < 0 ? "" : text);
	return r;
}

static int read_word(const struct config_field *f, const struct yaml_node *map, unsigned *out, struct err *e)
{
	const char *word;
	int r = yaml_get_str(map, f->key, &word, e);
	if (r <= 0)
		return r;
	auto_buf struct buf all = { 0 };
	for (unsigned i = 0; f->words[i]; i++) {
		if (!strcmp(word, f->words[i])) {
			*out = i;
			return 0;
		}
		if (*f->words[i])
			buf_printf(&all, "%s%s", all.len ? ", " : "", f->words[i]);
	}
	return yaml_fail(
		yaml_get(map, f->key), e, "%s is \"%.64s\", none of: %s", f->key, word, buf_str(&all));
}

static int read_pairs(
	const struct config_field *f, const struct yaml_node *map, struct config_pairs *out, struct err *e)
{
	const struct yaml_node *pairs = NULL;
	int r = yaml_get_map(map, f->key, &pairs, e);
	for (size_t i = 0; r > 0 && i < pairs->len; i++) {
		const struct yaml_node *value = pairs->items[i];
		if (value->kind != YAML_SCALAR)
			return yaml_fail(value, e, "%s: %.64s is not a text", f->key, pairs->keys[i]);
		vec_push(out, (struct config_pair){
				      .name = xstrdup(pairs->keys[i]),
				      .value = xstrdup(yaml_is_null(value) ? "" : value->text),
			      });
	}
	return r;
}

static int read_field(const struct config_field *f, const struct yaml_node *map, void *to, struct err *e)
{
	const struct yaml_node *section = NULL;
	switch (f->type) {
	case CONFIG_STR:
	case CONFIG_SECRET: return read_str(f, map, to, e);
	case CONFIG_BOOL: return yaml_get_bool(map, f->key, to, e);
	case CONFIG_MS: return yaml_get_duration(map, f->key, to, e);
	case CONFIG_U64: return yaml_get_u64(map, f->key, to, e);
	case CONFIG_WORD: return read_word(f, map, to, e);
	case CONFIG_PAIRS: return read_pairs(f, map, to, e);
	case CONFIG_SECTION: break;
	}
	int r = yaml_get_map(map, f->key, &section, e);
	/* Without it too: its texts become "". */
	return r < 0 ? r : config_fields_read(f->section, section, to, e);
}

int config_fields_read(
	const struct config_field *fields, const struct yaml_node *map, void *base, struct err *e)
{
	int r = map ? check_keys(fields, map, e) : 0;
	for (const struct config_field *f = fields; f->key && r >= 0; f++)
		r = read_field(f, map, at(base, f), e);
	return r < 0 ? r : 0;
}

/* What isn't plain ASCII is escaped: YAML folds some of it, and takes some only so. */
void config_quote(const char *text, struct buf *out)
{
	buf_add_u8(out, '"');
	for (size_t left = strlen(text); left > 0;) {
		uint32_t c;
		size_t n = utf8_decode(text, left, &c);
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", (char)c);
		else if (c >= ' ' && c < 0x7f)
			buf_add_u8(out, (uint8_t)c);
		else
			buf_printf(out, "\\U%08x", (unsigned)c);
		text += n;
		left -= n;
	}
	buf_add_u8(out, '"');
}

static void render_pairs(const struct config_pairs *pairs, unsigned indent, struct buf *out)
{
	if (!pairs->len)
		buf_add_str(out, " {}");
	vec_each (p, pairs) {
		buf_printf(out, "\n%*s", (int)indent, "");
		config_quote(p->name, out);
		buf_add_str(out, ": ");
		config_quote(p->value, out);
	}
}

static void render_field(const struct config_field *f, const void *from, unsigned indent, struct buf *out)
{
	char duration[DURATION_CHARS];
	const char *text;
	buf_printf(out, "%*s%s:", (int)indent, "", f->key);
	if (f->type != CONFIG_PAIRS && f->type != CONFIG_SECTION)
		buf_add_u8(out, ' ');
	switch (f->type) {
	case CONFIG_STR: config_quote(*(char *const *)from, out); break;
	case CONFIG_SECRET:
		text = *(char *const *)from;
		config_quote(*text ? "<secret>" : "", out);
		break;
	case CONFIG_BOOL: buf_add_str(out, *(const bool *)from ? "true" : "false"); break;
	case CONFIG_MS: buf_add_str(out, duration_format(*(const int64_t *)from, duration)); break;
	case CONFIG_U64: buf_printf(out, "%" PRIu64, *(const uint64_t *)from); break;
	case CONFIG_WORD: config_quote(f->words[*(const unsigned *)from], out); break;
	case CONFIG_PAIRS: render_pairs(from, indent + 2, out); break;
	case CONFIG_SECTION:
		buf_add_u8(out, '\n');
		config_fields_render(f->section, from, indent + 2, out);
		return;
	}
	buf_add_u8(out, '\n');
}

void config_fields_render(
	const struct config_field *fields, const void *base, unsigned indent, struct buf *out)
{
	for (const struct config_field *f = fields; f->key; f++)
		render_field(f, const_at(base, f), indent, out);
}

static void own_pairs(struct config_pairs *pairs)
{
	struct config_pairs others = *pairs;
	*pairs = (struct config_pairs){ 0 };
	vec_each (p, &others)
		vec_push(pairs, (struct config_pair){ xstrdup(p->name), xstrdup(p->value) });
}

void config_fields_own(const struct config_field *fields, void *base)
{
	for (const struct config_field *f = fields; f->key; f++) {
		char **text = at(base, f);
		if (f->type == CONFIG_STR || f->type == CONFIG_SECRET)
			*text = xstrdup(*text ? *text : "");
		else if (f->type == CONFIG_PAIRS)
			own_pairs(at(base, f));
		else if (f->type == CONFIG_SECTION)
			config_fields_own(f->section, at(base, f));
	}
}

static void free_pairs(struct config_pairs *pairs)
{
	vec_each (p, pairs) {
		free(p->name);
		free(p->value);
	}
	vec_fini(pairs);
}

void config_fields_free(const struct config_field *fields, void *base)
{
	for (const struct config_field *f = fields; f->key; f++) {
		void *p = at(base, f);
		if (f->type == CONFIG_STR || f->type == CONFIG_SECRET)
			free(take(*(char **)p));
		else if (f->type == CONFIG_PAIRS)
			free_pairs(p);
		else if (f->type == CONFIG_SECTION)
			config_fields_free(f->section, p);
	}
}
