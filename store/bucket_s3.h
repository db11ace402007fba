/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket of Amazon S3, or of a store that speaks its protocol (Thanos' type S3). Reads are ranged GETs. An object that
 * is opened with a known size costs no request until it is read; the first read learns its ETag, and from then on each
 * asks for that version: another is -EBADMSG. What was removed can't be read on: -ENOENT.
 */
#ifndef STORE_BUCKET_S3_H
#define STORE_BUCKET_S3_H

#include "store/bucket.h"
#include "store/s3_client.h"

/*
 * Needs no request. Copies the configuration. -EACCES: credentials that should be there aren't; -EINVAL, -ENOENT: a file
 * that the configuration names.
 */
int bucket_s3_new(const struct s3_config *c, const struct s3_client_options *options, struct bucket **out,
	struct err *e);

#endif
