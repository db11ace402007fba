/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and durations, as far as the lexer tells them apart; promql/literal.h reads their values. */
#ifndef PROMQL_LEX_NUMBER_H
#define PROMQL_LEX_NUMBER_H

#include "lib/promql/lex.h"

/* The next character is a digit or a dot. TOKEN_NUMBER, TOKEN_DURATION or TOKEN_ERROR. */
void lex_number_or_duration(struct lexer *l, struct token *t);

#endif
