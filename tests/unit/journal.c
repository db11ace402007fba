/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/journal.h"

#include "tests/support/killed.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <unistd.h>

#define RESENT (1ull << 63)

static enum journal_verdict begin(struct journal *j, uint64_t unique)
{
	struct journal_op *op;
	return journal_begin(j, unique, &op);
}

TEST(what_is_answered_is_not_done_again)
{
	struct journal *j = journal_new();
	struct journal_op *op;
	CHECK_INT(journal_begin(j, 2, &op), JOURNAL_DO);
	CHECK(journal_now() == op);
	CHECK_INT(begin(j, 2), JOURNAL_SILENCE); /* a copy, while it is under way */
	journal_done(op, -17);
	CHECK_INT(begin(j, 2), JOURNAL_SILENCE);
	journal_end(op);
	CHECK(!journal_now());
	CHECK_INT(begin(j, 2), JOURNAL_SILENCE);
	CHECK_INT(begin(j, 4), JOURNAL_DO);
	journal_free(j);
}

TEST(the_next_process_repeats_what_was_begun_and_answers_what_was_done)
{
	void *region = killed_shared(journal_bytes());
	struct journal *first = journal_attach(region);
	struct journal_op *begun, *noted, *done, *answered, *op;
	CHECK_INT(journal_begin(first, 2, &begun), JOURNAL_DO);
	CHECK_INT(journal_begin(first, 4, &noted), JOURNAL_DO);
	journal_note(noted, JOURNAL_PRESENT, 7, 8);
	journal_note(noted, JOURNAL_ABSENT, 9, 9);
	CHECK(!journal_found(noted, JOURNAL_PRESENT)); /* not by another process */
	CHECK_INT(journal_begin(first, 6, &done), JOURNAL_DO);
	journal_done(done, -5);
	CHECK_INT(journal_begin(first, 8, &answered), JOURNAL_DO);
	journal_done(answered, 0);
	journal_end(answered);
	journal_free(first);

	struct journal *next = journal_attach(region);
	CHECK_INT(journal_begin(next, 2 | RESENT, &op), JOURNAL_DO);
	CHECK(op->again && !journal_found(op, JOURNAL_PRESENT));
	CHECK_INT(journal_begin(next, 4 | RESENT, &op), JOURNAL_DO);
	CHECK(journal_found(op, JOURNAL_PRESENT) && !journal_found(op, JOURNAL_ABSENT));
	CHECK_INT(op->fact, 7);
	CHECK_INT(op->fact_2, 8);
	CHECK_INT(journal_begin(next, 6 | RESENT, &op), JOURNAL_ANSWER);
	CHECK_INT(op->result, -5);
	CHECK_INT(begin(next, 8), JOURNAL_SILENCE); /* found in a buffer; the kernel has its answer */
	CHECK_INT(journal_begin(next, 10 | RESENT, &op), JOURNAL_DO); /* it never got as far as the journal */
	CHECK(!op->again);
	journal_free(next);
}

static void *finish(void *arg)
{
	usleep(20000);
	journal_done(arg, 3);
	return NULL;
}

TEST(of_two_copies_the_one_that_is_marked_gets_the_answer)
{
	void *region = killed_shared(journal_bytes());
	struct journal *first = journal_attach(region), *j = journal_attach(region);
	struct journal_op *op, *copy;
	CHECK_INT(journal_begin(first, 2, &op), JOURNAL_DO);
	CHECK_INT(journal_begin(j, 2, &op), JOURNAL_DO); /* from the buffer; its answer goes nowhere */
	pthread_t other;
	CHECK_INT(pthread_create(&other, NULL, finish, op), 0);
	CHECK_INT(journal_begin(j, 2 | RESENT, &copy), JOURNAL_ANSWER); /* waits */
	CHECK_INT(copy->result, 3);
	pthread_join(other, NULL);
	journal_end(copy);
	CHECK_INT(journal_begin(j, 2 | RESENT, &copy), JOURNAL_ANSWER);
	journal_free(first);
	journal_free(j);
}

