/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index merge against a naive model: random small blocks with labels, external labels, replica labels and
 * tombstones are merged, and every series, chunk and slot source of the result is compared with what a few
 * obvious loops over label sets in words say. (What the layout makes of one series' chunks has its own
 * properties.)
 *
 *	PROP_CASES=100000 PROP_SEED=7 prop_index_merge
 */
#include "dedup/index_merge.h"
#include "dedup/slot_map.h"
#include "tests/support/index_fixture.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

#define MAX_BLOCKS  9
#define FRAME_GUESS 4096

static uint64_t seed, case_seed;

/* Instead of libc's: thousands of cases, none of which a crash must leave whole. */
int fsync(int fd)
{
	(void)fd;
	return 0;
}

static uint64_t upto(uint64_t n)
{
	return test_random(&seed) % n;
}

static const char *const names[] = { "__name__", "a", "b", "cluster", "k", "region", "replica", "rr",
	"zone" };
/* Some values are names, too, so that a symbol's presence doesn't mean that there is such a label. */
static const char *const values[] = { "a", "b", "c", "cluster", "replica", "x", "y", "zz" };
static const char *const replica_labels[] = { "replica", "rr" };

struct world {
	struct index_fixture blocks[MAX_BLOCKS];
	struct index_merge_input inputs[MAX_BLOCKS];
	struct dedup_source sources[MAX_BLOCKS];
	size_t n;
	struct dedup_settings settings;
};

/* A series of the merged block as the model has it. */
struct model_member {
	unsigned replica;
	struct labels identity;
	size_t first, n;
};

struct model_series {
	struct labels labels;
	VEC(struct layout_input) chunks;
	VEC(struct model_member) members;
};

struct model {
	VEC(struct model_series) series;
};

static void random_series(struct index_fixture *f, unsigned own_names)
{
	struct labels l = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (own_names >> i & 1 && upto(2))
			labels_set(&l, names[i], values[upto(ARRAY_LEN(values))]);
	}
	bool is_known = l.len == 0;
	for (size_t i = 0; i < f->series.len; i++)
		is_known |= labels_cmp(&f->series.data[i].labels, &l) == 0;
	if (is_known) {
		labels_fini(&l);
		return;
	}
	struct fixture_series *s = vec_push_slot(&f->series);
	*s = (struct fixture_series){ .labels = l };
}

/* Chunks in the order of the series, mostly densely packed, as Prometheus writes them. */
static void random_chunks(struct index_fixture *f)
{
	uint64_t offset = SEGMENT_HEADER_BYTES, segment = 0;
	vec_each (s, &f->series) {
		int64_t t = (int64_t)upto(50);
		for (uint64_t i = upto(8) == 0 ? 0 : 1 + upto(4); i > 0; i--) {
			int64_t maxt = t + (int64_t)upto(60);
			fixture_chunk(s, t, maxt, segment << 32 | offset);
			t = maxt + 1 + (int64_t)upto(20);
			offset += upto(20) ? 20 + upto(900) : 100000;
			if (offset > f->block.segment_bytes[segment] - 2000 || upto(40) == 0) {
				segment = (segment + 1) % f->block.n_segments;
				offset = segment ? SEGMENT_HEADER_BYTES : offset + 10;
			}
			if (offset > f->block.segment_bytes[segment] - 2000)
				offset = SEGMENT_HEADER_BYTES + upto(100);
		}
	}
}

static int cmp_fixture(const void *a, const void *b)
{
	return labels_cmp(
		&((const struct fixture_series *)a)->labels, &((const struct fixture_series *)b)->labels);
}

static void random_tombstones(struct index_fixture *f)
{
	if (upto(3))
		return;
	vec_each (s, &f->series) {
		int64_t t = 0;
		for (uint64_t i = upto(3); i > 0; i--) {
			struct tombstone *d = vec_push_slot(&f->tombstoned);
			d->series_ref = s->ref;
			d->range.mint = t + (int64_t)upto(60);
			t = d->range.maxt = d->range.mint + (int64_t)upto(80);
			t += 2;
		}
	}
	f->tombstones = (struct tombstones){ .data = f->tombstoned.data, .len = f->tombstoned.len };
}

