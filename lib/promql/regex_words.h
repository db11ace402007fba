/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a regular expression, in the words that Go's regexp/syntax has for it, which users of Prometheus know. */
#ifndef PROMQL_REGEX_WORDS_H
#define PROMQL_REGEX_WORDS_H

#include "lib/base/buf.h"
#include "lib/tsdb/label_set.h"

/* Appends them. `message` is regex_compile's; one that isn't known is appended as it is. */
void regex_words(struct text pattern, const char *message, struct buf *out);

#endif
