/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/match.h"

void match_open(struct match *m, struct arena *a, const struct vector_matching *how, struct op *left,
	struct op *right)
{
	*m = (struct match){
		.by = { .names = how->labels,
			.n_names = how->n_labels,
			.is_without = !how->is_on,
			.drops_name = !how->is_on },
		.groups = { .arena = a },
		.left = { .op = left },
		.right = { .op = right },
	};
	m->left.group = label_groups_of(&m->groups, &m->by, left->labels, left->n_rows);
	m->right.group = label_groups_of(&m->groups, &m->by, right->labels, right->n_rows);
	m->left.of = group_rows_of(a, m->left.group, left->n_rows, m->groups.n);
	m->right.of = group_rows_of(a, m->right.group, right->n_rows, m->groups.n);
}
