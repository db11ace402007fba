/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature in its four steps: the request in canonical form; a string with its hash, the time and the scope; a key
 * derived from the secret for that scope; the string's HMAC under the key.
 */
#include "store/s3_sign.h"

#include "lib/base/vec.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define HASH_BYTES 32

void s3_time(int64_t unix_ms, char out[S3_TIME_CHARS])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	if (strftime(out, S3_TIME_CHARS, "%Y%m%dT%H%M%SZ", &tm) != S3_TIME_CHARS - 1)
		memcpy(out, "19700101T000000Z", S3_TIME_CHARS); /* a year of five digits */
}

void s3_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = 0;
}

void s3_sha256_hex(const void *p, size_t n, char out[S3_HASH_CHARS])
{
	uint8_t hash[HASH_BYTES];
	if (!EVP_Digest(p, n, hash, NULL, EVP_sha256(), NULL))
		abort(); /* only without memory */
	s3_hex(hash, sizeof hash, out);
}

static void hmac(const void *key, size_t key_len, const char *text, size_t n, uint8_t out[HASH_BYTES])
{
	if (!HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)text, n, out, NULL))
		abort();
}

struct piece {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
};

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int r = memcmp(a, b, MIN_OF(a_len, b_len));
	return r ? r : (a_len > b_len) - (a_len < b_len);
}

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	int r = compare_bytes(x->name, x->name_len, y->name, y->name_len);
	return r ? r : compare_bytes(x->value, x->value_len, y->value, y->value_len);
}

static void add_query(const char *query, struct buf *out)
{
	VEC(struct piece) pieces = { 0 };
	while (*query) {
		size_t n = strcspn(query, "&"), name_len = strcspn(query, "=&");
		size_t value_at = MIN_OF(name_len + 1, n);
		if (n > 0)
			vec_push(&pieces, (struct piece){ query, name_len, query + value_at, n - value_at });
		query += n + (query[n] == '&');
	}
	vec_sort(&pieces, compare_pieces);
	vec_each (p, &pieces) {
		if (p != pieces.data)
			buf_add_u8(out, '&');
		buf_add(out, p->name, p->name_len);
		buf_add_u8(out, '=');
		buf_add(out, p->value, p->value_len);
	}
	vec_fini(&pieces);
}

/* Blanks around a value go, runs of them inside become one. */
static void add_trimmed(const char *value, struct buf *out)
{
	value += strspn(value, " ");
	while (*value) {
		size_t word = strcspn(value, " "), blanks = strspn(value + word, " ");
		buf_add(out, value, word);
		value += word + blanks;
		if (blanks && *value)
			buf_add_u8(out, ' ');
	}
}

static int compare_headers(const void *a, const void *b)
{
	return strcmp(
		(*(const struct http_header *const *)a)->name, (*(const struct http_header *const *)b)->name);
}

void s3_sign_canonical(const struct s3_sign_input *s, struct buf *canonical, struct buf *signed_headers)
{
	VEC(const struct http_header *) headers = { 0 };
	for (size_t i = 0; i < s->n_headers; i++)
		vec_push(&headers, &s->headers[i]);
	vec_sort(&headers, compare_headers);
	buf_printf(canonical, "%s\n%s\n", s->method, *s->path ? s->path : "/");
	add_query(s->query, canonical);
	for (size_t i = 0; i < headers.len; i++) {
		const struct http_header *h = headers.data[i];
		if (i > 0 && !strcmp(h->name, headers.data[i - 1]->name)) {
			buf_add_u8(canonical, ','); /* its values stand in one line */
		} else {
			buf_printf(canonical, "\n%s:", h->name);
			buf_printf(signed_headers, "%s%s", signed_headers->len ? ";" : "", h->name);
		}
		add_trimmed(h->value, canonical);
	}
	vec_fini(&headers);
	buf_printf(canonical, "\n\n%s\n%s", buf_str(signed_headers), s->payload_hash);
}

static void derive_key(const struct s3_sign_input *s, const char *secret_key, uint8_t key[HASH_BYTES])
{
	auto_free char *secret = xasprintf("AWS4%s", secret_key);
	hmac(secret, strlen(secret), s->time, 8, key);
	hmac(key, HASH_BYTES, s->region, strlen(s->region), key);
	hmac(key, HASH_BYTES, s->service, strlen(s->service), key);
	hmac(key, HASH_BYTES, "aws4_request", strlen("aws4_request"), key);
	explicit_bzero(secret, strlen(secret));
}

struct s3_sign_cache {
	pthread_mutex_t lock; /* of the following */
	char day[9];          /* "": nothing is kept */
	char *region, *service, *secret_key;
	uint8_t key[HASH_BYTES];
};

struct s3_sign_cache *s3_sign_cache_new(void)
{
	struct s3_sign_cache *c = xcalloc(1, sizeof *c);
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

static void forget_key(struct s3_sign_cache *c)
{
	if (c->secret_key)
		explicit_bzero(c->secret_key, strlen(c->secret_key));
	explicit_bzero(c->key, sizeof c->key);
	free(c->region);
	free(c->service);
	free(c->secret_key);
}

void s3_sign_cache_free(struct s3_sign_cache *c)
{
	if (!c)
		return;
	forget_key(c);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static bool is_kept_locked(
	const struct s3_sign_cache *c, const struct s3_sign_input *s, const char *secret_key)
{
	return *c->day && !strncmp(c->day, s->time, 8) && !strcmp(c->region, s->region) &&
	       !strcmp(c->service, s->service) && !strcmp(c->secret_key, secret_key);
}

static void find_key(const struct s3_sign_input *s, const char *secret_key, struct s3_sign_cache *c,
	uint8_t key[HASH_BYTES])
{
	if (!c) {
		derive_key(s, secret_key, key);
		return;
	}
	pthread_mutex_lock(&c->lock);
	if (!is_kept_locked(c, s, secret_key)) {
		forget_key(c);
		snprintf(c->day, sizeof c->day, "%.8s", s->time);
		c->region = xstrdup(s->region);
		c->service = xstrdup(s->service);
		c->secret_key = xstrdup(secret_key);
		derive_key(s, secret_key, c->key);
	}
	memcpy(key, c->key, HASH_BYTES);
	pthread_mutex_unlock(&c->lock);
}

void s3_sign(const struct s3_sign_input *s, const struct s3_sign_keys *keys, struct s3_sign_cache *cache,
	struct buf *authorization)
{
	auto_buf struct buf canonical = { 0 }, signed_headers = { 0 }, text = { 0 };
	char hash[S3_HASH_CHARS], signature[S3_HASH_CHARS];
	uint8_t key[HASH_BYTES], mac[HASH_BYTES];
	s3_sign_canonical(s, &canonical, &signed_headers);
	s3_sha256_hex(canonical.data, canonical.len, hash);
	buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", s->time, s->time, s->region,
		s->service, hash);
	find_key(s, keys->secret_key, cache, key);
	hmac(key, sizeof key, buf_str(&text), text.len, mac);
	s3_hex(mac, sizeof mac, signature);
	buf_printf(authorization,
		"AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
		keys->access_key, s->time, s->region, s->service, buf_str(&signed_headers), signature);
	explicit_bzero(key, sizeof key);
}
