/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of this process, in Prometheus' text format. A metric is a file-scope variable that registers itself:
 *
 *	METRIC_COUNTER(slots_made, "thanosfs_slots_made_total", "Slots whose content was made.");
 *	metric_add(slots_made, 1);
 *
 *	METRIC_FAMILY(skipped, METRIC_TYPE_GAUGE, "thanosfs_blocks_skipped", "Blocks left out.", "reason");
 *	metric_set(metric_of(&skipped, "corrupt-meta"), 3);
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "lib/base/buf.h"

#include <stdatomic.h>
#include <stdint.h>

enum metric_type { METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE };

#define METRIC_CHILDREN 32 /* label values a family holds; more go to the last */

struct metric {
	_Atomic uint64_t value;
};

struct metric_family {
	const char *name, *help;
	const char *label; /* NULL: the family is one metric, child 0 */
	enum metric_type type;
	struct metric child[METRIC_CHILDREN];
	char *_Atomic label_value[METRIC_CHILDREN];
	_Atomic unsigned children;
	struct metric_family *next;
};

void metric_register(struct metric_family *f);

#define METRIC_FAMILY(var, kind, metric_name, text, label_name)                              \
	static struct metric_family var = {                                                  \
		.name = (metric_name), .help = (text), .label = (label_name), .type = (kind) \
	};                                                                                   \
	__attribute__((constructor)) static void var##_register(void)                        \
	{                                                                                    \
		metric_register(&var);                                                       \
	}

#define METRIC_COUNTER(var, metric_name, text)                                    \
	METRIC_FAMILY(var##_family, METRIC_TYPE_COUNTER, metric_name, text, NULL) \
	static struct metric *const var = &var##_family.child[0];

#define METRIC_GAUGE(var, metric_name, text)                                    \
	METRIC_FAMILY(var##_family, METRIC_TYPE_GAUGE, metric_name, text, NULL) \
	static struct metric *const var = &var##_family.child[0];

static inline void metric_add(struct metric *m, uint64_t n)
{
	atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

static inline void metric_set(struct metric *m, uint64_t v)
{
	atomic_store_explicit(&m->value, v, memory_order_relaxed);
}

static inline uint64_t metric_get(const struct metric *m)
{
	return atomic_load_explicit(&m->value, memory_order_relaxed);
}

/* The family's metric with this label value, made on first use. */
struct metric *metric_of(struct metric_family *f, const char *label_value);

/* Appends every registered metric, sorted by name, in the text exposition format 0.0.4. */
void metrics_render(struct buf *out);

#endif
