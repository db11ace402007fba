/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of an S3 bucket, with the keys and defaults of Thanos (objstore providers/s3). */
#ifndef STORE_S3_CONFIG_H
#define STORE_S3_CONFIG_H

#include "store/http_config.h"

enum s3_lookup { S3_LOOKUP_AUTO, S3_LOOKUP_VIRTUAL_HOSTED, S3_LOOKUP_PATH };
enum s3_listing { S3_LISTING_DEFAULT, S3_LISTING_V1, S3_LISTING_V2 };
enum s3_sse { S3_SSE_NONE, S3_SSE_S3, S3_SSE_KMS, S3_SSE_C };

#define S3_MIN_PART_BYTES     (5ull << 20) /* S3 takes no smaller ones, but for the last */
#define S3_MAX_PART_BYTES     (5ull << 30)
#define S3_DEFAULT_PART_BYTES (64ull << 20)
#define S3_MAX_PARTS          10000
#define S3_MAX_METADATA       32 /* headers of put_user_metadata */

struct s3_config {
	char *bucket;
	char *endpoint; /* host or host:port */
	char *region;   /* "": found out */
	bool disable_dualstack, aws_sdk_auth, insecure;
	bool signature_version2;                       /* never true: refused */
	char *access_key, *secret_key, *session_token; /* all "" where they come from elsewhere */
	struct config_pairs put_user_metadata;
	struct http_config http;
	struct {
		bool enable;
	} trace;
	unsigned list_objects_version; /* enum s3_listing */
	unsigned bucket_lookup_type;   /* enum s3_lookup */
	bool send_content_md5, disable_multipart;
	uint64_t part_size; /* bytes; an object that is larger is uploaded in parts */
	struct {
		unsigned type; /* enum s3_sse */
		char *kms_key_id;
		struct config_pairs kms_encryption_context;
		char *encryption_key; /* the path of a file with 32 bytes */
	} sse;
	char *sts_endpoint;
	uint64_t max_retries;
};

/* Reads the map `config`. -EINVAL with line and key. Frees nothing on failure: call s3_config_fini either way. */
int s3_config_read(const struct yaml_node *config, struct s3_config *c, struct err *e);

/* Appends the keys of `config`, indented; secrets are not shown. */
void s3_config_render(const struct s3_config *c, struct buf *out);

/* A copy of its own; texts that are NULL become "". */
void s3_config_copy(struct s3_config *out, const struct s3_config *c);

void s3_config_fini(struct s3_config *c);

#endif
