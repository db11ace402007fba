/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for keys in the order that the header tells, once; only the shared file is read again later. */
#include "store/s3_credentials.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>

struct s3_credentials {
	char *path, *profile; /* of the shared file; NULL: not from there */
	const char *source;
	pthread_mutex_t lock;
	struct s3_keys keys; /* under `lock` */
	int64_t read_at_us;  /* under `lock` */
	bool is_warned;      /* under `lock`: the file was unreadable when it was last looked at */
};

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(take(*text));
}

void s3_keys_fini(struct s3_keys *k)
{
	wipe(&k->access_key);
	wipe(&k->secret_key);
	wipe(&k->session_token);
}

static void set_keys(struct s3_keys *k, const char *access, const char *secret, const char *token)
{
	s3_keys_fini(k);
	*k = (struct s3_keys){ xstrdup(access), xstrdup(secret), xstrdup(token) };
}

/* The first of these variables that is set and not empty; "" where none is. */
static const char *environment(const char *name, const char *other)
{
	const char *value = getenv(name);
	if ((!value || !*value) && other)
		value = getenv(other);
	return value ? value : "";
}

struct line {
	const char *p;
	size_t n;
};

static struct line trimmed(struct line l)
{
	while (l.n > 0 && isspace((unsigned char)*l.p)) {
		l.p++;
		l.n--;
	}
	while (l.n > 0 && isspace((unsigned char)l.p[l.n - 1]))
		l.n--;
	return l;
}

static bool is_text(struct line l, const char *text)
{
	return strlen(text) == l.n && !memcmp(l.p, text, l.n);
}

/* A value goes into a header or a key: anything but printable ASCII is a mistake in the file. */
static bool is_printable(struct line l)
{
	for (size_t i = 0; i < l.n; i++)
		if (l.p[i] <= ' ' || l.p[i] > '~')
			return false;
	return l.n > 0 && l.n <= 16384;
}

int s3_credentials_parse(const char *text, size_t n, const char *profile, struct s3_keys *out)
{
	static const char *const names[] = { "aws_access_key_id", "aws_secret_access_key",
		"aws_session_token" };
	char *values[ARRAY_LEN(names)] = { 0 };
	bool is_in = false;
	for (size_t at = 0; at < n;) {
		const char *end = memchr(text + at, '\n', n - at);
		size_t len = end ? (size_t)(end - text) - at : n - at;
		struct line l = trimmed((struct line){ text + at, len });
		at += len + 1;
		if (l.n == 0 || *l.p == '#' || *l.p == ';')
			continue;
		if (*l.p == '[') {
			is_in = l.p[l.n - 1] == ']' &&
				is_text(trimmed((struct line){ l.p + 1, l.n - 2 }), profile);
			continue;
		}
		const char *equals = memchr(l.p, '=', l.n);
		if (!is_in || !equals)
			continue;
		struct line name = trimmed((struct line){ l.p, (size_t)(equals - l.p) });
		struct line value = trimmed((struct line){ equals + 1, l.n - (size_t)(equals + 1 - l.p) });
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			if (is_text(name, names[i]) && is_printable(value)) {
				wipe(&values[i]);
				values[i] = xstrndup(value.p, value.n);
			}
		}
	}
	bool is_whole = values[0] && values[1];
	if (is_whole)
		set_keys(out, values[0], values[1], values[2] ? values[2] : "");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		wipe(&values[i]);
	return is_whole ? 0 : -ENOENT;
}

static int read_file(const struct s3_credentials *c, struct s3_keys *out, struct err *e)
{
	auto_buf struct buf text = { 0 };
	int r = file_read(c->path, S3_CREDENTIALS_MAX_BYTES, &text, e);
	if (r == 0 && (r = s3_credentials_parse(buf_str(&text), text.len, c->profile, out)) < 0)
		err_set(e, r, "%s has no keys in profile %.64s", c->path, c->profile);
	if (text.data)
		explicit_bzero(text.data, text.cap);
	return r;
}

static bool from_config(struct s3_credentials *c, const struct s3_config *config)
{
	if (!*config->access_key)
		return false;
	set_keys(&c->keys, config->access_key, config->secret_key, config->session_token);
	c->source = "the configuration";
	return true;
}

