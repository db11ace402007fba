/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A large array that lives in an unlinked file, mapped shared: the kernel may write it out and take its pages
 * back, so it doesn't count against the memory that a merge is allowed. New bytes are zero.
 */
#ifndef TSDB_SCRATCH_TABLE_H
#define TSDB_SCRATCH_TABLE_H

#include "lib/base/err.h"
#include "lib/tsdb/append_file.h"

struct scratch_table {
	void *data; /* moves when it grows */
	size_t bytes;
	struct append_file file;
};

/* Call it on a zeroed table. */
int scratch_table_open(struct scratch_table *t, const char *beside, size_t bytes, struct err *e);

/* At least `bytes` from now on, at least doubled where it must grow. */
int scratch_table_grow(struct scratch_table *t, size_t bytes, struct err *e);

void scratch_table_close(struct scratch_table *t);

#endif
