/* SPDX-License-Identifier: Apache-2.0 */
/* lib/promql/exec.c, op.c, row.c, thread_pool.c: rows are shared out, each is done once, and a run ends when it must. */
#include "lib/base/clock.h"
#include "lib/promql/op.h"
#include "lib/promql/thread_pool.h"
#include "tests/support/test.h"

#include <errno.h>
#include <unistd.h>

#define ROWS 1000u

struct tally {
	_Atomic unsigned done[ROWS], all, workers;
	atomic_bool cancel;
	size_t fails_at, cancels_at; /* a row; ROWS: none */
};

static int count_row(void *arg, struct worker *w, size_t i)
{
	struct tally *t = arg;
	double *cells = arena_alloc(w->scratch, 100 * sizeof *cells);
	memset(cells, 0xff, 100 * sizeof *cells);
	t->done[i]++;
	t->all++;
	t->workers |= 1u << w->number;
	if (i == t->cancels_at)
		t->cancel = true;
	return i == t->fails_at ? exec_fail(w->exec, -EIO, "row %zu is bad", i) : 0;
}

static const unsigned threads[] = { 1, 4 };

TEST(every_row_is_done_once_whatever_the_threads)
{
	for (size_t k = 0; k < ARRAY_LEN(threads); k++) {
		struct exec x;
		struct tally t = { .fails_at = ROWS, .cancels_at = ROWS };
		exec_init(&x, NULL, NULL, threads[k]);
		CHECK_INT(exec_rows(&x, ROWS, count_row, &t), 0);
		CHECK_INT(exec_rows(&x, ROWS, count_row, &t), 0);
		CHECK_INT(exec_rows(&x, 0, count_row, &t), 0);
		for (size_t i = 0; i < ROWS; i++)
			CHECK_INT(t.done[i], 2);
		CHECK(t.workers < 1u << threads[k]);
		exec_fini(&x);
	}
}

static int count_slow_row(void *arg, struct worker *w, size_t i)
{
	usleep(100);
	return count_row(arg, w, i);
}

TEST(threads_are_started_for_a_run_that_goes_on_for_a_while)
{
	struct exec x;
	struct tally t = { .fails_at = ROWS, .cancels_at = ROWS };
	exec_init(&x, NULL, NULL, 4);
	x.alone_until_us = INT64_MAX;
	CHECK_INT(exec_rows(&x, ROWS, count_row, &t), 0);
	CHECK_INT(t.workers, 1);
	CHECK(!x.pool);
	exec_fini(&x);

	/* Rows that are left, be it one, are nobody's twice and are not forgotten. */
	for (size_t n = 1; n <= 300; n = n < 4 ? n + 1 : n * 10) {
		t = (struct tally){ .fails_at = ROWS, .cancels_at = ROWS };
		exec_init(&x, NULL, NULL, 4);
		x.alone_until_us = clock_monotonic_us() + 1000;
		for (int round = 1; round <= 3; round++) {
			CHECK_INT(exec_rows(&x, n, count_slow_row, &t), 0);
			for (size_t i = 0; i < n; i++)
				CHECK_INT(t.done[i], round);
		}
		CHECK(n < 40 || x.pool);
		exec_fini(&x);
	}
}

TEST(the_first_failure_ends_the_rows_and_its_words_are_kept)
{
	for (size_t k = 0; k < ARRAY_LEN(threads); k++) {
		struct exec x;
		struct tally t = { .fails_at = 20, .cancels_at = ROWS };
		exec_init(&x, NULL, NULL, threads[k]);
		CHECK_INT(exec_rows(&x, ROWS, count_row, &t), -EIO);
		exec_fail(&x, -EINVAL, "something later");
		CHECK_STR(x.error.msg, "row 20 is bad");
		CHECK_INT(exec_check(&x), -EIO);
		unsigned before = t.all;
		CHECK_INT(exec_rows(&x, ROWS, count_row, &t), -EIO);
		CHECK_INT(t.all, before);
		exec_fini(&x);
	}
}

TEST(a_run_ends_when_it_is_cancelled_too_late_or_too_large)
{
	struct exec x;
	struct tally t = { .fails_at = ROWS, .cancels_at = 10 };
	exec_init(&x, NULL, NULL, 1);
	x.cancel = &t.cancel;
	CHECK_INT(exec_rows(&x, ROWS, count_row, &t), -ECANCELED);
	CHECK_STR(x.error.msg, "query was canceled in expression evaluation");
	CHECK_INT(t.all, 11);
	exec_fini(&x);

	exec_init(&x, NULL, NULL, 1);
	x.until_us = 1;
	CHECK_INT(exec_check(&x), -ETIME);
	CHECK_STR(x.error.msg, "query timed out in expression evaluation");
	exec_fini(&x);

	exec_init(&x, NULL, NULL, 1);
	x.max_samples = 10;
	exec_count_samples(&x, 10);
	CHECK_INT(exec_check(&x), 0);
	exec_count_samples(&x, 1);
	CHECK_INT(exec_check(&x), -EDQUOT);
	exec_count_samples(&x, -11);
	CHECK_INT(x.samples_now, 0);
	CHECK_INT(x.samples_peak, 11);
	exec_fini(&x);

	struct budget budget = { .limit = 1 << 20 };
	exec_init(&x, NULL, &budget, 2);
	CHECK_INT(exec_check(&x), 0);
	arena_alloc(x.arena, 2 << 20);
	CHECK_INT(exec_check(&x), -ENOMEM);
	CHECK_HAS(x.error.msg, "1048576 bytes");
	exec_fini(&x);
	CHECK_INT(budget.used, 0);
}