static void random_block(struct world *w, unsigned i, const char *dir)
{
	char path[128];
	struct index_fixture *f = &w->blocks[i];
	index_fixture_init(f, i, 1 + (unsigned)upto(3));
	for (unsigned k = 0; k < f->block.n_segments; k++)
		f->block.segment_bytes[k] = 10000 + upto(1000000);
	unsigned own_names =
		upto(3) ? 0x36 : (unsigned)upto(512); /* often without the names that need sorting */
	for (uint64_t k = upto(40); k > 0; k--)
		random_series(f, own_names);
	vec_sort(&f->series, cmp_fixture);
	random_chunks(f);
	struct labels *external = &f->meta.thanos.labels;
	if (upto(4))
		labels_set(external, "cluster", values[upto(3)]);
	if (upto(3))
		labels_set(external, "replica", values[upto(3)]);
	if (upto(4) == 0)
		labels_set(external, "region", values[upto(ARRAY_LEN(values))]);
	if (upto(8) == 0)
		labels_set(external, "zzz", values[upto(ARRAY_LEN(values))]);
	snprintf(path, sizeof path, "%s/source%u", dir, i);
	index_fixture_write(f, path);
	random_tombstones(f);
	w->inputs[i] = (struct index_merge_input){
		.source = { .block = &f->block, .replica = (unsigned)upto(3), .passthrough = upto(4) != 0 },
		.index = f->index,
		.tombstones = f->tombstones.len || upto(2) ? &f->tombstones : NULL,
	};
	w->sources[i] = w->inputs[i].source;
}

/* What follows chunk k of series s in the index, as far as it is in the same segment. */
static uint32_t model_frame(const struct index_fixture *f, size_t s, size_t k)
{
	uint64_t ref = f->series.data[s].chunks.data[k].ref, next = UINT64_MAX;
	if (k + 1 < f->series.data[s].chunks.len)
		next = f->series.data[s].chunks.data[k + 1].ref;
	else {
		for (size_t i = s + 1; i < f->series.len && next == UINT64_MAX; i++) {
			if (f->series.data[i].chunks.len)
				next = f->series.data[i].chunks.data[0].ref;
		}
	}
	int64_t distance = next >> 32 == ref >> 32
				   ? (int64_t)(next - ref)
				   : (int64_t)f->block.segment_bytes[ref >> 32] - (int64_t)(uint32_t)ref;
	return distance > 0 && distance <= 65536 ? (uint32_t)distance : FRAME_GUESS;
}

static void model_add(struct model *m, struct world *w, unsigned block, size_t number)
{
	struct index_fixture *f = &w->blocks[block];
	const struct fixture_series *s = &f->series.data[number];
	struct labels labels = { 0 };
	struct model_member member = { .replica = w->sources[block].replica };
	labels_copy(&labels, &s->labels);
	for (size_t i = 0; i < f->meta.thanos.labels.len; i++)
		labels_set(&labels, f->meta.thanos.labels.data[i].name, f->meta.thanos.labels.data[i].value);
	for (size_t i = 0; i < w->settings.n_replica_labels; i++) {
		const char *name = w->settings.replica_labels[i];
		if (!labels_get(&f->meta.thanos.labels, name) && labels_get(&s->labels, name))
			labels_set(&member.identity, name, labels_get(&s->labels, name));
		labels_remove(&labels, name);
	}
	struct model_series *to = NULL;
	vec_each (known, &m->series) {
		if (labels_cmp(&known->labels, &labels) == 0)
			to = known;
	}
	if (!to) {
		to = vec_push_slot(&m->series);
		*to = (struct model_series){ .labels = labels };
	} else {
		labels_fini(&labels);
	}
	member.first = to->chunks.len;
	for (size_t k = 0; k < s->chunks.len; k++) {
		struct layout_input in = { .meta = s->chunks.data[k], .source = (uint16_t)block };
		bool is_gone = false;
		for (size_t i = 0; w->inputs[block].tombstones && i < f->tombstoned.len; i++) {
			const struct tombstone *t = &f->tombstoned.data[i];
			if (t->series_ref != s->ref || t->range.maxt < in.meta.mint ||
				in.meta.maxt < t->range.mint)
				continue;
			in.tombstoned_series = s->ref;
			is_gone |= t->range.mint <= in.meta.mint && in.meta.maxt <= t->range.maxt;
		}
		in.frame_bytes = model_frame(f, number, k);
		if (!is_gone)
			vec_push(&to->chunks, in);
	}
	member.n = to->chunks.len - member.first;
	vec_push(&to->members, member);
}

