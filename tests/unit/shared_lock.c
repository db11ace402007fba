/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/shared_lock.h"

#include "tests/support/killed.h"
#include "tests/support/test.h"

#include <sys/wait.h>
#include <unistd.h>

#define MINE 7u

struct memory {
	_Atomic uint64_t magic;
	pthread_mutex_t lock;
	unsigned count;
};

static bool take_up(struct memory *m)
{
	return shared_lock_take_up(&m->magic, MINE, &m->lock);
}

TEST(fresh_memory_is_taken_up_and_so_is_what_was_taken_up_before)
{
	struct memory *m = killed_shared(sizeof *m);
	CHECK(take_up(m));
	CHECK_INT(m->magic, MINE);
	shared_lock(&m->lock);
	CHECK(take_up(m)); /* by another process, while the lock is held: it stays so */
	CHECK_INT(pthread_mutex_trylock(&m->lock), EBUSY);
	shared_unlock(&m->lock);
}

TEST(memory_of_another_is_left_as_it_is)
{
	struct memory *m = killed_shared(sizeof *m);
	m->magic = MINE + 1;
	memset(&m->lock, 0xa5, sizeof m->lock);
	struct memory before;
	memcpy(&before, m, sizeof before);
	CHECK(!take_up(m));
	CHECK(!memcmp(&before, m, sizeof before));
}

TEST(a_lock_whose_owner_was_killed_is_had_by_the_next)
{
	struct memory *m = killed_shared(sizeof *m);
	CHECK(take_up(m));
	for (unsigned i = 1; i <= 3; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			shared_lock(&m->lock);
			m->count++;
			_exit(0); /* with the lock held */
		}
		CHECK_INT(waitpid(pid, NULL, 0), pid);
		CHECK(take_up(m));
		shared_lock(&m->lock);
		CHECK_INT(m->count, i);
		shared_unlock(&m->lock);
	}
}

TEST_MAIN()
