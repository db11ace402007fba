/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/source.h"

const char *const dedup_func_names[] = { "complete", "penalty", "chain", NULL };
