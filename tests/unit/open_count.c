/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/open_count.h"

#include "tests/support/killed.h"
#include "tests/support/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(opens_and_closes_of_a_node_add_up)
{
	struct open_count *c = open_count_new(NULL);
	unsigned left;
	bool is_kept;
	CHECK_INT(open_count_add(c, 7, NULL, 0), 1);
	CHECK_INT(open_count_add(c, 7, NULL, 0), 2);
	CHECK(open_count_drop(c, 7, NULL, 0, &left, &is_kept));
	CHECK_INT(left, 1);
	CHECK_INT(open_count_get(c, 7), 1);
	CHECK(open_count_drop(c, 7, NULL, 0, &left, &is_kept));
	CHECK_INT(left, 0);
	CHECK_INT(open_count_nodes(c), 0);
	open_count_free(c);
}

TEST(a_close_of_what_was_never_seen_open_is_nothing)
{
	struct open_count *c = open_count_new(NULL);
	unsigned left = 99;
	bool is_kept;
	CHECK(!open_count_drop(c, 5, NULL, 0, &left, &is_kept));
	CHECK_INT(left, 0);
	CHECK_INT(open_count_get(c, 5), 0);
	open_count_free(c);
}

TEST(counts_agree_with_a_plain_array_whatever_the_order)
{
	enum { NODES = 500 };
	static unsigned want[NODES];
	struct open_count *c = open_count_new(NULL);
	uint64_t state = 42;
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t r = test_random(&state);
		unsigned node = (unsigned)(r % NODES), left;
		bool is_kept;
		/* Ids that fall close together, so that chains of probes form and are cut. */
		uint64_t id = (uint64_t)(node + 1) << 18;
		if (r >> 32 & 1) {
			CHECK_INT(open_count_add(c, id, NULL, 0), ++want[node]);
		} else {
			bool counted = open_count_drop(c, id, NULL, 0, &left, &is_kept);
			CHECK_INT(counted, want[node] > 0);
			want[node] -= counted;
			CHECK_INT(left, want[node]);
		}
	}
	size_t open = 0;
	for (unsigned node = 0; node < NODES; node++) {
		CHECK_INT(open_count_get(c, (uint64_t)(node + 1) << 18), want[node]);
		open += want[node] > 0;
	}
	CHECK_INT(open_count_nodes(c), open);
	open_count_free(c);
}

static void add_up(void *arg, uint64_t id, unsigned count)
{
	*(uint64_t *)arg += id * count;
}

TEST(each_open_node_is_visited_with_its_count)
{
	struct open_count *c = open_count_new(NULL);
	uint64_t sum = 0;
	open_count_add(c, 10, NULL, 0);
	open_count_add(c, 10, NULL, 0);
	open_count_add(c, 3, NULL, 0);
	open_count_each(c, add_up, &sum);
	CHECK_INT(sum, 23);
	open_count_free(c);
}

static size_t all_bytes(void)
{
	return (journal_bytes() + 4095) / 4096 * 4096 + open_count_bytes();
}

/* Journal and counts in one piece of memory, as each process finds them. */
struct process {
	char *region;
	struct journal *j;
	struct open_count *c;
};

static struct process attach(char *region)
{
	struct process p = { .region = region, .j = journal_attach(region) };
	p.c = open_count_attach(region + (journal_bytes() + 4095) / 4096 * 4096, p.j);
	return p;
}

static void detach(struct process *p)
{
	open_count_free(p->c);
	journal_free(p->j);
}

enum deed { OPEN, CLOSE, OPEN_IN_VAIN };

static void do_once(struct process *p, uint64_t unique, uint64_t id, enum deed deed)
{
	struct journal_op *op;
	unsigned left;
	bool is_kept;
	enum journal_verdict v = journal_begin(p->j, unique, &op);
	if (v == JOURNAL_SILENCE)
		return;
	if (v == JOURNAL_DO && deed == CLOSE)
		open_count_drop(p->c, id, op, JOURNAL_COUNTED, &left, &is_kept);
	else if (v == JOURNAL_DO)
		open_count_add(p->c, id, op, JOURNAL_COUNTED);
	if (v == JOURNAL_DO)
		journal_done(op, deed == OPEN_IN_VAIN ? -2 : 0);
	if (deed == OPEN_IN_VAIN)
		open_count_drop(p->c, id, op, JOURNAL_RETURNED, &left, &is_kept);
	journal_end(op);
}

