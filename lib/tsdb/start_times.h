/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From when each sample counts, as the encodings of Prometheus 3.14 have it (tsdb/chunkenc/st.go, xor2.go). A byte of the chunk's header
 * says which samples have a field behind them; the others have the start of the one before, the first none.
 *
 *	bit 7		the first sample has one: varint, its time - its start
 *	bits 0-6	the number of the first one behind it whose start is another; 0: there is none. It and all that follow have a
 *			varbit: d = the time of the sample before - the start, then what d is more than the one before
 */
#ifndef TSDB_START_TIMES_H
#define TSDB_START_TIMES_H

#include "lib/tsdb/varbit.h"

struct start_times {
	bool has_first;
	size_t from; /* 0: no field behind the first sample's */
	uint64_t behind, start;
};

static inline struct start_times start_times_of(uint8_t header)
{
	return (struct start_times){ .has_first = header & 0x80, .from = header & 0x7f };
}

/* Of sample i, 0 for one that isn't known; false where the bytes can't be it. t_before: of the sample before, if there is one. */
static inline bool start_times_get(
	struct start_times *s, struct bit_reader *r, size_t i, int64_t t_before, int64_t t, int64_t *start)
{
	uint64_t first;
	if (i == 0 && s->has_first) {
		if (!bits_get_uvarint(r, &first))
			return false;
		s->start = (uint64_t)t - (uint64_t)unzigzag(first);
	} else if (i && s->from && i >= s->from) {
		uint64_t d = (uint64_t)varbit_get_int(r);
		s->behind = i == s->from ? d : s->behind + d;
		s->start = (uint64_t)t_before - s->behind;
	}
	*start = (int64_t)s->start;
	return true;
}

#endif
