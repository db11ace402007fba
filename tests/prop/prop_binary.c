/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary operators between vectors against a plain model, which goes through steps as Prometheus does (VectorBinop, VectorAnd, VectorOr,
 * VectorUnless and rangeEval): random rows with random gaps, every kind of matching. The same rows, or an error where the model has one.
 *
 *	prop_binary [CASES [SEED]]
 */
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "tests/support/rows_query.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS    4
#define ROWS_MAX 8
#define OUT_MAX  64

enum { NAME, X, Y, LABELS };

/* Labels as small numbers; 0: it hasn't it. */
struct series {
	int label[LABELS];
	int cell[STEPS]; /* 0: none */
};

struct vector {
	struct series rows[OUT_MAX];
	size_t n;
};

enum card { ONE_TO_ONE, GROUP_LEFT, GROUP_RIGHT };

struct query {
	const char *op;
	enum card card;
	bool is_on, is_bool, is_set, is_comparison, fills_left, fills_right;
	unsigned labels, include; /* bits: 1 << X, 1 << Y */
	int fill_left, fill_right;
};

static uint64_t of_case, seed;

static bool chance(unsigned percent)
{
	return test_random(&seed) % 100 < percent;
}

static int pick(int n)
{
	return (int)(test_random(&seed) % (unsigned)n);
}

static bool same_labels(const int *a, const int *b)
{
	return memcmp(a, b, LABELS * sizeof *a) == 0;
}

/* What matching leaves of labels. */
static void signature(const struct query *q, const int *label, int *out)
{
	out[NAME] = 0;
	for (int l = X; l < LABELS; l++)
		out[l] = !!(q->labels >> l & 1) == q->is_on ? label[l] : 0;
}

static bool matches(const struct query *q, const struct series *a, const struct series *b)
{
	int sa[LABELS], sb[LABELS];
	signature(q, a->label, sa);
	signature(q, b->label, sb);
	return same_labels(sa, sb);
}

static bool holds(const char *op, int a, int b)
{
	return strcmp(op, ">") == 0 ? a > b : strcmp(op, "==") == 0 ? a == b : a <= b;
}

/* One step's samples. */
struct sample {
	const struct series *of;
	int label[LABELS], v;
};

struct step {
	struct sample s[OUT_MAX];
	size_t n;
};

static struct step at_step(const struct vector *v, int t)
{
	struct step s = { .n = 0 };
	for (size_t i = 0; i < v->n; i++)
		if (v->rows[i].cell[t]) {
			struct sample *new = &s.s[s.n++];
			new->of = &v->rows[i];
			memcpy(new->label, v->rows[i].label, sizeof new->label);
			new->v = v->rows[i].cell[t];
		}
	return s;
}

static bool has_partner(const struct query *q, const struct sample *s, const struct step *others)
{
	for (size_t i = 0; i < others->n; i++)
		if (matches(q, s->of, others->s[i].of))
			return true;
	return false;
}

static struct step set_step(const struct query *q, const struct step *l, const struct step *r)
{
	struct step out = { .n = 0 };
	bool is_or = strcmp(q->op, "or") == 0, is_and = strcmp(q->op, "and") == 0;
	for (size_t i = 0; i < l->n; i++)
		if (is_or || has_partner(q, &l->s[i], r) == is_and)
			out.s[out.n++] = l->s[i];
	for (size_t i = 0; is_or && i < r->n; i++)
		if (!has_partner(q, &r->s[i], l))
			out.s[out.n++] = r->s[i];
	return out;
}

static void result_labels(const struct query *q, const int *many, const int *one, int *out)
{
	memcpy(out, many, LABELS * sizeof *out);
	if (!q->is_comparison || q->is_bool)
		out[NAME] = 0;
	if (q->card == ONE_TO_ONE) {
		int kept[LABELS];
		signature(q, many, kept);
		kept[NAME] = q->is_on ? 0 : out[NAME];
		memcpy(out, kept, sizeof kept);
	}
	for (int l = X; l < LABELS; l++)
		if (q->include >> l & 1)
			out[l] = one[l];
}

/* What was matched at this step: labels of a result, in a match group. */
struct matched {
	int group[LABELS], label[LABELS];
};

struct joining {
	const struct query *q;
	struct matched matched[OUT_MAX];
	size_t n_matched;
	struct step out;
	bool failed;
};

static bool is_matched(const struct joining *j, const int *group)
{
	for (size_t i = 0; i < j->n_matched; i++)
		if (same_labels(j->matched[i].group, group))
			return true;
	return false;
}

