/* SPDX-License-Identifier: Apache-2.0 */
/* Marks: three small JSON files that differ in one key. */
#include "store/marks.h"

#include "lib/base/json.h"

#include <errno.h>
#include <string.h>

#define VERSION 1

static const struct {
	const char *file, *time_key;
	bool has_reason;
} kinds[] = {
	[MARK_DELETION] = { "deletion-mark.json", "deletion_time", false },
	[MARK_NO_COMPACT] = { "no-compact-mark.json", "no_compact_time", true },
	[MARK_NO_DOWNSAMPLE] = { "no-downsample-mark.json", "no_downsample_time", true },
};

const char *mark_file_name(enum mark_kind kind)
{
	return kinds[kind].file;
}

static int get_copy(const struct json_at *root, const char *key, char **out, struct err *e)
{
	const char *text = "";
	int r = json_get_str(root, key, &text, e);
	if (r > 0 && *text)
		*out = xstrdup(text);
	return r;
}

static int read_mark(const char *name, const struct json_at *root, struct mark *m, struct err *e)
{
	const char *id = NULL;
	int64_t version = 0;
	int r = json_get_i64(root, "version", INT64_MIN, INT64_MAX, &version, e);
	if (r >= 0 && version != VERSION)
		return err_set(e, -EBADMSG, "%s has version %lld, not %d", name, (long long)version, VERSION);
	if (r >= 0)
		r = json_get_str(root, "id", &id, e);
	if (r > 0 && !ulid_parse(id, &m->id))
		return err_set(e, -EBADMSG, "%s names the block \"%.64s\", which is not a ULID", name, id);
	if (r >= 0)
		r = get_copy(root, "details", &m->details, e);
	if (r >= 0 && kinds[m->kind].has_reason)
		r = get_copy(root, "reason", &m->reason, e);
	if (r >= 0)
		r = json_get_i64(root, kinds[m->kind].time_key, INT64_MIN, INT64_MAX, &m->time_s, e);
	if (r == 0)
		return err_set(e, -EBADMSG, "%s has no %s", name, kinds[m->kind].time_key);
	return r < 0 ? r : 0;
}

int mark_parse(
	const char *name, enum mark_kind kind, const void *json, size_t n, struct mark **out, struct err *e)
{
	if (n > MARK_MAX_BYTES)
		return err_set(e, -EBADMSG, "%s has %zu bytes, too many for a mark", name, n);
	auto_of(json_doc) struct json_doc *doc = NULL;
	int r = json_doc_parse(name, json, n, &doc, e);
	if (r < 0)
		return r;
	auto_of(mark) struct mark *m = xcalloc(1, sizeof *m);
	m->kind = kind;
	struct json_at root = json_root(doc);
	if (!json_at_is_object(&root))
		return err_set(e, -EBADMSG, "%s is not a JSON object", name);
	r = read_mark(name, &root, m, e);
	if (r < 0)
		return r;
	*out = take(m);
	return 0;
}

void mark_write(const struct mark *m, struct buf *out)
{
	struct json_writer w;
	char id[ULID_CHARS + 1];
	ulid_format(&m->id, id);
	json_writer_init(&w, out, JSON_HTML);
	json_write_object(&w);
	json_write_key_str(&w, "id", id);
	json_write_key_i64(&w, "version", VERSION);
	if (m->details)
		json_write_key_str(&w, "details", m->details);
	json_write_key_i64(&w, kinds[m->kind].time_key, m->time_s);
	if (kinds[m->kind].has_reason)
		json_write_key_str(&w, "reason", m->reason ? m->reason : "");
	json_write_object_end(&w);
}

void mark_free(struct mark *m)
{
	if (m) {
		free(m->details);
		free(m->reason);
		free(m);
	}
}
