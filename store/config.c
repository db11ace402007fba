/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bucket configurations. A type of store is one row of the table `types`: what it is called and how its part
 * of the YAML is read. Keys that nobody reads are errors: a misspelt option would otherwise be a default in
 * silence.
 */
#include "store/config.h"

#include "lib/base/file.h"
#include "lib/base/yaml.h"
#include "store/bucket_fs.h"
#include "store/bucket_prefix.h"
#include "store/bucket_s3.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct config_field filesystem_fields[] = {
	CONFIG_FIELD("directory", CONFIG_STR, offsetof(struct filesystem_config, directory)),
	CONFIG_FIELDS_END,
};

static int read_filesystem(const struct yaml_node *config, struct objstore_config *c, struct err *e)
{
	int r = config_fields_read(filesystem_fields, config, &c->filesystem, e);
	if (r == 0 && !*c->filesystem.directory)
		r = yaml_fail(config, e, "config of a FILESYSTEM bucket needs a directory");
	return r;
}

static int read_s3(const struct yaml_node *config, struct objstore_config *c, struct err *e)
{
	return s3_config_read(config, &c->s3, e);
}

struct type {
	const char *name;
	enum objstore_type type;
	int (*read)(const struct yaml_node *config, struct objstore_config *c, struct err *e);
};

static const struct type types[] = {
	{ "FILESYSTEM", OBJSTORE_FILESYSTEM, read_filesystem },
	{ "S3", OBJSTORE_S3, read_s3 },
};

/* What Thanos has and this program hasn't: worth another message than a misspelt word. */
static const char *const unsupported[] = { "GCS", "AZURE", "SWIFT", "COS", "ALIYUNOSS", "BOS", "OCI", "OBS" };

static int unknown_type(const struct yaml_node *at, const char *word, struct err *e)
{
	auto_buf struct buf names = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		buf_printf(&names, "%s%s", i ? ", " : "", types[i].name);
	for (size_t i = 0; i < ARRAY_LEN(unsupported); i++)
		if (!strcasecmp(word, unsupported[i]))
			return yaml_fail(at, e,
				"buckets of type %s are not supported yet; supported so far: %s",
				unsupported[i], buf_str(&names));
	return yaml_fail(
		at, e, "\"%.64s\" is not a type of bucket; supported so far: %s", word, buf_str(&names));
}

static int read_prefix(const struct yaml_node *root, struct objstore_config *c, struct err *e)
{
	const char *prefix = "";
	int r = yaml_get_str(root, "prefix", &prefix, e);
	if (r < 0)
		return r;
	size_t skip = strspn(prefix, "/"), n = strlen(prefix + skip);
	while (n > 0 && prefix[skip + n - 1] == '/')
		n--;
	c->prefix = xstrndup(prefix + skip, n);
	if (n > 0 && !bucket_name_is_valid(c->prefix))
		return yaml_fail(yaml_get(root, "prefix"), e,
			"prefix \"%.128s\" is not a path inside a bucket", prefix);
	return 0;
}

static int read_root(const struct yaml_node *root, struct objstore_config *c, struct err *e)
{
	static const char *const keys[] = { "type", "config", "prefix", NULL };
	const char *word = NULL;
	const struct yaml_node *config = NULL;
	if (yaml_is_null(root))
		return yaml_fail(root, e, "the bucket configuration is empty");
	if (root->kind != YAML_MAP)
		return yaml_fail(
			root, e, "a bucket configuration is a map with the keys type, config and prefix");
	int r = yaml_check_keys(root, keys, e);
	if (r == 0)
		r = yaml_get_str(root, "type", &word, e);
	if (r < 0)
		return r;
	if (!word)
		return yaml_fail(root, e, "the bucket configuration has no type");
	const struct type *t = types;
	while (t < types + ARRAY_LEN(types) && strcasecmp(t->name, word) != 0)
		t++;
	if (t == types + ARRAY_LEN(types))
		return unknown_type(yaml_get(root, "type"), word, e);
	c->type = t->type;
	r = yaml_get_map(root, "config", &config, e);
	if (r < 0)
		return r;
	if (!config)
		return yaml_fail(root, e, "the bucket configuration has no config");
	r = t->read(config, c, e);
	return r < 0 ? r : read_prefix(root, c, e);
}

int objstore_config_parse(
	const char *name, const char *text, size_t n, struct objstore_config **out, struct err *e)
{
	auto_buf struct buf expanded = { 0 };
	auto_of(yaml_doc) struct yaml_doc *y = NULL;
	auto_of(objstore_config) struct objstore_config *c = xcalloc(1, sizeof *c);
	int r = yaml_expand_env(name, text, n, &expanded, e);
	if (r == 0)
		r = yaml_doc_parse(name, buf_str(&expanded), expanded.len, &y, e);
	if (r == 0)
		r = read_root(yaml_root(y), c, e);
	if (r < 0)
		return r;
	*out = take(c);
	return 0;
}

int objstore_config_load(const char *path, struct objstore_config **out, struct err *e)
{
	auto_buf struct buf text = { 0 };
	int r = file_read(path, YAML_MAX_BYTES, &text, e);
	return r < 0 ? r : objstore_config_parse(path, buf_str(&text), text.len, out, e);
}

void objstore_config_free(struct objstore_config *c)
{
	if (c) {
		free(c->prefix);
		config_fields_free(filesystem_fields, &c->filesystem);
		s3_config_fini(&c->s3);
		free(c);
	}
}

void objstore_config_render(const struct objstore_config *c, struct buf *out)
{
	buf_printf(out, "type: %s\nconfig:\n", types[c->type].name);
	switch (c->type) {
	case OBJSTORE_FILESYSTEM: config_fields_render(filesystem_fields, &c->filesystem, 2, out); break;
	case OBJSTORE_S3: s3_config_render(&c->s3, out); break;
	}
	if (*c->prefix) {
		buf_add_str(out, "prefix: ");
		config_quote(c->prefix, out);
		buf_add_u8(out, '\n');
	}
}

static int backend_new(const struct objstore_config *c, const struct objstore_layers *layers,
	struct bucket **out, struct err *e)
{
	struct s3_client_options s3 = { .stop = layers->retry.stop };
	switch (c->type) {
	case OBJSTORE_FILESYSTEM: return bucket_fs_new(c->filesystem.directory, out, e);
	case OBJSTORE_S3: return bucket_s3_new(&c->s3, &s3, out, e);
	}
	return err_set(e, -EINVAL, "the type of the bucket is unknown");
}

int objstore_bucket_new(const struct objstore_config *c, const struct objstore_layers *layers,
	struct bucket **out, struct err *e)
{
	struct bucket *b = NULL;
	int r = backend_new(c, layers, &b, e);
	if (r < 0)
		return r;
	if (layers->faults)
		b = bucket_faults_new(b, layers->faults);
	b = bucket_retry_new(b, &layers->retry);
	return bucket_prefix_new(b, c->prefix, out, e);
}