static void meet(
	struct joining *j, const int *group, const int *many_label, int many, const int *one_label, int one)
{
	const struct query *q = j->q;
	struct matched m;
	memcpy(m.group, group, sizeof m.group);
	result_labels(q, many_label, one_label, m.label);
	for (size_t i = 0; i < j->n_matched; i++)
		if (same_labels(j->matched[i].group, group) &&
			(q->card == ONE_TO_ONE || same_labels(j->matched[i].label, m.label)))
			j->failed = true;
	j->matched[j->n_matched++] = m;
	int l = q->card == GROUP_RIGHT ? one : many, r = q->card == GROUP_RIGHT ? many : one;
	bool keeps = !q->is_comparison || holds(q->op, l, r);
	if (!keeps && !q->is_bool)
		return;
	struct sample *new = &j->out.s[j->out.n++];
	memcpy(new->label, m.label, sizeof new->label);
	/* Shifted by one, because 0 is no sample. */
	new->v = q->is_bool ? keeps + 1 : q->is_comparison ? l + 1 : l + 10 * r + 1;
}

static bool join_step(const struct query *q, struct step l, struct step r, struct step *out)
{
	struct joining j = { .q = q };
	out->n = 0;
	if ((!l.n && !r.n) || ((!l.n || !r.n) && !q->fills_left && !q->fills_right))
		return true;
	struct step many = q->card == GROUP_RIGHT ? r : l, one = q->card == GROUP_RIGHT ? l : r;
	for (size_t i = 0; i < one.n; i++)
		for (size_t k = 0; k < i; k++)
			if (matches(q, one.s[i].of, one.s[k].of))
				return false;
	int group[LABELS];
	for (size_t i = 0; i < many.n; i++) {
		bool met = false;
		signature(q, many.s[i].label, group);
		for (size_t k = 0; k < one.n && !met; k++)
			if (matches(q, many.s[i].of, one.s[k].of)) {
				meet(&j, group, many.s[i].label, many.s[i].v, one.s[k].label, one.s[k].v);
				met = true;
			}
		if (!met && q->fills_right)
			meet(&j, group, many.s[i].label, many.s[i].v, group, q->fill_right);
	}
	for (size_t i = 0; q->fills_left && i < one.n; i++) {
		signature(q, one.s[i].label, group);
		if (!is_matched(&j, group))
			meet(&j, group, group, q->fill_left, one.s[i].label, one.s[i].v);
	}
	*out = j.out;
	return !j.failed;
}

/* Adds a step's samples to the answer's series. False: two have the same labels. */
static bool add_step(struct vector *answer, const struct step *s, int t)
{
	for (size_t i = 0; i < s->n; i++) {
		size_t k = 0;
		while (k < answer->n && !same_labels(answer->rows[k].label, s->s[i].label))
			k++;
		if (k == answer->n) {
			answer->rows[answer->n] = (struct series){ .cell = { 0 } };
			memcpy(answer->rows[answer->n++].label, s->s[i].label, sizeof s->s[i].label);
		}
		if (answer->rows[k].cell[t])
			return false;
		answer->rows[k].cell[t] = s->s[i].v;
	}
	return true;
}

static bool model(
	const struct query *q, const struct vector *l, const struct vector *r, struct vector *answer)
{
	answer->n = 0;
	for (int t = 0; t < STEPS; t++) {
		struct step out, sl = at_step(l, t), sr = at_step(r, t);
		if (q->is_set)
			out = set_step(q, &sl, &sr);
		else if (!join_step(q, sl, sr, &out))
			return false;
		if (!add_step(answer, &out, t))
			return false;
	}
	return true;
}

static void print_series(struct buf *out, const struct series *s, int shift)
{
	const char *between = "";
	if (s->label[NAME])
		buf_add_u8(out, (uint8_t)("_ab"[s->label[NAME]]));
	bool has_braces = !s->label[NAME] || s->label[X] || s->label[Y];
	buf_add_str(out, has_braces ? "{" : "");
	for (int l = X; l < LABELS; l++)
		if (s->label[l]) {
			buf_printf(out, "%s%c=\"%d\"", between, "_xy"[l], s -> label[l]);
			between = ", ";
		}
	buf_add_str(out, has_braces ? "}" : "");
	for (int t = 0; t < STEPS; t++)
		if (s->cell[t])
			buf_printf(out, " %d", s->cell[t] - shift);
		else
			buf_add_str(out, " _");
	buf_add_str(out, "\n");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines in order. */
static void sort_lines(struct buf *text)
{
	auto_free char *copy = xstrdup(buf_str(text));
	char *lines[OUT_MAX], *rest = copy;
	size_t n = 0;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line)
			lines[n++] = line;
	qsort(lines, n, sizeof *lines, by_text);
	buf_reset(text);
	for (size_t i = 0; i < n; i++)
		buf_printf(text, "%s\n", lines[i]);
}

