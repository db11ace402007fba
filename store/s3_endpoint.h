/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a bucket's requests go. The endpoint is taken as it is, but for Amazon's own: there the host is that of the
 * bucket's region, and the bucket is part of its name unless the configuration wants it in the path.
 */
#ifndef STORE_S3_ENDPOINT_H
#define STORE_S3_ENDPOINT_H

#include "store/s3_config.h"

/* The region that an endpoint of Amazon's names ("s3.eu-west-1.amazonaws.com"), copied to `out`; "" where none. */
void s3_endpoint_region(const char *endpoint, char out[64]);

/* True where the bucket is named in the host and not in the path. */
bool s3_endpoint_is_virtual(const struct s3_config *c);

/* Appends the host that requests are sent to when the bucket is in `region`; without the scheme's own port. */
void s3_endpoint_host(const struct s3_config *c, const char *region, struct buf *out);

/* Appends the path of an object, encoded; of the bucket itself for NULL. */
void s3_endpoint_path(const struct s3_config *c, const char *name, struct buf *out);

#endif
