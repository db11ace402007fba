/* SPDX-License-Identifier: Apache-2.0 */
#include "store/readahead.h"

#include "lib/base/mem.h"

#define BEHIND_BYTES (512u << 10) /* how far a read may come late ... */
#define BEYOND_BYTES (128u << 10) /* ... or early, and still be part of the stream */
#define STEP_BYTES \
	(1u << 20) /* announced at once in a large window, so that as much as it allows is on its way */

static bool is_near(const struct readahead_stream *s, uint64_t at)
{
	return s->used && at + BEHIND_BYTES >= s->next && at <= s->next + BEYOND_BYTES;
}

/* The stream that a read at `at` goes on with, or else the one used longest ago. */
static struct readahead_stream *find(struct readahead *ra, uint64_t at, bool *is_found)
{
	struct readahead_stream *oldest = &ra->streams[0], *best = NULL;
	for (struct readahead_stream *s = ra->streams; s < ra->streams + READAHEAD_STREAMS; s++) {
		if (is_near(s, at) && (!best || s->used > best->used))
			best = s;
		if (s->used < oldest->used)
			oldest = s;
	}
	*is_found = best != NULL;
	return best ? best : oldest;
}

bool readahead_note(struct readahead *ra, uint64_t at, size_t n, uint64_t size, uint32_t most, uint64_t *from,
	uint64_t *to)
{
	bool is_found;
	struct readahead_stream *s = find(ra, at, &is_found);
	uint64_t end = at + n;
	if (!is_found)
		*s = (struct readahead_stream){ .begin = at, .next = end, .until = end };
	s->used = ++ra->reads;
	bool is_start = !is_found && at == 0; /* who reads the beginning mostly reads on */
	if (!is_start && (!is_found || end <= s->next))
		return false;
	s->next = end;
	s->until = MAX_OF(s->until, end);
	uint64_t read = end - s->begin, window = MIN_OF(MAX_OF(read, READAHEAD_FIRST_BYTES), most);
	if (s->until - end > window - MIN_OF(window / 2, STEP_BYTES))
		return false;
	*from = s->until;
	*to = MIN_OF(end + window, size);
	if (*to <= *from)
		return false;
	s->until = *to;
	return true;
}
