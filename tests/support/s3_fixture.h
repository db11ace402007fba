/* SPDX-License-Identifier: Apache-2.0 */
/* The strict S3 server (tests/gen/s3serve) in the test's own process, over a directory of the test's. */
#ifndef TESTS_S3_FIXTURE_H
#define TESTS_S3_FIXTURE_H

#include "store/s3_config.h"
#include "tests/support/s3serve_exchange.h"

#define S3_FIXTURE_BUCKET "test-bucket"
#define S3_FIXTURE_ACCESS "AKIDTEST"
#define S3_FIXTURE_SECRET "s3cr3t/key+of=tests"

struct s3_fixture;

/* Listens when it returns; ends the test where it can't. `region`: that requests must be signed for; NULL: us-east-1. */
struct s3_fixture *s3_fixture_new(const char *region);
void s3_fixture_free(struct s3_fixture *f); /* NULL is fine; nobody may be waiting for an answer */
DEFINE_AUTO(s3_fixture, struct s3_fixture *, s3_fixture_free)

const char *s3_fixture_dir(const struct s3_fixture *f); /* where the objects are */

/* Sets what goes wrong (s3serve_faults.h); "" for nothing. */
void s3_fixture_faults(struct s3_fixture *f, const char *rules);

/* The lines of the server's log so far, one a request. */
void s3_fixture_log(struct s3_fixture *f, struct buf *out);

/* A configuration for it, read from YAML; `more` is appended to it ("  part_size: 5\n"). s3_config_fini it. */
void s3_fixture_config(struct s3_fixture *f, const char *more, struct s3_config *out);

#endif
