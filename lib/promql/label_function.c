/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/label_function.h"

#include "lib/base/regex.h"
#include "lib/base/utf8.h"
#include "lib/promql/function.h"

#include <errno.h>
#include <inttypes.h>

/* Of a label's value. Upstream has no longer ones either: it ends there (labels: "String too long to encode as label"). */
#define VALUE_BYTES_MAX (16u << 20)

struct label_op {
	struct op op;
	struct op *inner;
	struct regex *regex; /* label_replace's */
	struct buf value;    /* for working in */
};

static struct text string_of(const struct expr *call, size_t i)
{
	const struct expr *e = call->call.args[i];
	while (e->kind == EXPR_PAREN)
		e = e->paren;
	return e->string;
}

static bool is_label_name(struct text t)
{
	return t.len && utf8_is_valid(t.p, t.len);
}

/* Row i gets this value for the label `name`. Who is given a name anew doesn't lose it. */
static void put(struct label_op *o, struct exec *x, struct label_set *labels, bool *drops, size_t i,
	struct text name, const struct buf *value)
{
	struct text copy = { arena_strndup(x->arena, (const char *)value->data, value->len),
		(uint32_t)value->len };
	labels[i] = label_set_put(x->arena, &o->inner->labels[i], name, copy);
	if (drops && text_is(name, LABEL_NAME))
		drops[i] = false;
}

/* Before it is made: both what it takes while it is being made, and what stays of it. */
static int check_length(struct label_op *o, struct exec *x, uint64_t n)
{
	if (n >= VALUE_BYTES_MAX)
		return exec_fail(x, -EINVAL, "%s() would make a label value of %" PRIu64 " bytes",
			o->op.expr->call.function->name, n);
	int r = exec_need(x, 2 * n);
	return r < 0 ? r : interrupt_after(LABELS_WORK + n);
}

/* 1: it has a value, in o->value; 0: it stays as it is. */
static int replace(struct label_op *o, struct exec *x, const struct label_set *of)
{
	const struct expr *call = o->op.expr;
	struct text source = label_set_get(of, string_of(call, 3)), template_text = string_of(call, 2);
	struct regex_match m;
	if (!regex_find(o->regex, source.len ? source.p : "", source.len, &m))
		return interrupt_after(LABELS_WORK + source.len);
	size_t n = regex_expand_length(o->regex, template_text.p, template_text.len, &m);
	int r = check_length(o, x, n);
	if (r < 0)
		return r;
	regex_expand(o->regex, template_text.p, template_text.len, &m, &o->value);
	return 1;
}

static int join(struct label_op *o, struct exec *x, const struct label_set *of)
{
	const struct expr *call = o->op.expr;
	struct text separator = string_of(call, 2);
	uint64_t n = 0;
	for (size_t i = 3; i < call->call.n_args; i++)
		n += (i > 3 ? separator.len : 0u) + (uint64_t)label_set_get(of, string_of(call, i)).len;
	int r = check_length(o, x, n);
	if (r < 0)
		return r;
	for (size_t i = 3; i < call->call.n_args; i++) {
		struct text source = label_set_get(of, string_of(call, i));
		if (i > 3)
			buf_add(&o->value, separator.p, separator.len);
		buf_add(&o->value, source.p, source.len);
	}
	return 1;
}

static int label_open(struct op *op, struct exec *x)
{
	struct label_op *o = (struct label_op *)op;
	struct text name = string_of(op->expr, 1);
	size_t n = o->inner->n_rows;
	op_keep_labels(op, o->inner);
	struct label_set *labels = arena_alloc(x->arena, n * sizeof *labels);
	bool *drops = NULL;
	if (op->drops_name)
		drops = arena_copy(x->arena, op->drops_name, n * sizeof *drops);
	for (size_t i = 0; i < n; i++) {
		labels[i] = o->inner->labels[i];
		buf_reset(&o->value);
		int r = o->regex ? replace(o, x, &labels[i]) : join(o, x, &labels[i]);
		if (r < 0)
			return r;
		if (r > 0)
			put(o, x, labels, drops, i, name, &o->value);
	}
	buf_fini(&o->value);
	op->labels = labels;
	op->drops_name = drops;
	return 0;
}

static int label_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	return op_row(((struct label_op *)op)->inner, w, i, out);
}

static size_t label_children(const struct op *op, struct op **out, size_t room)
{
	if (room)
		out[0] = ((const struct label_op *)op)->inner;
	return room ? 1 : 0;
}

static void label_explain(const struct op *op, struct buf *out)
{
	struct text name = string_of(op->expr, 1);
	buf_printf(out, "%.*s", (int)name.len, name.p);
}

static void label_free(struct op *op)
{
	struct label_op *o = (struct label_op *)op;
	op_free(o->inner);
	regex_free(o->regex);
	buf_fini(&o->value);
	free(o);
}

static struct op *make(const struct expr *call, struct op *inner, struct regex *regex)
{
	static const struct op_ops ops = {
		.name = "label",
		.open = label_open,
		.row = label_row,
		.explain = label_explain,
		.children = label_children,
		.free = label_free,
	};
	struct label_op *o = xmalloc(sizeof *o);
	*o = (struct label_op){
		.op = { .ops = &ops, .expr = call, .steps = inner->steps },
		.inner = inner,
		.regex = regex,
	};
	return &o->op;
}

static int refuse(struct op *inner, struct err *e, const char *words, struct text t)
{
	op_free(inner);
	return err_set(e, -EINVAL, "%s: %.*s", words, (int)t.len, t.p);
}

int label_replace_new(const struct expr *call, struct op *inner, struct op **out, struct err *e)
{
	struct text name = string_of(call, 1), pattern = string_of(call, 4);
	struct regex *regex;
	if (regex_compile(pattern.p, pattern.len, &regex, NULL) < 0)
		return refuse(inner, e, "invalid regular expression in label_replace()", pattern);
	if (!is_label_name(name)) {
		regex_free(regex);
		return refuse(inner, e, "invalid destination label name in label_replace()", name);
	}
	*out = make(call, inner, regex);
	return 0;
}

int label_join_new(const struct expr *call, struct op *inner, struct op **out, struct err *e)
{
	struct text name = string_of(call, 1);
	for (size_t i = 3; i < call->call.n_args; i++)
		if (!is_label_name(string_of(call, i)))
			return refuse(
				inner, e, "invalid source label name in label_join()", string_of(call, i));
	if (!is_label_name(name))
		return refuse(inner, e, "invalid destination label name in label_join()", name);
	*out = make(call, inner, NULL);
	return 0;
}
