/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/metrics.h"

#include <inttypes.h>
#include <pthread.h>

static struct metric_family *families; /* sorted by name */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void metric_register(struct metric_family *f)
{
	pthread_mutex_lock(&lock);
	struct metric_family **at = &families;
	while (*at && strcmp((*at)->name, f->name) < 0)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
	if (!f->label)
		f->children = 1;
	pthread_mutex_unlock(&lock);
}

struct metric *metric_of(struct metric_family *f, const char *label_value)
{
	unsigned n = atomic_load(&f->children), i;
	for (i = 0; i < n; i++)
		if (!strcmp(f->label_value[i], label_value))
			return &f->child[i];
	pthread_mutex_lock(&lock);
	n = atomic_load(&f->children);
	for (i = 0; i < n && strcmp(f->label_value[i], label_value) != 0; i++)
		;
	if (i == n && n < METRIC_CHILDREN) {
		f->label_value[n] = xstrdup(label_value);
		atomic_store(&f->children, n + 1);
	}
	pthread_mutex_unlock(&lock);
	return &f->child[MIN_OF(i, METRIC_CHILDREN - 1u)];
}

void metrics_render(struct buf *out)
{
	pthread_mutex_lock(&lock);
	for (struct metric_family *f = families; f; f = f->next) {
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
			f->type == METRIC_TYPE_COUNTER ? "counter" : "gauge");
		for (unsigned i = 0; i < f->children; i++) {
			buf_add_str(out, f->name);
			if (f->label)
				buf_printf(out, "{%s=\"%s\"}", f->label, f->label_value[i]);
			buf_printf(out, " %" PRIu64 "\n", metric_get(&f->child[i]));
		}
	}
	pthread_mutex_unlock(&lock);
}
