/* SPDX-License-Identifier: Apache-2.0 */
/* A label set: names and values, sorted by name, no name twice. */
#ifndef TSDB_LABELS_H
#define TSDB_LABELS_H

#include "lib/base/vec.h"

struct label {
	char *name, *value;
};

/* Owns its strings. Zero-initialise it, labels_fini it. */
struct labels {
	struct label *data;
	size_t len, cap;
};

void labels_fini(struct labels *l);

/* Sets name to a copy of value, in sorted place; an empty value removes the label, as everywhere in
 * Prometheus. */
void labels_set(struct labels *l, const char *name, const char *value);

const char *labels_get(const struct labels *l, const char *name); /* NULL: not there */
void labels_remove(struct labels *l, const char *name);
void labels_copy(struct labels *to, const struct labels *from); /* `to` becomes equal to `from` */

/* Prometheus' order: label by label, name before value; a prefix is less. */
int labels_cmp(const struct labels *a, const struct labels *b);

#endif
