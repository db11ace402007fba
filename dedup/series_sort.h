/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorts any number of series records by labels in bounded memory; what doesn't fit goes through a scratch
 * file.
 */
#ifndef DEDUP_SERIES_SORT_H
#define DEDUP_SERIES_SORT_H

#include "dedup/series_record.h"

struct series_sort;

/*
 * `sort_bytes` of records are sorted at a time; at most `keep_bytes` of them stay in memory after the input's
 * end.
 */
struct series_sort *series_sort_new(const char *dir, size_t sort_bytes, size_t keep_bytes);
void series_sort_free(struct series_sort *s); /* NULL is fine */

/* Room for the next record, valid until the next call, which may write to the scratch file. */
int series_sort_slot(struct series_sort *s, size_t bytes, struct series_record **out, struct err *e);

/*
 * Takes the record that was built in the slot, and that may still be changed until the next slot. `in_order`:
 * it is likely not to be less than the last record that was said to be in order.
 */
void series_sort_push(struct series_sort *s, bool in_order);

int series_sort_end(struct series_sort *s, struct err *e);

/* After the end: the next record, borrowed until the next call, 1; or 0. Equal labels keep a fixed order. */
int series_sort_next(struct series_sort *s, const struct series_record **out, struct err *e);

#endif