/* The order of replicas of a series: the block's number, then each replica label's value, none before any. */
static int cmp_identity(const struct world *w, const struct model_member *a, const struct model_member *b)
{
	if (a->replica != b->replica)
		return a->replica < b->replica ? -1 : 1;
	for (size_t i = 0; i < w->settings.n_replica_labels; i++) {
		const char *x = labels_get(&a->identity, w->settings.replica_labels[i]);
		const char *y = labels_get(&b->identity, w->settings.replica_labels[i]);
		int c = strcmp(x ? x : "", y ? y : "");
		if (c)
			return c;
	}
	return 0;
}

static void model_number_replicas(const struct world *w, struct model_series *s)
{
	bool any = false;
	vec_each (member, &s->members) {
		if (member->n)
			any |= member->identity.len > 0;
	}
	vec_each (member, &s->members) {
		unsigned replica = member->replica;
		if (any) {
			/* How many different ones come before it. */
			replica = 0;
			for (size_t i = 0; i < s->members.len; i++) {
				const struct model_member *x = &s->members.data[i];
				bool counts = x->n && cmp_identity(w, x, member) < 0;
				for (size_t k = 0; k < i; k++) {
					const struct model_member *y = &s->members.data[k];
					counts &= !(y->n && cmp_identity(w, x, y) == 0);
				}
				replica += counts;
			}
		}
		for (size_t k = 0; k < member->n; k++)
			s->chunks.data[member->first + k].replica = (uint16_t)replica;
	}
}

static int cmp_model(const void *a, const void *b)
{
	return labels_cmp(
		&((const struct model_series *)a)->labels, &((const struct model_series *)b)->labels);
}

static void check_slot(struct slot_map *map, struct slot_cursor *cursor, uint32_t segment, uint32_t offset,
	const struct slot *want)
{
	struct err e;
	CHECK_INT(slot_map_seek(map, cursor, segment, offset, &e), 1);
	const struct mapped_slot *got = slot_cursor_get(cursor);
	CHECK_INT(got->offset, offset);
	CHECK_INT(got->slot.from, want->from);
	CHECK_INT(got->slot.to, want->to);
	CHECK_INT(got->slot.left, want->left);
	CHECK_INT(got->slot.right, want->right);
	CHECK_INT(got->slot.capacity, want->capacity);
	CHECK_INT(got->slot.n_sources, want->n_sources);
	for (uint32_t i = 0; i < want->n_sources; i++) {
		const struct slot_source *x = &got->slot.sources[i], *y = &want->sources[i];
		CHECK_INT(x->ref, y->ref);
		CHECK_INT(x->tombstoned_series, y->tombstoned_series);
		CHECK_INT(x->frame_bytes, y->frame_bytes);
		CHECK_INT(x->source, y->source);
		CHECK_INT(x->rank, y->rank);
		CHECK_INT(x->role, y->role);
	}
}

