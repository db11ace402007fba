/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads relabelling configurations and refuses what Prometheus refuses (model/relabel/relabel.go, Validate),
 * with UTF-8 label names allowed. A key that is there without a value is empty, not the default, as in
 * Prometheus.
 */
#include "store/relabel_config.h"

#include "lib/base/utf8.h"
#include "lib/base/yaml.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define MAX_CONFIGS        1000
#define MAX_SOURCES        128
#define MAX_TEMPLATE_BYTES 1024 /* of target_label, replacement and separator */

static const char *const actions[] = {
	[RELABEL_REPLACE] = "replace",
	[RELABEL_KEEP] = "keep",
	[RELABEL_DROP] = "drop",
	[RELABEL_KEEPEQUAL] = "keepequal",
	[RELABEL_DROPEQUAL] = "dropequal",
	[RELABEL_HASHMOD] = "hashmod",
	[RELABEL_LABELMAP] = "labelmap",
	[RELABEL_LABELDROP] = "labeldrop",
	[RELABEL_LABELKEEP] = "labelkeep",
	[RELABEL_LOWERCASE] = "lowercase",
	[RELABEL_UPPERCASE] = "uppercase",
};

/* The entry that is read, and where its errors go. */
struct entry {
	const struct yaml_node *node;
	size_t index;
	struct relabel_config *config;
	struct err *e;
};

