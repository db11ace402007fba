/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flag parser: finds the table's entry for each argument and stores its value through one function, which
 * also stores the defaults, so that a default is checked like any value. The help is in flags_help.c.
 */
#include "lib/base/flags.h"

#include "lib/base/duration.h"
#include "lib/base/nearest.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static bool is_entry(const struct flag *f)
{
	return f->name || f->letter;
}

/* How the flag is spelled in messages. */
static const char *spelled(const struct flag *f, char out[80])
{
	if (f->name)
		snprintf(out, 80, "--%s", f->name);
	else
		snprintf(out, 80, "-%c", f->letter);
	return out;
}

static int flag_error(const struct flag *f, struct err *e, const char *text)
{
	char name[80];
	return err_set(e, -EINVAL, "flag %s: %s", spelled(f, name), text);
}

static void add_strings(const struct flag *f, struct flag_strings *list, const char *text)
{
	for (const char *p = text; p;) {
		const char *comma = f->splits_commas ? strchr(p, ',') : NULL;
		size_t n = comma ? (size_t)(comma - p) : strlen(p);
		if (n || !f->splits_commas) {
			if (list->len == list->cap) {
				list->cap = list->cap ? list->cap * 2 : 4;
				list->data = xreallocarray(list->data, list->cap, sizeof *list->data);
			}
			list->data[list->len++] = xstrndup(p, n);
		}
		p = comma ? comma + 1 : NULL;
	}
}

static int set_enum(const struct flag *f, void *field, const char *text, struct err *e)
{
	char words[256];
	size_t used = 0;
	for (unsigned i = 0; f->choices[i]; i++) {
		if (!strcmp(text, f->choices[i])) {
			memcpy(field, &i, sizeof i);
			return 0;
		}
		used += (size_t)snprintf(
			words + used, sizeof words - used, "%s%s", i ? ", " : "", f->choices[i]);
		used = MIN_OF(used, sizeof words - 1);
	}
	char name[80];
	return err_set(e, -EINVAL, "flag %s: \"%.64s\" is none of %s", spelled(f, name), text, words);
}

static int set_count(const struct flag *f, uint64_t *field, const char *text, struct err *e)
{
	uint64_t v = 0, highest = f->highest ? f->highest : UINT64_MAX;
	const char *p = text;
	bool fits = true;
	for (; isdigit((unsigned char)*p); p++)
		fits = fits && !__builtin_mul_overflow(v, 10, &v) && !__builtin_add_overflow(v, *p - '0', &v);
	char name[80];
	if (p == text || *p)
		return err_set(
			e, -EINVAL, "flag %s: \"%.64s\" is not a whole number", spelled(f, name), text);
	if (!fits || v < f->lowest || v > highest)
		return err_set(e, -EINVAL, "flag %s: %.64s is not from %" PRIu64 " to %" PRIu64,
			spelled(f, name), text, f->lowest, highest);
	*field = v;
	return 0;
}

static int set_bool(const struct flag *f, bool *field, const char *text, struct err *e)
{
	bool yes = !strcmp(text, "true");
	if (!yes && strcmp(text, "false") != 0)
		return flag_error(f, e, "takes no value but true or false");
	*field = yes;
	return 0;
}

static int set_value(const struct flag *f, void *into, const char *text, struct err *e)
{
	void *field = (char *)into + f->offset;
	struct err why = { .msg = "" };
	int r = 0;
	switch (f->type) {
	case FLAG_BOOL: return set_bool(f, field, text, e);
	case FLAG_ENUM: return set_enum(f, field, text, e);
	case FLAG_COUNT: return set_count(f, field, text, e);
	case FLAG_STRING:
		free(*(char **)field);
		*(char **)field = xstrdup(text);
		return 0;
	case FLAG_STRINGS: add_strings(f, field, text); return 0;
	case FLAG_DURATION: r = duration_parse(text, field, &why); break;
	case FLAG_TIME: r = time_or_duration_parse(text, field, &why); break;
	case FLAG_BYTES: r = bytes_parse(text, field, &why); break;
	}
	return r < 0 ? flag_error(f, e, why.msg) : 0;
}

static void fini_strings(struct flag_strings *list)
{
	for (size_t i = 0; i < list->len; i++)
		free(list->data[i]);
	free(list->data);
	*list = (struct flag_strings){ 0 };
}

void flags_fini(const struct flag_set *set, void *into)
{
	for (const struct flag *f = set->table; is_entry(f); f++) {
		void *field = (char *)into + f->offset;
		if (f->type == FLAG_STRINGS)
			fini_strings(field);
		if (f->type == FLAG_STRING) {
			free(*(char **)field);
			*(char **)field = NULL;
		}
	}
}

