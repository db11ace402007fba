/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk in key order: siblings are sorted with '/' at the end of directories, so that "a-b" comes before "a/b". Directories
 * that lie before the page, outside of the prefix, or in a common prefix that was already listed are not entered.
 */
#include "tests/support/s3serve_list.h"

#include "lib/base/vec.h"
#include "tests/support/s3serve_request.h"
#include "tests/support/s3serve_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void s3serve_list_text(const char *text, bool encode_url, struct buf *out)
{
	if (encode_url) {
		auto_buf struct buf encoded = { 0 };
		s3serve_encode(text, strlen(text), true, &encoded);
		for (size_t i = 0; i < encoded.len; i++) {
			if (encoded.len - i >= 3 && !memcmp(encoded.data + i, "%20", 3)) {
				buf_add_u8(out, '+');
				i += 2;
			} else {
				buf_add_u8(out, encoded.data[i]);
			}
		}
		return;
	}
	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;
		if (c == '&')
			buf_add_str(out, "&amp;");
		else if (c == '<')
			buf_add_str(out, "&lt;");
		else if (c == '>')
			buf_add_str(out, "&gt;");
		else if (c == '"')
			buf_add_str(out, "&quot;");
		else if (c < 0x20)
			buf_printf(out, "&#x%X;", c);
		else
			buf_add_u8(out, c);
	}
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static void remember(struct s3serve_list *l, const char *text, size_t n, bool is_prefix)
{
	buf_reset(&l->last);
	buf_add(&l->last, text, n);
	buf_str(&l->last);
	l->last_is_prefix = is_prefix;
}

static void add_object(struct s3serve_list *l, const char *key, const char *path, const struct stat *st)
{
	char etag[S3SERVE_ETAG_CHARS], when[40];
	struct tm tm;
	s3serve_object_etag(path, st, etag);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&st->st_mtim.tv_sec, &tm));
	buf_add_str(&l->contents, "<Contents><Key>");
	s3serve_list_text(key, l->encode_url, &l->contents);
	buf_printf(&l->contents,
		"</Key><LastModified>%s.%03ldZ</LastModified><ETag>&quot;%s&quot;</ETag><Size>%" PRIu64
		"</Size>",
		when, st->st_mtim.tv_nsec / 1000000, etag, (uint64_t)st->st_size);
	if (l->with_owner)
		buf_add_str(&l->contents, "<Owner><ID>test</ID><DisplayName>test</DisplayName></Owner>");
	buf_add_str(&l->contents, "<StorageClass>STANDARD</StorageClass></Contents>");
}

/* True once the page is full. */
static bool consider(struct s3serve_list *l, const char *key)
{
	if (!starts(key, l->prefix) || strcmp(key, l->after) <= 0 ||
		(l->after_is_prefix && starts(key, l->after)))
		return false;
	const char *rest = key + strlen(l->prefix);
	const char *stop = *l->delimiter ? strstr(rest, l->delimiter) : NULL;
	size_t group = stop ? (size_t)(stop - key) + strlen(l->delimiter) : 0;
	if (group && l->last_is_prefix && l->last.len == group && !memcmp(l->last.data, key, group))
		return false;
	struct stat st;
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", l->dir, key);
	if (!group && (stat(path, &st) < 0 || !S_ISREG(st.st_mode)))
		return false;
	if (l->count == l->max_keys)
		return l->truncated = true;
	l->count++;
	if (group) {
		remember(l, key, group, true);
		buf_add_str(&l->prefixes, "<CommonPrefixes><Prefix>");
		s3serve_list_text(buf_str(&l->last), l->encode_url, &l->prefixes);
		buf_add_str(&l->prefixes, "</Prefix></CommonPrefixes>");
	} else {
		add_object(l, key, path, &st);
		remember(l, key, strlen(key), false);
	}
	return false;
}

/* Whether a directory, its key ending in '/', can hold anything for the page. */
static bool is_of_interest(const struct s3serve_list *l, const char *key)
{
	if (!starts(key, l->prefix) && !starts(l->prefix, key))
		return false;
	if (l->last_is_prefix && l->last.len && starts(key, (const char *)l->last.data))
		return false;
	if (l->after_is_prefix && starts(key, l->after))
		return false;
	return starts(l->after, key) || strcmp(key, l->after) > 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_directory(int dir, const struct dirent *d)
{
	struct stat st;
	if (d->d_type != DT_UNKNOWN && d->d_type != DT_LNK)
		return d->d_type == DT_DIR;
	return fstatat(dir, d->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* `key` is "" or ends in '/'; its buffer has room for what S3 takes as a key and a name of a file more. */
static bool walk(struct s3serve_list *l, char *key)
{
	char path[4096];
	size_t n = strlen(key);
	snprintf(path, sizeof path, "%s/%s", l->dir, key);
	DIR *d = n <= 1024 ? opendir(path) : NULL;
	if (!d)
		return false;
	VEC(char *) names = { 0 };
	for (struct dirent *entry; (entry = readdir(d));) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		bool dir = is_directory(dirfd(d), entry);
		snprintf(key + n, 258, "%s%s", entry->d_name, dir ? "/" : "");
		if (dir ? is_of_interest(l, key) : starts(key, l->prefix) && strcmp(key, l->after) > 0)
			vec_push(&names, xstrdup(key + n));
	}
	closedir(d);
	vec_sort(&names, compare_names);
	bool full = false;
	vec_each (name, &names) {
		if (!full) {
			bool dir = (*name)[strlen(*name) - 1] == '/';
			snprintf(key + n, 258, "%s", *name);
			if (!dir)
				full = consider(l, key);
			else if (is_of_interest(l, key))
				full = walk(l, key);
		}
		free(*name);
	}
	vec_fini(&names);
	key[n] = 0;
	return full;
}

void s3serve_list_page(struct s3serve_list *l)
{
	char key[1024 + 260] = "";
	if (l->max_keys)
		walk(l, key);
}

void s3serve_list_fini(struct s3serve_list *l)
{
	buf_fini(&l->contents);
	buf_fini(&l->prefixes);
	buf_fini(&l->last);
}
