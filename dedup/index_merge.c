/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merge of a window's indexes:
 *
 *	symbols		all tables and the external labels' strings become the output's table (symbol_merge)
 *	each source	stream -> labels edited (label_edit) -> order restored (series_order): index_source
 *	series		k-way merge by labels; the chunks of equal label sets are planned together (layout)
 *	each chunk	passed through: its segment gets a number at its first use; a slot: the slot map places it
 *			either way the run of its metric in that segment is written down (metric_runs)
 *
 * Sources whose series must be sorted are read to their end before the first series comes out of them; the
 * others are streamed in step.
 */
#include "dedup/index_merge.h"

#include "dedup/index_source.h"
#include "dedup/kway.h"
#include "dedup/metric_runs.h"
#include "dedup/slot_map.h"
#include "lib/tsdb/index_write.h"

#include <errno.h>
#include <unistd.h>

#define SORTED_KEEP_BYTES (32u << 20) /* for all sources that are sorted together */
#define SEGMENT_NONE      UINT32_MAX

/* One record of the merged series and what tells its replica from others. */
struct member {
	size_t first_chunk, n_chunks; /* in merge.chunks */
	size_t first_word, n_words;   /* in merge.identity */
	unsigned replica;             /* of the source */
};

struct merge {
	const char *dir;
	const struct index_merge_input *inputs;
	size_t n;
	const struct dedup_settings *settings;
	struct index_merge_result *result;
	int *bad_source;

	struct index_stream **streams;
	struct symbol_maps *maps;
	struct label_edit *edits;
	struct index_source **sources;
	const struct series_record **current;
	struct kway kway;
	bool has_identities; /* some source has series with a replica label of their own */

	/* The series at hand. */
	const uint32_t *labels; /* of the first source that has it, or in kept_labels */
	uint32_t n_labels;
	VEC(uint32_t) kept_labels;
	VEC(struct layout_input) chunks;
	VEC(uint32_t) identity;
	VEC(struct member) members;
	VEC(struct chunk_meta) planned;

	struct layout *layout;
	struct slot_map_writer *slots;
	struct index_writer *writer;
	uint32_t **segments;              /* a source, a segment of it: its merged number */
	VEC(uint32_t) synthetic_segments; /* likewise */

	struct metric_runs_writer runs;
	uint32_t name_of_metrics; /* the symbol __name__; SYMBOL_NONE: no source has it */
};

void index_merge_result_fini(struct index_merge_result *r)
{
	vec_fini(&r->segments);
}

static void merge_fini(struct merge *m)
{
	for (size_t i = 0; i < m->n; i++) {
		index_source_free(m->sources[i]);
		label_edit_fini(&m->edits[i]);
		index_stream_close(m->streams[i]);
		free(m->segments[i]);
	}
	free(m->sources);
	free(m->edits);
	free(m->streams);
	free(m->segments);
	free(m->current);
	symbol_maps_free(m->maps);
	kway_fini(&m->kway);
	vec_fini(&m->kept_labels);
	vec_fini(&m->chunks);
	vec_fini(&m->identity);
	vec_fini(&m->members);
	vec_fini(&m->planned);
	vec_fini(&m->synthetic_segments);
	metric_runs_writer_fini(&m->runs);
	layout_free(m->layout);
	slot_map_writer_close(m->slots);
	index_writer_close(m->writer);
}

/* The error is about input i. */
static int blame(struct merge *m, size_t i, int r, struct err *e)
{
	*m->bad_source = (int)i;
	return err_wrap(e, r, "block %s", m->inputs[i].source.block->ulid);
}

static int open_streams(struct merge *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		int r = index_stream_open(m->inputs[i].index, &m->streams[i], e);
		if (r < 0)
			return blame(m, i, r, e);
	}
	return 0;
}

static struct labels *external_labels(const struct merge *m, size_t source)
{
	return &m->inputs[source].source.block->meta->thanos.labels;
}

static bool is_replica_label(const struct merge *m, const char *name)
{
	for (size_t i = 0; i < m->settings->n_replica_labels; i++) {
		if (strcmp(m->settings->replica_labels[i], name) == 0)
			return true;
	}
	return false;
}

/* As everywhere in Prometheus, an empty value is no label: an external one removes the series' own. */
static bool is_set(const struct merge *m, const struct label *l)
{
	return *l->value && !is_replica_label(m, l->name);
}

/*
 * Merges the symbols; the strings are, in this order, the names of the replica labels, then name and value of
 * each source's external labels, then the name of the label that names metrics.
 */