static struct vector random_side(int name)
{
	struct vector v = { .n = 0 };
	for (int k = 0; k < 9; k++) {
		if (!chance(35))
			continue;
		struct series *s = &v.rows[v.n++];
		*s = (struct series){ .label = { name, k / 3, k % 3 } };
		for (int t = 0; t < STEPS; t++)
			s->cell[t] = chance(45) ? pick(5) + 1 : 0;
	}
	return v;
}

static struct query random_query(void)
{
	static const char *const ops[] = { "+", "+", ">", "==", "<=", "and", "or", "unless" };
	int op = pick(8);
	struct query q = { .op = ops[op], .is_set = op > 4, .is_comparison = op > 1 && op < 5 };
	q.is_on = chance(50);
	q.labels = (unsigned)pick(4) << X;
	if (q.is_set)
		return q;
	q.is_bool = q.is_comparison && chance(40);
	q.card = chance(50) ? ONE_TO_ONE : chance(50) ? GROUP_LEFT : GROUP_RIGHT;
	if (q.card != ONE_TO_ONE)
		q.include = (unsigned)pick(4) << X;
	if (q.is_on)
		q.include &= ~q.labels;
	q.fills_left = chance(20);
	q.fills_right = chance(20);
	q.fill_left = pick(5) + 1;
	q.fill_right = pick(5) + 1;
	return q;
}

static void print_labels(struct buf *out, unsigned labels)
{
	buf_printf(out, "(%s%s%s) ", labels >> X & 1 ? "x" : "", labels == 6 ? ", " : "",
		labels >> Y & 1 ? "y" : "");
}

/* The operator + is a + 10 * b, so that it is seen which side a value is from. */
static void print_query(struct buf *out, const struct query *q)
{
	bool is_sum = strcmp(q->op, "+") == 0;
	buf_printf(out, "a %s ", q->op);
	if (q->is_bool)
		buf_add_str(out, "bool ");
	buf_add_str(out, q->is_on ? "on" : "ignoring");
	print_labels(out, q->labels);
	if (q->card != ONE_TO_ONE) {
		buf_add_str(out, q->card == GROUP_LEFT ? "group_left" : "group_right");
		print_labels(out, q->include);
	}
	if (q->fills_left)
		buf_printf(out, "fill_left(%d) ",
			q->card == GROUP_RIGHT && is_sum ? 10 * q->fill_left : q->fill_left);
	if (q->fills_right)
		buf_printf(out, "fill_right(%d) ",
			q->card != GROUP_RIGHT && is_sum ? 10 * q->fill_right : q->fill_right);
	buf_add_str(out, "b");
}

static void check_case(void)
{
	static struct buf rows, text, want, got;
	struct vector a = random_side(1), b = random_side(2), answer;
	struct query q = random_query();
	buf_reset(&rows);
	buf_reset(&text);
	buf_reset(&want);
	buf_reset(&got);
	print_query(&text, &q);
	struct vector scaled = b;
	for (size_t i = 0; i < b.n && strcmp(q.op, "+") == 0; i++)
		for (int t = 0; t < STEPS; t++)
			scaled.rows[i].cell[t] *= 10;
	for (size_t i = 0; i < a.n; i++)
		print_series(&rows, &a.rows[i], 0);
	for (size_t i = 0; i < b.n; i++)
		print_series(&rows, &scaled.rows[i], 0);
	if (!a.n && !b.n)
		return;
	bool is_fine = model(&q, &a, &b, &answer);
	for (size_t i = 0; is_fine && i < answer.n; i++)
		print_series(&want, &answer.rows[i], q.is_set ? 0 : 1);
	buf_add_str(&got, rows_query(buf_str(&rows), buf_str(&text)));
	bool is_error = strncmp(buf_str(&got), "error: ", 7) == 0;
	sort_lines(&want);
	sort_lines(&got);
	if (is_fine ? strcmp(buf_str(&got), buf_str(&want)) != 0 : !is_error)
		test_fail(__FILE__, __LINE__, "seed %llu: %s on\n%sgives\n%snot\n%s",
			(unsigned long long)of_case, buf_str(&text), buf_str(&rows), buf_str(&got),
			is_fine ? buf_str(&want) : "an error");
}

int main(int argc, char **argv)
{
	unsigned long cases = argc > 1 ? strtoul(argv[1], NULL, 0) : 3000;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	for (unsigned long i = 0; i < cases; i++) {
		seed = of_case = first + i;
		check_case();
	}
	printf("1 passed, 0 failed\n");
	return 0;
}
