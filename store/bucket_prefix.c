/* SPDX-License-Identifier: Apache-2.0 */
/* The prefix layer: puts "prefix/" before every name on the way in, and takes it away from listed ones on the
 * way out. */
#include "store/bucket_prefix.h"

#include <errno.h>
#include <string.h>

struct prefix_bucket {
	struct bucket base;
	struct bucket *inner;
	char *prefix; /* ends in '/' */
	size_t prefix_len;
};

static struct prefix_bucket *prefix_of(struct bucket *b)
{
	return (struct prefix_bucket *)b;
}

static char *inner_name(struct bucket *b, const char *name)
{
	return xasprintf("%s%s", prefix_of(b)->prefix, name);
}

struct prefix_listing {
	struct prefix_bucket *p;
	bucket_list_fn *fn;
	void *arg;
};

static int without_prefix(void *arg, const struct object_info *o)
{
	struct prefix_listing *l = arg;
	struct object_info shorter = *o;
	shorter.name += l->p->prefix_len;
	return l->fn(l->arg, &shorter);
}

static int prefix_list(struct bucket *b, const char *prefix, bool recursive, bool want_info,
	bucket_list_fn *fn, void *arg, struct err *e)
{
	struct prefix_listing l = { .p = prefix_of(b), .fn = fn, .arg = arg };
	auto_free char *below = inner_name(b, prefix);
	return bucket_list(l.p->inner, below, recursive, want_info, without_prefix, &l, e);
}

static int prefix_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	auto_free char *full = inner_name(b, name);
	return bucket_stat(prefix_of(b)->inner, full, out, e);
}

static int prefix_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	auto_free char *full = inner_name(b, name);
	return bucket_open_sized(prefix_of(b)->inner, full, known_bytes, out, e);
}

static int prefix_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	auto_free char *full = inner_name(b, name);
	return bucket_put(prefix_of(b)->inner, full, content, e);
}

static int prefix_remove(struct bucket *b, const char *name, struct err *e)
{
	auto_free char *full = inner_name(b, name);
	return bucket_remove(prefix_of(b)->inner, full, e);
}

static void prefix_free(struct bucket *b)
{
	struct prefix_bucket *p = prefix_of(b);
	bucket_free(p->inner);
	free(p->prefix);
	free(p);
}

int bucket_prefix_new(struct bucket *inner, const char *prefix, struct bucket **out, struct err *e)
{
	static const struct bucket_ops ops = {
		.list = prefix_list,
		.stat = prefix_stat,
		.open = prefix_open,
		.put = prefix_put,
		.remove = prefix_remove,
		.free = prefix_free,
	};
	size_t skip = strspn(prefix, "/"), n = strlen(prefix + skip);
	while (n > 0 && prefix[skip + n - 1] == '/')
		n--;
	if (n == 0) {
		*out = inner;
		return 0;
	}
	auto_free char *trimmed = xstrndup(prefix + skip, n);
	if (!bucket_name_is_valid(trimmed)) {
		bucket_free(inner);
		return err_set(e, -EINVAL, "\"%.128s\" can't be the prefix of a bucket", prefix);
	}
	struct prefix_bucket *p = xcalloc(1, sizeof *p);
	p->base = (struct bucket){
		.ops = &ops,
		.name = xasprintf("%s, prefix %s", inner->name, trimmed),
		.flat_listing = inner->flat_listing,
	};
	p->inner = inner;
	p->prefix = xasprintf("%s/", trimmed);
	p->prefix_len = n + 1;
	*out = &p->base;
	return 0;
}
