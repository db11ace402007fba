/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearness is the number of letters to insert, drop, replace or swap (optimal string alignment), of which a
 * third of the word may be wrong. A word that the typed one is the beginning of, or the last part of, counts
 * as near too: "replica-label" for "query.replica-label".
 */
#include "lib/base/nearest.h"

#include "lib/base/mem.h"

#include <stdbool.h>
#include <string.h>

#define LONGEST 64 /* longer words are not compared */

static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned char row[3][LONGEST + 1];
	for (size_t k = 0; k <= m; k++)
		row[0][k] = (unsigned char)k;
	for (size_t i = 1; i <= n; i++) {
		unsigned char *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
		now[0] = (unsigned char)i;
		for (size_t k = 1; k <= m; k++) {
			unsigned best = last[k - 1] + (a[i - 1] != b[k - 1]);
			best = MIN_OF(best, last[k] + 1u);
			best = MIN_OF(best, now[k - 1] + 1u);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				best = MIN_OF(best, before[k - 2] + 1u);
			now[k] = (unsigned char)best;
		}
	}
	return row[n % 3][m];
}

void nearest_try(struct nearest *near, const char *word)
{
	size_t n = strnlen(near->typed, LONGEST + 1), m = strnlen(word, LONGEST + 1), d;
	if (n > LONGEST || m > LONGEST || n == 0)
		return;
	d = distance(near->typed, n, word, m);
	if (d > MAX_OF(n, m) / 3) {
		bool is_begin = n >= 3 && m > n && !memcmp(word, near->typed, n);
		bool is_end =
			n >= 3 && m > n && word[m - n - 1] == '.' && !memcmp(word + m - n, near->typed, n);
		if (!is_begin && !is_end)
			return;
	}
	if (!near->best || d < near->distance) {
		near->best = word;
		near->distance = d;
	}
}