static enum deed deed_now;

static void do_deed(void *arg)
{
	do_once(arg, 2, 7, deed_now);
}

/* One open of three, of another node than the one that is left alone. */
static struct process three_open(void)
{
	struct process p = attach(killed_shared(all_bytes()));
	for (int k = 0; k < 3; k++)
		open_count_add(p.c, 7, NULL, 0);
	open_count_add(p.c, 8, NULL, 0);
	return p;
}

TEST(killed_after_any_store_an_open_or_a_close_counts_once)
{
	for (deed_now = OPEN; deed_now <= OPEN_IN_VAIN; deed_now++) {
		unsigned want = deed_now == OPEN ? 4 : deed_now == CLOSE ? 2 : 3;
		unsigned long at[512];
		struct process p = three_open();
		size_t n = killed_changes(do_deed, &p, p.region, all_bytes(), at, 512);
		CHECK(n > 20);
		CHECK_INT(open_count_get(p.c, 7), want);
		detach(&p);
		for (size_t i = 0; i < n; i++) {
			p = three_open();
			killed_at(KILLED_INSTRUCTION, at[i], do_deed, &p); /* or it was faster this time */
			struct process next = attach(p.region);
			detach(&p);
			do_once(&next, 2 | 1ull << 63, 7, deed_now);
			CHECK_INT(open_count_get(next.c, 7), want);
			CHECK_INT(open_count_get(next.c, 8), 1);
			CHECK_INT(open_count_nodes(next.c), 2);
			detach(&next);
			munmap(next.region, all_bytes());
		}
	}
}

/* A long series of opens and closes, the i-th of which is known from i and the seed alone. */
struct series {
	struct process p;
	uint64_t seed;
	volatile uint64_t at, end;
};

enum { SERIES_IDS = 60000, SERIES = 400000 };

static enum deed nth(const struct series *s, uint64_t i, uint64_t *id)
{
	uint64_t state = s->seed + i / 2 * 2;
	uint64_t r = test_random(&state);
	*id = (r % SERIES_IDS + 1) << 12 | i / 100000; /* others as time goes on: those left behind add up */
	/* One in four stays open. */
	return i % 2 == 0 ? OPEN : r >> 40 & 3 ? CLOSE : OPEN_IN_VAIN;
}

static void go_through(struct series *s, uint64_t mark)
{
	for (; s->at < s->end; s->at++) {
		uint64_t id;
		enum deed deed = nth(s, s->at, &id);
		do_once(&s->p, 2 * (s->at + 1) | mark, id, deed);
		mark = 0;
	}
}

TEST(counts_are_exact_however_often_the_process_is_killed)
{
	char *region = killed_shared(all_bytes());
	struct series *s = killed_shared(sizeof *s);
	s->seed = (uint64_t)getpid();
	s->end = SERIES;
	printf("seed %llu\n", (unsigned long long)s->seed);
	unsigned kills = 0;
	uint64_t state = s->seed;
	for (bool was_killed = true; was_killed; kills += was_killed) {
		s->p = attach(region);
		pid_t pid = fork();
		if (pid == 0) {
			go_through(s, 1ull << 63);
			_exit(0);
		}
		usleep((useconds_t)(500 + test_random(&state) % 4000));
		kill(pid, SIGKILL);
		int status;
		waitpid(pid, &status, 0);
		was_killed = WIFSIGNALED(status);
		detach(&s->p);
	}
	CHECK(kills > 5);
	s->p = attach(region);
	uint64_t opens = 0, got = 0;
	struct open_count *model = open_count_new(NULL);
	for (uint64_t i = 0; i < SERIES; i++) {
		uint64_t id;
		unsigned left;
		bool is_kept;
		enum deed deed = nth(s, i, &id);
		if (deed == OPEN)
			open_count_add(model, id, NULL, 0);
		else if (deed == CLOSE)
			open_count_drop(model, id, NULL, 0, &left, &is_kept);
	}
	for (uint64_t i = 0; i < SERIES; i += 2) {
		uint64_t id;
		nth(s, i, &id);
		CHECK_INT(open_count_get(s->p.c, id), open_count_get(model, id));
	}
	open_count_each(model, add_up, &opens);
	open_count_each(s->p.c, add_up, &got);
	CHECK(opens == got);
	CHECK_INT(open_count_nodes(s->p.c), open_count_nodes(model));
	detach(&s->p);
	open_count_free(model);
}

