/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads to S3: in one request, or, above part_size, in parts that go up side by side. */
#ifndef STORE_S3_PUT_H
#define STORE_S3_PUT_H

#include "lib/base/blob.h"
#include "store/s3_client.h"

#define S3_PART_THREADS   4
#define S3_PART_TRIES     5   /* of each part, unless max_retries says otherwise ... */
#define S3_MAX_PART_TRIES 100 /* ... and at most */

/* Visible at once or not at all: an upload in parts that fails is aborted. */
int s3_put(struct s3_client *c, const char *name, struct blob *content, struct err *e);

/* The size of the parts that `bytes` are uploaded in: part_size, or more where that would make too many. */
uint64_t s3_part_bytes(uint64_t bytes, uint64_t part_size);

#endif
