/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command line flags from a table, in the manner of Prometheus and Thanos: --name=value, --name value,
 *--switch and
 * --no-switch, -o value, -ovalue; flags and other arguments in any order; "--" ends the flags. The parser,
 * the help and the list that completion and manual checks are made from all come from the same table:
 *
 *	static const struct flag table[] = {
 *		{ .name = "cache.max-size", .type = FLAG_BYTES, .offset = offsetof(struct opts, cache_bytes),
 *			.value_name = "SIZE", .default_text = "10GB", .help = "Most that the cache takes." },
 *		{ 0 },
 *	};
 */
#ifndef BASE_FLAGS_H
#define BASE_FLAGS_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the field at `offset` is. */
enum flag_type {
	FLAG_BOOL,     /* bool */
	FLAG_STRING,   /* char *, owned; NULL where there is neither flag nor default */
	FLAG_STRINGS,  /* struct flag_strings: may be given several times */
	FLAG_ENUM,     /* an enum (or unsigned): the number of the word in `choices` */
	FLAG_DURATION, /* int64_t: ms */
	FLAG_TIME,     /* struct time_or_duration */
	FLAG_BYTES,    /* uint64_t */
	FLAG_COUNT     /* uint64_t, from `lowest` to `highest` */
};

struct flag_strings {
	char **data;
	size_t len, cap;
};

struct flag {
	const char *name;  /* without dashes; NULL: there is only the letter */
	const char *alias; /* another name, or NULL */
	char letter;       /* -x, or 0 */
	enum flag_type type;
	bool splits_commas; /* FLAG_STRINGS: "a,b" is two; empty parts are dropped */
	bool is_hidden;     /* not in the help */
	size_t offset;
	const char *value_name;     /* for the help: "FILE"; NULL for a FLAG_BOOL */
	const char *default_text;   /* as on the command line; NULL: zero, and nothing in the help */
	const char *const *choices; /* FLAG_ENUM; ends with NULL */
	uint64_t lowest, highest;   /* FLAG_COUNT; highest 0: no limit */
	const char *help;           /* a sentence or more; wrapped */
};

struct flag_set {
	const char *usage;        /* "thanosfs mount [flags] MOUNTPOINT" */
	const char *summary;      /* what the command does; wrapped */
	const struct flag *table; /* ends with an entry without name and letter */
};

/*
 * Sets the defaults in *into, which the caller zeroed, then what argv[1...] says. Arguments that are no flags
 * go to `rest`, which has room for argc of them, borrowed from argv. A flag that is no list can be given
 * once. -EINVAL names the flag and what is wrong with it; flags_fini still frees.
 */
int flags_parse(const struct flag_set *set, int argc, char *const *argv, void *into, const char **rest,
	size_t *n_rest, struct err *e);

/* Frees what the fields own. */
void flags_fini(const struct flag_set *set, void *into);

/* Appends the help. */
void flags_help(const struct flag_set *set, struct buf *out);

/*
 * Appends one line a flag that the help shows: its forms joined by '|', a tab, its value's name (nothing for
 * a switch), a tab, the words it takes joined by '|': "--daemon|--no-daemon\t\t",
 * "--log.level\tLEVEL\tdebug|info|warn|error".
 */
void flags_list(const struct flag_set *set, struct buf *out);

/* Appends text broken at blanks to lines of at most `width` columns, each indented by `indent` blanks. */
void flags_wrap(struct buf *out, const char *text, size_t indent, size_t width);

#endif
