/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whiteouts are a handful of records in memory and a file of lines that says how they came about:
 *
 *	pending ULID
 *	removed ULID PLACE
 *	gone ULID
 *	end ULID
 *
 * A change appends one line, in one write, before it takes effect. Reading the file back replays the lines;
 * one that a crash tore is worth nothing, and the file is written anew without it. Nobody else may have it open then: what
 * a process that still serves would append is lost with the old file.
 */
#include "fs/whiteout.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/sorted.h"
#include "lib/base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_MAX_BYTES (64u << 20)
#define LINES_MANY     1000u

struct whiteout {
	struct ulid ulid;
	enum whiteout_state state;
	VEC(uint16_t) removed; /* places, in no order */
};

struct whiteouts {
	char *path;
	int fd;
	pthread_mutex_t
		journal; /* serialises changes: appends stand in the order in which they take effect */

	pthread_mutex_t lock;
	VEC(struct whiteout) all; /* sorted by ULID */

	_Atomic size_t n; /* of all; lets those who find 0 pass without the lock */
};

static size_t place_of(const struct whiteouts *w, const struct ulid *u)
{
	return lower_bound(i, w->all.len, ulid_cmp(&w->all.data[i].ulid, u) < 0);
}

static struct whiteout *find(const struct whiteouts *w, const struct ulid *u)
{
	size_t i = place_of(w, u);
	return i < w->all.len && !ulid_cmp(&w->all.data[i].ulid, u) ? &w->all.data[i] : NULL;
}

static struct whiteout *find_or_add(struct whiteouts *w, const struct ulid *u)
{
	struct whiteout *found = find(w, u);
	if (found)
		return found;
	size_t i = place_of(w, u);
	vec_push(&w->all, (struct whiteout){ 0 });
	memmove(&w->all.data[i + 1], &w->all.data[i], (w->all.len - 1 - i) * sizeof *w->all.data);
	w->all.data[i] = (struct whiteout){ .ulid = *u };
	atomic_store(&w->n, w->all.len);
	return &w->all.data[i];
}

static void end(struct whiteouts *w, const struct ulid *u)
{
	struct whiteout *x = find(w, u);
	if (!x)
		return;
	size_t i = (size_t)(x - w->all.data);
	vec_fini(&x->removed);
	w->all.len--;
	memmove(x, x + 1, (w->all.len - i) * sizeof *x);
	atomic_store(&w->n, w->all.len);
}

static bool has_place(struct whiteout *x, unsigned place)
{
	vec_each (p, &x->removed)
		if (*p == place)
			return true;
	return false;
}

static void apply(struct whiteouts *w, const char *verb, const struct ulid *u, unsigned place)
{
	if (!strcmp(verb, "end")) {
		end(w, u);
		return;
	}
	struct whiteout *x = find_or_add(w, u);
	if (!strcmp(verb, "pending")) {
		x->state = WHITEOUT_PENDING;
	} else if (!strcmp(verb, "gone")) {
		x->state = WHITEOUT_GONE;
		vec_fini(&x->removed);
	} else if (!has_place(x, place)) {
		vec_push(&x->removed, (uint16_t)place);
	}
}

static void add_line(struct buf *out, const char *verb, const struct ulid *u, int place)
{
	char name[ULID_CHARS + 1];
	ulid_format(u, name);
	buf_printf(out, "%s %s", verb, name);
	if (place >= 0)
		buf_printf(out, " %d", place);
	buf_add_u8(out, '\n');
}

/* One line without its newline; false for one that this program never writes. */
static bool replay_line(struct whiteouts *w, const char *line)
{
	static const char *const verbs[] = { "pending", "removed", "gone", "end" };
	char verb[8], name[ULID_CHARS + 1];
	unsigned place = 0;
	struct ulid u;
	int n = sscanf(line, "%7s %26s %5u", verb, name, &place);
	if (n < 2 || !ulid_parse(name, &u) || place > UINT16_MAX)
		return false;
	bool is_verb = false;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		is_verb |= !strcmp(verb, verbs[i]);
	/* Right is what comes out the same when it is written. */
	auto_buf struct buf again = { 0 };
	add_line(&again, verb, &u, strcmp(verb, "removed") ? -1 : (int)place);
	again.len--;
	if (!is_verb || strcmp(buf_str(&again), line) != 0)
		return false;
	apply(w, verb, &u, place);
	return true;
}

