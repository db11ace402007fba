/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bucket's configuration, in the YAML that all Thanos components take (thanos docs/storage.md):
 *
 *	type: FILESYSTEM
 *	config:
 *	  directory: /var/thanos
 *	prefix: tenant-a
 */
#ifndef STORE_CONFIG_H
#define STORE_CONFIG_H

#include "store/bucket.h"
#include "store/bucket_faults.h"
#include "store/bucket_retry.h"
#include "store/s3_config.h"

enum objstore_type { OBJSTORE_FILESYSTEM, OBJSTORE_S3 };

struct filesystem_config {
	char *directory;
};

/* Of the parts for each type only that of `type` is filled; the others are zeros. */
struct objstore_config {
	enum objstore_type type;
	char *prefix; /* "" where there is none */
	struct filesystem_config filesystem;
	struct s3_config s3;
};

/*
 * Parses a configuration after ${VAR} was replaced from the environment. `name` is for messages: the file, or
 * the flag. -EINVAL that names line and key: an unknown key, a value of the wrong kind, a type that isn't
 * supported (yet).
 */
int objstore_config_parse(
	const char *name, const char *text, size_t n, struct objstore_config **out, struct err *e);

/* The same from a file. */
int objstore_config_load(const char *path, struct objstore_config **out, struct err *e);

void objstore_config_free(struct objstore_config *c);
DEFINE_AUTO(objstore_config, struct objstore_config *, objstore_config_free)

/* Appends the configuration as YAML, without what is secret in it: for everybody's eyes. */
void objstore_config_render(const struct objstore_config *c, struct buf *out);

/* What the layers around a backend are to do. */
struct objstore_layers {
	struct retry_options retry;
	const struct faults_options *faults; /* NULL: none are made */
};

/* Builds the bucket with all its layers. Needs no request and succeeds while the store is down. */
int objstore_bucket_new(const struct objstore_config *c, const struct objstore_layers *layers,
	struct bucket **out, struct err *e);

#endif
