/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' relabelling (its documentation: configuration, relabel_config) on the external labels of blocks: replace, keep, drop,
 * keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase.
 */
#ifndef STORE_RELABEL_H
#define STORE_RELABEL_H

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/tsdb/labels.h"

#include <stdbool.h>

struct relabel_configs;

/* `yaml` is a list of relabel_config, as --selector.relabel-config takes it. `name` is for messages. */
int relabel_parse(const char *name, const char *yaml, size_t n, struct relabel_configs **out, struct err *e);
void relabel_free(struct relabel_configs *r);
DEFINE_AUTO(relabel, struct relabel_configs *, relabel_free)

/* Applies every step to `l` in place. False: the labels were dropped. A NULL `r` keeps everything. */
bool relabel_apply(const struct relabel_configs *r, struct labels *l);

#endif
