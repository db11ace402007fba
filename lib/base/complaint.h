/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong again and again is said when it begins, again when its cause is another, every five minutes while it
 * lasts, and once when it is over. Each thing that can go wrong so has a complaint of its own:
 *
 *	static struct complaint zeros = COMPLAINT_INIT;
 *	complain(&zeros, LOG_LEVEL_WARN, "read answered with zeros", -r, KV("err", e.msg));
 *	...
 *	complaint_ends(&zeros, 5000, "reads are whole again");
 *
 * A complaint adds the field `times`: how often it happened since it was said last, and an end `failed` and `seconds`.
 */
#ifndef BASE_COMPLAINT_H
#define BASE_COMPLAINT_H

#include "lib/base/clock.h"
#include "lib/base/log.h"

#include <pthread.h>
#include <stdatomic.h>

#define COMPLAINT_AGAIN_MS (5 * 60 * 1000)
#define COMPLAINT_CAUSES   8 /* told apart; others count as the last */

struct complaint {
	pthread_mutex_t lock;
	atomic_bool is_open; /* it happened since the last end */
	/* under lock */
	int64_t since_us, last_us;
	uint64_t failed;
	unsigned n;
	struct {
		int cause;
		int64_t said_us;
		uint64_t unsaid;
	} causes[COMPLAINT_CAUSES];
};

#define COMPLAINT_INIT                            \
	{                                         \
		.lock = PTHREAD_MUTEX_INITIALIZER \
	}

struct complaint_tally {
	uint64_t times;
	double seconds;
};

/* It happened, by this cause (an errno, say). True: it is to be said now. */
bool complaint_happened(struct complaint *c, int cause, int64_t now_us, struct complaint_tally *out);

/*
 * It went well. True, once: it had happened, and did not for `settle_ms`. What fails and succeeds in turns doesn't end so.
 * Costs next to nothing where nothing is wrong.
 */
bool complaint_is_over(struct complaint *c, int64_t settle_ms, int64_t now_us, struct complaint_tally *out);

#define complain(c, level, msg, cause, ...)                                                           \
	do {                                                                                          \
		struct complaint_tally tally_;                                                        \
		if (complaint_happened(c, cause, clock_monotonic_us(), &tally_))                      \
			log_at(level, msg, __VA_ARGS__ __VA_OPT__(, ) KV_U64("times", tally_.times)); \
	} while (0)

#define complaint_ends(c, settle_ms, msg, ...)                                                   \
	do {                                                                                     \
		struct complaint_tally tally_;                                                   \
		if (complaint_is_over(c, settle_ms, clock_monotonic_us(), &tally_))              \
			log_info(msg, __VA_ARGS__ __VA_OPT__(, ) KV_U64("failed", tally_.times), \
				KV_F64("seconds", tally_.seconds));                              \
	} while (0)

#endif
