/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors are values: a function that can fail returns 0, a count, or -errno, and takes as its last
 * parameter a `struct err *` (may be NULL) in which it says what failed, in words for the user.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_MSG_BYTES 512

struct err {
	char msg[ERR_MSG_BYTES];
	unsigned retry_after_ms; /* how long the other side asks to be left alone; 0: it says nothing of it */
};

/* Sets the message, and retry_after_ms to 0; returns `r` (a negative errno). A NULL `e` is fine. */
int err_set(struct err *e, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Like err_set, and appends ": " and the words of errno `r`. */
int err_errno(struct err *e, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts context before the message that is already there: "opening block X: index is truncated". Returns `r`. */
int err_wrap(struct err *e, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