static int fail(const struct entry *t, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(const struct entry *t, const char *field, const char *fmt, ...)
{
	char words[ERR_MSG_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	const struct yaml_node *at = yaml_get(t->node, field);
	return yaml_fail(at ? at : t->node, t->e, "relabel_config[%zu]: %s %s", t->index, field, words);
}

static bool has_key(const struct entry *t, const char *key)
{
	for (size_t i = 0; i < t->node->len; i++)
		if (!strcmp(t->node->keys[i], key))
			return true;
	return false;
}

/* A text; the default where the key isn't there, "" where it is there without a value. */
static int get_text(
	const struct entry *t, const char *key, const char *fallback, size_t highest, const char **out)
{
	const struct yaml_node *n = yaml_get(t->node, key);
	*out = has_key(t, key) ? "" : fallback;
	if (!n)
		return 0;
	if (n->kind != YAML_SCALAR)
		return fail(t, key, "is not a text");
	if (strlen(n->text) > highest)
		return fail(t, key, "is longer than %zu bytes", highest);
	*out = n->text;
	return 0;
}

static bool is_label_name(const char *s)
{
	return *s && utf8_is_valid(s, strlen(s));
}

static int read_action(const struct entry *t)
{
	const char *word;
	int r = get_text(t, "action", "replace", 64, &word);
	for (size_t i = 0; i < ARRAY_LEN(actions) && r == 0; i++) {
		if (!strcasecmp(word, actions[i])) {
			t->config->action = (enum relabel_action)i;
			return 0;
		}
	}
	return r < 0 ? r : fail(t, "action", "\"%s\" is unknown", word);
}

static int read_sources(const struct entry *t)
{
	const struct yaml_node *list = yaml_get(t->node, "source_labels");
	if (!list)
		return 0;
	if (list->kind != YAML_LIST)
		return fail(t, "source_labels", "is not a list");
	if (list->len > MAX_SOURCES)
		return fail(t, "source_labels", "has more than %d names", MAX_SOURCES);
	t->config->sources = xcalloc(list->len + 1, sizeof *t->config->sources);
	for (size_t i = 0; i < list->len; i++) {
		const struct yaml_node *n = list->items[i];
		if (n->kind != YAML_SCALAR || !is_label_name(n->text))
			return fail(t, "source_labels", "has an entry (number %zu) that is no label name", i);
		t->config->sources[t->config->n_sources++] = xstrdup(n->text);
	}
	return 0;
}

static int read_texts(const struct entry *t)
{
	struct relabel_config *c = t->config;
	const char *separator, *target, *replacement, *pattern;
	int r = get_text(t, "separator", ";", MAX_TEMPLATE_BYTES, &separator);
	if (r == 0)
		r = get_text(t, "target_label", "", MAX_TEMPLATE_BYTES, &target);
	if (r == 0)
		r = get_text(t, "replacement", "$1", MAX_TEMPLATE_BYTES, &replacement);
	if (r == 0)
		r = get_text(t, "regex", "(.*)", REGEX_MAX_BYTES, &pattern);
	if (r < 0)
		return r;
	c->separator = xstrdup(separator);
	c->target = *target ? xstrdup(target) : NULL;
	c->replacement = xstrdup(replacement);
	struct err why;
	if (regex_compile(pattern, strlen(pattern), &c->regex, &why) < 0)
		return fail(t, "regex", "is not usable: %s", why.msg);
	return 0;
}

static int read_modulus(const struct entry *t)
{
	struct err why;
	if (yaml_get_u64(t->node, "modulus", &t->config->modulus, &why) < 0) {
		const struct yaml_node *n = yaml_get(t->node, "modulus");
		return fail(t, "modulus", "is %s, not a whole number from 0",
			n->kind == YAML_SCALAR ? n->text : "a list or a map");
	}
	return 0;
}

static int check_target(const struct entry *t, const char *action)
{
	const struct relabel_config *c = t->config;
	if (!c->target)
		return fail(t, "target_label", "is missing: action %s needs it", action);
	if (!is_label_name(c->target))
		return fail(t, "target_label", "is no label name");
	return 0;
}

/* Fields that would have no effect are refused rather than ignored. */
static int check_unused(const struct entry *t, const char *action, const char *const *fields)
{
	static const struct {
		const char *key, *fallback;
	} defaults[] = { { "separator", ";" }, { "replacement", "$1" }, { "target_label", "" },
		{ "modulus", "0" } };
	for (; *fields; fields++) {
		const struct yaml_node *n = yaml_get(t->node, *fields);
		bool is_default = !has_key(t, *fields);
		for (size_t i = 0; i < ARRAY_LEN(defaults) && !is_default; i++)
			is_default =
				!strcmp(*fields, defaults[i].key) &&
				!strcmp(n && n->kind == YAML_SCALAR ? n->text : "", defaults[i].fallback);
		if (!is_default)
			return fail(t, *fields, "can't be set: action %s has no use for it", action);
	}
	return 0;
}

static int validate(const struct entry *t)
{
	static const char *const not_for_equal[] = { "regex", "modulus", "separator", "replacement", NULL };
	static const char *const not_for_names[] = { "source_labels", "target_label", "modulus", "separator",
		"replacement", NULL };
	static const char *const not_for_case[] = { "replacement", NULL };
	const struct relabel_config *c = t->config;
	const char *action = actions[c->action];
	int r = 0;
	switch (c->action) {
	case RELABEL_KEEP:
	case RELABEL_DROP: break;
	case RELABEL_REPLACE: return check_target(t, action);
	case RELABEL_HASHMOD:
		if (!c->modulus)
			return fail(t, "modulus", "is missing or 0: action hashmod needs it");
		if (!EVP_Digest("", 0, (unsigned char[EVP_MAX_MD_SIZE]){ 0 }, NULL, EVP_md5(), NULL))
			return fail(
				t, "action", "hashmod needs MD5, which this system's OpenSSL does not allow");
		return check_target(t, action);
	case RELABEL_LABELMAP:
		if (!is_label_name(c->replacement))
			return fail(t, "replacement", "is no label name");
		break;
	case RELABEL_KEEPEQUAL:
	case RELABEL_DROPEQUAL:
		r = check_target(t, action);
		return r < 0 ? r : check_unused(t, action, not_for_equal);
	case RELABEL_LOWERCASE:
	case RELABEL_UPPERCASE:
		r = check_target(t, action);
		return r < 0 ? r : check_unused(t, action, not_for_case);
	case RELABEL_LABELDROP:
	case RELABEL_LABELKEEP: return check_unused(t, action, not_for_names);
	}
	return 0;
}

static int read_entry(const struct entry *t)
{
	static const char *const keys[] = { "source_labels", "separator", "target_label", "regex", "modulus",
		"replacement", "action", NULL };
	if (t->node->kind != YAML_MAP)
		return yaml_fail(t->node, t->e, "relabel_config[%zu] is not a map", t->index);
	int r = yaml_check_keys(t->node, keys, t->e);
	if (r == 0)
		r = read_action(t);
	if (r == 0)
		r = read_sources(t);
	if (r == 0)
		r = read_modulus(t);
	if (r == 0)
		r = read_texts(t);
	return r < 0 ? r : validate(t);
}

int relabel_parse(const char *name, const char *yaml, size_t n, struct relabel_configs **out, struct err *e)
{
	auto_of(yaml_doc) struct yaml_doc *doc = NULL;
	int r = yaml_doc_parse(name, yaml, n, &doc, e);
	if (r < 0)
		return r;
	const struct yaml_node *root = yaml_root(doc);
	size_t len = yaml_is_null(root) ? 0 : root->len;
	if (!yaml_is_null(root) && root->kind != YAML_LIST)
		return yaml_fail(root, e, "is not a list of relabel_config");
	if (len > MAX_CONFIGS)
		return yaml_fail(root, e, "has %zu entries; at most %d are allowed", len, MAX_CONFIGS);
	auto_of(relabel) struct relabel_configs *made = xcalloc(1, sizeof *made);
	made->data = xcalloc(len + 1, sizeof *made->data);
	for (size_t i = 0; i < len; i++) {
		struct entry t = { .node = root->items[i], .index = i, .config = &made->data[i], .e = e };
		made->len++;
		r = read_entry(&t);
		if (r < 0)
			return r;
	}
	*out = take(made);
	return 0;
}
