/* SPDX-License-Identifier: Apache-2.0 */
/* Guesses what was meant by a word that is not known, for messages. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* Fields are private; zero-initialise it but for `typed`. */
struct nearest {
	const char *typed;
	const char *best; /* the nearest word so far, borrowed; NULL: none is near */
	size_t distance;
};

/* Considers one known word. */
void nearest_try(struct nearest *n, const char *word);

#endif
