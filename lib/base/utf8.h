/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8, as strictly as Go takes it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "lib/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffd

/* The length of the character at p, which has n >= 1 bytes; 0: there is none. */
size_t utf8_sequence(const void *p, size_t n);

/* The character at p and its length; for bytes that are none, UTF8_REPLACEMENT and 1. */
size_t utf8_decode(const void *p, size_t n, uint32_t *c);

bool utf8_is_valid(const void *p, size_t n);

void utf8_add(struct buf *out, uint32_t c);

bool utf8_is_letter_or_digit(uint32_t c);

/* Appends the text with every character that has a lower (upper) case of one character replaced by it. */
void utf8_add_lower(struct buf *out, const char *p, size_t n);
void utf8_add_upper(struct buf *out, const char *p, size_t n);

#endif
