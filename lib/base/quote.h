/* SPDX-License-Identifier: Apache-2.0 */
/* Text in double quotes as Go's strconv.Quote writes it, which is how Prometheus prints strings and label values. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include "lib/base/buf.h"

#include <stddef.h>

/* Appends it. Bytes that aren't UTF-8 become \xNN, control characters their short form, \xNN or \uNNNN. */
void quote_add(struct buf *out, const char *p, size_t n);

#endif
