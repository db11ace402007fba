/* SPDX-License-Identifier: Apache-2.0 */
/* Puts samples that come from several places into the one order a reader wants. */
#ifndef TSDB_SAMPLES_ORDER_H
#define TSDB_SAMPLES_ORDER_H

#include "lib/tsdb/series_source.h"

#include <stdbool.h>

/*
 * Makes the times of samples[from..] strictly rise: runs of rising times are merged, and of samples of one time the first one stays. A
 * histogram that doesn't follow the one it followed before says no more whether there was a reset in between. Returns false where they rose already.
 */
bool samples_order(struct samples *s, size_t from);

#endif
