/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unit test harness. Each test runs in a process of its own, so a crash is one failure; names are sentences:
 *
 *	TEST(a_torn_record_is_dropped)
 *	{
 *		...
 *		CHECK_INT(dec_left(&d), 0);
 *	}
 *	TEST_MAIN()
 *
 * A run ends with the line "N passed, N failed". Arguments select the tests whose names contain one of them.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *t);
int test_main(int argc, char **argv);

/* Reports the place and the two values and ends the test. */
void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

/* Ends the test as skipped, loudly: only for what lies outside the project. */
void test_skip(const char *why) __attribute__((noreturn));

/* A directory of this test's own, removed when the test ends. */
const char *test_dir(void);

#define TEST(id)                                                                \
	static void test_##id(void);                                            \
	static struct test test_entry_##id = { .name = #id, .run = test_##id }; \
	__attribute__((constructor)) static void test_register_##id(void)       \
	{                                                                       \
		test_register(&test_entry_##id);                                \
	}                                                                       \
	static void test_##id(void)

#define TEST_MAIN()                           \
	int main(int argc, char **argv)       \
	{                                     \
		return test_main(argc, argv); \
	}

#define CHECK(cond)                                                 \
	do {                                                        \
		if (!(cond))                                        \
			test_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

#define CHECK_INT(got, want)                                                                       \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_)                                                                 \
			test_fail(__FILE__, __LINE__, "%s is %lld, want %lld", #got, got_, want_); \
	} while (0)

#define CHECK_STR(got, want)                                                             \
	do {                                                                             \
		const char *got_ = (got), *want_ = (want);                               \
		if (!got_ || strcmp(got_, want_) != 0)                                   \
			test_fail(__FILE__, __LINE__, "%s is \"%s\", want \"%s\"", #got, \
				got_ ? got_ : "(null)", want_);                          \
	} while (0)

/* The text holds these words (for error messages). */
#define CHECK_HAS(got, part)                                                                    \
	do {                                                                                    \
		const char *got_ = (got), *part_ = (part);                                      \
		if (!got_ || !strstr(got_, part_))                                              \
			test_fail(__FILE__, __LINE__, "%s is \"%s\", which lacks \"%s\"", #got, \
				got_ ? got_ : "(null)", part_);                                 \
	} while (0)

/* 0 or more, else fails with the error's message. */
#define CHECK_OK(call, e)                                                                      \
	do {                                                                                   \
		int ok_ = (int)(call);                                                         \
		if (ok_ < 0)                                                                   \
			test_fail(__FILE__, __LINE__, "%s gave %d: %s", #call, ok_, (e)->msg); \
	} while (0)

/* splitmix64: seeded randomness for property tests. */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

#endif
