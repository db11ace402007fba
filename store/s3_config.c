/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3's keys as a table, and the checks between them. What could only fail later, at some request, is refused here with its
 * line: an endpoint that is a URL, a part S3 would not take, a header that no server would.
 */
#include "store/s3_config.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>

#define AT(field)     offsetof(struct s3_config, field)
#define SSE_AT(field) (AT(sse.field) - AT(sse))

static const char *const listing_words[] = { "", "v1", "v2", NULL };
static const char *const lookup_words[] = { "auto", "virtual-hosted", "path", NULL };
static const char *const sse_words[] = { "", "SSE-S3", "SSE-KMS", "SSE-C", NULL };

static const struct config_field trace_fields[] = {
	CONFIG_FIELD("enable", CONFIG_BOOL, 0),
	CONFIG_FIELDS_END,
};

static const struct config_field sse_fields[] = {
	CONFIG_FIELD("type", CONFIG_WORD, SSE_AT(type), .words = sse_words),
	CONFIG_FIELD("kms_key_id", CONFIG_STR, SSE_AT(kms_key_id)),
	CONFIG_FIELD("kms_encryption_context", CONFIG_PAIRS, SSE_AT(kms_encryption_context)),
	CONFIG_FIELD("encryption_key", CONFIG_SECRET, SSE_AT(encryption_key)),
	CONFIG_FIELDS_END,
};

static const struct config_field fields[] = {
	CONFIG_FIELD("bucket", CONFIG_STR, AT(bucket)),
	CONFIG_FIELD("endpoint", CONFIG_STR, AT(endpoint)),
	CONFIG_FIELD("region", CONFIG_STR, AT(region)),
	CONFIG_FIELD("disable_dualstack", CONFIG_BOOL, AT(disable_dualstack)),
	CONFIG_FIELD("aws_sdk_auth", CONFIG_BOOL, AT(aws_sdk_auth)),
	CONFIG_FIELD("access_key", CONFIG_STR, AT(access_key)),
	CONFIG_FIELD("insecure", CONFIG_BOOL, AT(insecure)),
	CONFIG_FIELD("signature_version2", CONFIG_BOOL, AT(signature_version2)),
	CONFIG_FIELD("secret_key", CONFIG_SECRET, AT(secret_key)),
	CONFIG_FIELD("session_token", CONFIG_SECRET, AT(session_token)),
	CONFIG_FIELD("put_user_metadata", CONFIG_PAIRS, AT(put_user_metadata)),
	CONFIG_FIELD("http_config", CONFIG_SECTION, AT(http), .section = http_config_fields),
	CONFIG_FIELD("trace", CONFIG_SECTION, AT(trace), .section = trace_fields),
	CONFIG_FIELD("list_objects_version", CONFIG_WORD, AT(list_objects_version), .words = listing_words),
	CONFIG_FIELD("bucket_lookup_type", CONFIG_WORD, AT(bucket_lookup_type), .words = lookup_words),
	CONFIG_FIELD("send_content_md5", CONFIG_BOOL, AT(send_content_md5)),
	CONFIG_FIELD("disable_multipart", CONFIG_BOOL, AT(disable_multipart)),
	CONFIG_FIELD("part_size", CONFIG_U64, AT(part_size)),
	CONFIG_FIELD("sse_config", CONFIG_SECTION, AT(sse), .section = sse_fields),
	CONFIG_FIELD("sts_endpoint", CONFIG_STR, AT(sts_endpoint)),
	CONFIG_FIELD("max_retries", CONFIG_U64, AT(max_retries)),
	CONFIG_FIELDS_END,
};

/* The node of a key, to name its line; the whole map where the key isn't there. */
static const struct yaml_node *node_of(const struct yaml_node *config, const char *key)
{
	const struct yaml_node *n = yaml_get(config, key);
	return n ? n : config;
}

static bool is_made_of(const char *text, const char *others)
{
	for (; *text; text++)
		if (!isascii(*text) || (!isalnum((unsigned char)*text) && !strchr(others, *text)))
			return false;
	return true;
}

/* A port, or nothing. */
static bool is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");
	return n > 0 && n <= 5 && !text[n] && atoi(text) > 0 && atoi(text) <= 65535;
}

static bool is_endpoint(const char *text)
{
	const char *port;
	if (*text == '[') {
		const char *end = strchr(text, ']');
		if (!end || end == text + 1 ||
			strspn(text + 1, "0123456789abcdefABCDEF:.") < (size_t)(end - text - 1))
			return false;
		return !end[1] || (end[1] == ':' && is_port(end + 2));
	}
	port = strchr(text, ':');
	auto_free char *host = port ? xstrndup(text, (size_t)(port - text)) : xstrdup(text);
	return *host && strlen(host) <= 253 && is_made_of(host, ".-_") && (!port || is_port(port + 1));
}

