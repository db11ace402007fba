/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every bucket has in common: names are checked here once, so that no backend ever sees one that could
 * leave its root, and calls are passed on.
 */
#include "store/bucket.h"

#include <errno.h>
#include <string.h>

static bool is_valid_part(const char *part, size_t n)
{
	return n > 0 && !(n == 1 && part[0] == '.') && !(n == 2 && part[0] == '.' && part[1] == '.');
}

/* `n` bytes of `name`, no '/' at the end. */
static bool is_valid(const char *name, size_t n)
{
	if (n == 0 || n > BUCKET_NAME_MAX)
		return false;
	for (const char *part = name, *end = name + n; part <= end;) {
		const char *slash = memchr(part, '/', (size_t)(end - part));
		size_t len = (size_t)((slash ? slash : end) - part);
		if (!is_valid_part(part, len))
			return false;
		part += len + 1;
	}
	return true;
}

bool bucket_name_is_valid(const char *name)
{
	return is_valid(name, strlen(name));
}

static int check_name(const struct bucket *b, const char *name, struct err *e)
{
	if (bucket_name_is_valid(name))
		return 0;
	return err_set(e, -EINVAL, "%s: \"%.128s\" is not a valid object name", b->name, name);
}

int bucket_list(struct bucket *b, const char *prefix, bool recursive, bool want_info, bucket_list_fn *fn,
	void *arg, struct err *e)
{
	size_t n = strlen(prefix);
	if (n > 0 && (prefix[n - 1] != '/' || !is_valid(prefix, n - 1)))
		return err_set(e, -EINVAL, "%s: \"%.128s\" is not a valid prefix", b->name, prefix);
	return b->ops->list(b, prefix, recursive, want_info, fn, arg, e);
}

int bucket_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	int r = check_name(b, name, e);
	if (r == 0)
		r = b->ops->stat(b, name, out, e);
	if (r == 0)
		out->name = name;
	return r;
}

int bucket_open(struct bucket *b, const char *name, struct blob **out, struct err *e)
{
	return bucket_open_sized(b, name, BUCKET_SIZE_UNKNOWN, out, e);
}

int bucket_open_sized(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	int r = check_name(b, name, e);
	return r < 0 ? r : b->ops->open(b, name, known_bytes, out, e);
}

int bucket_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	int r = check_name(b, name, e);
	return r < 0 ? r : b->ops->put(b, name, content, e);
}

int bucket_remove(struct bucket *b, const char *name, struct err *e)
{
	int r = check_name(b, name, e);
	return r < 0 ? r : b->ops->remove(b, name, e);
}

void bucket_free(struct bucket *b)
{
	if (b) {
		free(b->name);
		b->ops->free(b);
	}
}

int bucket_get(struct bucket *b, const char *name, size_t max_bytes, struct buf *out, struct err *e)
{
	return bucket_get_sized(b, name, BUCKET_SIZE_UNKNOWN, max_bytes, out, e);
}

int bucket_get_sized(struct bucket *b, const char *name, uint64_t known_bytes, size_t max_bytes,
	struct buf *out, struct err *e)
{
	auto_of(blob) struct blob *content = NULL;
	int r = bucket_open_sized(b, name, known_bytes, &content, e);
	if (r < 0)
		return r;
	if (content->size > max_bytes)
		return err_set(e, -EFBIG, "%s: %s has %llu bytes, more than the %zu allowed", b->name, name,
			(unsigned long long)content->size, max_bytes);
	return blob_read_buf(content, out, content->size, 0, e);
}
