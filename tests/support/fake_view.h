/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_view.c. */
#ifndef TESTS_FAKE_VIEW_H
#define TESTS_FAKE_VIEW_H

#include "dedup/view.h"

/* Blocks of a directory (may be NULL), and `extra` ones that are only names. */
struct view *fake_view_new(const char *dir, unsigned extra);

/* Looks at the directory again and publishes. */
void fake_view_sync(struct view *v);

#endif
