/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/source_ranges.h"

#include "lib/base/sorted.h"

#define CLOSE_BYTES 4096        /* a gap that costs less to read than to ask for what is behind it */
#define LAST_RANGES 4           /* that a chunk may follow: slots take turns with a few segments */
#define FRAME_BYTES (64u << 10) /* of a frame whose length the index only guesses, such as a segment's last */
#define GUESS_BYTES (256u << 10) /* longer is a guess */

void source_ranges_add(struct source_ranges *l, const struct slot_source *s)
{
	uint32_t segment = chunk_ref_segment(s->ref);
	uint64_t from = chunk_ref_offset(s->ref);
	uint64_t to = from + (s->frame_bytes > GUESS_BYTES ? FRAME_BYTES : MAX_OF(s->frame_bytes, 16u));
	for (size_t i = l->len; i-- > 0 && l->len - i <= LAST_RANGES;) {
		struct source_range *r = &l->data[i];
		if (r->source != s->source || r->segment != segment || from < r->from ||
			from > r->to + CLOSE_BYTES)
			continue;
		r->to = MAX_OF(r->to, to);
		return;
	}
	vec_push(l, (struct source_range){ s->source, segment, from, to });
}

static int range_cmp(const void *pa, const void *pb)
{
	const struct source_range *a = pa, *b = pb;
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->segment != b->segment)
		return a->segment < b->segment ? -1 : 1;
	return (a->from > b->from) - (a->from < b->from);
}

void source_ranges_join(struct source_ranges *l)
{
	vec_sort(l, range_cmp);
	size_t kept = 0;
	for (size_t i = 0; i < l->len; i++) {
		struct source_range r = l->data[i], *last = kept ? &l->data[kept - 1] : NULL;
		if (last && last->source == r.source && last->segment == r.segment &&
			r.from <= last->to + CLOSE_BYTES)
			last->to = MAX_OF(last->to, r.to);
		else
			l->data[kept++] = r;
	}
	l->len = kept;
}

const struct source_range *source_ranges_find(
	const struct source_ranges *l, uint16_t source, uint32_t segment, uint64_t at)
{
	struct source_range key = { .source = source, .segment = segment, .from = at };
	size_t after = lower_bound(i, l->len, range_cmp(&l->data[i], &key) <= 0);
	const struct source_range *r = after ? &l->data[after - 1] : NULL;
	return r && r->source == source && r->segment == segment && at < r->to ? r : NULL;
}
