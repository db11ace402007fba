/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The marks that Thanos' components leave in a block's directory (thanos pkg/block/metadata/markers.go): what
 * is to become of the block.
 */
#ifndef STORE_MARKS_H
#define STORE_MARKS_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"

#include <stdint.h>

#define MARK_MAX_BYTES (1u << 20) /* a larger file is refused */

enum mark_kind { MARK_DELETION, MARK_NO_COMPACT, MARK_NO_DOWNSAMPLE };

struct mark {
	enum mark_kind kind;
	struct ulid id;
	char *details;  /* NULL: none */
	char *reason;   /* "manual" ...; NULL for a deletion mark */
	int64_t time_s; /* unix seconds: when it was written */
};

const char *mark_file_name(enum mark_kind kind); /* "deletion-mark.json" ... */

/*
 * Parses a mark. `name` is for messages. -EBADMSG: no JSON object, another version than 1, no time. A mark
 * that names no block, or no reason, is one all the same.
 */
int mark_parse(
	const char *name, enum mark_kind kind, const void *json, size_t n, struct mark **out, struct err *e);

/* Appends the file as Thanos writes it. */
void mark_write(const struct mark *m, struct buf *out);

void mark_free(struct mark *m);
DEFINE_AUTO(mark, struct mark *, mark_free)

#endif
