/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of operations in shared memory. An operation can lie in one of WAYS places, which its number gives: numbers
 * rise, so that those under way lie far apart, and the place that has been longest out of use is the one whose turn it is.
 * What was answered stays until then, so that a copy of its request that turns up later is recognised.
 *
 * Each store leaves a table that the next process understands. A place is emptied (number 0), filled, and then gets its
 * number; an operation's facts stand before the flag that says so, its result before its state. Stores of one thread
 * reach the memory in the order of the program as far as anybody can tell who looks after the thread is dead, so it is the
 * compiler alone that must not reorder them.
 */
#include "fs/journal.h"

#include "fs/shared_lock.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

METRIC_COUNTER(operations_again, "thanosfs_operations_repeated_total",
	"Operations that a process which was killed had begun, and that were done again.");
METRIC_COUNTER(operations_answered, "thanosfs_operations_answered_again_total",
	"Operations that a process which was killed had done, and that were answered from the journal.");
METRIC_COUNTER(operations_unrecorded, "thanosfs_operations_unrecorded_total",
	"Operations that were done without a place in the journal.");

#define MAGIC       0x31306c6e72756f6aull /* "journl01": changes with the layout */
#define SETS        512u
#define WAYS        8u
#define RESENT      (1ull << 63)
#define UNIQUE_STEP 2u /* of the kernel's numbers */
#define WAIT_US     500u

struct set {
	_Atomic uint64_t unique[WAYS]; /* of ops[set][way]; 0: free */
};

struct table {
	_Atomic uint64_t magic; /* 0: fresh */
	uint32_t attachments;
	uint32_t reserved;
	uint64_t age;
	pthread_mutex_t lock;
	_Alignas(64) struct set sets[SETS];
	struct journal_op ops[SETS][WAYS];
};

struct journal {
	struct table *table;
	void *own; /* the memory, where it is not borrowed */
	uint32_t me;
};

static _Thread_local struct journal_op *now;

size_t journal_bytes(void)
{
	return sizeof(struct table);
}

struct journal *journal_attach(void *region)
{
	struct table *t = region;
	if (!shared_lock_take_up(&t->magic, MAGIC, &t->lock))
		return NULL;
	struct journal *j = xcalloc(1, sizeof *j);
	j->table = t;
	shared_lock(&t->lock);
	j->me = ++t->attachments;
	shared_unlock(&t->lock);
	return j;
}

struct journal *journal_new(void)
{
	void *own = aligned_alloc(64, (sizeof(struct table) + 63) / 64 * 64);
	if (!own)
		abort();
	memset(own, 0, sizeof(struct table));
	struct journal *j = journal_attach(own);
	j->own = own;
	return j;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	free(j->own);
	free(j);
}

static struct journal_op *find_locked(struct table *t, uint64_t unique)
{
	size_t set = unique / UNIQUE_STEP % SETS;
	for (size_t i = 0; i < WAYS; i++)
		if (atomic_load_explicit(&t->sets[set].unique[i], memory_order_relaxed) == unique)
			return &t->ops[set][i];
	return NULL;
}

/* The least is the first to go. What this process is at, stays. */
static int worth(const struct journal *j, const struct journal_op *op)
{
	switch (atomic_load(&op->state)) {
	case JOURNAL_FREE: return 0;
	case JOURNAL_ANSWERED: return 1;
	/* The kernel may not have the answers of these. But it gives them again before anything else. */
	case JOURNAL_DONE: return op->owner == j->me ? 4 : 2;
	default: return op->owner == j->me ? 4 : 3;
	}
}

