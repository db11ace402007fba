/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors in tests: bytes written as hexadecimal digits. */
#ifndef TESTS_HEX_H
#define TESTS_HEX_H

#include "lib/base/buf.h"

static inline unsigned hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Appends the bytes. */
static inline void hex_add(struct buf *out, const char *hex)
{
	for (; *hex; hex += 2)
		buf_add_u8(out, (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1])));
}

#endif
