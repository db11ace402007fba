/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a query wants said beside its answer: warnings and infos, in upstream's words (util/annotations/annotations.go), each once,
 * with the place in the query in front where it has one: "PromQL warning: ... (1:7)". From any thread.
 */
#ifndef PROMQL_ANNOTATIONS_H
#define PROMQL_ANNOTATIONS_H

#include "lib/promql/ast.h"

enum annotation_level { ANNOTATION_WARNING, ANNOTATION_INFO };

struct annotations;

struct annotations *annotations_new(void);
void annotations_free(struct annotations *a); /* NULL is fine */

/* The words without "PromQL warning: " in front and the place behind. Where they are there already nothing happens. */
void annotations_add(struct annotations *a, enum annotation_level level, struct span at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same, but how often it was said is said, too, where that is more than once: "... (7 occurrences) (1:7)". */
void annotations_add_counted(
	struct annotations *a, enum annotation_level level, struct span at, const char *words);

/* What was repaired in classic histograms, over all the samples of which the words are said. */
struct annotation_repair {
	double lowest, highest; /* bounds of buckets */
	double difference;      /* the largest */
	int64_t first, last;    /* ms */
	uint64_t samples;
};

/* An info; the words of all that were added with them are followed by what was repaired, together. */
void annotations_add_repair(
	struct annotations *a, struct span at, const char *words, const struct annotation_repair *r);

/*
 * Calls fn for up to `limit` of a level (0: all) with the finished text, in the order of their texts; where there are more, once more with "N more ..."
 * words as upstream has them. The query's text gives line and column.
 */
void annotations_each(struct annotations *a, enum annotation_level level, struct text query, size_t limit,
	void (*fn)(void *arg, const char *text), void *arg);

#endif
