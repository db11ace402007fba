/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts the names that a listing shows into what they mean for a block. */
#include "store/block_scan.h"

#include "store/marks.h"

#include <errno.h>
#include <string.h>

#define SEGMENT_DIR    "chunks/"
#define SEGMENT_DIGITS 6

void block_scan_fini(struct block_scan *s)
{
	vec_fini(&s->segments);
}

bool block_scan_path(const char *path, struct ulid *ulid, const char **rest)
{
	char name[ULID_CHARS + 1], canonical[ULID_CHARS + 1];
	if (strnlen(path, ULID_CHARS + 1) <= ULID_CHARS || path[ULID_CHARS] != '/')
		return false;
	memcpy(name, path, ULID_CHARS);
	name[ULID_CHARS] = 0;
	if (!ulid_parse(name, ulid))
		return false;
	ulid_format(ulid, canonical);
	*rest = path + ULID_CHARS + 1;
	return !strcmp(
		name, canonical); /* objects are found again by the name that a ULID has, in capitals */
}

/* The number in "chunks/000001"; 0 for any other path. */
static uint32_t segment_number(const char *rest)
{
	size_t prefix = strlen(SEGMENT_DIR);
	if (strncmp(rest, SEGMENT_DIR, prefix) != 0)
		return 0;
	const char *digits = rest + prefix;
	if (strspn(digits, "0123456789") != SEGMENT_DIGITS || digits[SEGMENT_DIGITS])
		return 0;
	uint32_t number = 0;
	for (; *digits; digits++)
		number = number * 10 + (uint32_t)(*digits - '0');
	return number;
}

void block_scan_add(struct block_scan *s, const char *rest, uint64_t bytes)
{
	uint32_t number = segment_number(rest);
	s->has_any |= *rest != 0;
	if (number > 0 && number <= BLOCK_MAX_SEGMENTS) {
		vec_push(&s->segments, (struct block_segment){ .number = number, .bytes = bytes });
	} else if (!strcmp(rest, "index")) {
		s->has_index = true;
		s->index_bytes = bytes;
	} else if (!strcmp(rest, "meta.json")) {
		s->has_meta = true;
		s->meta_bytes = bytes;
	} else if (!strcmp(rest, "tombstones")) {
		s->has_tombstones = true;
	} else if (!strcmp(rest, mark_file_name(MARK_DELETION))) {
		s->has_deletion_mark = true;
		s->mark_bytes = bytes;
	}
}

void block_scan_merge(struct block_scan *to, struct block_scan *from)
{
	to->has_any |= from->has_any;
	to->has_meta |= from->has_meta;
	to->has_deletion_mark |= from->has_deletion_mark;
	to->has_tombstones |= from->has_tombstones;
	to->meta_bytes = MAX_OF(to->meta_bytes, from->meta_bytes);
	to->mark_bytes = MAX_OF(to->mark_bytes, from->mark_bytes);
	if (from->has_index) {
		to->has_index = true;
		to->index_bytes = from->index_bytes;
	}
	vec_each (segment, &from->segments)
		vec_push(&to->segments, *segment);
	block_scan_fini(from);
}

static int compare_segments(const void *a, const void *b)
{
	uint32_t x = ((const struct block_segment *)a)->number, y = ((const struct block_segment *)b)->number;
	return (x > y) - (x < y);
}

int block_scan_check_segments(struct block_scan *s, struct err *e)
{
	vec_sort(&s->segments, compare_segments);
	for (size_t i = 0; i < s->segments.len; i++) {
		uint32_t number = s->segments.data[i].number;
		if (number > i + 1)
			return err_set(e, -EBADMSG, SEGMENT_DIR "%06zu is missing, though there is %06u",
				i + 1, number);
		if (number < i + 1)
			return err_set(e, -EBADMSG, SEGMENT_DIR "%06u is listed twice", number);
	}
	return 0;
}

bool block_scan_size(const struct block_scan *s, const char *rest, uint64_t *bytes)
{
	uint32_t number = segment_number(rest);
	if (number > 0 && number <= s->segments.len) {
		*bytes = s->segments.data[number - 1].bytes;
		return true;
	}
	if (!strcmp(rest, "index") && s->has_index) {
		*bytes = s->index_bytes;
		return true;
	}
	return false;
}
