/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: "..." and '...' with Go's escapes, `...` without any. */
#ifndef PROMQL_LEX_STRING_H
#define PROMQL_LEX_STRING_H

#include "lib/promql/lex.h"

/* The opening quote was read. TOKEN_STRING, quotes and escapes as they stand, or TOKEN_ERROR. */
void lex_string(struct lexer *l, struct token *t, char quote);

/* The value of a TOKEN_STRING: a slice of it, or a copy in the arena. Not necessarily UTF-8: "\xff". */
struct text string_value(struct text token, struct arena *a);

#endif
