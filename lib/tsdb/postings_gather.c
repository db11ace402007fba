/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorted neighbours share most of their labels, so a label pair is not noted for every series, but for a run
 * of series: each label name has a log of (first series, pair), eight bytes whenever its value changes, and
 * counting is an addition a run. Logs collect in blocks that go to a scratch file.
 */
#include "lib/tsdb/postings_gather.h"

#include <errno.h>
#include <stdbool.h>

#define RUN_MEMORY_BYTES (16u << 20)
#define WINDOW_BYTES     (32u << 20)
#define FIRST_RUNS       16
#define FIRST_SLOTS      1024

static uint64_t mixed(uint64_t v)
{
	v = (v ^ v >> 31) * 0x9e3779b97f4a7c15u;
	return v ^ v >> 29;
}

int postings_writer_open(const char *beside, uint32_t n_symbols, struct postings_writer **out, struct err *e)
{
	auto_of(postings_writer) struct postings_writer *w = xcalloc(1, sizeof *w);
	w->refs.fd = w->log.fd = -1;
	w->n_symbols = n_symbols;
	w->run_bytes_max = RUN_MEMORY_BYTES;
	w->window_bytes = WINDOW_BYTES;
	w->n_name_slots = w->n_more_slots = FIRST_SLOTS;
	w->name_slots = xcalloc(w->n_name_slots, sizeof *w->name_slots);
	int r = append_file_open_scratch(&w->refs, beside, e);
	if (r == 0)
		r = append_file_open_scratch(&w->log, beside, e);
	if (r == 0)
		r = scratch_table_open(&w->pairs, beside, n_symbols * sizeof(struct posting_pair), e);
	if (r == 0)
		r = scratch_table_open(&w->more, beside, 0, e);
	if (r == 0)
		r = scratch_table_open(&w->more_slots, beside, FIRST_SLOTS * sizeof(uint32_t), e);
	if (r == 0)
		*out = take(w);
	return r;
}

void postings_writer_close(struct postings_writer *w)
{
	if (!w)
		return;
	vec_fini(&w->open);
	vec_fini(&w->next);
	vec_each (n, &w->names) {
		free(n->runs);
		vec_fini(&n->blocks);
	}
	vec_fini(&w->names);
	free(w->name_slots);
	scratch_table_close(&w->pairs);
	scratch_table_close(&w->more);
	scratch_table_close(&w->more_slots);
	append_file_close(&w->refs);
	append_file_close(&w->log);
	free(w);
}

static uint32_t *name_slot(const struct postings_writer *w, uint32_t symbol)
{
	size_t i = mixed(symbol) & (w->n_name_slots - 1);
	while (w->name_slots[i] && w->names.data[w->name_slots[i] - 1].symbol != symbol)
		i = (i + 1) & (w->n_name_slots - 1);
	return &w->name_slots[i];
}

/* The number of a label name. */
static uint32_t name_of(struct postings_writer *w, uint32_t symbol)
{
	uint32_t *slot = name_slot(w, symbol);
	if (*slot)
		return *slot - 1;
	vec_push(&w->names, (struct posting_name){ .symbol = symbol, .open = PAIR_NONE });
	*slot = (uint32_t)w->names.len;
	if (2 * w->names.len > w->n_name_slots) {
		free(w->name_slots);
		w->n_name_slots *= 2;
		w->name_slots = xcalloc(w->n_name_slots, sizeof *w->name_slots);
		for (uint32_t i = 0; i < w->names.len; i++)
			*name_slot(w, w->names.data[i].symbol) = i + 1;
	}
	return (uint32_t)w->names.len - 1;
}

static uint32_t *more_slot(const struct postings_writer *w, uint32_t name, uint32_t value)
{
	uint32_t *slots = w->more_slots.data;
	size_t i = mixed((uint64_t)name << 32 | value) & (w->n_more_slots - 1);
	while (slots[i] &&
		(posting_pairs(w)[slots[i]].name != name + 1 || posting_value(w, slots[i]) != value))
		i = (i + 1) & (w->n_more_slots - 1);
	return &slots[i];
}

static int grow_more_slots(struct postings_writer *w, struct err *e)
{
	size_t n = 2 * w->n_more_slots;
	int r = scratch_table_grow(&w->more_slots, n * sizeof(uint32_t), e);
	if (r < 0)
		return r;
	w->n_more_slots = n;
	memset(w->more_slots.data, 0, n * sizeof(uint32_t));
	for (uint32_t h = w->n_symbols; h < w->n_symbols + w->n_more; h++)
		*more_slot(w, posting_pairs(w)[h].name - 1, posting_value(w, h)) = h;
	return 0;
}

/* The handle of a pair whose value is known under another name. */
static int further_pair(
	struct postings_writer *w, uint32_t name, uint32_t value, uint32_t *handle, struct err *e)
{
	uint32_t *slot = more_slot(w, name, value);
	if (*slot) {
		*handle = *slot;
		return 0;
	}
	uint64_t h = (uint64_t)w->n_symbols + w->n_more;
	if (h >= PAIR_NONE)
		return err_set(e, -EFBIG, "more than %u label pairs", PAIR_NONE - 1);
	int r = scratch_table_grow(&w->pairs, (h + 1) * sizeof(struct posting_pair), e);
	if (r == 0)
		r = scratch_table_grow(&w->more, (w->n_more + 1) * sizeof(uint32_t), e);
	if (r < 0)
		return r;
	posting_pairs(w)[h].name = name + 1;
	((uint32_t *)w->more.data)[w->n_more++] = value;
	*slot = *handle = (uint32_t)h;
	w->n_pairs++;
	w->names.data[name].n_pairs++;
	return 2 * (size_t)w->n_more > w->n_more_slots ? grow_more_slots(w, e) : 0;
}