TEST(more_open_nodes_than_there_is_room_for_are_refused)
{
	struct open_count *c = open_count_new(NULL);
	unsigned left;
	bool is_kept;
	for (uint64_t id = 1; id <= OPEN_COUNT_NODES; id++)
		CHECK_INT(open_count_add(c, id, NULL, 0), 1);
	CHECK_INT(open_count_add(c, OPEN_COUNT_NODES + 1, NULL, 0), -ENFILE);
	CHECK_INT(open_count_add(c, 1, NULL, 0), 2);
	CHECK(open_count_drop(c, 2, NULL, 0, &left, &is_kept));
	CHECK_INT(open_count_add(c, OPEN_COUNT_NODES + 1, NULL, 0), 1);
	open_count_free(c);
}

TEST(what_is_kept_is_known_until_the_last_close)
{
	struct open_count *c = open_count_new(NULL);
	unsigned left;
	bool is_kept;
	CHECK(!open_count_set_kept(c, 5));
	open_count_add(c, 5, NULL, 0);
	open_count_add(c, 5, NULL, 0);
	CHECK(open_count_set_kept(c, 5));
	CHECK(open_count_drop(c, 5, NULL, 0, &left, &is_kept) && is_kept);
	CHECK(open_count_is_kept(c, 5));
	CHECK(open_count_drop(c, 5, NULL, 0, &left, &is_kept) && is_kept);
	CHECK(!open_count_is_kept(c, 5));
	open_count_add(c, 5, NULL, 0);
	CHECK(!open_count_is_kept(c, 5));
	open_count_free(c);
}

TEST(a_number_outlives_the_last_close_until_it_is_ended)
{
	struct open_count *c = open_count_new(NULL);
	unsigned left, count;
	bool is_kept;
	CHECK(!open_count_set_backing(c, 5, 3));
	CHECK_INT(open_count_backing(c, 5, &count), 0);
	open_count_add(c, 5, NULL, 0);
	CHECK_INT(open_count_backing(c, 5, &count), 0);
	CHECK(open_count_set_backing(c, 5, 3));
	open_count_set_kept(c, 5);
	CHECK_INT(open_count_begin_end(c, 5), 0);
	CHECK_INT(open_count_last_backing(c), 3);
	CHECK(open_count_drop(c, 5, NULL, 0, &left, &is_kept) && !left);
	CHECK_INT(open_count_nodes(c), 0);
	CHECK(!open_count_drop(c, 5, NULL, 0, &left, &is_kept));
	CHECK_INT(open_count_backing(c, 5, &count), 3);
	CHECK_INT(count, 0);
	CHECK_INT(open_count_add(c, 5, NULL, 0), 1);
	CHECK_INT(open_count_backing(c, 5, &count), 3);
	CHECK_INT(count, 1);
	CHECK(!open_count_is_kept(c, 5));
	CHECK_INT(open_count_begin_end(c, 5), 0);
	CHECK(open_count_drop(c, 5, NULL, 0, &left, &is_kept) && !left);
	CHECK_INT(open_count_begin_end(c, 5), 3);
	CHECK_INT(open_count_backing(c, 5, &count), 0);
	CHECK_INT(open_count_last_backing(c), 3);
	CHECK_INT(open_count_ending(c), 3);
	CHECK_INT(open_count_begin_end(c, 5), 0);
	CHECK_INT(open_count_add(c, 5, NULL, 0), 1);
	CHECK_INT(open_count_backing(c, 5, &count), 0);
	CHECK_INT(open_count_ending(c), 3);
	open_count_ended(c);
	CHECK_INT(open_count_ending(c), 0);
	open_count_free(c);
}

