/* SPDX-License-Identifier: Apache-2.0 */
/* The fewest decimal digits that read back as the same double. */
#ifndef BASE_GO_FLOAT_DIGITS_H
#define BASE_GO_FLOAT_DIGITS_H

#define GO_FLOAT_DIGITS 17

#ifdef __cplusplus
extern "C" {
#endif

/* Of a finite v > 0 = 0.DIGITS * 10^point: writes the digits, the first and the last not '0', without a NUL, and returns how many. */
int go_float_digits(double v, char digits[GO_FLOAT_DIGITS], int *point);

#ifdef __cplusplus
}
#endif

#endif