static int merge_symbols(struct merge *m, struct symbol_name **out, struct err *e)
{
	VEC(struct symbol_name) names = { 0 };
	for (size_t i = 0; i < m->settings->n_replica_labels; i++)
		vec_push(&names, (struct symbol_name){ .text = m->settings->replica_labels[i] });
	for (size_t i = 0; i < m->n; i++) {
		vec_each (l, external_labels(m, i)) {
			bool add = is_set(m, l);
			vec_push(&names, (struct symbol_name){ .text = l->name, .add = add });
			vec_push(&names, (struct symbol_name){ .text = l->value, .add = add });
		}
	}
	vec_push(&names, (struct symbol_name){ .text = "__name__" });
	int r = symbol_merge(
		m->dir, m->streams, m->n, names.data, names.len, m->writer, &m->maps, m->bad_source, e);
	if (r < 0) {
		free(names.data);
		return *m->bad_source < 0 ? r : blame(m, (size_t)*m->bad_source, r, e);
	}
	m->name_of_metrics = names.data[names.len - 1].number;
	*out = names.data;
	return 0;
}

static void make_edits(struct merge *m, const struct symbol_name *names)
{
	uint32_t n_replica = (uint32_t)m->settings->n_replica_labels;
	size_t at = n_replica;
	for (size_t i = 0; i < m->n; i++) {
		struct label_edit *edit = &m->edits[i];
		label_edit_init(edit, symbol_maps_of(m->maps, i), n_replica);
		vec_each (l, external_labels(m, i)) {
			if (is_set(m, l))
				label_edit_set(edit, names[at].number, names[at + 1].number);
			else
				label_edit_drop(edit, names[at].number);
			at += 2;
		}
		/*
		 * A replica label among the external ones overwrites the series' own, which then tells
		 * nothing.
		 */
		for (uint32_t k = 0; k < n_replica; k++) {
			if (!labels_get(external_labels(m, i), names[k].text))
				label_edit_take(edit, names[k].number, k);
		}
		label_edit_ready(edit);
		m->has_identities |= edit->n_identity > 0;
	}
}

static int cmp_current(const void *arg, unsigned a, unsigned b)
{
	const struct series_record *const *current = arg;
	return series_record_cmp(current[a], current[b]);
}

/* The source's next series: 1 with m->current[i] set, or 0. */
static int next_series(struct merge *m, unsigned i, struct err *e)
{
	int r = index_source_next(m->sources[i], &m->current[i], e);
	if (r < 0 && !index_source_disk_failed(m->sources[i]))
		return blame(m, i, r, e);
	return r;
}

/* Brings a source that was taken out to its next series and back in. */
static int advance(struct merge *m, unsigned i, struct err *e)
{
	int r = next_series(m, i, e);
	if (r > 0)
		kway_put(&m->kway, i, cmp_current, m->current);
	return r < 0 ? r : 0;
}

