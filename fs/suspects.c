/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small table without order: it is looked through once a request, and is nearly always empty, which `known` says. Only the
 * supervisor adds to it, and only while there is no worker; workers only take out, so there is no lock.
 */
#include "fs/suspects.h"

#include "fs/shared_state.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define KNOWN_MAX (4 * SHARED_SLOTS)
#define RESENT    (1ull << 63)

struct suspect {
	_Atomic uint64_t unique; /* 0: free */
	_Atomic uint32_t deaths;
	uint32_t reserved;
};

struct suspects {
	_Atomic uint64_t served[SHARED_SLOTS];
	_Atomic uint64_t given_up;
	_Atomic uint64_t known; /* places that were ever taken: those behind are free */
	struct suspect suspect[KNOWN_MAX];
};

size_t suspects_bytes(void)
{
	return sizeof(struct suspects);
}

struct suspects *suspects_attach(void *region)
{
	return region;
}

static const struct suspect *find(const struct suspects *s, uint64_t unique)
{
	uint64_t known = atomic_load(&s->known);
	for (uint64_t i = 0; i < known && i < KNOWN_MAX; i++)
		if (atomic_load(&s->suspect[i].unique) == unique)
			return &s->suspect[i];
	return NULL;
}

void suspects_begin(struct suspects *s, unsigned slot, uint64_t unique)
{
	atomic_store_explicit(&s->served[slot], unique & ~RESENT, memory_order_release);
}

void suspects_end(struct suspects *s, unsigned slot)
{
	uint64_t unique = suspects_served(s, slot);
	atomic_store_explicit(&s->served[slot], 0, memory_order_release);
	struct suspect *was = unique ? (struct suspect *)find(s, unique) : NULL;
	if (was)
		atomic_store(&was->unique, 0);
}

unsigned suspects_deaths(const struct suspects *s, uint64_t unique)
{
	unique &= ~RESENT;
	const struct suspect *it = unique ? find(s, unique) : NULL;
	return it ? atomic_load(&it->deaths) : 0;
}

uint64_t suspects_gave_up(struct suspects *s)
{
	return atomic_fetch_add(&s->given_up, 1) + 1;
}

uint64_t suspects_given_up(const struct suspects *s)
{
	return atomic_load(&s->given_up);
}

uint64_t suspects_served(const struct suspects *s, unsigned slot)
{
	return atomic_load_explicit(&s->served[slot], memory_order_acquire);
}

/* A free place; else that of the one with the fewest deaths, of these the oldest: numbers grow. */
static struct suspect *place_for_new(struct suspects *s)
{
	struct suspect *pick = &s->suspect[0];
	for (unsigned i = 0; i < KNOWN_MAX; i++) {
		struct suspect *it = &s->suspect[i];
		if (!it->unique) {
			if (i >= s->known)
				s->known = i + 1;
			return it;
		}
		if (it->deaths < pick->deaths || (it->deaths == pick->deaths && it->unique < pick->unique))
			pick = it;
	}
	return pick;
}

static void count(struct suspects *s, uint64_t unique)
{
	struct suspect *it = (struct suspect *)find(s, unique);
	if (it) {
		it->deaths += it->deaths < UINT32_MAX;
		return;
	}
	it = place_for_new(s);
	it->deaths = 1;
	it->unique = unique;
}

void suspects_worker_died(struct suspects *s, bool is_own_fault)
{
	for (unsigned i = 0; i < SHARED_SLOTS; i++) {
		uint64_t unique = atomic_exchange(&s->served[i], 0);
		if (unique && is_own_fault)
			count(s, unique);
	}
}

bool suspects_is_crash(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status) != 0; /* as a sanitizer ends a process */
	switch (WIFSIGNALED(status) ? WTERMSIG(status) : 0) {
	case SIGSEGV:
	case SIGABRT:
	case SIGBUS:
	case SIGILL:
	case SIGFPE: return true;
	default: return false;
	}
}
