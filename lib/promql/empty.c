/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/empty.h"

#include <errno.h>

struct empty_op {
	struct op op;
	struct op *inner;
};

static int empty_open(struct op *op, struct exec *x)
{
	(void)op, (void)x;
	return 0;
}

static int empty_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	(void)op, (void)i, (void)out;
	return exec_fail(w->exec, -EINVAL, "there is no such row");
}

static void empty_free(struct op *op)
{
	op_free(((struct empty_op *)op)->inner);
	free(op);
}

struct op *empty_new(const struct expr *e, struct op *inner)
{
	static const struct op_ops ops = {
		.name = "nothing",
		.open = empty_open,
		.row = empty_row,
		.free = empty_free,
	};
	struct empty_op *o = xmalloc(sizeof *o);
	*o = (struct empty_op){
		.op = { .ops = &ops, .expr = e, .steps = inner->steps, .is_scalar = inner->is_scalar },
		.inner = inner,
	};
	return &o->op;
}