static int open_sources(struct merge *m, struct err *e)
{
	auto_free struct symbol_name *names = NULL;
	int r = merge_symbols(m, &names, e);
	if (r < 0)
		return r;
	make_edits(m, names);
	size_t sorted = 1;
	for (size_t i = 0; i < m->n; i++)
		sorted += m->edits[i].may_reorder;
	for (unsigned i = 0; i < m->n; i++) {
		const struct catalogue_block *b = m->inputs[i].source.block;
		m->segments[i] = xcalloc(b->n_segments, sizeof *m->segments[i]);
		for (unsigned k = 0; k < b->n_segments; k++)
			m->segments[i][k] = SEGMENT_NONE;
		m->sources[i] = index_source_new(&m->inputs[i], (uint16_t)i, m->streams[i], &m->edits[i],
			m->dir, SORTED_KEEP_BYTES / sorted);
		r = advance(m, i, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_record(struct merge *m, unsigned i, struct err *e)
{
	const struct series_record *record = m->current[i];
	size_t n = record->n_chunks, n_words = record->n_identity;
	if (m->chunks.len + n > INDEX_SOURCE_MAX_CHUNKS)
		return blame(m, i,
			err_set(e, -EBADMSG, "a merged series would have more than %u source chunks",
				INDEX_SOURCE_MAX_CHUNKS),
			e);
	if (m->has_identities) {
		vec_push(&m->members, (struct member){
					      .first_chunk = m->chunks.len,
					      .n_chunks = n,
					      .first_word = m->identity.len,
					      .n_words = n_words,
					      .replica = m->inputs[i].source.replica,
				      });
		vec_reserve(&m->identity, m->identity.len + n_words);
		if (n_words)
			memcpy(m->identity.data + m->identity.len, series_record_identity(record),
				n_words * sizeof(uint32_t));
		m->identity.len += n_words;
	}
	vec_reserve(&m->chunks, m->chunks.len + n);
	memcpy(m->chunks.data + m->chunks.len, series_record_chunks(record), n * sizeof(struct layout_input));
	m->chunks.len += n;
	return 0;
}

/* Adds all that source i has of the series at hand: replica labels may have told several series of its apart. */
static int add_records(struct merge *m, unsigned i, struct err *e)
{
	const struct series_record *record;
	do {
		int r = add_record(m, i, e);
		if (r == 0)
			r = next_series(m, i, e);
		if (r <= 0)
			return r;
		record = m->current[i];
	} while (series_labels_cmp(record->words, record->n_labels, m->labels, m->n_labels) == 0);
	kway_put(&m->kway, i, cmp_current, m->current);
	return 0;
}

static int cmp_members(const void *pa, const void *pb, void *arg)
{
	const struct member *a = pa, *b = pb;
	const uint32_t *words = arg;
	if (a->replica != b->replica)
		return a->replica < b->replica ? -1 : 1;
	for (size_t i = 0; i < MAX_OF(a->n_words, b->n_words); i++) {
		uint32_t x = i < a->n_words ? words[a->first_word + i] : 0;
		uint32_t y = i < b->n_words ? words[b->first_word + i] : 0;
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

/*
 * Where replica labels stood in the series themselves, a replica is a pair of the block's identity and the
 * series' own: such replicas are numbered anew for this series, in the order of both. (Past 65,535 of them
 * they count as one.)
 */
static void number_replicas(struct merge *m)
{
	bool any = false;
	for (size_t i = 0; i < m->identity.len; i++)
		any |= m->identity.data[i] != 0;
	if (!any)
		return;
	qsort_r(m->members.data, m->members.len, sizeof *m->members.data, cmp_members, m->identity.data);
	unsigned replica = 0;
	vec_each (member, &m->members) {
		if (member > m->members.data && cmp_members(member - 1, member, m->identity.data) != 0)
			replica += replica < UINT16_MAX;
		for (size_t i = 0; i < member->n_chunks; i++)
			m->chunks.data[member->first_chunk + i].replica = (uint16_t)replica;
	}
}

static uint32_t segment_number(struct merge *m, uint32_t *number, struct merged_segment_ref segment)
{
	if (*number == SEGMENT_NONE) {
		*number = (uint32_t)m->result->segments.len;
		vec_push(&m->result->segments, segment);
	}
	return *number;
}

static int place_slot(struct merge *m, const struct slot *slot, uint64_t *ref, struct err *e)
{
	uint32_t segment = 0, offset = 0;
	int r = slot_map_writer_add(m->slots, slot, &segment, &offset, e);
	if (r < 0)
		return r;
	while (m->synthetic_segments.len <= segment)
		vec_push(&m->synthetic_segments, SEGMENT_NONE);
	uint32_t number = segment_number(m, &m->synthetic_segments.data[segment],
		(struct merged_segment_ref){ .is_synthetic = true, .segment = segment });
	*ref = (uint64_t)number << 32 | offset;
	m->result->slots++;
	return 0;
}

static uint64_t place_passed(struct merge *m, const struct planned_chunk *c)
{
	uint32_t segment = chunk_ref_segment(c->ref);
	uint32_t number = segment_number(m, &m->segments[c->source][segment],
		(struct merged_segment_ref){ .source = c->source, .segment = segment });
	return (uint64_t)number << 32 | chunk_ref_offset(c->ref);
}

static bool has_two_replicas(const struct slot *slot)
{
	for (uint32_t i = 1; i < slot->n_sources && slot->sources[i].role == SLOT_MEMBER; i++) {
		if (slot->sources[i].rank != slot->sources[0].rank)
			return true;
	}
	return false;
}

/* The symbol of the name of the series at hand; names come first but for labels in capitals. */
static uint32_t metric_of_series(const struct merge *m)
{
	for (uint32_t i = 0; i < m->n_labels; i++)
		if (m->labels[2 * i] == m->name_of_metrics)
			return m->labels[2 * i + 1];
	return METRIC_NAMELESS;
}

/* Plans and writes the series that was gathered. */
static int write_series(struct merge *m, struct err *e)
{
	struct index_merge_result *result = m->result;
	number_replicas(m);
	const struct planned_chunk *plan = NULL;
	size_t n = layout_series(m->layout, m->chunks.data, m->chunks.len, &plan);
	if (n == 0)
		return 0;
	bool has_slot = false, is_merged = false;
	uint32_t metric = metric_of_series(m);
	m->planned.len = 0;
	vec_reserve(&m->planned, n);
	for (const struct planned_chunk *c = plan; c < plan + n; c++) {
		struct chunk_meta *meta = vec_push_slot(&m->planned);
		*meta = (struct chunk_meta){ .mint = c->mint, .maxt = c->maxt };
		if (c->is_slot) {
			has_slot = true;
			is_merged |= has_two_replicas(&c->slot);
			int r = place_slot(m, &c->slot, &meta->ref, e);
			if (r < 0)
				return r;
		} else {
			meta->ref = place_passed(m, c);
		}
		metric_runs_note(&m->runs, chunk_ref_segment(meta->ref), metric, chunk_ref_offset(meta->ref),
			c == plan);
	}
	result->series++;
	result->merged_series += is_merged;
	result->passed_series += !has_slot;
	result->chunks += n;
	return index_writer_series(m->writer, m->labels, m->n_labels, m->planned.data, (uint32_t)n, NULL, e);
}

/* Merges the series that the sources in the group are at, and moves them on. */
static int merge_group(struct merge *m, struct err *e)
{
	const uint16_t *group = m->kway.group;
	const struct series_record *first = m->current[group[0]];
	m->labels = first->words;
	m->n_labels = first->n_labels;
	m->chunks.len = m->identity.len = m->members.len = 0;
	/* A record is gone once its source moves on: those that must do so to tell all they have need a copy. */
	if (m->edits[group[0]].may_reorder) {
		size_t words = 2 * (size_t)first->n_labels;
		vec_reserve(&m->kept_labels, words);
		memcpy(m->kept_labels.data, first->words, words * sizeof(uint32_t));
		m->labels = m->kept_labels.data;
	}
	int r = 0;
	for (size_t g = 0; r == 0 && g < m->kway.n_group; g++) {
		bool may_repeat = m->edits[group[g]].may_reorder;
		r = may_repeat ? add_records(m, group[g], e) : add_record(m, group[g], e);
	}
	if (r == 0)
		r = write_series(m, e);
	for (size_t g = 0; r == 0 && g < m->kway.n_group; g++) {
		if (!m->edits[group[g]].may_reorder)
			r = advance(m, group[g], e);
	}
	return r;
}

static int merge_series(struct merge *m, struct err *e)
{
	while (kway_take(&m->kway, cmp_current, m->current)) {
		int r = merge_group(m, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < m->n; i++)
		m->result->input_series += index_source_series(m->sources[i]);
	return 0;
}

static int merge_all(struct merge *m, const char *index_path, const char *slots_path, const char *runs_path,
	const struct slot_overrides *overrides, struct err *e)
{
	auto_free struct dedup_source *sources = xcalloc(m->n, sizeof *sources);
	for (size_t i = 0; i < m->n; i++)
		sources[i] = m->inputs[i].source;
	m->layout = layout_new(sources, m->n, m->settings->func, overrides);
	int r = index_writer_open(index_path, &m->writer, e);
	if (r == 0)
		r = slot_map_writer_open(slots_path, &m->slots, e);
	if (r == 0)
		r = open_streams(m, e);
	if (r == 0)
		r = open_sources(m, e);
	if (r == 0)
		r = merge_series(m, e);
	if (r == 0)
		r = slot_map_writer_finish(m->slots, e);
	if (r == 0)
		r = index_writer_finish(m->writer, &m->result->index_bytes, e);
	if (r == 0)
		r = metric_runs_write(&m->runs, index_path, runs_path, e);
	merge_fini(m);
	return r;
}

int index_merge(const char *dir, const struct index_merge_input *inputs, size_t n,
	const struct dedup_settings *settings, const struct slot_overrides *overrides,
	struct index_merge_result *result, int *bad_source, struct err *e)
{
	*result = (struct index_merge_result){ 0 };
	*bad_source = -1;
	if (n == 0 || n > DEDUP_MAX_SOURCES)
		return err_set(
			e, -EINVAL, "%zu blocks in one window; there can be 1 to %u", n, DEDUP_MAX_SOURCES);
	struct merge m = {
		.dir = dir,
		.inputs = inputs,
		.n = n,
		.settings = settings,
		.result = result,
		.bad_source = bad_source,
		.streams = xcalloc(n, sizeof(struct index_stream *)),
		.edits = xcalloc(n, sizeof *m.edits),
		.sources = xcalloc(n, sizeof(struct index_source *)),
		.current = xcalloc(n, sizeof(struct series_record *)),
		.segments = xcalloc(n, sizeof(uint32_t *)),
	};
	kway_init(&m.kway, n);
	auto_free char *index_path = xasprintf("%s/index", dir), *slots_path = xasprintf("%s/slots", dir),
		       *runs_path = xasprintf("%s/runs", dir);
	int r = merge_all(&m, index_path, slots_path, runs_path, overrides, e);
	if (r < 0) {
		unlink(index_path);
		unlink(slots_path);
		unlink(runs_path);
		index_merge_result_fini(result);
		*result = (struct index_merge_result){ 0 };
	}
	return r;
}
