/* SPDX-License-Identifier: Apache-2.0 */
/* A list of nodes and a thread that goes through it once. */
#include "fs/inherited.h"

#include "fs/fs.h"
#include "fs/open_count.h"
#include "lib/base/thread.h"
#include "lib/base/vec.h"

#include <pthread.h>
#include <stdatomic.h>

struct inherited {
	struct fs *fs;
	VEC(uint64_t) nodes;
	pthread_t thread;
	bool is_started;
	atomic_bool end;
};

static void add(void *arg, uint64_t id, unsigned count)
{
	struct inherited *i = arg;
	(void)count;
	if (fs_ops_of(id)->opened)
		vec_push(&i->nodes, id);
}

struct inherited *inherited_new(struct fs *fs)
{
	struct inherited *i = xcalloc(1, sizeof *i);
	i->fs = fs;
	open_count_each(fs->opens, add, i);
	if (i->nodes.len)
		return i;
	free(i);
	return NULL;
}

static void *go_through(void *arg)
{
	struct inherited *i = arg;
	vec_each (id, &i->nodes) {
		if (atomic_load(&i->end))
			break;
		const struct fs_node_ops *ops = fs_ops_of(*id);
		ops->opened(i->fs, *id);
		/* Closed meanwhile: then nobody else will say so. */
		if (!open_count_get(i->fs->opens, *id) && ops->closed)
			ops->closed(i->fs, *id);
	}
	return NULL;
}

void inherited_take_up(struct inherited *i)
{
	if (!i)
		return;
	/* Without it files are read as ever, for as long as the bucket has them. */
	i->is_started = thread_start(&i->thread, 0, 0, go_through, i) == 0;
}

void inherited_free(struct inherited *i)
{
	if (!i)
		return;
	atomic_store(&i->end, true);
	if (i->is_started)
		pthread_join(i->thread, NULL);
	vec_fini(&i->nodes);
	free(i);
}
