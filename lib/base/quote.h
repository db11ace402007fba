/* SPDX-License-Identifier: Apache-2.0 */
/* Text in double quotes as Go's strconv.Quote writes it, which is how Prometheus prints strings and label values. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include "lib/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends it. Bytes that aren't UTF-8 become \xNN, control characters their short form, \xNN or \uNNNN. */
void quote_add(struct buf *out, const char *p, size_t n);

/* One character in single quotes, as strconv.QuoteRune. */
void quote_add_char(struct buf *out, uint32_t c);

/* Whether a character stands for itself between quotes, but for quotes and backslashes. */
bool quote_is_printable(uint32_t c);

#endif
