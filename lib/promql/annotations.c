/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of texts behind a lock; they are put in order when they are asked for. */
#include "lib/promql/annotations.h"

#include "lib/base/buf.h"
#include "lib/base/go_float.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <xxhash.h>

#define WORDS_MAX 1024u

struct annotation {
	struct annotation *next; /* of the same slot */
	enum annotation_level level;
	struct span at;
	uint64_t hash;
	struct annotation_repair repair; /* samples 0: none */
	uint64_t count;                  /* 0: isn't counted */
	char words[];
};

struct annotations {
	pthread_mutex_t lock;
	struct annotation **slots;
	size_t n_slots, n; /* n_slots: 0 or a power of two */
};

struct annotations *annotations_new(void)
{
	struct annotations *a = xcalloc(1, sizeof *a);
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void annotations_free(struct annotations *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_slots; i++)
		for (struct annotation *it = a->slots[i], *next; it; it = next) {
			next = it->next;
			free(it);
		}
	free(a->slots);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static void grow_locked(struct annotations *a)
{
	size_t n = MAX_OF(a->n_slots * 2, 16u);
	struct annotation **slots = xcalloc(n, sizeof slots[0]);
	for (size_t i = 0; i < a->n_slots; i++)
		for (struct annotation *it = a->slots[i], *next; it; it = next) {
			next = it->next;
			it->next = slots[it->hash & (n - 1)];
			slots[it->hash & (n - 1)] = it;
		}
	free(a->slots);
	a->slots = slots;
	a->n_slots = n;
}

static struct annotation *put_locked(
	struct annotations *a, enum annotation_level level, struct span at, const char *words)
{
	size_t len = strlen(words);
	uint64_t hash = XXH3_64bits_withSeed(words, len, level);
	if (a->n >= a->n_slots)
		grow_locked(a);
	struct annotation **slot = &a->slots[hash & (a->n_slots - 1)], *it = *slot;
	while (it && !(it->hash == hash && it->level == level && strcmp(it->words, words) == 0))
		it = it->next;
	if (!it) {
		it = xmalloc(sizeof *it + len + 1);
		*it = (struct annotation){ .next = *slot, .level = level, .at = at, .hash = hash };
		memcpy(it->words, words, len + 1);
		*slot = it;
		a->n++;
	}
	/* Of several places the last one, which upstream would have come to last. */
	if (at.start > it->at.start)
		it->at = at;
	return it;
}

void annotations_add(struct annotations *a, enum annotation_level level, struct span at, const char *fmt, ...)
{
	char words[WORDS_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(words, sizeof words, fmt, args);
	va_end(args);
	pthread_mutex_lock(&a->lock);
	put_locked(a, level, at, words);
	pthread_mutex_unlock(&a->lock);
}

void annotations_add_counted(
	struct annotations *a, enum annotation_level level, struct span at, const char *words)
{
	pthread_mutex_lock(&a->lock);
	put_locked(a, level, at, words)->count++;
	pthread_mutex_unlock(&a->lock);
}

void annotations_add_repair(
	struct annotations *a, struct span at, const char *words, const struct annotation_repair *r)
{
	pthread_mutex_lock(&a->lock);
	struct annotation_repair *all = &put_locked(a, ANNOTATION_INFO, at, words)->repair;
	if (!all->samples) {
		*all = *r;
	} else {
		all->lowest = fmin(all->lowest, r->lowest);
		all->highest = fmax(all->highest, r->highest);
		all->difference = fmax(all->difference, r->difference);
		all->first = MIN_OF(all->first, r->first);
		all->last = MAX_OF(all->last, r->last);
		all->samples += r->samples;
	}
	pthread_mutex_unlock(&a->lock);
}

static void add_time(struct buf *out, int64_t t)
{
	time_t seconds = (time_t)(t / 1000);
	struct tm tm;
	char text[64] = "";
	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_add_str(out, text);
}

static void add_repair(struct buf *out, const struct annotation_repair *r)
{
	buf_add_str(out, ", from buckets ");
	go_float_add(out, r->lowest, 'g');
	buf_add_str(out, " to ");
	go_float_add(out, r->highest, 'g');
	buf_printf(
		out, ", with a max diff of %.2g, over %" PRIu64 " samples from ", r->difference, r->samples);
	add_time(out, r->first);
	buf_add_str(out, " to ");
	add_time(out, r->last);
}

static int by_words(const void *x, const void *y)
{
	const struct annotation *const *a = x, *const *b = y;
	return strcmp((*a)->words, (*b)->words);
}

/* Line and column, from 1; columns are bytes. */
static void add_place(struct buf *out, struct text query, uint32_t at)
{
	uint32_t line = 1, column = 1;
	for (uint32_t i = 0; i < at && i < query.len; i++) {
		column++;
		if (query.p[i] == '\n') {
			line++;
			column = 1;
		}
	}
	buf_printf(out, " (%" PRIu32 ":%" PRIu32 ")", line, column);
}

void annotations_each(struct annotations *a, enum annotation_level level, struct text query, size_t limit,
	void (*fn)(void *arg, const char *text), void *arg)
{
	const char *name = level == ANNOTATION_WARNING ? "warning" : "info";
	auto_free struct annotation **sorted = xmalloc((a->n + 1) * sizeof sorted[0]);
	size_t n = 0;
	for (size_t i = 0; i < a->n_slots; i++)
		for (struct annotation *it = a->slots[i]; it; it = it->next)
			if (it->level == level)
				sorted[n++] = it;
	qsort(sorted, n, sizeof sorted[0], by_words);
	size_t shown = limit ? MIN_OF(n, limit) : n;
	auto_buf struct buf text = { 0 };
	for (size_t i = 0; i < shown; i++) {
		buf_reset(&text);
		buf_printf(&text, "PromQL %s: %s", name, sorted[i]->words);
		if (sorted[i]->repair.samples)
			add_repair(&text, &sorted[i]->repair);
		if (sorted[i]->count > 1)
			buf_printf(&text, " (%" PRIu64 " occurrences)", sorted[i]->count);
		add_place(&text, query, sorted[i]->at.start);
		fn(arg, buf_str(&text));
	}
	if (shown < n) {
		buf_reset(&text);
		buf_printf(&text, "%zu more %s annotations omitted", n - shown, name);
		fn(arg, buf_str(&text));
	}
}
