/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `load` of test scripts:
 *
 *	load 1m				or load_with_nhcb, which adds classic histograms as native ones too
 *	    up{job="a"}@st _ -30s	when the sample began to count, relative to its time; always before the series' own line
 *	    up{job="a"} 1 2+3x2
 */
#ifndef TESTS_SCRIPT_LOAD_H
#define TESTS_SCRIPT_LOAD_H

#include "tests/support/memory_source.h"

/*
 * lines[0] is the command, the n - 1 others are series; point i of a series is at i times the interval. -EINVAL with the line's number in
 * *bad; series may have been added by then.
 */
int script_load(const char *const *lines, size_t n, struct memory_source *to, size_t *bad, struct err *e);

#endif
