/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered are digests of name and password under a key of this process, so that memory holds no password. */
#include "lib/net/http_users.h"

#include "lib/base/buf.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <strings.h>
#include <sys/random.h>

#define REMEMBERED     128
#define DIGEST_BYTES   32
#define PASSWORD_BYTES 1024

struct user {
	char *name, *hash;
};

struct memory {
	uint8_t digest[DIGEST_BYTES];
	bool is_set;
};

struct http_users {
	struct user *data;
	size_t len;
	uint8_t key[32];
	pthread_mutex_t checking;
	pthread_mutex_t lock;
	/* under lock */
	struct memories {
		struct memory data[REMEMBERED];
		size_t oldest;
	} admitted, refused; /* apart, so that a guesser displaces nobody who may */
};

struct http_users *http_users_new(void)
{
	struct http_users *u = xcalloc(1, sizeof *u);
	if (getrandom(u->key, sizeof u->key, 0) != sizeof u->key)
		abort();
	pthread_mutex_init(&u->checking, NULL);
	pthread_mutex_init(&u->lock, NULL);
	return u;
}

void http_users_free(struct http_users *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->len; i++) {
		free(u->data[i].name);
		free(u->data[i].hash);
	}
	free(u->data);
	pthread_mutex_destroy(&u->checking);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

int http_users_add(struct http_users *u, const char *name, const char *hash, struct err *e)
{
	bool is_bcrypt = strlen(hash) == 60 && hash[0] == '$' && hash[1] == '2' && strchr("aby", hash[2]) &&
			 hash[3] == '$';
	if (!is_bcrypt || crypt_checksalt(hash) == CRYPT_SALT_INVALID)
		return err_set(e, -EINVAL, "the password of user \"%.64s\" is no bcrypt hash", name);
	u->data = xreallocarray(u->data, u->len + 1, sizeof *u->data);
	u->data[u->len++] = (struct user){ xstrdup(name), xstrdup(hash) };
	return 0;
}

static int value_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* "Basic" and base64 of NAME:PASSWORD, both without NUL; false for anything else. `text` gets a NUL at the end. */
static bool split(const char *authorization, char text[PASSWORD_BYTES], char **password)
{
	size_t n = 0;
	unsigned bits = 0, n_bits = 0;
	if (!authorization || strncasecmp(authorization, "Basic ", 6) != 0)
		return false;
	const char *p = authorization + 6;
	for (; *p && *p != '='; p++) {
		int v = value_of(*p);
		if (v < 0 || n + 1 >= PASSWORD_BYTES)
			return false;
		bits = bits << 6 | (unsigned)v;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			text[n++] = (char)(bits >> n_bits);
		}
	}
	text[n] = 0;
	*password = memchr(text, ':', n);
	if (strspn(p, "=") != strlen(p) || strlen(text) != n || !*password)
		return false;
	*(*password)++ = 0;
	return true;
}

static void digest_of(const struct http_users *u, const char *authorization, uint8_t out[DIGEST_BYTES])
{
	unsigned n = DIGEST_BYTES;
	HMAC(EVP_sha256(), u->key, sizeof u->key, (const unsigned char *)authorization, strlen(authorization),
		out, &n);
}

static bool is_among(const struct memories *m, const uint8_t digest[DIGEST_BYTES])
{
	for (size_t i = 0; i < REMEMBERED; i++)
		if (m->data[i].is_set && CRYPTO_memcmp(m->data[i].digest, digest, DIGEST_BYTES) == 0)
			return true;
	return false;
}

enum http_verdict http_users_glance(struct http_users *u, const char *authorization)
{
	uint8_t digest[DIGEST_BYTES];
	enum http_verdict verdict = HTTP_UNDECIDED;
	if (!authorization)
		return HTTP_REFUSED;
	digest_of(u, authorization, digest);
	pthread_mutex_lock(&u->lock);
	if (is_among(&u->admitted, digest))
		verdict = HTTP_ADMITTED;
	else if (is_among(&u->refused, digest))
		verdict = HTTP_REFUSED;
	pthread_mutex_unlock(&u->lock);
	return verdict;
}

static void remember(struct http_users *u, const char *authorization, bool is_admitted)
{
	struct memories *to = is_admitted ? &u->admitted : &u->refused;
	struct memory m = { .is_set = true };
	digest_of(u, authorization, m.digest);
	pthread_mutex_lock(&u->lock);
	to->data[to->oldest] = m;
	to->oldest = (to->oldest + 1) % REMEMBERED;
	pthread_mutex_unlock(&u->lock);
}

bool http_users_check(struct http_users *u, const char *authorization)
{
	char text[PASSWORD_BYTES], *password;
	const struct user *found = NULL;
	if (!u->len || !split(authorization, text, &password))
		return false;
	for (size_t i = 0; i < u->len; i++)
		if (!strcmp(u->data[i].name, text))
			found = &u->data[i];
	pthread_mutex_lock(&u->checking);
	enum http_verdict known = http_users_glance(u, authorization);
	bool is_admitted = known == HTTP_ADMITTED;
	if (known == HTTP_UNDECIDED) {
		/* A name that isn't there takes as long as one that is. */
		const char *hash = found ? found->hash : u->data[0].hash;
		struct crypt_data *work = xcalloc(1, sizeof *work);
		const char *got = crypt_r(password, hash, work);
		is_admitted = found && got && strlen(got) == strlen(hash) &&
			      CRYPTO_memcmp(got, hash, strlen(hash)) == 0;
		OPENSSL_cleanse(work, sizeof *work);
		free(work);
		remember(u, authorization, is_admitted);
	}
	pthread_mutex_unlock(&u->checking);
	OPENSSL_cleanse(text, sizeof text);
	return is_admitted;
}
