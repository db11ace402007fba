/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer of S3 that isn't a success means: an errno, and words that name the cause as S3 put it.
 *
 *	-ENOENT     no such object; -ENODEV: no such bucket
 *	-EACCES     keys, signature, clock or permission
 *	-EBADMSG    the object is another than the one asked for (412), or shorter (416)
 *	-EAGAIN     too much load, or broken for now; e->retry_after_ms says for how long, where the store does
 *	-EDQUOT     -ENOSPC: the store is full
 *	-EINVAL     the bucket is elsewhere, or the store doesn't take the request as it is
 *	-EOPNOTSUPP the store can't do this
 *	-EPROTO     what answered isn't S3
 */
#ifndef STORE_S3_ANSWER_H
#define STORE_S3_ANSWER_H

#include "lib/net/http_client.h"
#include "store/s3_xml.h"

#define S3_MAX_RETRY_AFTER_MS 300000

struct s3_answer {
	const struct http_call *call;
	const struct buf *body; /* may be empty, as that of a HEAD always is */
	bool is_of_object;      /* a 404 without words is that of an object, not of the bucket */
	const char *what;       /* begins the message: "S3 bucket b at host: reading x" */
	const char *bucket;
	const char *region;      /* that the request was signed for */
	const char *credentials; /* where the keys come from; NULL: the request was not signed */
	int64_t now_ms;          /* when it was signed */
	/* ---- */
	struct s3_error error;  /* what the answer said */
	char bucket_region[64]; /* the region that the answer says the bucket is in; "" where it doesn't */
};

/*
 * True for a page of HTML in place of an object, or of the word that it was taken: a gateway's, a login's. Nothing of S3's that answers
 * a GET, HEAD or PUT of an object has that type without having an ETag; but Swift's answer to a PUT that a later removal has overtaken,
 * which has a request's id.
 */
bool s3_answer_is_page(const struct http_call *call);

/* 0 for status 200 to 299, unless that is a page. Else -errno as above. */
int s3_answer_judge(struct s3_answer *a, struct err *e);

/* The errno of an error document that came with status 200, as the end of an upload may have it. */
int s3_answer_late_error(struct s3_answer *a, struct err *e);

/* Retry-After: seconds or a date. 0: neither, or past. For the above, and for tests. */
unsigned s3_retry_after_ms(const char *text, int64_t now_ms);

#endif
