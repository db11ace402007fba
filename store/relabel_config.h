/* SPDX-License-Identifier: Apache-2.0 */
/* A relabelling configuration as it is kept: what relabel_parse.c makes and relabel.c follows. */
#ifndef STORE_RELABEL_CONFIG_H
#define STORE_RELABEL_CONFIG_H

#include "lib/base/regex.h"
#include "store/relabel.h"

#include <stdint.h>

enum relabel_action {
	RELABEL_REPLACE,
	RELABEL_KEEP,
	RELABEL_DROP,
	RELABEL_KEEPEQUAL,
	RELABEL_DROPEQUAL,
	RELABEL_HASHMOD,
	RELABEL_LABELMAP,
	RELABEL_LABELDROP,
	RELABEL_LABELKEEP,
	RELABEL_LOWERCASE,
	RELABEL_UPPERCASE
};

struct relabel_config {
	enum relabel_action action;
	char **sources;
	size_t n_sources;
	char *separator;
	char *target; /* NULL: none */
	char *replacement;
	uint64_t modulus; /* not 0 for RELABEL_HASHMOD */
	struct regex *regex;
};

struct relabel_configs {
	struct relabel_config *data;
	size_t len;
};

/* The number that hashmod takes modulo: the last eight bytes of the MD5, big endian. */
uint64_t relabel_hash(const char *value, size_t n);

#endif
