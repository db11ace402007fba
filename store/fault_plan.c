/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings are applied in two rounds: first those for all operations, for which `ops` must be known, then those of one,
 * so that their order in the text doesn't matter.
 */
#include "store/fault_plan.h"

#include "lib/base/duration.h"
#include "lib/base/mem.h"
#include "lib/base/nearest.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ALL_OPS       ((1u << BUCKET_OPS) - 1)
#define SETTING_BYTES 320

const char *const bucket_op_names[BUCKET_OPS] = { "list", "stat", "open", "read", "put", "remove" };

struct parser {
	struct fault_plan *plan;
	unsigned ops; /* bits: what a setting applies to */
	const char *setting;
	struct err *e;
};

static int fail(const struct parser *p, const char *why)
{
	return err_set(p->e, -EINVAL, "\"%.100s\": %s", p->setting, why);
}

static int parse_chance(const struct parser *p, const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	if (!isdigit((unsigned char)*text) || *end || !(*out >= 0 && *out <= 1))
		return fail(p, "the chance is not a number from 0 to 1");
	return 0;
}

static int parse_duration(const struct parser *p, const char *text, int64_t *out)
{
	struct err why;
	return duration_parse(text, out, &why) < 0 ? fail(p, why.msg) : 0;
}

/* Cuts `text` in two at the first `mark`; NULL: it isn't there. */
static char *cut(char *text, const char *mark)
{
	char *at = strstr(text, mark);
	if (!at)
		return NULL;
	*at = 0;
	return at + strlen(mark);
}

static int op_of(const char *name, size_t n)
{
	for (int i = 0; i < BUCKET_OPS; i++)
		if (strlen(bucket_op_names[i]) == n && !memcmp(bucket_op_names[i], name, n))
			return i;
	return -1;
}

static int set_seed(struct parser *p, char *value)
{
	uint64_t seed = 0;
	for (const char *c = value; *c || c == value; c++)
		if (!isdigit((unsigned char)*c) || __builtin_mul_overflow(seed, 10, &seed) ||
			__builtin_add_overflow(seed, (uint64_t)(*c - '0'), &seed))
			return fail(p, "the seed is not a whole number");
	p->plan->seed = seed;
	return 0;
}

static int set_latency(struct parser *p, char *value)
{
	int64_t min, max;
	char *upper = cut(value, "..");
	int r = parse_duration(p, value, &min);
	if (r == 0)
		r = parse_duration(p, upper ? upper : value, &max);
	if (r < 0)
		return r;
	if (max < min)
		return fail(p, "the longest latency is less than the shortest");
	for (int i = 0; i < BUCKET_OPS; i++)
		if (p->ops >> i & 1) {
			p->plan->op[i].latency_min_ms = min;
			p->plan->op[i].latency_max_ms = max;
		}
	return 0;
}

static int set_stall(struct parser *p, char *value)
{
	double chance;
	int64_t ms = 0;
	char *length = cut(value, ":");
	if (!length)
		return fail(p, "a stall is CHANCE:DURATION");
	int r = parse_chance(p, value, &chance);
	if (r == 0)
		r = parse_duration(p, length, &ms);
	for (int i = 0; i < BUCKET_OPS && r == 0; i++)
		if (p->ops >> i & 1) {
			p->plan->op[i].stall = chance;
			p->plan->op[i].stall_ms = ms;
		}
	return r;
}

static int set_retry_after(struct parser *p, char *value)
{
	int64_t ms = 0;
	int r = parse_duration(p, value, &ms);
	if (r == 0 && ms > 3600000)
		return fail(p, "it is more than an hour");
	for (int i = 0; i < BUCKET_OPS && r == 0; i++)
		if (p->ops >> i & 1)
			p->plan->op[i].retry_after_ms = (unsigned)ms;
	return r;
}

