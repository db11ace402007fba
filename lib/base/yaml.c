/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the tree from libyaml's events with a stack of its own, so that no text can make it recurse. An
 * alias shares the node it names, which costs no memory, but its whole weight is added to the total: who
 * walks the tree does no more work than YAML_MAX_NODES, so a "billion laughs" text fails where it is written,
 * not where it is used.
 */
#include "lib/base/yaml.h"

#include "lib/base/vec.h"

#include <errno.h>
#include <stdlib.h>
#include <yaml.h>

#define MAX_ANCHORS 1000 /* each alias looks through them */

struct built {
	struct yaml_node node;
	unsigned height; /* levels below and with it */
};

struct anchor {
	char *name;
	const struct built *to;
};

/* A list or map that has begun and not ended. */
struct frame {
	struct built *made;
	VEC(const struct yaml_node *) items;
	VEC(const char *) keys;
	char *key; /* of the item that comes next, owned by the document; NULL: a key comes next */
};

struct yaml_doc {
	VEC(void *) owned;
	char *name;
	const struct yaml_node *root;
};

struct builder {
	struct yaml_doc *doc;
	VEC(struct frame) stack;
	VEC(struct anchor) anchors;
	uint32_t weight;
	struct err *e;
};

static void *keep(struct yaml_doc *y, void *p)
{
	vec_push(&y->owned, p);
	return p;
}

void yaml_doc_free(struct yaml_doc *y)
{
	if (!y)
		return;
	for (size_t i = 0; i < y->owned.len; i++)
		free(y->owned.data[i]);
	vec_fini(&y->owned);
	free(y->name);
	free(y);
}

const struct yaml_node *yaml_root(const struct yaml_doc *y)
{
	return y->root;
}

static int refuse(const struct builder *b, unsigned line, const char *what)
{
	return err_set(b->e, -EINVAL, "%s:%u: %s", b->doc->name, line, what);
}

static int add_weight(struct builder *b, unsigned line, uint32_t weight)
{
	b->weight += weight; /* both at most YAML_MAX_NODES */
	return b->weight > YAML_MAX_NODES ? refuse(b, line, "there is too much in this document") : 0;
}

static int set_anchor(struct builder *b, const struct built *n, const yaml_char_t *name)
{
	if (!name)
		return 0;
	if (b->anchors.len == MAX_ANCHORS)
		return refuse(b, n->node.line, "there are too many anchors");
	vec_push(&b->anchors, (struct anchor){ keep(b->doc, xstrdup((const char *)name)), n });
	return 0;
}

static struct built *new_node(struct builder *b, enum yaml_kind kind, unsigned line)
{
	struct built *n = keep(b->doc, xcalloc(1, sizeof *n));
	n->node = (struct yaml_node){ .kind = kind, .name = b->doc->name, .line = line, .weight = 1 };
	n->height = 1;
	return n;
}

/* Puts a finished node where it belongs: as a key, as an item, or as the root. */
static int place(struct builder *b, const struct built *n, unsigned line)
{
	if (b->stack.len + n->height > YAML_MAX_DEPTH)
		return refuse(b, line, "lists and maps are nested too deep");
	if (!b->stack.len) {
		b->doc->root = &n->node;
		return 0;
	}
	struct frame *f = &b->stack.data[b->stack.len - 1];
	if (f->made->node.kind == YAML_MAP && !f->key) {
		if (n->node.kind != YAML_SCALAR)
			return refuse(b, line, "a key is a list or a map");
		f->key = keep(b->doc, xstrdup(n->node.text));
		f->made->node.weight++;
		return 0;
	}
	if (f->key)
		vec_push(&f->keys, f->key);
	f->key = NULL;
	vec_push(&f->items, &n->node);
	f->made->node.weight += n->node.weight;
	f->made->height = MAX_OF(f->made->height, n->height + 1);
	return 0;
}

static int check_tag(const struct builder *b, const yaml_char_t *tag, unsigned line, bool *is_plain)
{
	static const char core[] = "tag:yaml.org,2002:";
	static const char *const kept[] = { "null", "bool", "int", "float", "seq", "map" };
	const char *t = (const char *)tag;
	if (!t)
		return 0;
	if (!strcmp(t, "!") || (!strncmp(t, core, sizeof core - 1) && !strcmp(t + sizeof core - 1, "str"))) {
		*is_plain = false;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(kept) && !strncmp(t, core, sizeof core - 1); i++)
		if (!strcmp(t + sizeof core - 1, kept[i]))
			return 0;
	return err_set(b->e, -EINVAL, "%s:%u: tag %.64s is not supported", b->doc->name, line, t);
}

static int add_scalar(struct builder *b, const yaml_event_t *ev, unsigned line)
{
	const char *text = (const char *)ev->data.scalar.value;
	size_t n = ev->data.scalar.length;
	bool is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (memchr(text, 0, n))
		return refuse(b, line, "a text holds a NUL");
	int r = check_tag(b, ev->data.scalar.tag, line, &is_plain);
	if (r == 0)
		r = add_weight(b, line, 1);
	if (r < 0)
		return r;
	struct built *made = new_node(b, YAML_SCALAR, line);
	made->node.text = keep(b->doc, xstrndup(text, n));
	made->node.is_plain = is_plain;
	r = set_anchor(b, made, ev->data.scalar.anchor);
	return r < 0 ? r : place(b, made, line);
}

