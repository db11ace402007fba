/* SPDX-License-Identifier: Apache-2.0 */
#include "store/extents_source.h"

#include "store/extents_object.h"

#include <errno.h>

struct extents_source *extents_source_new(
	struct extents *x, struct extents_object *o, struct blob *inner, unsigned *open)
{
	char version[BLOB_VERSION_BYTES];
	struct extents_source *s = xcalloc(1, sizeof *s);
	s->inner = inner;
	s->o = o;
	s->refs = 1;
	s->open = open;
	pthread_mutex_lock(&x->lock);
	++*open;
	memcpy(version, o->version, sizeof version);
	pthread_mutex_unlock(&x->lock);
	blob_pin(inner, version);
	return s;
}

void extents_source_unref(struct extents *x, struct extents_source *s)
{
	pthread_mutex_lock(&x->lock);
	bool is_last = --s->refs == 0;
	pthread_mutex_unlock(&x->lock);
	if (!is_last)
		return;
	blob_close(s->inner);
	pthread_mutex_lock(&x->lock);
	--*s->open;
	pthread_cond_broadcast(&x->changed);
	pthread_mutex_unlock(&x->lock);
	free(s);
}

/* The first version that is seen is the object's; 0, or -EBADMSG where the bytes just read are of another. */
static int check_version(struct extents *x, struct extents_source *s, struct err *e)
{
	struct extents_object *o = s->o;
	char version[BLOB_VERSION_BYTES], cached[BLOB_VERSION_BYTES];
	bool is_first = false;
	blob_version(s->inner, version);
	if (!*version)
		return 0;
	pthread_mutex_lock(&x->lock);
	if (!o->version[0]) {
		memcpy(o->version, version, sizeof o->version);
		o->is_dirty = is_first = true;
	}
	memcpy(cached, o->version, sizeof cached);
	pthread_mutex_unlock(&x->lock);
	if (is_first)
		blob_pin(s->inner, version);
	if (strcmp(cached, version) != 0)
		return err_set(e, -EBADMSG, "%s: the object changed: its version is %s, not %s",
			s->inner->name, version, cached);
	return 0;
}

int extents_source_read(
	struct extents *x, struct extents_source *s, void *out, size_t n, uint64_t at, struct err *e)
{
	int r = blob_read(s->inner, out, n, at, e);
	if (r == 0)
		r = check_version(x, s, e);
	if (r == -EBADMSG)
		extents_object_kill(x, s->o);
	return r;
}
