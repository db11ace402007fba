/* SPDX-License-Identifier: Apache-2.0 */
/* Where Go's regular expressions, which Prometheus takes, and RE2's differ in syntax. */
#ifndef BASE_REGEX_SYNTAX_H
#define BASE_REGEX_SYNTAX_H

#include "lib/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Appends the pattern as RE2 takes it: (?<name>...), which Go has since 1.22, becomes (?P<name>...). False: it has \C, one byte, which
 * Go hasn't.
 */
bool regex_from_go(const char *pattern, size_t n, struct buf *out);

#endif