static struct journal_op *claim_locked(struct journal *j, uint64_t unique)
{
	struct table *t = j->table;
	size_t set = unique / UNIQUE_STEP % SETS, way = 0;
	size_t turn = unique / UNIQUE_STEP / SETS % WAYS;
	int least = 4;
	for (size_t k = 0; k < WAYS && least > 1; k++) {
		size_t i = (turn + k) % WAYS;
		const struct journal_op *op = &t->ops[set][i];
		bool is_free = !atomic_load_explicit(&t->sets[set].unique[i], memory_order_relaxed);
		int w = is_free ? 0 : worth(j, op);
		if (w < least || (w == least && w < 4 && op->age < t->ops[set][way].age)) {
			least = w;
			way = i;
		}
	}
	if (least == 4)
		return NULL;
	struct journal_op *op = &t->ops[set][way];
	atomic_store_explicit(&t->sets[set].unique[way], 0, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	*op = (struct journal_op){ .unique = unique, .age = ++t->age, .owner = j->me };
	atomic_store_explicit(&op->state, JOURNAL_BEGUN, memory_order_release);
	atomic_store_explicit(&t->sets[set].unique[way], unique, memory_order_release);
	return op;
}

/*
 * An operation that was there before. Of the copies of a request it is the one marked as given again, if there is one, from
 * which the kernel takes the answer. -EAGAIN: this process is at it in another thread, and this is that copy.
 */
static int resume_locked(struct journal *j, struct journal_op *op, bool is_marked)
{
	bool is_under_way = op->owner == j->me && op->state == JOURNAL_BEGUN;
	if (is_marked && is_under_way)
		return -EAGAIN;
	if (!is_marked && (op->owner == j->me || op->state == JOURNAL_ANSWERED))
		return JOURNAL_SILENCE;
	op->again |= op->owner != j->me;
	op->owner = j->me;
	op->age = ++j->table->age;
	return op->state == JOURNAL_BEGUN ? JOURNAL_DO : JOURNAL_ANSWER;
}

/* The operation of this number, found or new; what resume_locked says. */
static int look_up(struct journal *j, uint64_t unique, struct journal_op **op)
{
	int verdict = JOURNAL_DO;
	shared_lock(&j->table->lock);
	*op = find_locked(j->table, unique & ~RESENT);
	if (*op)
		verdict = resume_locked(j, *op, unique & RESENT);
	else
		*op = claim_locked(j, unique & ~RESENT);
	shared_unlock(&j->table->lock);
	return verdict;
}

enum journal_verdict journal_begin(struct journal *j, uint64_t unique, struct journal_op **out)
{
	*out = now = NULL;
	if (!unique)
		return JOURNAL_DO;
	struct journal_op *op;
	int verdict;
	while ((verdict = look_up(j, unique, &op)) == -EAGAIN)
		usleep(WAIT_US); /* only where a request is taken from the buffers and given again as well */
	if (verdict == JOURNAL_SILENCE)
		return JOURNAL_SILENCE;
	if (!op)
		metric_add(operations_unrecorded, 1);
	else if (verdict == JOURNAL_ANSWER)
		metric_add(operations_answered, 1);
	else if (op->again)
		metric_add(operations_again, 1);
	*out = now = op;
	return (enum journal_verdict)verdict;
}

struct journal_op *journal_now(void)
{
	return now;
}

void journal_note(struct journal_op *op, enum journal_finding finding, uint64_t fact, uint64_t fact_2)
{
	if (!op || journal_has(op, JOURNAL_NOTED))
		return;
	op->fact = fact;
	op->fact_2 = fact_2;
	op->finding = finding;
	atomic_fetch_or_explicit(&op->flags, JOURNAL_NOTED, memory_order_release);
}

void journal_done(struct journal_op *op, int64_t result)
{
	if (!op)
		return;
	op->result = result;
	atomic_store_explicit(&op->state, JOURNAL_DONE, memory_order_release);
}

void journal_end(struct journal_op *op)
{
	now = NULL;
	if (op)
		atomic_store_explicit(&op->state, JOURNAL_ANSWERED, memory_order_release);
}

void journal_flag(struct journal *j, uint64_t unique, enum journal_flag flag)
{
	shared_lock(&j->table->lock);
	struct journal_op *op = find_locked(j->table, unique & ~RESENT);
	if (op)
		atomic_fetch_or_explicit(&op->flags, (uint32_t)flag, memory_order_release);
	shared_unlock(&j->table->lock);
}