TEST(more_operations_than_there_is_room_for_are_done_unrecorded)
{
	struct journal *j = journal_new();
	struct journal_op *op, *last = NULL;
	uint64_t unique = 2, recorded = 0;
	for (; unique < 20000; unique += 2) {
		CHECK_INT(journal_begin(j, unique, &op), JOURNAL_DO);
		recorded += op != NULL;
		last = op;
	}
	CHECK(!last);
	CHECK_INT(recorded, 4096);
	/* None that is under way was given up for them. */
	for (uint64_t u = 2; u <= recorded * 2; u += 2)
		CHECK_INT(begin(j, u), JOURNAL_SILENCE);
	journal_free(j);
}

TEST(the_oldest_that_is_answered_makes_room)
{
	struct journal *j = journal_new();
	struct journal_op *op;
	for (uint64_t u = 2; u <= 2 * 10000; u += 2) {
		CHECK_INT(journal_begin(j, u, &op), JOURNAL_DO);
		CHECK(op);
		journal_done(op, 0);
		journal_end(op);
	}
	for (uint64_t u = 2 * 10000; u > 2 * (10000 - 4096); u -= 2)
		CHECK_INT(begin(j, u), JOURNAL_SILENCE);
	CHECK_INT(begin(j, 2), JOURNAL_DO);
	journal_free(j);
}

TEST(memory_of_another_layout_is_refused)
{
	uint64_t *region = killed_shared(journal_bytes());
	*region = 12345;
	CHECK(!journal_attach(region));
}

/* A process that makes a name, which is one store here, and answers. */
struct work {
	volatile int exists, answered;
	struct journal *j;
	_Alignas(64) char region[];
};

static void make_name(void *arg)
{
	struct work *w = arg;
	struct journal_op *op;
	if (journal_begin(w->j, 4096, &op) != JOURNAL_DO)
		_exit(1);
	if (w->exists)
		_exit(2);
	journal_note(op, JOURNAL_ABSENT, 0, 0);
	w->exists = 1;
	journal_done(op, 11);
	w->answered = 1;
	journal_end(op);
}

static void start_anew(struct work *w)
{
	memset(w, 0, sizeof *w + journal_bytes());
	w->j = journal_attach(w->region);
}

TEST(killed_after_any_store_a_process_has_made_a_name_once)
{
	size_t bytes = sizeof(struct work) + journal_bytes();
	struct work *w = killed_shared(bytes);
	unsigned long at[256];
	start_anew(w);
	size_t n = killed_changes(make_name, w, w, bytes, at, 256);
	journal_free(w->j);
	CHECK(n > 15);
	unsigned repeated = 0, answered = 0, silent = 0;
	for (size_t i = 0; i < n; i++) {
		start_anew(w);
		killed_at(KILLED_INSTRUCTION, at[i], make_name, w); /* or it was faster this time */
		struct journal *next = journal_attach(w->region);
		struct journal_op *op;
		switch (journal_begin(next, w->answered ? 4096 : 4096 | RESENT, &op)) {
		case JOURNAL_DO:
			CHECK(!w->answered);
			/* There, and not seen absent before: this would be answered with EEXIST. */
			CHECK(!w->exists || journal_found(op, JOURNAL_ABSENT));
			repeated += op->again;
			break;
		case JOURNAL_ANSWER:
			CHECK(w->exists);
			CHECK_INT(op->result, 11);
			answered++;
			break;
		case JOURNAL_SILENCE:
			CHECK(w->answered && w->exists);
			silent++;
			break;
		}
		/* Whoever held the lock, others get it. */
		CHECK_INT(begin(next, 2), JOURNAL_DO);
		journal_free(next);
		journal_free(w->j);
	}
	CHECK(repeated > 3 && answered > 0 && silent > 0);
}

TEST_MAIN()