static int check_place(const struct yaml_node *config, const struct s3_config *c, struct err *e)
{
	size_t n = strlen(c->bucket);
	if (!n)
		return yaml_fail(config, e, "config of an S3 bucket needs a bucket");
	if (n < 3 || n > 63 || !is_made_of(c->bucket, ".-_:") || !isalnum((unsigned char)c->bucket[0]) ||
		!isalnum((unsigned char)c->bucket[n - 1]))
		return yaml_fail(node_of(config, "bucket"), e, "\"%.64s\" is not a name S3 has for a bucket",
			c->bucket);
	if (!*c->endpoint)
		return yaml_fail(config, e, "config of an S3 bucket needs an endpoint");
	if (strstr(c->endpoint, "://"))
		return yaml_fail(node_of(config, "endpoint"), e,
			"endpoint is a host, without the scheme in \"%.128s\"; insecure: true takes http",
			c->endpoint);
	if (!is_endpoint(c->endpoint))
		return yaml_fail(node_of(config, "endpoint"), e,
			"endpoint \"%.128s\" is not HOST or HOST:PORT", c->endpoint);
	if (strlen(c->region) > 63 || !is_made_of(c->region, "-_."))
		return yaml_fail(
			node_of(config, "region"), e, "\"%.64s\" is not the name of a region", c->region);
	return 0;
}

/* What goes into a header as it is. */
static bool is_header_value(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static int check_keys(const struct yaml_node *config, const struct s3_config *c, struct err *e)
{
	if (c->signature_version2)
		return yaml_fail(node_of(config, "signature_version2"), e,
			"signature_version2 is not supported: requests are signed with version 4");
	if (c->aws_sdk_auth && *c->access_key)
		return yaml_fail(
			node_of(config, "access_key"), e, "aws_sdk_auth and access_key exclude each other");
	if (*c->secret_key && !*c->access_key)
		return yaml_fail(
			node_of(config, "secret_key"), e, "secret_key needs an access_key beside it");
	if (*c->access_key && !*c->secret_key)
		return yaml_fail(node_of(config, "access_key"), e, "access_key needs a secret_key beside it");
	if (strlen(c->access_key) > 256 || !is_header_value(c->access_key) || strpbrk(c->access_key, "/, "))
		return yaml_fail(node_of(config, "access_key"), e, "access_key is not an id of S3's");
	if (strlen(c->session_token) > 16384 || !is_header_value(c->session_token))
		return yaml_fail(
			node_of(config, "session_token"), e, "session_token is not a text for a header");
	return 0;
}

static int check_puts(const struct yaml_node *config, struct s3_config *c, struct err *e)
{
	if (!c->part_size)
		c->part_size = S3_DEFAULT_PART_BYTES;
	if (c->part_size < S3_MIN_PART_BYTES || c->part_size > S3_MAX_PART_BYTES)
		return yaml_fail(node_of(config, "part_size"), e, "part_size is not from 5 MiB to 5 GiB");
	if (c->put_user_metadata.len > S3_MAX_METADATA)
		return yaml_fail(node_of(config, "put_user_metadata"), e,
			"put_user_metadata has more than %d entries", S3_MAX_METADATA);
	vec_each (p, &c->put_user_metadata)
		if (!*p->name || strlen(p->name) > 128 || !is_made_of(p->name, "-_.") ||
			strlen(p->value) > 2048 || !is_header_value(p->value))
			return yaml_fail(node_of(config, "put_user_metadata"), e,
				"put_user_metadata: \"%.64s\" and its value are not a header", p->name);
	return 0;
}

static int check_sse(const struct yaml_node *config, const struct s3_config *c, struct err *e)
{
	const struct yaml_node *at = node_of(config, "sse_config");
	if (c->sse.type == S3_SSE_KMS && !*c->sse.kms_key_id)
		return yaml_fail(at, e, "sse_config of type SSE-KMS needs a kms_key_id");
	if (c->sse.type == S3_SSE_C && !*c->sse.encryption_key)
		return yaml_fail(at, e, "sse_config of type SSE-C needs an encryption_key");
	if (c->sse.type == S3_SSE_C && c->insecure)
		return yaml_fail(
			at, e, "sse_config of type SSE-C would send its key in the clear: insecure is true");
	size_t context_bytes = 0;
	vec_each (p, &c->sse.kms_encryption_context)
		context_bytes += strlen(p->name) + strlen(p->value);
	if (context_bytes > 4096)
		return yaml_fail(at, e, "kms_encryption_context has more than 4096 bytes");
	if (strlen(c->sse.kms_key_id) > 2048 || !is_header_value(c->sse.kms_key_id))
		return yaml_fail(at, e, "kms_key_id is not a text for a header");
	return 0;
}

int s3_config_read(const struct yaml_node *config, struct s3_config *c, struct err *e)
{
	*c = (struct s3_config){
		.http = HTTP_CONFIG_DEFAULTS,
		.send_content_md5 = true,
		.part_size = S3_DEFAULT_PART_BYTES,
	};
	int r = config_fields_read(fields, config, c, e);
	if (r == 0)
		r = check_place(config, c, e);
	if (r == 0)
		r = check_keys(config, c, e);
	if (r == 0)
		r = check_puts(config, c, e);
	if (r == 0)
		r = check_sse(config, c, e);
	return r < 0 ? r : http_config_check(&c->http, node_of(config, "http_config"), e);
}

void s3_config_render(const struct s3_config *c, struct buf *out)
{
	config_fields_render(fields, c, 2, out);
}

void s3_config_copy(struct s3_config *out, const struct s3_config *c)
{
	*out = *c;
	config_fields_own(fields, out);
}

void s3_config_fini(struct s3_config *c)
{
	config_fields_free(fields, c);
}