TEST(that_a_node_has_no_number_is_forgotten_with_the_last_close)
{
	struct open_count *c = open_count_new(NULL);
	unsigned left, count;
	bool is_kept;
	open_count_add(c, 5, NULL, 0);
	open_count_set_backing(c, 5, OPEN_COUNT_PLAIN);
	open_count_add(c, 5, NULL, 0);
	CHECK(open_count_drop(c, 5, NULL, 0, &left, &is_kept));
	CHECK_INT(open_count_backing(c, 5, &count), OPEN_COUNT_PLAIN);
	CHECK(open_count_drop(c, 5, NULL, 0, &left, &is_kept));
	CHECK_INT(open_count_backing(c, 5, &count), 0);
	open_count_add(c, 5, NULL, 0);
	CHECK_INT(open_count_backing(c, 5, &count), 0);
	CHECK_INT(open_count_last_backing(c), 0);
	open_count_free(c);
}

TEST(numbers_of_closed_nodes_stay_while_those_left_behind_are_cleared_away)
{
	enum { KEPT = 100 };
	struct open_count *c = open_count_new(NULL);
	unsigned left, count;
	bool is_kept;
	for (uint64_t id = 1; id <= 300000; id++) {
		open_count_add(c, id, NULL, 0);
		if (id <= KEPT)
			open_count_set_backing(c, id, (int32_t)id);
		CHECK(open_count_drop(c, id, NULL, 0, &left, &is_kept));
	}
	CHECK_INT(open_count_nodes(c), 0);
	for (uint64_t id = 1; id <= KEPT; id++)
		CHECK_INT(open_count_backing(c, id, &count), (int32_t)id);
	CHECK_INT(open_count_last_backing(c), KEPT);
	open_count_free(c);
}

static void set_number(void *arg)
{
	open_count_set_backing(((struct process *)arg)->c, 7, 42);
}

/* Else a number would be ended that a node has, or one that nobody has would stay for good. */
TEST(killed_after_any_store_a_number_is_both_the_nodes_and_the_last_or_neither)
{
	unsigned long at[512];
	unsigned count, set = 0;
	struct process p = three_open();
	size_t n = killed_changes(set_number, &p, p.region, all_bytes(), at, 512);
	CHECK(n > 8);
	detach(&p);
	for (size_t i = 0; i < n; i++) {
		p = three_open();
		killed_at(KILLED_INSTRUCTION, at[i], set_number, &p);
		struct process next = attach(p.region);
		detach(&p);
		int32_t backing = open_count_backing(next.c, 7, &count);
		CHECK(backing == 0 || backing == 42);
		CHECK_INT(open_count_last_backing(next.c), backing);
		CHECK_INT(count, 3);
		set += backing == 42;
		detach(&next);
		munmap(next.region, all_bytes());
	}
	CHECK(set > 0 && set < n);
}

static struct process one_closed_with_a_number(void)
{
	struct process p = three_open();
	unsigned left;
	bool is_kept;
	open_count_set_backing(p.c, 7, 42);
	for (unsigned i = 0; i < 3; i++)
		CHECK(open_count_drop(p.c, 7, NULL, 0, &left, &is_kept));
	CHECK_INT(left, 0);
	return p;
}

static void begin_end(void *arg)
{
	CHECK_INT(open_count_begin_end(((struct process *)arg)->c, 7), 42);
}

/* Else an open would be answered with a number that has ended, which fails it. */
TEST(killed_after_any_store_a_number_is_either_the_nodes_or_being_ended)
{
	unsigned long at[512];
	unsigned count, ending = 0;
	struct process p = one_closed_with_a_number();
	size_t n = killed_changes(begin_end, &p, p.region, all_bytes(), at, 512);
	CHECK(n > 8);
	detach(&p);
	for (size_t i = 0; i < n; i++) {
		p = one_closed_with_a_number();
		killed_at(KILLED_INSTRUCTION, at[i], begin_end, &p);
		struct process next = attach(p.region);
		detach(&p);
		int32_t backing = open_count_backing(next.c, 7, &count);
		CHECK(backing == 0 || backing == 42);
		CHECK_INT(open_count_ending(next.c), backing ? 0 : 42);
		CHECK_INT(count, 0);
		ending += !backing;
		detach(&next);
		munmap(next.region, all_bytes());
	}
	CHECK(ending > 0 && ending < n);
}

TEST_MAIN()
