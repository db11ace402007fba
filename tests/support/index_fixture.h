/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks for tests of what reads indexes: written as labels in words, used as index files. There are no chunk
 * bytes.
 */
#ifndef TESTS_INDEX_FIXTURE_H
#define TESTS_INDEX_FIXTURE_H

#include "lib/base/vec.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/labels.h"
#include "lib/tsdb/tombstones.h"
#include "store/catalogue.h"

struct fixture_series {
	struct labels labels;
	VEC(struct chunk_meta) chunks;
	uint64_t ref; /* once the index is written */
};

struct index_fixture {
	VEC(struct fixture_series) series;
	VEC(struct tombstone) tombstoned; /* ranges of series, sorted */
	struct tombstones tombstones;     /* the same, as the merge takes it */
	struct block_meta meta;
	struct catalogue_block block;
	struct blob *index;
};

/* An empty block, numbered for its ULID, with `n_segments` segments of 512 MiB. Place it where it will stay.
 */
void index_fixture_init(struct index_fixture *f, unsigned number, unsigned n_segments);
void index_fixture_fini(struct index_fixture *f);

/* Adds what "a=1,b=2" says to labels. */
void fixture_labels(struct labels *l, const char *words);

/* "{a=1,b=2}" of labels, in a buffer that is used again after some calls. */
const char *fixture_words(const struct labels *l);

/* A series, borrowed until the next one is added. */
struct fixture_series *index_fixture_add(struct index_fixture *f, const char *words);
void fixture_chunk(struct fixture_series *s, int64_t mint, int64_t maxt, uint64_t ref);

/* Sorts the series, writes the index file, opens it. Ends the test where that fails. */
void index_fixture_write(struct index_fixture *f, const char *path);

/* What an index file holds, symbols replaced by texts. */
struct index_contents {
	VEC(struct fixture_series) series;
};
void index_contents_read(struct index_contents *c, const char *path);
void index_contents_fini(struct index_contents *c);

#endif
