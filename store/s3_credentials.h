/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the keys that requests are signed with come from: the configuration; else the environment (AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN); else a profile of the shared credentials file, which is looked at again now
 * and then, since other programs renew what stands in it. Roles (of an instance, a container, a web identity) and
 * single sign-on are not known here.
 */
#ifndef STORE_S3_CREDENTIALS_H
#define STORE_S3_CREDENTIALS_H

#include "store/s3_config.h"

#define S3_CREDENTIALS_MAX_BYTES   (1u << 20) /* of the shared file */
#define S3_CREDENTIALS_REREAD_SECS 30

struct s3_credentials;

/* All "" where requests go unsigned. */
struct s3_keys {
	char *access_key, *secret_key, *session_token;
};

void s3_keys_fini(struct s3_keys *k); /* wipes them, too */

/*
 * -EACCES where there should be keys and none are: with aws_sdk_auth, and where the environment promises a role. Without
 * any sign of them requests go unsigned, as Thanos' do.
 */
int s3_credentials_new(const struct s3_config *config, struct s3_credentials **out, struct err *e);
void s3_credentials_free(struct s3_credentials *c); /* NULL is fine */
DEFINE_AUTO(s3_credentials, struct s3_credentials *, s3_credentials_free)

/* The keys as they are now, copied. */
void s3_credentials_get(struct s3_credentials *c, struct s3_keys *out);

/* Where they come from, for messages: "the configuration", "the environment", the file's path, "nowhere". */
const char *s3_credentials_source(const struct s3_credentials *c);

/* The region that the environment names where aws_sdk_auth is set, borrowed; "" else. */
const char *s3_credentials_region(const struct s3_config *config);

/*
 * Finds a profile in the text of a credentials file: 0, or -ENOENT where it or one of its two keys isn't there. For the
 * above, and for tests.
 */
int s3_credentials_parse(const char *text, size_t n, const char *profile, struct s3_keys *out);

#endif
