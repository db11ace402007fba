/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML: whatever is taken is within the limits, walked without aliases exploding, and every typed reading of
 * every item gives a value or an error.
 */
#include "lib/base/yaml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_item(const struct yaml_node *map, const char *key)
{
	struct err e;
	const char *text;
	const struct yaml_node *node;
	bool b;
	int64_t i;
	uint64_t u;
	yaml_get_str(map, key, &text, &e);
	yaml_get_bool(map, key, &b, &e);
	if (yaml_get_i64(map, key, -100, 1000, &i, &e) > 0 && (i < -100 || i > 1000))
		abort();
	yaml_get_u64(map, key, &u, &e);
	yaml_get_duration(map, key, &i, &e);
	yaml_get_bytes(map, key, &u, &e);
	yaml_get_map(map, key, &node, &e);
	yaml_get_list(map, key, &node, &e);
}

/* The number of nodes with all aliases followed. */
static uint32_t walk(const struct yaml_node *n, unsigned depth)
{
	static const char *const known[] = { "type", "config", "prefix", NULL };
	struct err e;
	if (depth > YAML_MAX_DEPTH)
		abort();
	if (n->kind == YAML_SCALAR)
		return strlen(n->text) <= YAML_MAX_BYTES && n->weight == 1 ? 1 : (abort(), 0);
	uint32_t weight = 1;
	yaml_check_keys(n, known, &e);
	for (size_t i = 0; i < n->len; i++) {
		weight += walk(n->items[i], depth + 1);
		if (n->kind == YAML_MAP) {
			weight++;
			if (n->len < 100)
				read_item(n, n->keys[i]);
		}
	}
	if (weight != n->weight)
		abort();
	return weight;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { .msg = "" };
	struct yaml_doc *y;
	auto_buf struct buf expanded = { 0 };
	if (yaml_expand_env("fuzz", (const char *)data, size, &expanded, &e) < 0)
		return 0;
	if (yaml_doc_parse("fuzz", (const char *)expanded.data, expanded.len, &y, &e) < 0) {
		if (!*e.msg)
			abort();
		return 0;
	}
	if (walk(yaml_root(y), 1) > YAML_MAX_NODES)
		abort();
	yaml_doc_free(y);
	return 0;
}
