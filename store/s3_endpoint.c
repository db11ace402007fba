/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and paths, from the configuration and the region alone. */
#include "store/s3_endpoint.h"

#include "lib/net/http_client.h"

#include <stdio.h>
#include <string.h>

/* Without the port. */
static char *host_of(const char *endpoint)
{
	size_t n = *endpoint == '[' ? strcspn(endpoint, "]") + 1 : strcspn(endpoint, ":");
	return xstrndup(endpoint, n);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && !strcmp(text + n - m, end);
}

/* "" or "cn" where the host is Amazon's; NULL where it isn't. */
static const char *amazon_suffix(const char *host)
{
	static const char *const suffixes[] = { ".amazonaws.com", ".amazonaws.com.cn" };
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (ends_with(host, suffixes[i]))
			return suffixes[i];
	return NULL;
}

/* The region in the middle of "HEAD REGION SUFFIX"; false: the host is of another form. */
static bool region_between(const char *host, const char *head, const char *suffix, char out[64])
{
	size_t n = strlen(host), skip = strlen(head), end = strlen(suffix);
	if (n <= skip + end || n - skip - end >= 64 || strncmp(host, head, skip) != 0)
		return false;
	memcpy(out, host + skip, n - skip - end);
	out[n - skip - end] = 0;
	return !strchr(out, '.') && strchr(out, '-');
}

void s3_endpoint_region(const char *endpoint, char out[64])
{
	static const char *const heads[] = { "s3-fips.dualstack.", "s3-fips.", "s3.dualstack.", "s3.",
		"s3-" };
	auto_free char *host = host_of(endpoint);
	const char *suffix = amazon_suffix(host);
	*out = 0;
	if (!suffix || !strcmp(host, "s3-external-1.amazonaws.com"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (region_between(host, heads[i], suffix, out))
			return;
	/* "bucket.vpce-0a1b.s3.eu-west-1.vpce.amazonaws.com" */
	const char *end = ends_with(host, ".vpce.amazonaws.com") ? ".vpce.amazonaws.com" : NULL;
	const char *s3 = end ? strstr(host, ".s3.") : NULL;
	if (!s3 || !region_between(s3, ".s3.", end, out))
		*out = 0;
}

/* The hosts of Amazon that stand for all regions, or for one, without any other meaning. */
static bool is_replaceable(const char *host)
{
	char region[64];
	const char *suffix = amazon_suffix(host);
	return suffix && (!strcmp(host, "s3.amazonaws.com") || !strcmp(host, "s3-external-1.amazonaws.com") ||
				 region_between(host, "s3.dualstack.", suffix, region) ||
				 region_between(host, "s3.", suffix, region));
}

static bool is_virtual_by_itself(const char *host)
{
	return amazon_suffix(host) || !strcmp(host, "storage.googleapis.com") ||
	       ends_with(host, ".aliyuncs.com");
}

bool s3_endpoint_is_virtual(const struct s3_config *c)
{
	if (c->bucket_lookup_type != S3_LOOKUP_AUTO)
		return c->bucket_lookup_type == S3_LOOKUP_VIRTUAL_HOSTED;
	auto_free char *host = host_of(c->endpoint);
	/* A certificate for *.HOST doesn't cover a bucket with a dot in its name. */
	return is_virtual_by_itself(host) && (c->insecure || !strchr(c->bucket, '.'));
}

void s3_endpoint_host(const struct s3_config *c, const char *region, struct buf *out)
{
	auto_free char *host = host_of(c->endpoint);
	const char *port = c->endpoint + strlen(host);
	if (s3_endpoint_is_virtual(c))
		buf_printf(out, "%s.", c->bucket);
	if (is_replaceable(host) && *region)
		buf_printf(out, "s3.%s%s%s", c->disable_dualstack ? "" : "dualstack.", region,
			!strncmp(region, "cn-", 3) ? ".amazonaws.com.cn" : ".amazonaws.com");
	else
		buf_add_str(out, host);
	if (strcmp(port, c->insecure ? ":80" : ":443") != 0)
		buf_add_str(out, port);
}

void s3_endpoint_path(const struct s3_config *c, const char *name, struct buf *out)
{
	buf_add_u8(out, '/');
	if (!s3_endpoint_is_virtual(c)) {
		http_escape(c->bucket, false, out);
		buf_add_str(out, "/"); /* of the bucket too: some stores know it only so */
	}
	if (name)
		http_escape(name, true, out);
}
