/* SPDX-License-Identifier: Apache-2.0 */
/* A rule keeps its own generator, so that what it does depends on its seed and the requests it matched alone. */
#include "tests/support/s3serve_faults.h"

#include "lib/base/vec.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct rule {
	char text[512], method[16], key[256];
	double probability;
	uint64_t random, times, skip, struck; /* times: how often at most */
	struct s3serve_fault fault;
};

struct s3serve_faults {
	atomic_int outage;
	atomic_size_t n_rules; /* lets a server without rules pass by without the lock */
	pthread_mutex_t lock;
	VEC(struct rule) rules;
};

static const struct {
	const char *name;
	enum s3serve_fault_kind kind;
} actions[] = {
	{ "status", FAULT_STATUS },
	{ "html", FAULT_HTML },
	{ "endless", FAULT_ENDLESS },
	{ "length", FAULT_LENGTH },
	{ "range", FAULT_RANGE },
	{ "whole", FAULT_WHOLE },
	{ "truncate", FAULT_TRUNCATE },
	{ "corrupt", FAULT_CORRUPT },
	{ "stall", FAULT_STALL },
	{ "reset", FAULT_RESET },
	{ "redirect", FAULT_REDIRECT },
	{ "expired", FAULT_EXPIRED },
	{ "denied", FAULT_DENIED },
	{ "etag", FAULT_ETAG },
	{ "delay", FAULT_DELAY },
};

struct s3serve_faults *s3serve_faults_new(void)
{
	struct s3serve_faults *f = xcalloc(1, sizeof *f);
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

void s3serve_faults_free(struct s3serve_faults *f)
{
	if (!f)
		return;
	pthread_mutex_destroy(&f->lock);
	vec_fini(&f->rules);
	free(f);
}

static bool set_text(char *out, size_t room, const char *value)
{
	return (size_t)snprintf(out, room, "%s", value) < room;
}

static bool set_number(const char *value, int64_t lowest, int64_t highest, int64_t *out)
{
	char *rest;
	errno = 0;
	*out = strtoll(value, &rest, 10);
	return !errno && rest != value && !*rest && *out >= lowest && *out <= highest;
}

static bool set_action(struct rule *r, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (!strcmp(value, actions[i].name)) {
			r->fault.kind = actions[i].kind;
			return true;
		}
	return false;
}

static bool set_word(struct rule *r, const char *name, const char *value)
{
	struct s3serve_fault *f = &r->fault;
	int64_t n;
	if (!strcmp(name, "do"))
		return set_action(r, value);
	if (!strcmp(name, "method"))
		return set_text(r->method, sizeof r->method, value);
	if (!strcmp(name, "key"))
		return set_text(r->key, sizeof r->key, value);
	if (!strcmp(name, "error"))
		return set_text(f->error, sizeof f->error, value);
	if (!strcmp(name, "location"))
		return set_text(f->location, sizeof f->location, value);
	if (!strcmp(name, "region"))
		return set_text(f->region, sizeof f->region, value);
	if (!strcmp(name, "probability")) {
		char *rest;
		r->probability = strtod(value, &rest);
		return rest != value && !*rest && r->probability >= 0 && r->probability <= 1;
	}
	if (!strcmp(name, "by"))
		return set_number(value, -(INT64_C(1) << 40), INT64_C(1) << 40, &f->by);
	if (!set_number(value, 0, INT64_C(1) << 40, &n))
		return false;
	if (!strcmp(name, "seed"))
		r->random = (uint64_t)n;
	else if (!strcmp(name, "times"))
		r->times = (uint64_t)n;
	else if (!strcmp(name, "skip"))
		r->skip = (uint64_t)n;
	else if (!strcmp(name, "bytes"))
		f->bytes = n;
	else if (!strcmp(name, "ms"))
		f->ms = (unsigned)n;
	else if (!strcmp(name, "code"))
		f->code = (unsigned)n;
	else if (!strcmp(name, "retry-after"))
		f->retry_after = (unsigned)n;
	else
		return false;
	return true;
}

static bool set_outage(const char *word, enum s3serve_outage *out)
{
	static const char *const words[] = { "outage=none", "outage=closed", "outage=reset", "outage=503" };
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(word, words[i])) {
			*out = (enum s3serve_outage)i;
			return true;
		}
	return false;
}

static int parse_rule(char *line, struct rule *r, enum s3serve_outage *outage, struct err *e)
{
	*r = (struct rule){ .probability = 1, .random = 1, .times = UINT64_MAX, .fault.bytes = -1 };
	snprintf(r->text, sizeof r->text, "%s", line);
	char *save = NULL;
	for (char *word = strtok_r(line, " \t\r", &save); word; word = strtok_r(NULL, " \t\r", &save)) {
		if (!strncmp(word, "outage=", 7)) {
			if (!set_outage(word, outage))
				return err_set(e, -EINVAL, "\"%.64s\" is no outage", word);
			continue;
		}
		char *eq = strchr(word, '=');
		if (eq)
			*eq = 0;
		if (!eq || !set_word(r, word, eq + 1))
			return err_set(e, -EINVAL, "\"%.64s%s%.64s\" says nothing", word, eq ? "=" : "",
				eq ? eq + 1 : "");
	}
	return 0;
}

int s3serve_faults_set(struct s3serve_faults *f, const char *text, struct err *e)
{
	VEC(struct rule) rules = { 0 };
	enum s3serve_outage outage = OUTAGE_NONE;
	auto_free char *copy = xstrdup(text);
	char *rest = copy, *line;
	for (unsigned number = 1; (line = strsep(&rest, "\n")); number++) {
		line[strcspn(line, "#")] = 0;
		struct rule r;
		int failed = parse_rule(line, &r, &outage, e);
		if (failed < 0) {
			vec_fini(&rules);
			return err_wrap(e, failed, "line %u", number);
		}
		if (r.fault.kind != FAULT_NONE)
			vec_push(&rules, r);
	}
	pthread_mutex_lock(&f->lock);
	free(f->rules.data);
	memcpy(&f->rules, &rules, sizeof rules);
	f->n_rules = rules.len;
	f->outage = (int)outage;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

/* splitmix64, as a fraction of 1. */
static double next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

void s3serve_faults_pick(
	struct s3serve_faults *f, struct span method, const char *key, struct s3serve_fault *out)
{
	*out = (struct s3serve_fault){ .kind = FAULT_NONE };
	if (!f->n_rules)
		return;
	pthread_mutex_lock(&f->lock);
	vec_each (r, &f->rules) {
		if ((*r->method && !span_is(method, r->method)) || !strstr(key, r->key) ||
			r->struck >= r->times)
			continue;
		if (r->skip) {
			r->skip--;
			continue;
		}
		if (r->probability < 1 && next_random(&r->random) >= r->probability)
			continue;
		r->struck++;
		*out = r->fault;
		break;
	}
	pthread_mutex_unlock(&f->lock);
}

enum s3serve_outage s3serve_faults_outage(struct s3serve_faults *f)
{
	return (enum s3serve_outage)f->outage;
}

void s3serve_faults_show(struct s3serve_faults *f, struct buf *out)
{
	pthread_mutex_lock(&f->lock);
	vec_each (r, &f->rules)
		buf_printf(out, "%llu %s\n", (unsigned long long)r->struck, r->text);
	pthread_mutex_unlock(&f->lock);
}