static int rows_within(void *arg, struct worker *w, size_t i)
{
	(void)i;
	return exec_rows(w->exec, 10, count_row, arg);
}

TEST(rows_within_a_row_are_done_by_its_own_thread)
{
	struct exec x;
	struct tally t = { .fails_at = ROWS, .cancels_at = ROWS };
	exec_init(&x, NULL, NULL, 4);
	CHECK_INT(exec_rows(&x, 50, rows_within, &t), 0);
	CHECK_INT(t.all, 500);
	exec_fini(&x);
}

/* Rows that go by in order. */
struct parade {
	_Atomic size_t begun, given, most_ahead;
	size_t n_out_of_order, fails_at, give_fails_at, waits_at, begun_while_waiting; /* rows; ROWS: none */
	uint64_t bytes;                                                                /* of a row */
	atomic_bool is_waiting;
};

static int begin_row(void *arg, struct worker *w, size_t i, uint64_t *held)
{
	struct parade *p = arg;
	size_t ahead = ++p->begun - p->given, most = p->most_ahead;
	while (ahead > most && !atomic_compare_exchange_weak(&p->most_ahead, &most, ahead))
		;
	arena_alloc(w->scratch, 1000);
	*held = p->bytes;
	return i == p->fails_at ? exec_fail(w->exec, -EIO, "row %zu is bad", i) : 0;
}

/* Gives the others some time to go on, which they mustn't take. */
static void wait_for_somebody(struct parade *p)
{
	atomic_store(&p->is_waiting, true);
	size_t before = p->begun;
	for (int i = 0; i < 30; i++)
		usleep(1000);
	p->begun_while_waiting = p->begun - before;
	atomic_store(&p->is_waiting, false);
}

static int give_row(void *arg, size_t i)
{
	struct parade *p = arg;
	p->n_out_of_order += i != p->given;
	if (i == p->waits_at)
		wait_for_somebody(p);
	p->given++;
	return i == p->give_fails_at ? -EPIPE : 0;
}

static const struct parade parade = { .fails_at = ROWS, .give_fails_at = ROWS, .waits_at = ROWS };

static int go_by(struct parade *p, struct exec *x, size_t ahead, uint64_t room)
{
	return exec_in_order(x, &(struct in_order){
					.n = ROWS,
					.ahead = ahead,
					.room = room,
					.typical = p->bytes,
					.compute = begin_row,
					.give = give_row,
					.is_waiting = &p->is_waiting,
					.arg = p,
				});
}

TEST(rows_are_given_away_in_order_and_few_wait_for_it)
{
	static const struct {
		size_t ahead;
		uint64_t room, bytes;
		size_t most; /* rows begun and not given away */
	} cases[] = { { 1, 1000, 1, 1 }, { 7, 1000, 1, 7 }, { 100, 35, 10, 3 }, { 100, 5, 10, 1 },
		{ 100, 1000, 0, 100 } };
	for (size_t k = 0; k < ARRAY_LEN(threads); k++)
		for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
			struct exec x;
			struct parade p = parade;
			p.bytes = cases[c].bytes;
			exec_init(&x, NULL, NULL, threads[k]);
			CHECK_INT(go_by(&p, &x, cases[c].ahead, cases[c].room), 0);
			CHECK_INT(p.begun, ROWS);
			CHECK_INT(p.given, ROWS);
			CHECK_INT(p.n_out_of_order, 0);
			CHECK(p.most_ahead <= cases[c].most);
			exec_fini(&x);
		}
}

TEST(threads_join_rows_in_order_that_one_has_begun)
{
	for (int64_t after_us = 0; after_us < 200; after_us += 40) {
		struct exec x;
		struct parade p = parade;
		exec_init(&x, NULL, NULL, 4);
		x.alone_until_us = clock_monotonic_us() + after_us;
		CHECK_INT(go_by(&p, &x, 10, 1000), 0);
		CHECK_INT(p.begun, ROWS);
		CHECK_INT(p.given, ROWS);
		CHECK_INT(p.n_out_of_order, 0);
		exec_fini(&x);
	}
}

