/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XOR2 encoding of Prometheus 3.14 (tsdb/chunkenc/xor2.go), read only. Time and value of a sample
 * share one prefix:
 *
 *	0			delta of deltas 0, value unchanged
 *	10 <value>		delta of deltas 0, value: 0 <bits> or 1 <window> <bits>
 *	110 <13> <value>	a delta of deltas; value: 0, 10 <bits>, 110 <window> <bits>, 111 stale
 *	1110 <20> <value>
 *	11110 <64> <value>
 *	11111			delta of deltas 0, stale
 *
 * Fields are plain two's complement. A stale marker leaves the value that others are XORed with as it
 * was. Start times (start_times.h) follow their sample.
 */
#include "lib/base/buf.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/float_chunk.h"
#include "lib/tsdb/start_times.h"
#include "lib/tsdb/xor_value.h"

struct state {
	struct bit_reader r;
	struct xor_window window;
	uint64_t t, delta;
	uint64_t base; /* the last value that is no stale marker */
	uint64_t v;
};

static bool read_in_window(struct state *s)
{
	s->base ^= bits_get(&s->r, xor_window_bits(s->window)) << s->window.trailing;
	s->v = s->base;
	return true;
}

static bool read_in_new_window(struct state *s)
{
	return xor_read_window(bits_get(&s->r, 11), &s->window) && read_in_window(s);
}

/* The value behind a delta of deltas that isn't 0, and the second sample's. */
static bool read_value(struct state *s)
{
	uint64_t w = bits_peek_at(&s->r, s->r.pos);
	if (!(w >> 63)) {
		s->r.pos++;
		s->v = s->base;
		return true;
	}
	if (!(w >> 62 & 1)) {
		s->r.pos += 2;
		return read_in_window(s);
	}
	s->r.pos += 3;
	if (!(w >> 61 & 1))
		return read_in_new_window(s);
	s->v = STALE_NAN_BITS;
	return true;
}

static void read_dod(struct state *s, unsigned n)
{
	uint64_t sign = 1ull << (n - 1);
	s->delta += (bits_get(&s->r, n) ^ sign) - sign;
	s->t += s->delta;
}

static bool read_sample(struct state *s)
{
	uint64_t w = bits_peek_at(&s->r, s->r.pos);
	if (!(w >> 63)) {
		s->r.pos++;
		s->t += s->delta;
		s->v = s->base;
		return true;
	}
	if (!(w >> 62 & 1)) {
		s->r.pos += 3;
		s->t += s->delta;
		return w >> 61 & 1 ? read_in_new_window(s) : read_in_window(s);
	}
	if (!(w >> 61 & 1)) {
		s->r.pos += 3;
		read_dod(s, 13);
	} else if (!(w >> 60 & 1)) {
		s->r.pos += 4;
		read_dod(s, 20);
	} else {
		s->r.pos += 5;
		if (w >> 59 & 1) {
			s->t += s->delta;
			s->v = STALE_NAN_BITS;
			return true;
		}
		read_dod(s, 64);
	}
	return read_value(s);
}

bool xor2_decode(struct bit_reader r, size_t n, uint8_t header, int64_t *t, uint64_t *v, int64_t *start)
{
	struct state s = { .r = r };
	struct start_times starts = start_times_of(header);
	uint64_t first;
	int64_t ignored;
	if (!bits_get_uvarint(&s.r, &first))
		return false;
	s.t = (uint64_t)unzigzag(first);
	s.v = bits_get(&s.r, 64);
	if (s.v != STALE_NAN_BITS)
		s.base = s.v;
	t[0] = (int64_t)s.t;
	v[0] = s.v;
	if (!start_times_get(&starts, &s.r, 0, 0, t[0], start ? &start[0] : &ignored))
		return false;
	for (size_t i = 1; i < n; i++) {
		if (i == 1) {
			if (!bits_get_uvarint(&s.r, &s.delta))
				return false;
			s.t += s.delta;
			if (!read_value(&s))
				return false;
		} else if (!read_sample(&s)) {
			return false;
		}
		t[i] = (int64_t)s.t;
		v[i] = s.v;
		start_times_get(&starts, &s.r, i, t[i - 1], t[i], start ? &start[i] : &ignored);
	}
	return !bits_is_over(&s.r);
}
