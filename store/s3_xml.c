/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk for all documents: expat calls, the walk keeps the path of open elements as a text ("/ListBucketResult/
 * Contents/Key") and the text of the innermost, and hands both to the document's own function when the element closes.
 */
#include "store/s3_xml.h"

#include "lib/base/duration.h"

#include <errno.h>
#include <expat.h>
#include <inttypes.h>
#include <stdio.h>

#define PATH_CHARS 256

struct walk {
	XML_Parser parser;
	/* Called at the end of each element, with its path and its text, trimmed of nothing. False ends the walk. */
	bool (*leave)(struct walk *w, const char *path, const char *text);
	void *arg;
	char path[PATH_CHARS];
	size_t path_len, depth;
	struct buf text;
	const char *problem; /* why the walk ended early; NULL: it didn't */
};

static void stop(struct walk *w, const char *problem)
{
	if (!w->problem)
		w->problem = problem;
	XML_StopParser(w->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');
	return colon ? colon + 1 : name;
}

static void on_start(void *arg, const char *name, const char **attributes)
{
	struct walk *w = arg;
	(void)attributes;
	if (w->problem)
		return;
	name = local_name(name);
	size_t n = strlen(name);
	if (++w->depth > S3_XML_MAX_DEPTH || w->path_len + 1 + n >= PATH_CHARS) {
		stop(w, "it is nested too deeply");
		return;
	}
	w->path[w->path_len++] = '/';
	memcpy(w->path + w->path_len, name, n + 1);
	w->path_len += n;
	buf_reset(&w->text);
}

static void on_end(void *arg, const char *name)
{
	struct walk *w = arg;
	(void)name;
	if (w->problem)
		return;
	if (!w->leave(w, w->path, buf_str(&w->text)))
		stop(w, "a field of it can't be read");
	while (w->path[--w->path_len] != '/')
		;
	w->path[w->path_len] = 0;
	w->depth--;
	buf_reset(&w->text);
}

static void on_text(void *arg, const char *text, int n)
{
	struct walk *w = arg;
	if (w->problem)
		return;
	if (w->text.len + (size_t)n > S3_XML_MAX_TEXT)
		stop(w, "a text in it is too long");
	else
		buf_add(&w->text, text, (size_t)n);
}

static void on_doctype(void *arg, const char *name, const char *system, const char *public, int has_subset)
{
	(void)name, (void)system, (void)public, (void)has_subset;
	stop(arg, "it has a document type");
}

/* 0, or -EPROTO with `problem` set. */
static int walk(struct walk *w, const void *text, size_t n)
{
	if (n > S3_XML_MAX_BYTES) {
		w->problem = "it is too large";
		return -EPROTO;
	}
	w->parser = XML_ParserCreate("UTF-8");
	if (!w->parser)
		abort(); /* only without memory */
	XML_SetUserData(w->parser, w);
	XML_SetElementHandler(w->parser, on_start, on_end);
	XML_SetCharacterDataHandler(w->parser, on_text);
	XML_SetStartDoctypeDeclHandler(w->parser, on_doctype);
	if (XML_Parse(w->parser, text, (int)n, 1) == XML_STATUS_ERROR && !w->problem)
		w->problem = XML_ErrorString(XML_GetErrorCode(w->parser));
	XML_ParserFree(w->parser);
	buf_fini(&w->text);
	return w->problem ? -EPROTO : 0;
}

void s3_page_fini(struct s3_page *p)
{
	vec_fini(&p->entries);
	buf_fini(&p->names);
	buf_fini(&p->next_token);
	buf_fini(&p->next_marker);
}

struct listing {
	struct s3_page *page;
	struct s3_entry now; /* of the entry that is open */
	bool has_name, has_size, is_listing, is_url_encoded;
};

static bool parse_size(const char *text, uint64_t *out)
{
	size_t n = strspn(text, "0123456789");
	if (n == 0 || n > 18 || text[n])
		return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

static size_t keep_name(struct s3_page *p, const char *name)
{
	size_t at = p->names.len;
	buf_add(&p->names, name, strlen(name) + 1);
	return at;
}

static void set_text(struct buf *b, const char *text)
{
	buf_reset(b);
	buf_add(b, text, strlen(text) + 1);
	b->len--;
}

static bool leave_in_entry(struct listing *l, const char *path, const char *text)
{
	if (!strcmp(path, "/Key")) {
		l->now.name = keep_name(l->page, text);
		l->has_name = true;
		return true;
	}
	if (!strcmp(path, "/Size"))
		return l->has_size = parse_size(text, &l->now.size);
	if (!strcmp(path, "/LastModified"))
		return time_parse(text, &l->now.mtime_ms, NULL) == 0;
	if (*path)
		return true; /* ETag, Owner and the like */
	bool is_whole = l->has_name && l->has_size && l->page->entries.len < S3_XML_MAX_ENTRIES;
	if (is_whole)
		vec_push(&l->page->entries, l->now);
	l->now = (struct s3_entry){ 0 };
	l->has_name = l->has_size = false;
	return is_whole;
}

static bool leave_listing(struct walk *w, const char *path, const char *text)
{
	static const char root[] = "/ListBucketResult", entry[] = "/Contents";
	struct listing *l = w->arg;
	if (strncmp(path, root, sizeof root - 1) != 0)
		return false;
	path += sizeof root - 1;
	if (!strncmp(path, entry, sizeof entry - 1))
		return leave_in_entry(l, path + sizeof entry - 1, text);
	if (!strcmp(path, "/CommonPrefixes/Prefix")) {
		struct s3_entry directory = { .name = keep_name(l->page, text), .is_directory = true };
		vec_push(&l->page->entries, directory);
		return l->page->entries.len <= S3_XML_MAX_ENTRIES;
	}
	if (!strcmp(path, "/IsTruncated"))
		l->page->is_truncated = !strcmp(text, "true");
	else if (!strcmp(path, "/NextContinuationToken"))
		set_text(&l->page->next_token, text);
	else if (!strcmp(path, "/NextMarker"))
		set_text(&l->page->next_marker, text);
	else if (!strcmp(path, "/EncodingType"))
		l->is_url_encoded = !strcmp(text, "url");
	else if (!*path)
		l->is_listing = true;
	return true;
}

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes percent-encoding in place; '+' is a blank. False: not so encoded, or a NUL comes out. */
static bool decode(char *text)
{
	char *out = text;
	for (; *text; text++) {
		if (*text != '%') {
			*out++ = *text == '+' ? ' ' : *text;
			continue;
		}
		int high = hex_of(text[1]), low = high < 0 ? -1 : hex_of(text[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*out++ = (char)(high << 4 | low);
		text += 2;
	}
	*out = 0;
	return true;
}

static bool decode_names(struct s3_page *p)
{
	vec_each (entry, &p->entries)
		if (!decode((char *)p->names.data + entry->name))
			return false;
	if (p->next_marker.len == 0)
		return true;
	bool is_good = decode((char *)p->next_marker.data);
	p->next_marker.len = strlen((char *)p->next_marker.data);
	return is_good;
}

int s3_xml_page(const void *text, size_t n, struct s3_page *out, struct err *e)
{
	struct listing l = { .page = out };
	struct walk w = { .leave = leave_listing, .arg = &l };
	int r = walk(&w, text, n);
	if (r < 0)
		return err_set(e, r, "the answer is not a listing of S3's: %s", w.problem);
	if (!l.is_listing || (l.is_url_encoded && !decode_names(out)))
		return err_set(
			e, -EPROTO, "the answer is a listing with a name that is not encoded as it says");
	return 0;
}

void s3_set_printable(char *out, size_t bytes, const char *text)
{
	size_t n = 0;
	for (; text[n] && n + 1 < bytes; n++) {
		unsigned char c = (unsigned char)text[n];
		/* The second block of controls, U+0080 to U+009F, becomes two characters that are blanks. */
		bool is_control = c < ' ' || c == 0x7f || (c == 0xc2 && (unsigned char)text[n + 1] < 0xa0) ||
				  (c < 0xa0 && n > 0 && c >= 0x80 && (unsigned char)text[n - 1] == 0xc2);
		out[n] = is_control ? ' ' : text[n];
	}
	/* Not through the middle of a character. */
	if (text[n])
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	out[n] = 0;
}

static bool leave_error(struct walk *w, const char *path, const char *text)
{
	struct s3_error *out = w->arg;
	if (!strcmp(path, "/Error/Code"))
		s3_set_printable(out->code, sizeof out->code, text);
	else if (!strcmp(path, "/Error/Message"))
		s3_set_printable(out->message, sizeof out->message, text);
	else if (!strcmp(path, "/Error/Region"))
		s3_set_printable(out->region, sizeof out->region, text);
	else if (!strcmp(path, "/Error/Endpoint"))
		s3_set_printable(out->endpoint, sizeof out->endpoint, text);
	return true;
}

int s3_xml_error(const void *text, size_t n, struct s3_error *out)
{
	*out = (struct s3_error){ 0 };
	struct walk w = { .leave = leave_error, .arg = out };
	int r = walk(&w, text, n);
	return r < 0 || !*out->code ? -EPROTO : 0;
}

static bool leave_upload(struct walk *w, const char *path, const char *text)
{
	if (!strcmp(path, "/InitiateMultipartUploadResult/UploadId"))
		set_text(w->arg, text);
	return true;
}

int s3_xml_upload_id(const void *text, size_t n, struct buf *out, struct err *e)
{
	struct walk w = { .leave = leave_upload, .arg = out };
	int r = walk(&w, text, n);
	if (r < 0 || out->len == 0)
		return err_set(e, -EPROTO, "the answer gives no id for the upload: %s",
			w.problem ? w.problem : "there is no UploadId");
	return 0;
}

void s3_xml_escape(const char *text, struct buf *out)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': buf_add_str(out, "&amp;"); break;
		case '<': buf_add_str(out, "&lt;"); break;
		case '>': buf_add_str(out, "&gt;"); break;
		case '"': buf_add_str(out, "&quot;"); break;
		default: buf_add_u8(out, (uint8_t)*text);
		}
	}
}
