/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a table of flags (lib/base/flags.h) for the programs that tests use, each of which has its fields in a
 * `struct options`, and `help` among them:
 *
 *	OPTION("hours", FLAG_COUNT, hours, "How long.", .value_name = "N", .default_text = "6"),
 *	OPTION_HELP,
 *	{ 0 },
 */
#ifndef TESTS_OPTIONS_H
#define TESTS_OPTIONS_H

#include "lib/base/flags.h"

#include <stdio.h>

#define OPTION(flag, kind, field, words, ...)                                                         \
	{                                                                                             \
		.name = flag, .type = kind, .offset = offsetof(struct options, field), .help = words, \
		__VA_ARGS__                                                                           \
	}

#define OPTION_HELP OPTION("help", FLAG_BOOL, help, "Print this.", .letter = 'h')

static inline void options_print_help(const struct flag_set *set)
{
	auto_buf struct buf text = { 0 };
	flags_help(set, &text);
	fputs(buf_str(&text), stdout);
}

#endif
