/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the language: operators, aggregations, keywords, whatever their case. */
#ifndef PROMQL_WORD_H
#define PROMQL_WORD_H

#include "lib/promql/lex.h"

/* TOKEN_IDENTIFIER: it is none of them. Infinity and NaN are numbers. */
enum token_kind word_find(struct text w);

#endif