/* Whether the file must be written anew, since lines are bad, or should be, since most of them say nothing any more. */
static bool replay(struct whiteouts *w, struct buf *text)
{
	size_t bad = 0, lines = 0;
	char *save = NULL, *whole = (char *)buf_str(text);
	/* What follows the last newline is a write that a crash tore. */
	char *last = strrchr(whole, '\n');
	bad += last ? last[1] != 0 : *whole != 0;
	if (last)
		last[1] = 0;
	else
		*whole = 0;
	for (char *line = strtok_r(whole, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		bad += !replay_line(w, line), lines++;
	if (bad)
		log_warn("whiteout lines ignored", KV("file", w->path), KV_U64("lines", bad));
	return bad || lines > LINES_MANY;
}

static int rewrite(struct whiteouts *w, struct err *e)
{
	auto_buf struct buf text = { 0 };
	vec_each (x, &w->all) {
		vec_each (p, &x->removed)
			add_line(&text, "removed", &x->ulid, *p);
		if (x->state != WHITEOUT_NONE)
			add_line(&text, x->state == WHITEOUT_GONE ? "gone" : "pending", &x->ulid, -1);
	}
	return file_replace(w->path, text.data, text.len, e);
}

int whiteouts_open(const char *path, struct whiteouts **out, struct err *e)
{
	struct whiteouts *w = xcalloc(1, sizeof *w);
	w->path = xstrdup(path);
	w->fd = -1;
	pthread_mutex_init(&w->journal, NULL);
	pthread_mutex_init(&w->lock, NULL);

	auto_buf struct buf text = { 0 };
	bool is_there = file_exists(path);
	int r = is_there ? file_read(path, FILE_MAX_BYTES, &text, e) : 0;
	if (r == 0 && (!is_there || replay(w, &text)))
		r = rewrite(w, e);
	if (r == 0) {
		w->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
		if (w->fd < 0)
			r = err_errno(e, -errno, "opening %s", path);
	}
	if (r < 0) {
		whiteouts_close(w);
		return r;
	}
	*out = w;
	return 0;
}

void whiteouts_close(struct whiteouts *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	vec_each (x, &w->all)
		vec_fini(&x->removed);
	vec_fini(&w->all);
	pthread_mutex_destroy(&w->journal);
	pthread_mutex_destroy(&w->lock);
	free(w->path);
	free(w);
}

enum whiteout_state whiteouts_state(struct whiteouts *w, const struct ulid *u)
{
	if (!atomic_load(&w->n))
		return WHITEOUT_NONE;
	pthread_mutex_lock(&w->lock);
	const struct whiteout *x = find(w, u);
	enum whiteout_state state = x ? x->state : WHITEOUT_NONE;
	pthread_mutex_unlock(&w->lock);
	return state;
}

bool whiteouts_has_removed(struct whiteouts *w, const struct ulid *u, unsigned place)
{
	if (!atomic_load(&w->n))
		return false;
	pthread_mutex_lock(&w->lock);
	struct whiteout *x = find(w, u);
	bool removed = x && (x->state == WHITEOUT_GONE || has_place(x, place));
	pthread_mutex_unlock(&w->lock);
	return removed;
}

static int change(struct whiteouts *w, const char *verb, const struct ulid *u, int place, bool durable)
{
	auto_buf struct buf line = { 0 };
	add_line(&line, verb, u, place);
	pthread_mutex_lock(&w->journal);
	off_t before = lseek(w->fd, 0, SEEK_END);
	int r = before < 0 ? -errno : file_write_all(w->fd, line.data, line.len);
	if (r == 0 && durable && fdatasync(w->fd) < 0)
		r = -errno;
	/* Half a line must not swallow the next one. */
	if (r < 0 && before >= 0 && ftruncate(w->fd, before) < 0)
		r = -errno;
	if (r == 0) {
		pthread_mutex_lock(&w->lock);
		apply(w, verb, u, place < 0 ? 0 : (unsigned)place);
		pthread_mutex_unlock(&w->lock);
	}
	pthread_mutex_unlock(&w->journal);
	if (r < 0)
		log_error("whiteout not recorded", KV("file", w->path), KV("err", strerror(-r)));
	return r;
}

int whiteouts_set_pending(struct whiteouts *w, const struct ulid *u)
{
	return change(w, "pending", u, -1, true);
}

int whiteouts_set_gone(struct whiteouts *w, const struct ulid *u)
{
	return change(w, "gone", u, -1, true);
}

int whiteouts_remove_place(struct whiteouts *w, const struct ulid *u, unsigned place)
{
	return change(w, "removed", u, (int)(place & UINT16_MAX), false);
}

void whiteouts_retain(struct whiteouts *w, bool (*is_published)(void *arg, const struct ulid *u), void *arg)
{
	VEC(struct ulid) ended = { 0 };
	pthread_mutex_lock(&w->lock);
	vec_each (x, &w->all)
		if (!is_published(arg, &x->ulid))
			vec_push(&ended, x->ulid);
	pthread_mutex_unlock(&w->lock);
	vec_each (u, &ended)
		change(w, "end", u, -1, false);
	vec_fini(&ended);
}

void whiteouts_each_pending(struct whiteouts *w, void (*fn)(void *arg, const struct ulid *u), void *arg)
{
	VEC(struct ulid) pending = { 0 };
	pthread_mutex_lock(&w->lock);
	vec_each (x, &w->all)
		if (x->state == WHITEOUT_PENDING)
			vec_push(&pending, x->ulid);
	pthread_mutex_unlock(&w->lock);
	vec_each (u, &pending)
		fn(arg, u);
	vec_fini(&pending);
}

size_t whiteouts_hidden(struct whiteouts *w)
{
	size_t n = 0;
	pthread_mutex_lock(&w->lock);
	vec_each (x, &w->all)
		n += x->state != WHITEOUT_NONE;
	pthread_mutex_unlock(&w->lock);
	return n;
}