static bool from_environment(struct s3_credentials *c)
{
	const char *access = environment("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY");
	const char *secret = environment("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY");
	if (!*access || !*secret)
		return false;
	set_keys(&c->keys, access, secret, environment("AWS_SESSION_TOKEN", NULL));
	c->source = "the environment";
	return true;
}

static bool from_file(struct s3_credentials *c, struct err *e)
{
	const char *path = environment("AWS_SHARED_CREDENTIALS_FILE", NULL),
		   *home = environment("HOME", NULL);
	const char *profile = environment("AWS_PROFILE", NULL);
	if (!*path && !*home)
		return false;
	c->path = *path ? xstrdup(path) : xasprintf("%s/.aws/credentials", home);
	c->profile = xstrdup(*profile ? profile : "default");
	c->source = c->path;
	c->read_at_us = clock_monotonic_us();
	if (read_file(c, &c->keys, e) == 0)
		return true;
	free(take(c->path));
	return false;
}

/* The variable that promises keys of a kind not known here; NULL: none. */
static const char *promised_role(void)
{
	static const char *const names[] = { "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (*environment(names[i], NULL))
			return names[i];
	return NULL;
}

int s3_credentials_new(const struct s3_config *config, struct s3_credentials **out, struct err *e)
{
	auto_of(s3_credentials) struct s3_credentials *c = xcalloc(1, sizeof *c);
	struct err why = { .msg = "there is no HOME" };
	pthread_mutex_init(&c->lock, NULL);
	if (!from_config(c, config) && !from_environment(c) && !from_file(c, &why)) {
		const char *role = promised_role();
		if (role)
			return err_set(e, -EACCES,
				"S3 credentials by %s are not supported: give access_key and secret_key, "
				"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a credentials file",
				role);
		if (config->aws_sdk_auth)
			return err_set(e, -EACCES,
				"aws_sdk_auth found no S3 credentials: neither in AWS_ACCESS_KEY_ID and "
				"AWS_SECRET_ACCESS_KEY nor in a file: %.200s (roles of instances are not "
				"supported)",
				why.msg);
		set_keys(&c->keys, "", "", "");
		c->source = "nowhere";
	}
	*out = take(c);
	return 0;
}

void s3_credentials_free(struct s3_credentials *c)
{
	if (c) {
		s3_keys_fini(&c->keys);
		pthread_mutex_destroy(&c->lock);
		free(c->path);
		free(c->profile);
		free(c);
	}
}

/* Whoever takes the turn reads the file for all, outside of the lock. */
static void read_again(struct s3_credentials *c)
{
	struct s3_keys fresh = { 0 };
	struct err e;
	int64_t now = clock_monotonic_us();
	pthread_mutex_lock(&c->lock);
	bool is_due = now - c->read_at_us > S3_CREDENTIALS_REREAD_SECS * 1000000ll;
	if (is_due)
		c->read_at_us = now;
	pthread_mutex_unlock(&c->lock);
	if (!is_due)
		return;
	int r = read_file(c, &fresh, &e);
	pthread_mutex_lock(&c->lock);
	bool is_news = r < 0 && !c->is_warned;
	c->is_warned = r < 0;
	if (r == 0) {
		struct s3_keys old = c->keys;
		c->keys = fresh;
		fresh = old;
	}
	pthread_mutex_unlock(&c->lock);
	s3_keys_fini(&fresh);
	if (is_news)
		log_warn("the S3 credentials can't be read again, the old ones stay", KV("error", e.msg));
}

void s3_credentials_get(struct s3_credentials *c, struct s3_keys *out)
{
	if (c->path)
		read_again(c);
	pthread_mutex_lock(&c->lock);
	*out = (struct s3_keys){ 0 };
	set_keys(out, c->keys.access_key, c->keys.secret_key, c->keys.session_token);
	pthread_mutex_unlock(&c->lock);
}

const char *s3_credentials_source(const struct s3_credentials *c)
{
	return c->source;
}

const char *s3_credentials_region(const struct s3_config *config)
{
	return config->aws_sdk_auth ? environment("AWS_REGION", "AWS_DEFAULT_REGION") : "";
}
