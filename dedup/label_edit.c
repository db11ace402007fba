/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a block, sorted by label name, are walked beside the sorted labels of each series. Rules about
 * names that aren't among the block's symbols can't match, so they are sorted out once: most blocks only gain
 * labels.
 */
#include "dedup/label_edit.h"

void label_edit_init(struct label_edit *l, struct symbol_map map, uint32_t words)
{
	*l = (struct label_edit){ .map = map, .n_identity = words };
}

void label_edit_fini(struct label_edit *l)
{
	vec_fini(&l->rules);
}

void label_edit_set(struct label_edit *l, uint32_t name, uint32_t value)
{
	vec_push(&l->rules, (struct label_rule){ .name = name, .value = value, .kind = LABEL_SET });
}

void label_edit_drop(struct label_edit *l, uint32_t name)
{
	vec_push(&l->rules, (struct label_rule){ .name = name, .kind = LABEL_DROP });
}

void label_edit_take(struct label_edit *l, uint32_t name, uint32_t word)
{
	vec_push(&l->rules, (struct label_rule){ .name = name, .kind = LABEL_TAKE, .word = word });
}

static int cmp_rules(const void *a, const void *b)
{
	uint32_t x = ((const struct label_rule *)a)->name, y = ((const struct label_rule *)b)->name;
	return (x > y) - (x < y);
}

void label_edit_ready(struct label_edit *l)
{
	bool takes = false;
	size_t kept = 0;
	vec_each (rule, &l->rules) {
		rule->before = symbol_map_before(&l->map, rule->name);
		rule->occurs = symbol_map_find(&l->map, rule->name) != SYMBOL_NONE;
		if (!rule->occurs && rule->kind != LABEL_SET)
			continue;
		l->n_set += rule->kind == LABEL_SET;
		l->may_reorder |= rule->occurs;
		takes |= rule->kind == LABEL_TAKE;
		l->rules.data[kept++] = *rule;
	}
	l->rules.len = kept;
	if (!takes)
		l->n_identity = 0;
	vec_sort(&l->rules, cmp_rules);
}

bool label_edit_apply(const struct label_edit *l, const uint32_t *pairs, uint32_t n_labels, uint32_t *out,
	uint32_t *n_out, uint32_t *identity)
{
	const uint32_t *map = l->map.merged, *start = out, *end = pairs + 2 * (size_t)n_labels;
	bool touched = false;
	for (uint32_t w = 0; w < l->n_identity; w++)
		identity[w] = 0;
	for (size_t i = 0; i < l->rules.len; i++) {
		const struct label_rule *rule = &l->rules.data[i];
		for (; pairs < end && pairs[0] < rule->before; pairs += 2, out += 2) {
			out[0] = map[pairs[0]];
			out[1] = map[pairs[1]];
		}
		if (rule->kind == LABEL_SET) {
			out[0] = rule->name;
			out[1] = rule->value;
			out += 2;
		}
		if (rule->occurs && pairs < end && pairs[0] == rule->before) {
			touched = true;
			if (rule->kind == LABEL_TAKE)
				identity[rule->word] = map[pairs[1]] + 1;
			pairs += 2;
		}
	}
	for (; pairs < end; pairs += 2, out += 2) {
		out[0] = map[pairs[0]];
		out[1] = map[pairs[1]];
	}
	*n_out = (uint32_t)((out - start) / 2);
	return touched;
}