static void check_result(
	struct world *w, struct model *m, const struct index_merge_result *result, const char *dir)
{
	struct err e;
	char path[128];
	struct index_contents got;
	auto_of(slot_map) struct slot_map *map = NULL;
	struct slot_cursor cursor = { 0 };
	snprintf(path, sizeof path, "%s/index", dir);
	index_contents_read(&got, path);
	snprintf(path, sizeof path, "%s/slots", dir);
	CHECK_OK(slot_map_open(path, &map, &e), &e);
	struct layout *layout = layout_new(w->sources, w->n, w->settings.func, NULL);
	uint64_t series = 0, chunks = 0, slots = 0, merged = 0, passed = 0;
	vec_sort(&m->series, cmp_model);
	vec_each (s, &m->series) {
		if (s->chunks.len == 0 || s->labels.len == 0)
			continue;
		model_number_replicas(w, s);
		const struct planned_chunk *plan;
		size_t n = layout_series(layout, s->chunks.data, s->chunks.len, &plan);
		CHECK(series < got.series.len);
		const struct fixture_series *out = &got.series.data[series++];
		CHECK_STR(fixture_words(&out->labels), fixture_words(&s->labels));
		CHECK_INT(out->chunks.len, n);
		bool has_slot = false, is_merged = false;
		for (size_t i = 0; i < n; i++) {
			const struct chunk_meta *c = &out->chunks.data[i];
			CHECK_INT(c->mint, plan[i].mint);
			CHECK_INT(c->maxt, plan[i].maxt);
			CHECK(chunk_ref_segment(c->ref) < result->segments.len);
			const struct merged_segment_ref *segment =
				&result->segments.data[chunk_ref_segment(c->ref)];
			CHECK_INT(segment->is_synthetic, plan[i].is_slot);
			if (plan[i].is_slot) {
				check_slot(map, &cursor, segment->segment, chunk_ref_offset(c->ref),
					&plan[i].slot);
				has_slot = true;
				for (uint32_t k = 0; k < plan[i].slot.n_sources; k++) {
					const struct slot_source *x = &plan[i].slot.sources[k];
					is_merged |= x->role == SLOT_MEMBER &&
						     x->rank != plan[i].slot.sources->rank;
				}
				slots++;
			} else {
				CHECK_INT(segment->source, plan[i].source);
				CHECK_INT(segment->segment, chunk_ref_segment(plan[i].ref));
				CHECK_INT(chunk_ref_offset(c->ref), chunk_ref_offset(plan[i].ref));
			}
		}
		chunks += n;
		merged += is_merged;
		passed += !has_slot;
	}
	CHECK_INT(got.series.len, series);
	CHECK_INT(result->series, series);
	CHECK_INT(result->chunks, chunks);
	CHECK_INT(result->slots, slots);
	CHECK_INT(result->merged_series, merged);
	CHECK_INT(result->passed_series, passed);
	CHECK_INT(slot_map_slots(map), slots);
	layout_free(layout);
	slot_cursor_fini(&cursor);
	index_contents_fini(&got);
}

static void model_fini(struct model *m)
{
	vec_each (s, &m->series) {
		labels_fini(&s->labels);
		vec_each (member, &s->members)
			labels_fini(&member->identity);
		vec_fini(&s->members);
		vec_fini(&s->chunks);
	}
	vec_fini(&m->series);
}

static void run_case(const char *dir)
{
	struct world w = { .n = 1 + upto(upto(4) ? 4 : MAX_BLOCKS) };
	struct model m = { 0 };
	struct index_merge_result result;
	struct err e;
	int bad;
	w.settings = (struct dedup_settings){
		.func = (enum dedup_func)upto(3),
		.replica_labels = replica_labels,
		.n_replica_labels = upto(3),
	};
	for (unsigned i = 0; i < w.n; i++)
		random_block(&w, i, dir);
	uint64_t input = 0;
	for (unsigned i = 0; i < w.n; i++) {
		for (size_t k = 0; k < w.blocks[i].series.len; k++)
			model_add(&m, &w, i, k);
		input += w.blocks[i].series.len;
	}
	CHECK_OK(index_merge(dir, w.inputs, w.n, &w.settings, NULL, &result, &bad, &e), &e);
	CHECK_INT(result.input_series, input);
	check_result(&w, &m, &result, dir);
	index_merge_result_fini(&result);
	model_fini(&m);
	for (unsigned i = 0; i < w.n; i++)
		index_fixture_fini(&w.blocks[i]);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void name_seed(int status, void *arg)
{
	(void)arg;
	if (status)
		fprintf(stderr, "  again: PROP_CASES=1 PROP_SEED=%llu\n", (unsigned long long)case_seed);
}

TEST(merged_indexes_are_what_the_model_says)
{
	const char *dir = test_dir();
	uint64_t first = setting("PROP_SEED", 1), n = setting("PROP_CASES", 1000);
	on_exit(name_seed, NULL);
	for (case_seed = first; case_seed < first + n; case_seed++) {
		seed = case_seed;
		run_case(dir);
	}
}

TEST_MAIN()
