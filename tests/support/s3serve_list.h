/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of the test server: a page of keys in the order of their bytes, without holding the whole tree. */
#ifndef TESTS_S3SERVE_LIST_H
#define TESTS_S3SERVE_LIST_H

#include "lib/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct s3serve_list {
	const char *dir;                /* absolute */
	const char *prefix, *delimiter; /* "" where not given */
	const char *after;              /* keys up to and with this one were listed; "": from the start */
	bool after_is_prefix;           /* and all keys that begin with it */
	unsigned max_keys;
	bool encode_url;
	bool with_owner;
	/* ---- what s3serve_list_page fills */
	struct buf contents, prefixes; /* XML elements */
	unsigned count;
	bool truncated;
	struct buf last; /* of what was listed: where the next page starts */
	bool last_is_prefix;
};

void s3serve_list_page(struct s3serve_list *l);
void s3serve_list_fini(struct s3serve_list *l);

/* Appends text for XML, or for a URL (blanks as '+') where encode_url. */
void s3serve_list_text(const char *text, bool encode_url, struct buf *out);

#endif
