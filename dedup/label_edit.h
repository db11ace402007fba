/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to the labels of one block's series: symbol numbers become merged ones, external labels are
 * set (they overwrite), replica labels are taken away and remembered.
 *
 *	label_edit_init(&edit, map, n_replica_labels);
 *	label_edit_set(&edit, cluster, eu);
 *	label_edit_take(&edit, replica, 0);
 *	label_edit_ready(&edit);
 */
#ifndef DEDUP_LABEL_EDIT_H
#define DEDUP_LABEL_EDIT_H

#include "dedup/symbol_merge.h"
#include "lib/base/vec.h"

struct label_rule {
	uint32_t name; /* merged numbers */
	uint32_t value;
	enum { LABEL_SET, LABEL_DROP, LABEL_TAKE } kind;
	uint32_t word;   /* LABEL_TAKE */
	uint32_t before; /* the source's symbols below this number sort before the name */
	bool occurs;     /* the name is the source's symbol number `before` */
};

struct label_edit {
	struct symbol_map map;        /* borrowed */
	VEC(struct label_rule) rules; /* sorted by name */
	uint32_t n_set;               /* labels a series may gain */
	uint32_t n_identity; /* words label_edit_apply writes; 0: no series of this block has a replica label
			      */
	bool may_reorder;    /* some series may lose a label or have one overwritten */
};

/* `words`: replica labels that label_edit_take may name. */
void label_edit_init(struct label_edit *l, struct symbol_map map, uint32_t words);
void label_edit_fini(struct label_edit *l);

/* Merged numbers. No name twice. */
void label_edit_set(struct label_edit *l, uint32_t name, uint32_t value);
void label_edit_drop(struct label_edit *l, uint32_t name);
void label_edit_take(
	struct label_edit *l, uint32_t name, uint32_t word); /* drops it; the value goes to a word */

/* After the last rule. */
void label_edit_ready(struct label_edit *l);

/*
 * Writes the edited labels to `out`, which has room for n_labels + n_set of them, and *n_out. identity[word]
 * becomes the taken value's merged number + 1, or 0. True if a label was lost or overwritten, not only added.
 */
bool label_edit_apply(const struct label_edit *l, const uint32_t *pairs, uint32_t n_labels, uint32_t *out,
	uint32_t *n_out, uint32_t *identity);

#endif
