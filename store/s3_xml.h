/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XML that S3 answers with: listings, errors, and what an upload in parts needs (Amazon S3 API Reference). Document
 * types are refused, so there are no entities to expand; depth, texts and numbers of entries are bounded. Element names
 * count without their namespace.
 */
#ifndef STORE_S3_XML_H
#define STORE_S3_XML_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define S3_XML_MAX_BYTES   (16u << 20) /* of an answer */
#define S3_XML_MAX_DEPTH   16
#define S3_XML_MAX_TEXT    8192 /* a key of 1,024 bytes, all of them percent-encoded, and room */
#define S3_XML_MAX_ENTRIES 100000

struct s3_entry {
	size_t name; /* where in `names` it begins; NUL-terminated */
	bool is_directory;
	uint64_t size;
	int64_t mtime_ms;
};

/* One page of a listing. Zero-initialise, s3_page_fini. Names are decoded. */
struct s3_page {
	VEC(struct s3_entry) entries;
	struct buf names;
	bool is_truncated;
	struct buf next_token;  /* of version 2 */
	struct buf next_marker; /* of version 1, where the store gives one */
};

void s3_page_fini(struct s3_page *p);
#define auto_s3_page __attribute__((cleanup(s3_page_fini)))

/* -EPROTO: not a listing, or one with a field that can't be read. */
int s3_xml_page(const void *text, size_t n, struct s3_page *out, struct err *e);

/* What an error document says; fields that it lacks are "". Control characters are replaced, ends are cut off. */
struct s3_error {
	char code[64], message[256], region[64], endpoint[256];
};

/* -EPROTO: the text is not an error document. */
int s3_xml_error(const void *text, size_t n, struct s3_error *out);

/* The id of an upload that was begun, appended to `out`. -EPROTO. */
int s3_xml_upload_id(const void *text, size_t n, struct buf *out, struct err *e);

/* Copies a text of the store's for a message: cut to fit, on one line, without what a terminal would act on. */
void s3_set_printable(char *out, size_t bytes, const char *text);

/* Appends text with the characters escaped that mean something in XML. */
void s3_xml_escape(const char *text, struct buf *out);

#endif
