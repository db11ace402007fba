/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit_ratio: a share of the rows, chosen by a hash of their labels alone, so that the same ones are chosen whenever and wherever it is asked,
 * by Prometheus too: XXH64 of the labels as it holds them (model/labels/labels_stringlabels.go), over 2^64 - 1.
 */
#include "lib/promql/aggregate_kinds.h"
#include "lib/promql/aggregate_param.h"
#include "lib/promql/cell.h"

#include <xxhash.h>

struct ratio {
	struct op op;
	struct op *inner, *given;
	struct aggregate_param param;
	double *place; /* of each row, 0 .. 1 */
	bool is_empty; /* nothing is wanted of any row */
};

/* A length in a byte, or 255 and three. */
static void add_text(struct buf *out, struct text t)
{
	if (t.len < 255) {
		buf_add_u8(out, (uint8_t)t.len);
	} else {
		buf_add_u8(out, 255);
		for (unsigned shift = 0; shift < 24; shift += 8)
			buf_add_u8(out, (uint8_t)(t.len >> shift));
	}
	buf_add(out, t.p, t.len);
}

static double place_of(const struct label_set *s, struct buf *scratch)
{
	buf_reset(scratch);
	for (size_t i = 0; i < s->n; i++) {
		add_text(scratch, s->pairs[i].name);
		add_text(scratch, s->pairs[i].value);
	}
	return (double)XXH64(scratch->data, scratch->len, 0) / (double)UINT64_MAX;
}

static int open_ratio(struct op *op, struct exec *x)
{
	struct ratio *l = (struct ratio *)op;
	auto_buf struct buf scratch = { 0 };
	op_keep_labels(op, l->inner);
	l->place = arena_alloc(x->arena, op->n_rows * sizeof *l->place);
	for (size_t i = 0; i < op->n_rows; i++)
		l->place[i] = place_of(&op->labels[i], &scratch);
	return 0;
}

static int prepare_ratio(struct op *op, struct exec *x)
{
	struct ratio *l = (struct ratio *)op;
	int r = aggregate_param_read(&l->param, x, l->given);
	if (r == 0)
		r = aggregate_param_check_ratio(&l->param, x, op->expr->aggregate.param);
	l->is_empty = r == 0;
	return MIN_OF(r, 0);
}

/* A negative ratio chooses those that the rest to 1 doesn't choose. */
static bool is_chosen(double ratio, double place)
{
	ratio = MIN_OF(MAX_OF(ratio, -1.0), 1.0);
	return ratio >= 0 ? place < ratio : place >= 1 + ratio;
}

static int row_of_ratio(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct ratio *l = (struct ratio *)op;
	bool is_wanted = is_chosen(l->param.max, l->place[i]) || is_chosen(l->param.min, l->place[i]);
	if (l->is_empty || !is_wanted)
		return 0;
	int r = op_row(l->inner, w, i, out);
	for (uint32_t t = 0; t < out->n && r == 0; t++) {
		if (is_chosen(l->param.v[t], l->place[i]))
			continue;
		row_drop(out, t);
	}
	return r;
}

static size_t children_of_ratio(const struct op *op, struct op **out, size_t room)
{
	const struct ratio *l = (const struct ratio *)op;
	(void)room;
	out[0] = l->given;
	out[1] = l->inner;
	return 2;
}

static void free_ratio(struct op *op)
{
	struct ratio *l = (struct ratio *)op;
	op_free(l->given);
	op_free(l->inner);
	free(l);
}

static const struct op_ops ratio_ops = {
	.name = "aggregate",
	.open = open_ratio,
	.prepare = prepare_ratio,
	.row = row_of_ratio,
	.explain = aggregate_explain,
	.children = children_of_ratio,
	.free = free_ratio,
};

struct op *aggregate_ratio_new(const struct expr *e, struct op *inner, struct op *param)
{
	struct ratio *l = xcalloc(1, sizeof *l);
	l->op = (struct op){ .ops = &ratio_ops, .expr = e, .steps = inner->steps };
	l->inner = inner;
	l->given = param;
	op_read_in_part(inner);
	return &l->op;
}