static int begin(struct builder *b, enum yaml_kind kind, const yaml_char_t *anchor, const yaml_char_t *tag,
	unsigned line)
{
	bool is_plain;
	int r = check_tag(b, tag, line, &is_plain);
	if (r == 0)
		r = add_weight(b, line, 1);
	if (r < 0)
		return r;
	if (b->stack.len + 1 >= YAML_MAX_DEPTH)
		return refuse(b, line, "lists and maps are nested too deep");
	struct built *made = new_node(b, kind, line);
	vec_push(&b->stack, (struct frame){ .made = made });
	return set_anchor(b, made, anchor);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_duplicates(const struct builder *b, const struct frame *f)
{
	VEC(const char *) sorted = { 0 };
	int r = 0;
	vec_reserve(&sorted, f->keys.len);
	for (size_t i = 0; i < f->keys.len; i++)
		vec_push(&sorted, f->keys.data[i]);
	vec_sort(&sorted, compare_keys);
	for (size_t i = 1; i < sorted.len && r == 0; i++)
		if (!strcmp(sorted.data[i - 1], sorted.data[i])) {
			unsigned line = 0;
			for (size_t k = 0; k < f->keys.len; k++)
				if (!strcmp(f->keys.data[k], sorted.data[i]))
					line = f->items.data[k]->line;
			r = err_set(b->e, -EINVAL, "%s:%u: key \"%.64s\" is there twice", b->doc->name, line,
				sorted.data[i]);
		}
	vec_fini(&sorted);
	return r;
}

static int end(struct builder *b)
{
	struct frame f = b->stack.data[b->stack.len - 1];
	int r = check_duplicates(b, &f);
	b->stack.len--;
	struct yaml_node *n = &f.made->node;
	n->len = f.items.len;
	if (f.items.data)
		n->items = keep(b->doc, f.items.data);
	if (f.keys.data)
		n->keys = keep(b->doc, f.keys.data);
	return r < 0 ? r : place(b, f.made, n->line);
}

static int add_alias(struct builder *b, const char *name, unsigned line)
{
	for (size_t i = b->anchors.len; i-- > 0;) {
		if (strcmp(b->anchors.data[i].name, name) != 0)
			continue;
		const struct built *to = b->anchors.data[i].to;
		for (size_t k = 0; k < b->stack.len; k++)
			if (b->stack.data[k].made == to)
				return refuse(b, line, "an alias stands inside what it stands for");
		int r = add_weight(b, line, to->node.weight);
		return r < 0 ? r : place(b, to, line);
	}
	return err_set(b->e, -EINVAL, "%s:%u: there is no anchor &%.64s", b->doc->name, line, name);
}

/* 1: the document goes on. */
static int add_event(struct builder *b, const yaml_event_t *ev)
{
	unsigned line = (unsigned)ev->start_mark.line + 1;
	int r = 0;
	switch (ev->type) {
	case YAML_SCALAR_EVENT: r = add_scalar(b, ev, line); break;
	case YAML_ALIAS_EVENT: r = add_alias(b, (const char *)ev->data.alias.anchor, line); break;
	case YAML_SEQUENCE_START_EVENT:
		r = begin(b, YAML_LIST, ev->data.sequence_start.anchor, ev->data.sequence_start.tag, line);
		break;
	case YAML_MAPPING_START_EVENT:
		r = begin(b, YAML_MAP, ev->data.mapping_start.anchor, ev->data.mapping_start.tag, line);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: r = end(b); break;
	case YAML_DOCUMENT_END_EVENT:
	case YAML_STREAM_END_EVENT: return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT: break;
	}
	return r < 0 ? r : 1;
}

static int build(struct builder *b, yaml_parser_t *parser)
{
	for (int r = 1; r > 0;) {
		yaml_event_t ev;
		if (!yaml_parser_parse(parser, &ev)) {
			unsigned line =
				(unsigned)MAX_OF(parser->problem_mark.line, parser->context_mark.line) + 1;
			return err_set(b->e, -EINVAL, "%s:%u: not YAML: %s", b->doc->name, line,
				parser->problem ? parser->problem : "unreadable");
		}
		r = add_event(b, &ev);
		yaml_event_delete(&ev);
		if (r < 0)
			return r;
	}
	if (!b->doc->root) {
		struct built *nothing = new_node(b, YAML_SCALAR, 1);
		nothing->node.text = "";
		nothing->node.is_plain = true;
		b->doc->root = &nothing->node;
	}
	return 0;
}

int yaml_doc_parse(const char *name, const char *text, size_t n, struct yaml_doc **out, struct err *e)
{
	if (n > YAML_MAX_BYTES)
		return err_set(e, -EINVAL, "%s: %zu bytes are too much for a configuration", name, n);
	struct yaml_doc *y = xcalloc(1, sizeof *y);
	y->name = xstrdup(name);
	struct builder b = { .doc = y, .e = e };
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		abort(); /* out of memory */
	yaml_parser_set_input_string(&parser, (const unsigned char *)(n ? text : ""), n);
	int r = build(&b, &parser);
	yaml_parser_delete(&parser);
	for (size_t i = 0; i < b.stack.len; i++) { /* what an error left open */
		vec_fini(&b.stack.data[i].items);
		vec_fini(&b.stack.data[i].keys);
	}
	vec_fini(&b.stack);
	vec_fini(&b.anchors);
	if (r < 0) {
		yaml_doc_free(y);
		return r;
	}
	*out = y;
	return 0;
}