static int set_outage(struct parser *p, char *value)
{
	struct fault_plan *plan = p->plan;
	if (*value == '/') {
		if (strlen(value) >= sizeof plan->outage_file)
			return fail(p, "the path is too long");
		strcpy(plan->outage_file, value);
	} else {
		char *length = cut(value, "+");
		if (!length)
			return fail(p, "an outage is START+DURATION or the path of a file");
		if (plan->n_outages == FAULT_OUTAGES)
			return fail(p, "there are too many outages");
		int r = parse_duration(p, value, &plan->outages[plan->n_outages].from_ms);
		if (r == 0)
			r = parse_duration(p, length, &plan->outages[plan->n_outages].length_ms);
		if (r < 0)
			return r;
		plan->n_outages++;
	}
	for (int i = 0; i < BUCKET_OPS; i++)
		plan->op[i].has_outages |= p->ops >> i & 1;
	return 0;
}

static int set_ops(struct parser *p, char *value)
{
	p->ops = 0;
	for (char *rest = value, *word; (word = strsep(&rest, "|"));) {
		int op = op_of(word, strlen(word));
		if (op < 0)
			return fail(p, "an operation is none of list, stat, open, read, put, remove");
		p->ops |= 1u << op;
	}
	return 0;
}

#define RATE(field)                                            \
	static int set_##field(struct parser *p, char *value)  \
	{                                                      \
		double chance;                                 \
		int r = parse_chance(p, value, &chance);       \
		for (int i = 0; i < BUCKET_OPS && r == 0; i++) \
			if (p->ops >> i & 1)                   \
				p->plan->op[i].field = chance; \
		return r;                                      \
	}

RATE(error)
RATE(lasting)
RATE(truncate)
RATE(corrupt)

static const struct key {
	const char *name;
	bool is_of_plan; /* takes no operation in front */
	int (*set)(struct parser *p, char *value);
} keys[] = {
	{ "seed", true, set_seed },
	{ "ops", true, set_ops },
	{ "error", false, set_error },
	{ "retry-after", false, set_retry_after },
	{ "lasting", false, set_lasting },
	{ "latency", false, set_latency },
	{ "truncate", false, set_truncate },
	{ "corrupt", false, set_corrupt },
	{ "stall", false, set_stall },
	{ "outage", false, set_outage },
};

static int unknown_key(const struct parser *p, const char *name)
{
	struct nearest near = { .typed = name };
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		nearest_try(&near, keys[i].name);
	return near.best ? err_set(p->e, -EINVAL, "\"%.100s\": unknown setting; did you mean %s?", p->setting,
				   near.best)
			 : fail(p, "unknown setting");
}

enum round { OPS_ROUND, GENERAL_ROUND, OWN_ROUND, ROUNDS };

static int apply(struct parser *p, enum round round, char *setting)
{
	char copy[SETTING_BYTES];
	snprintf(copy, sizeof copy, "%s", setting);
	p->setting = copy;
	char *value = cut(setting, "="), *name = setting;
	if (!value)
		return fail(p, "a setting is NAME=VALUE");
	char *own = cut(name, ".");
	int op = own ? op_of(name, strlen(name)) : -1;
	if (own && op < 0)
		return fail(p, "the operation is none of list, stat, open, read, put, remove");
	name = own ? own : name;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (own && keys[i].is_of_plan)
			return fail(p, "is not for a single operation");
		bool is_ops = keys[i].set == set_ops;
		enum round due = is_ops ? OPS_ROUND : own ? OWN_ROUND : GENERAL_ROUND;
		if (due != round)
			return 0;
		unsigned ops = p->ops;
		if (own)
			p->ops = 1u << op;
		int r = keys[i].set(p, value);
		if (own)
			p->ops = ops;
		return r;
	}
	return unknown_key(p, name);
}

int fault_plan_parse(const char *text, struct fault_plan *out, struct err *e)
{
	*out = (struct fault_plan){ .seed = 1 };
	struct parser p = { .plan = out, .ops = ALL_OPS, .e = e };
	for (int round = 0; round < ROUNDS; round++)
		for (const char *at = text; *at;) {
			char setting[SETTING_BYTES];
			size_t n = strcspn(at, ",");
			if (n >= sizeof setting)
				return err_set(e, -EINVAL, "\"%.100s...\": too long", at);
			snprintf(setting, sizeof setting, "%.*s", (int)n, at);
			int r = apply(&p, (enum round)round, setting);
			if (r < 0)
				return r;
			at += n + (at[n] == ',');
		}
	return 0;
}
