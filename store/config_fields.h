/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A section of the bucket's configuration, told once as a table: what its keys are, what they hold and where that goes.
 * Reading, rendering and freeing follow from it, so that no key can be read and not shown, or shown and not freed.
 *
 *	static const struct config_field fields[] = {
 *		CONFIG_FIELD("bucket", CONFIG_STR, offsetof(struct s3_config, bucket)),
 *		CONFIG_FIELDS_END,
 *	};
 */
#ifndef STORE_CONFIG_FIELDS_H
#define STORE_CONFIG_FIELDS_H

#include "lib/base/vec.h"
#include "lib/base/yaml.h"

enum config_type {
	CONFIG_STR,     /* char *, owned, never NULL once read */
	CONFIG_SECRET,  /* the same, rendered as "<secret>" unless empty */
	CONFIG_BOOL,    /* bool */
	CONFIG_MS,      /* int64_t, a duration */
	CONFIG_U64,     /* uint64_t */
	CONFIG_WORD,    /* unsigned: the index of one of `words` */
	CONFIG_PAIRS,   /* struct config_pairs: a map of texts */
	CONFIG_SECTION, /* a map described by `section`, whose offsets count from this field's */
};

struct config_pair {
	char *name, *value;
};

struct config_pairs {
	struct config_pair *data;
	size_t len, cap;
};

struct config_field {
	const char *key; /* NULL ends a table */
	enum config_type type;
	size_t offset;
	const char *const *words;           /* CONFIG_WORD: ends with NULL */
	const struct config_field *section; /* CONFIG_SECTION */
};

/* What the type needs beyond that follows as ".words = ..." or ".section = ...". */
#define CONFIG_FIELD(name, kind, at, ...)                                    \
	{                                                                    \
		.key = (name), .type = (kind), .offset = (at), ##__VA_ARGS__ \
	}
#define CONFIG_FIELDS_END   \
	{                   \
		.key = NULL \
	}

#define CONFIG_MAX_FIELDS 40

/*
 * Reads the items of `map` into `base`, which holds the defaults: zeros for all that owns memory. Empty and missing
 * texts are "". -EINVAL that names line and key: unknown keys, values of another kind. What was read until then is in
 * `base` and has to be freed.
 */
int config_fields_read(
	const struct config_field *fields, const struct yaml_node *map, void *base, struct err *e);

/* Appends every field as YAML, `indent` blanks in front. */
void config_fields_render(
	const struct config_field *fields, const void *base, unsigned indent, struct buf *out);

/* Gives a shallow copy its own copies of what the fields own. */
void config_fields_own(const struct config_field *fields, void *base);

/* Frees what the fields own and forgets it. */
void config_fields_free(const struct config_field *fields, void *base);

/* Appends a YAML scalar in double quotes that reads back as `text`. */
void config_quote(const char *text, struct buf *out);

#endif
