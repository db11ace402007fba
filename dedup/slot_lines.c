/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot's source chunks as the merge sees them. Chunks are decoded into columns; a replica with one chunk is a line as it stands
 * there, one with several, or with deleted samples, a list of entries in the order of their times.
 */
#include "dedup/slot_merge_private.h"

#include <errno.h>

/* Sorts a float chunk whose times don't rise (old Prometheus versions wrote some) and drops what repeats a
 * time. */
static void restore_order(struct float_columns *c, size_t first)
{
	size_t n = first;
	for (size_t i = first; i < c->len; i++) {
		int64_t t = c->t[i];
		uint64_t v = c->v[i];
		size_t k = n;
		while (k > first && c->t[k - 1] > t)
			k--;
		if (k > first && c->t[k - 1] == t)
			continue;
		memmove(c->t + k + 1, c->t + k, (n - k) * sizeof *c->t);
		memmove(c->v + k + 1, c->v + k, (n - k) * sizeof *c->v);
		c->t[k] = t;
		c->v[k] = v;
		n++;
	}
	c->len = n;
}

static const char *check_times(const int64_t *t, size_t n, bool *rises)
{
	*rises = true;
	for (size_t i = 0; i < n; i++) {
		if (t[i] < -TIMELINE_LIMIT || t[i] > TIMELINE_LIMIT)
			return "a time is out of range";
		*rises &= i == 0 || t[i] > t[i - 1];
	}
	return NULL;
}

int slot_decode(
	struct slot_merger *m, const struct slot_source *s, const struct chunk *c, struct slot_reader *reader)
{
	struct err e = { .msg = "" };
	struct decoded_chunk d = { .source = s, .first = m->floats.len };
	const char *why = NULL;
	bool rises = true;
	int r;
	if (is_histogram_encoding(c->encoding)) {
		d.kind = KIND_HISTOGRAM;
		r = histogram_chunk_decode(c->encoding, c->data, c->size, &d.histogram, &e);
		if (r == 0) {
			d.n = d.histogram->n;
			why = check_times(d.histogram->t, d.n, &rises);
			if (!rises)
				why = "times don't rise";
		}
	} else {
		const struct slot_base *base = slot_bases_find(&m->expected, s);
		bool is_decoded = base && slot_base_samples(&m->expected, base, &m->floats);
		r = is_decoded ? 0 : float_chunk_decode(c->encoding, c->data, c->size, &m->floats, &e);
		if (r == 0) {
			why = check_times(m->floats.t + d.first, m->floats.len - d.first, &rises);
			d.is_restored = !rises;
			if (!why && !rises)
				restore_order(&m->floats, d.first);
			d.n = m->floats.len - d.first;
		}
	}
	if (r < 0 || why) {
		reader->corrupt(reader, s, why ? why : e.msg);
		histogram_chunk_free(d.histogram);
		m->floats.len = d.first;
		return -EBADMSG;
	}
	vec_push(&m->decoded, d);
	return 0;
}

static int entry_cmp(const void *pa, const void *pb)
{
	const struct line_entry *a = pa, *b = pb;
	if (a->t != b->t)
		return a->t < b->t ? -1 : 1;
	return a->chunk < b->chunk ? -1 : a->chunk > b->chunk; /* decoded in a fixed order */
}

static bool is_deleted(const struct tombstone *ranges, size_t n, int64_t t)
{
	for (size_t i = 0; i < n; i++)
		if (t >= ranges[i].range.mint && t <= ranges[i].range.maxt)
			return true;
	return false;
}

static void add_entries(struct slot_merger *m, uint32_t chunk, struct slot_reader *reader)
{
	const struct decoded_chunk *d = &m->decoded.data[chunk];
	const int64_t *t = times_of(m, d);
	const struct tombstone *ranges = NULL;
	size_t n_ranges = 0;
	if (d->source->tombstoned_series) {
		const struct tombstones *all = reader->tombstones(reader, d->source->source);
		n_ranges = all ? tombstones_of(all, d->source->tombstoned_series, &ranges) : 0;
	}
	vec_reserve(&m->entries, m->entries.len + d->n);
	for (size_t i = 0; i < d->n; i++)
		if (!is_deleted(ranges, n_ranges, t[i]))
			vec_push(&m->entries, (struct line_entry){ t[i], chunk, (uint32_t)i,
						      mark_of(m, d, i) == STALE_NAN_BITS });
}

/* Sorts entries that chunks out of order left, and keeps the first of each time. */
static size_t sort_entries(struct line_entry *e, size_t n)
{
	bool rises = true;
	for (size_t k = 1; k < n; k++)
		rises &= e[k].t > e[k - 1].t;
	if (rises)
		return n;
	qsort(e, n, sizeof *e, entry_cmp);
	size_t kept = 1;
	for (size_t k = 1; k < n; k++)
		if (e[k].t != e[kept - 1].t)
			e[kept++] = e[k];
	return kept;
}

/* The columns that the merge sees of a line. */
static void add_timeline(struct slot_merger *m, const struct sample_line *line)
{
	const struct decoded_chunk *d = &m->decoded.data[line->chunk];
	const struct line_entry *e = m->entries.data + line->first;
	int64_t *t = m->times.data + m->times.len;
	uint8_t *flags = m->flags.data + m->flags.len;
	m->flags.len += line->n;
	if (line->is_joined) {
		m->times.len += line->n;
		for (size_t i = 0; i < line->n; i++) {
			t[i] = e[i].t;
			flags[i] = (e[i].stale ? TIMELINE_STALE : 0) |
				   (i && e[i].chunk != e[i - 1].chunk ? TIMELINE_FIRST : 0);
		}
		vec_push(&m->timelines, (struct timeline){ t, flags, line->n });
		return;
	}
	const uint64_t *marks = d->kind == KIND_FLOAT ? m->floats.v + d->first : d->histogram->sum;
	for (size_t i = 0; i < line->n; i++)
		flags[i] = marks[i] == STALE_NAN_BITS ? TIMELINE_STALE : 0;
	vec_push(&m->timelines, (struct timeline){ times_of(m, d), flags, line->n });
}

void slot_build_lines(struct slot_merger *m, struct slot_reader *reader)
{
	size_t samples = 0;
	for (uint32_t i = 0; i < m->decoded.len;) {
		uint16_t rank = m->decoded.data[i].source->rank;
		struct sample_line line = { .chunk = i, .first = m->entries.len };
		while (i < m->decoded.len && m->decoded.data[i].source->rank == rank)
			i++;
		line.is_joined = i - line.chunk > 1 || m->decoded.data[line.chunk].source->tombstoned_series;
		line.n = m->decoded.data[line.chunk].n;
		if (line.is_joined) {
			for (uint32_t k = line.chunk; k < i; k++)
				add_entries(m, k, reader);
			line.n = sort_entries(m->entries.data + line.first, m->entries.len - line.first);
			m->entries.len = line.first + line.n;
		}
		samples += line.n;
		vec_push(&m->lines, line);
	}
	vec_reserve(&m->times, m->entries.len + 1);
	vec_reserve(&m->flags, samples + 1);
	vec_each (line, &m->lines)
		add_timeline(m, line);
}