struct parser {
	const struct flag_set *set;
	int argc, at; /* argv[at] is looked at */
	char *const *argv;
	void *into;
	bool *was_given; /* by place in the table */
	struct err *e;
};

static int store(struct parser *p, const struct flag *f, const char *text)
{
	bool *given = &p->was_given[f - p->set->table];
	if (*given && f->type != FLAG_STRINGS)
		return flag_error(f, p->e, "was given twice");
	if (!*given && f->type == FLAG_STRINGS)
		fini_strings((struct flag_strings *)((char *)p->into + f->offset)); /* of the default */
	*given = true;
	return set_value(f, p->into, text, p->e);
}

/* The next argument as a value. What looks like a flag is none, but for negative durations such as -2w. */
static int store_next(struct parser *p, const struct flag *f)
{
	const char *next = p->at + 1 < p->argc ? p->argv[p->at + 1] : NULL;
	if (!next || (next[0] == '-' && next[1] && !isdigit((unsigned char)next[1])))
		return flag_error(f, p->e, "needs a value");
	p->at++;
	return store(p, f, next);
}

static const struct flag *find(const struct flag_set *set, const char *name, size_t n)
{
	for (const struct flag *f = set->table; is_entry(f); f++) {
		if (f->name && strlen(f->name) == n && !memcmp(f->name, name, n))
			return f;
		if (f->alias && strlen(f->alias) == n && !memcmp(f->alias, name, n))
			return f;
	}
	return NULL;
}

static int unknown(const struct parser *p, const char *name)
{
	struct nearest near = { .typed = name };
	for (const struct flag *f = p->set->table; is_entry(f); f++) {
		if (f->is_hidden)
			continue;
		if (f->name)
			nearest_try(&near, f->name);
		if (f->alias)
			nearest_try(&near, f->alias);
	}
	if (near.best)
		return err_set(p->e, -EINVAL, "unknown flag --%.64s; did you mean --%s?", name, near.best);
	return err_set(p->e, -EINVAL, "unknown flag --%.64s", name);
}

static int parse_long(struct parser *p, const char *arg)
{
	const char *equals = strchr(arg, '=');
	auto_free char *name = equals ? xstrndup(arg, (size_t)(equals - arg)) : xstrdup(arg);
	const struct flag *f = find(p->set, name, strlen(name));
	if (!f && !strncmp(name, "no-", 3)) {
		f = find(p->set, name + 3, strlen(name) - 3);
		if (f && f->type == FLAG_BOOL)
			return equals ? flag_error(f, p->e, "takes no value after --no-")
				      : store(p, f, "false");
		f = NULL;
	}
	if (!f)
		return unknown(p, name);
	if (equals)
		return store(p, f, equals + 1);
	return f->type == FLAG_BOOL ? store(p, f, "true") : store_next(p, f);
}

static int parse_letters(struct parser *p, const char *letters)
{
	for (const char *at = letters; *at; at++) {
		const struct flag *f = p->set->table;
		while (is_entry(f) && f->letter != *at)
			f++;
		if (!is_entry(f))
			return err_set(
				p->e, -EINVAL, "unknown flag -%c", isprint((unsigned char)*at) ? *at : '?');
		if (f->type != FLAG_BOOL)
			return at[1] ? store(p, f, at + 1 + (at[1] == '=')) : store_next(p, f);
		int r = store(p, f, "true");
		if (r < 0)
			return r;
	}
	return 0;
}

int flags_parse(const struct flag_set *set, int argc, char *const *argv, void *into, const char **rest,
	size_t *n_rest, struct err *e)
{
	size_t n = 0;
	for (const struct flag *f = set->table; is_entry(f); f++, n++) {
		int r = f->default_text ? set_value(f, into, f->default_text, e) : 0;
		if (r < 0)
			return r;
	}
	auto_free bool *was_given = xcalloc(n + 1, sizeof *was_given);
	struct parser p = {
		.set = set, .argc = argc, .argv = argv, .into = into, .was_given = was_given, .e = e
	};
	bool no_more_flags = false;
	*n_rest = 0;
	for (p.at = 1; p.at < argc; p.at++) {
		const char *arg = argv[p.at];
		int r = 0;
		if (no_more_flags || arg[0] != '-' || !arg[1])
			rest[(*n_rest)++] = arg;
		else if (!strcmp(arg, "--"))
			no_more_flags = true;
		else
			r = arg[1] == '-' ? parse_long(&p, arg + 2) : parse_letters(&p, arg + 1);
		if (r < 0)
			return r;
	}
	return 0;
}
