/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions over several lines, as upstream's format_query has them: what takes more than 100 bytes is broken into its parts, each
 * on lines of its own, indented by two blanks a level. All pieces are cut from the line that print.c makes, so the work is linear in
 * what comes out.
 */
#include "lib/promql/print.h"

#define LINE_BYTES 100

/* Indentation makes the text longer than the line by as much as it is deep; past this the line is the better answer. */
#define PRETTY_MAX_BYTES (16u << 20)

struct pretty {
	const struct print_record *record;
	const char *line;
	struct buf *out;
	size_t limit; /* of out->len */
};

static void add_part(struct pretty *p, size_t i, size_t level);

static void cut(struct pretty *p, size_t start, size_t end)
{
	buf_add(p->out, p->line + start, end - start);
}

static void indent(struct pretty *p, size_t level)
{
	if (p->out->len > p->limit)
		return; /* given up */
	memset(buf_reserve(p->out, 2 * level + 1), ' ', 2 * level);
	p->out->len += 2 * level;
}

/* "name(", the parts on lines of their own, ")". */
static void add_list(struct pretty *p, size_t i, size_t level)
{
	const struct printed *n = &p->record->nodes.data[i];
	indent(p, level);
	cut(p, n->start, n[1].start);
	for (size_t part = i + 1; part < n->next; part = p->record->nodes.data[part].next) {
		buf_add_str(p->out, part == i + 1 ? "\n" : ",\n");
		add_part(p, part, level + 1);
	}
	buf_add_u8(p->out, '\n');
	indent(p, level);
	buf_add_u8(p->out, ')');
}

static void add_binary(struct pretty *p, size_t i, size_t level)
{
	const struct printed *left = &p->record->nodes.data[i + 1];
	const struct printed *right = &p->record->nodes.data[left->next];
	add_part(p, i + 1, level + 1);
	buf_add_u8(p->out, '\n');
	indent(p, level);
	cut(p, left->end + 1, right->start - 1);
	buf_add_u8(p->out, '\n');
	add_part(p, left->next, level + 1);
}

/* The sign stands before the first thing of what it is of. */
static void add_unary(struct pretty *p, size_t i, size_t level)
{
	const struct printed *n = &p->record->nodes.data[i];
	indent(p, level);
	cut(p, n->start, n->start + 1);
	size_t at = p->out->len, blanks = 0;
	add_part(p, i + 1, level);
	while (at + blanks < p->out->len && p->out->data[at + blanks] == ' ')
		blanks++;
	p->out->len -= blanks;
	memmove(p->out->data + at, p->out->data + at + blanks, p->out->len - at);
}

static void add_part(struct pretty *p, size_t i, size_t level)
{
	const struct printed *n = &p->record->nodes.data[i];
	enum expr_kind kind = n->e->kind;
	bool fits = n->end - n->start <= LINE_BYTES;
	if (kind == EXPR_UNARY) {
		add_unary(p, i, level);
	} else if (kind == EXPR_SUBQUERY && !fits) {
		add_part(p, i + 1, level);
		cut(p, n[1].end, n->end);
	} else if (kind == EXPR_BINARY && !fits) {
		add_binary(p, i, level);
	} else if ((kind == EXPR_AGGREGATE || kind == EXPR_CALL || kind == EXPR_PAREN) && !fits) {
		add_list(p, i, level);
	} else {
		if (kind != EXPR_SUBQUERY) /* one that fits isn't indented: so it is upstream */
			indent(p, level);
		cut(p, n->start, n->end);
	}
}

void promql_print_pretty(const struct expr *e, struct buf *out)
{
	auto_buf struct buf line = { 0 };
	struct print_record record = { 0 };
	print_line(e, &line, &record);
	size_t start = out->len;
	struct pretty p = { &record, (const char *)line.data, out, start + PRETTY_MAX_BYTES };
	add_part(&p, 0, 0);
	if (out->len > p.limit) {
		out->len = start;
		buf_add(out, line.data, line.len);
	}
	vec_fini(&record.nodes);
}
