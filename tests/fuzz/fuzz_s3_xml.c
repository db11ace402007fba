/* SPDX-License-Identifier: Apache-2.0 */
/* S3's answers: whatever is taken has names that end, sizes that fit, and messages fit for a line. */
#include "store/s3_xml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_page(const struct s3_page *p)
{
	vec_each (entry, &p->entries) {
		if (entry->name >= p->names.len ||
			!memchr(p->names.data + entry->name, 0, p->names.len - entry->name))
			abort();
		if (entry->is_directory && (entry->size || entry->mtime_ms))
			abort();
	}
	if ((p->next_token.data && p->next_token.data[p->next_token.len] != 0) ||
		(p->next_marker.data && strlen((char *)p->next_marker.data) != p->next_marker.len))
		abort();
}

static void check_words(const char *text, size_t bytes)
{
	if (strnlen(text, bytes) == bytes)
		abort();
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { .msg = "" };
	auto_s3_page struct s3_page page = { 0 };
	auto_buf struct buf id = { 0 };
	struct s3_error error;
	if (s3_xml_page(data, size, &page, &e) == 0)
		check_page(&page);
	else if (!*e.msg)
		abort();
	if (s3_xml_error(data, size, &error) == 0) {
		check_words(error.code, sizeof error.code);
		check_words(error.message, sizeof error.message);
		check_words(error.region, sizeof error.region);
		check_words(error.endpoint, sizeof error.endpoint);
	}
	if (s3_xml_upload_id(data, size, &id, &e) == 0 && id.len == 0)
		abort();
	return 0;
}