TEST(rows_in_order_end_at_the_first_failure)
{
	for (size_t k = 0; k < ARRAY_LEN(threads); k++) {
		struct exec x;
		struct parade p = parade;
		p.fails_at = 100;
		exec_init(&x, NULL, NULL, threads[k]);
		CHECK_INT(go_by(&p, &x, 10, 1000), -EIO);
		CHECK(p.given <= 100);
		CHECK(p.begun <= 110);
		CHECK_STR(x.error.msg, "row 100 is bad");
		exec_fini(&x);

		p = parade;
		p.give_fails_at = 50;
		exec_init(&x, NULL, NULL, threads[k]);
		CHECK_INT(go_by(&p, &x, 10, 1000), -EPIPE);
		CHECK_INT(p.given, 51);
		CHECK(p.begun <= 61);
		exec_fini(&x);
	}
}

TEST(no_row_is_begun_while_somebody_is_waited_for)
{
	for (size_t k = 0; k < ARRAY_LEN(threads); k++) {
		struct exec x;
		struct parade p = parade;
		p.waits_at = 200;
		exec_init(&x, NULL, NULL, threads[k]);
		CHECK_INT(go_by(&p, &x, 500, 1000), 0);
		CHECK_INT(p.given, ROWS);
		/* A thread may have been about to begin one. */
		CHECK(p.begun_while_waiting < threads[k]);
		exec_fini(&x);
	}
}

/* An operator that writes down what is asked of it. */
struct noted {
	struct op op;
	struct op *children[2];
	unsigned opened, prepared, *freed;
};

static int noted_open(struct op *op, struct exec *x)
{
	(void)x;
	((struct noted *)op)->opened++;
	return 0;
}

static int noted_prepare(struct op *op, struct exec *x)
{
	(void)x;
	((struct noted *)op)->prepared++;
	return 0;
}

static size_t noted_children(const struct op *op, struct op **out, size_t room)
{
	const struct noted *n = (const struct noted *)op;
	size_t k = 0;
	for (; k < 2 && k < room && n->children[k]; k++)
		out[k] = n->children[k];
	return k;
}

static void noted_free(struct op *op)
{
	struct noted *n = (struct noted *)op;
	op_free(n->children[0]);
	op_free(n->children[1]);
	++*n->freed;
}

static const struct op_ops noted_ops = {
	.name = "noted",
	.open = noted_open,
	.prepare = noted_prepare,
	.children = noted_children,
	.free = noted_free,
};

TEST(an_operator_with_two_parents_is_opened_prepared_and_freed_once)
{
	unsigned freed = 0;
	struct noted leaf = { .op.ops = &noted_ops, .freed = &freed };
	struct noted root = {
		.op.ops = &noted_ops,
		.children = { &leaf.op, op_ref(&leaf.op) },
		.freed = &freed,
	};
	struct exec x;
	exec_init(&x, NULL, NULL, 1);
	CHECK_INT(op_open_tree(&root.op, &x), 0);
	CHECK_INT(op_prepare(&root.op, &x), 0);
	CHECK_INT(leaf.opened, 1);
	CHECK_INT(leaf.prepared, 1);
	CHECK_INT(root.opened, 1);
	op_free(&root.op);
	CHECK_INT(freed, 2);
	exec_fini(&x);
}

static struct label_set labels_of(struct arena *a, const char *const *pairs, size_t n)
{
	struct label_set s = { 0 };
	for (size_t i = 0; i < n; i += 2)
		s = label_set_put(a, &s, text_of(pairs[i]), text_of(pairs[i + 1]));
	return s;
}

TEST(names_are_dropped_now_or_marked_for_the_end)
{
	static const char *const pairs[] = { "__name__", "up", "__type__", "gauge", "__unit__", "s", "job",
		"a" };
	struct exec x;
	exec_init(&x, NULL, NULL, 1);
	struct label_set labels = labels_of(x.arena, pairs, ARRAY_LEN(pairs));
	struct op inner = { .labels = &labels, .n_rows = 1 }, outer = { 0 };
	op_drop_names(&outer, &x, &inner);
	CHECK_INT(outer.labels[0].n, 1);
	CHECK(text_is(outer.labels[0].pairs[0].name, TEXT("job")));
	CHECK(!op_row_drops_name(&outer, 0));
	x.delayed_name_removal = true;
	op_drop_names(&outer, &x, &inner);
	CHECK_INT(outer.labels[0].n, 4);
	CHECK(op_row_drops_name(&outer, 0));
	exec_fini(&x);
}

static void add_number(void *arg, unsigned number)
{
	atomic_fetch_add((_Atomic unsigned *)arg, 1u << number);
}

TEST(a_pool_calls_each_of_its_threads_once_a_turn)
{
	_Atomic unsigned sum = 0;
	struct thread_pool *p = thread_pool_new(4);
	for (int i = 0; i < 100; i++)
		thread_pool_run(p, add_number, &sum);
	thread_pool_free(p);
	CHECK_INT(sum, 1500);
}

TEST_MAIN()