static inline int pair_of(
	struct postings_writer *w, uint32_t name, uint32_t value, uint32_t *handle, struct err *e)
{
	struct posting_pair *p = &posting_pairs(w)[value];
	if (p->name && p->name != name + 1)
		return further_pair(w, name, value, handle, e);
	if (!p->name) {
		p->name = name + 1;
		w->n_pairs++;
		w->names.data[name].n_pairs++;
	}
	*handle = value;
	return 0;
}

static int log_runs(struct postings_writer *w, struct posting_name *n, struct err *e)
{
	vec_push(&n->blocks, (struct run_block){ .at = append_file_at(&w->log), .n = n->n_runs });
	int r = append_file_add(&w->log, n->runs, n->n_runs * sizeof *n->runs, e);
	n->n_runs = 0;
	return r;
}

/* Room for a run. Only an index with very many label names ever has to log blocks that aren't full. */
static int make_room(struct postings_writer *w, struct posting_name *n, struct err *e)
{
	if (n->cap_runs == RUNS_PER_BLOCK)
		return log_runs(w, n, e);
	if (w->run_bytes > w->run_bytes_max) {
		vec_each (o, &w->names) {
			int r = o->n_runs ? log_runs(w, o, e) : 0;
			if (r < 0)
				return r;
			free(o->runs);
			o->runs = NULL;
			o->cap_runs = 0;
		}
		w->run_bytes = 0;
	}
	uint32_t cap = n->cap_runs ? 2 * n->cap_runs : FIRST_RUNS;
	w->run_bytes += (cap - n->cap_runs) * sizeof *n->runs;
	n->runs = xreallocarray(n->runs, cap, sizeof *n->runs);
	n->cap_runs = cap;
	return 0;
}

/* Ends the run that `name` is in and starts one with `pair` at the series that is being added. */
static inline int start_run(struct postings_writer *w, uint32_t name, uint32_t pair, struct err *e)
{
	struct posting_name *n = &w->names.data[name];
	if (n->open != PAIR_NONE)
		posting_pairs(w)[n->open].count += w->n_series - n->since;
	n->open = pair;
	n->since = w->n_series;
	if (__builtin_expect(n->n_runs == n->cap_runs, 0)) {
		int r = make_room(w, n, e);
		if (r < 0)
			return r;
	}
	n->runs[n->n_runs++] = (struct run){ .first = w->n_series, .pair = pair };
	return 0;
}

static inline int start_pair(struct postings_writer *w, uint32_t name, uint32_t value, struct err *e)
{
	uint32_t pair = 0;
	int r = pair_of(w, name, value, &pair, e);
	return r < 0 ? r : start_run(w, name, pair, e);
}

/* The labels behind `same`, where names come or go: a merge of the old list and the new. */
static int change_names(
	struct postings_writer *w, const uint32_t *pairs, uint32_t n, uint32_t same, struct err *e)
{
	vec_reserve(&w->next, n);
	vec_reserve(&w->open, n);
	struct open_label *was = w->open.data + same, *was_end = w->open.data + w->open.len;
	w->next.len = 0;
	for (uint32_t i = same; i < n || was < was_end;) {
		int r = 0;
		uint32_t name = i < n ? pairs[2 * i] : UINT32_MAX;
		if (was < was_end && (i == n || was->name_symbol < name)) {
			r = start_run(w, was->name, PAIR_NONE, e);
			was++;
		} else {
			struct open_label now = { .name_symbol = name, .value_symbol = pairs[2 * i + 1] };
			bool had = was < was_end && was->name_symbol == name;
			now.name = had ? was->name : name_of(w, name);
			if (!had || was->value_symbol != now.value_symbol)
				r = start_pair(w, now.name, now.value_symbol, e);
			was += had;
			i++;
			vec_push(&w->next, now);
		}
		if (r < 0)
			return r;
	}
	if (w->next.len)
		memcpy(w->open.data + same, w->next.data, w->next.len * sizeof *w->next.data);
	w->open.len = n;
	return 0;
}

int postings_writer_series(struct postings_writer *w, const uint32_t *pairs, uint32_t n, uint32_t same,
	uint32_t ref, struct err *e)
{
	uint32_t be = htobe32(ref), i = same;
	uint8_t *to = append_file_reserve(&w->refs, sizeof be, e);
	if (!to)
		return w->refs.failed;
	memcpy(to, &be, sizeof be);
	w->refs.len += sizeof be;
	for (; i < n && i < w->open.len && w->open.data[i].name_symbol == pairs[2 * i]; i++) {
		struct open_label *o = &w->open.data[i];
		if (o->value_symbol == pairs[2 * i + 1])
			continue;
		int r = start_pair(w, o->name, pairs[2 * i + 1], e);
		if (r < 0)
			return r;
		o->value_symbol = pairs[2 * i + 1];
	}
	int r = i < n || i < w->open.len ? change_names(w, pairs, n, i, e) : 0;
	w->n_series++;
	return r;
}

void postings_gather_end(struct postings_writer *w)
{
	vec_each (n, &w->names) {
		if (n->open != PAIR_NONE)
			posting_pairs(w)[n->open].count += w->n_series - n->since;
		n->open = PAIR_NONE;
	}
}
