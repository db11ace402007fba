/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floats as Go's strconv writes and reads them, which is how Prometheus' answers, label values and messages have them: the fewest
 * digits that read back as the same double.
 */
#ifndef BASE_GO_FLOAT_H
#define BASE_GO_FLOAT_H

#include "lib/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define GO_FLOAT_BYTES 352 /* room that always suffices */

/*
 * FormatFloat(v, format, -1, 64): 'f' never has an exponent, 'e' always, 'g' (which is fmt's %g and %v, too) has one below 10^-4 and
 * from 10^6 on. "NaN", "+Inf", "-Inf". Writes no NUL; returns the length.
 */
size_t go_float_format(char out[GO_FLOAT_BYTES], double v, char format);

/* As in the HTTP API's answers: 'f', but 'e' below 10^-6 and from 10^21 on. */
size_t go_float_format_api(char out[GO_FLOAT_BYTES], double v);

/* Appends it. */
void go_float_add(struct buf *out, double v, char format);

/*
 * ParseFloat(s, 64): decimal or hexadecimal (with a p exponent), underscores between digits, Inf, Infinity and NaN in any case. False
 * for anything else, and for what is too large; *out is left alone then.
 */
bool go_float_parse(const char *s, size_t n, double *out);

#endif
