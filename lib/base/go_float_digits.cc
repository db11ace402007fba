/* SPDX-License-Identifier: Apache-2.0 */
/* C has no such function, and C++'s library has (Ryu): the nearest to v of the shortest, as Go's strconv. Throws nothing. */
#include "lib/base/go_float_digits.h"

#include <charconv>
#include <cstring>

int go_float_digits(double v, char digits[GO_FLOAT_DIGITS], int *point)
{
	char text[GO_FLOAT_DIGITS + 8]; /* d.ddde-308 */
	auto r = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific);
	char *e = static_cast<char *>(memchr(text, 'e', static_cast<size_t>(r.ptr - text)));
	int exponent = 0;
	std::from_chars(e[1] == '+' ? e + 2 : e + 1, r.ptr, exponent);
	*point = exponent + 1;
	int n = 0;
	for (char *p = text; p < e; p++)
		if (*p != '.')
			digits[n++] = *p;
	return n;
}
