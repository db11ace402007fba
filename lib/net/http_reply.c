/* SPDX-License-Identifier: Apache-2.0 */
/* What is written lies first in `plain`, is compressed into `packed`, if at all, and goes to `out`, which the reader empties. */
#include "lib/net/http_reply.h"

#include <errno.h>
#include <pthread.h>
#include <strings.h>
#include <time.h>
#include <zlib.h>

#define GZIP_LEAST_BYTES 1400 /* what fits into one packet gains nothing */
#define HEADERS_MAX      16

struct header {
	char *name, *value;
};

struct http_reply {
	struct http_reply_reader reader;

	/* the writer's; the reader looks at the first three after HELD */
	unsigned status;
	struct header headers[HEADERS_MAX];
	size_t n_headers;
	struct buf plain, packed;
	bool takes_gzip, is_gzip, has_ended;
	z_stream gzip;

	atomic_bool is_gone;

	pthread_mutex_t lock;
	pthread_cond_t has_room;
	/* under lock */
	enum http_reply_state state;
	struct buf out;
	size_t out_at; /* what lies before has been read */
	bool is_asleep;
};

struct http_reply *http_reply_new(bool takes_gzip, const struct http_reply_reader *reader)
{
	struct http_reply *r = xcalloc(1, sizeof *r);
	pthread_condattr_t attr;
	*r = (struct http_reply){ .reader = *reader, .status = 200, .takes_gzip = takes_gzip };
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->has_room, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void http_reply_free(struct http_reply *r)
{
	if (!r)
		return;
	if (r->is_gzip)
		deflateEnd(&r->gzip);
	for (size_t i = 0; i < r->n_headers; i++) {
		free(r->headers[i].name);
		free(r->headers[i].value);
	}
	buf_fini(&r->plain);
	buf_fini(&r->packed);
	buf_fini(&r->out);
	pthread_cond_destroy(&r->has_room);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void http_reply_status(struct http_reply *r, unsigned status)
{
	r->status = status;
}

void http_reply_header(struct http_reply *r, const char *name, const char *value)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (!strcasecmp(r->headers[i].name, name)) {
			free(r->headers[i].value);
			if (value) {
				r->headers[i].value = xstrdup(value);
			} else {
				free(r->headers[i].name);
				r->headers[i] = r->headers[--r->n_headers];
			}
			return;
		}
	if (value && r->n_headers < HEADERS_MAX)
		r->headers[r->n_headers++] = (struct header){ xstrdup(name), xstrdup(value) };
}

struct buf *http_reply_body(struct http_reply *r)
{
	return &r->plain;
}

static void wake_locked(struct http_reply *r)
{
	if (r->is_asleep) {
		r->is_asleep = false;
		r->reader.wake(r->reader.arg);
	}
}

static void begin_gzip(struct http_reply *r)
{
	/* 16 more than the window's bits: with gzip's header. */
	if (!r->is_gzip &&
		deflateInit2(&r->gzip, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK) {
		r->is_gzip = true;
		http_reply_header(r, "Content-Encoding", "gzip");
	}
}

static void swap(struct buf *a, struct buf *b)
{
	struct buf c = *a;
	*a = *b;
	*b = c;
}

/* The stream's end is written where this is the last of it. */
static void pack(struct http_reply *r, bool is_last)
{
	if (!r->is_gzip) {
		swap(&r->packed, &r->plain);
		return;
	}
	r->gzip.next_in = r->plain.data;
	r->gzip.avail_in = (uInt)r->plain.len;
	int status = Z_OK;
	while (r->gzip.avail_in || (is_last && status != Z_STREAM_END)) {
		r->gzip.next_out = buf_reserve(&r->packed, 32u << 10);
		r->gzip.avail_out = 32u << 10;
		status = deflate(&r->gzip, is_last ? Z_FINISH : Z_NO_FLUSH);
		r->packed.len += (32u << 10) - r->gzip.avail_out;
	}
	buf_reset(&r->plain);
}

static void hand_over_locked(struct http_reply *r)
{
	if (r->out_at == r->out.len || r->out_at > HTTP_REPLY_HOLD_BYTES) {
		if (r->out_at)
			memmove(r->out.data, r->out.data + r->out_at, r->out.len - r->out_at);
		r->out.len -= r->out_at;
		r->out_at = 0;
	}
	if (!r->out.len)
		swap(&r->out, &r->packed);
	buf_add(&r->out, r->packed.data, r->packed.len);
	buf_reset(&r->packed);
}

/* The last time that the writer waited, nobody made room for as long as is allowed. */
static void give_up_locked(struct http_reply *r)
{
	atomic_store(&r->is_gone, true);
	r->state = HTTP_REPLY_BROKEN;
	wake_locked(r);
}

static struct timespec after_ms(int64_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

/* Until half of the buffer is free, so that the two threads don't take turns over every few bytes. */
int http_reply_wait_for_room(struct http_reply *r, int ms)
{
	struct timespec until = after_ms(ms < 0 ? HTTP_REPLY_STALL_MS : ms);
	bool is_late = false, is_full;
	pthread_mutex_lock(&r->lock);
	while ((is_full = r->out.len - r->out_at > HTTP_REPLY_HOLD_BYTES / 2) && !atomic_load(&r->is_gone) &&
		!is_late)
		is_late = pthread_cond_timedwait(&r->has_room, &r->lock, &until) == ETIMEDOUT;
	if (is_full && is_late && ms < 0)
		give_up_locked(r);
	pthread_mutex_unlock(&r->lock);
	return atomic_load(&r->is_gone) ? -ECANCELED : is_full;
}

int http_reply_offer(struct http_reply *r)
{
	if (atomic_load(&r->is_gone)) {
		buf_reset(&r->plain);
		return -ECANCELED;
	}
	if (r->plain.len < HTTP_REPLY_STAGE_BYTES)
		return 0;
	if (r->takes_gzip)
		begin_gzip(r);
	pack(r, false);
	pthread_mutex_lock(&r->lock);
	hand_over_locked(r);
	bool is_full = r->out.len - r->out_at >= HTTP_REPLY_HOLD_BYTES;
	if (is_full && r->state == HTTP_REPLY_HELD)
		r->state = HTTP_REPLY_SENDING;
	if (r->state == HTTP_REPLY_SENDING)
		wake_locked(r);
	pthread_mutex_unlock(&r->lock);
	return atomic_load(&r->is_gone) ? -ECANCELED : is_full;
}

int http_reply_flush(struct http_reply *r)
{
	int is_full = http_reply_offer(r);
	return is_full > 0 ? http_reply_wait_for_room(r, -1) : is_full;
}

bool http_reply_start_over(struct http_reply *r)
{
	pthread_mutex_lock(&r->lock);
	bool may = r->state == HTTP_REPLY_HELD;
	if (may) {
		buf_reset(&r->out);
		r->out_at = 0;
	}
	pthread_mutex_unlock(&r->lock);
	if (may) {
		buf_reset(&r->plain);
		if (r->is_gzip)
			deflateReset(&r->gzip);
	}
	return may;
}

void http_reply_end(struct http_reply *r, bool is_whole)
{
	if (r->has_ended)
		return;
	r->has_ended = true;
	if (r->takes_gzip && r->plain.len >= GZIP_LEAST_BYTES)
		begin_gzip(r);
	if (is_whole)
		pack(r, true);
	pthread_mutex_lock(&r->lock);
	if (is_whole)
		hand_over_locked(r);
	if (r->state != HTTP_REPLY_BROKEN)
		r->state = is_whole ? HTTP_REPLY_WHOLE : HTTP_REPLY_BROKEN;
	wake_locked(r);
	pthread_mutex_unlock(&r->lock);
}

const atomic_bool *http_reply_is_gone(const struct http_reply *r)
{
	return &r->is_gone;
}

void http_reply_abandon(struct http_reply *r)
{
	pthread_mutex_lock(&r->lock);
	atomic_store(&r->is_gone, true);
	pthread_cond_signal(&r->has_room);
	pthread_mutex_unlock(&r->lock);
}

static void sleep_locked(struct http_reply *r)
{
	r->is_asleep = true;
	r->reader.sleep(r->reader.arg);
}

enum http_reply_state http_reply_wait(struct http_reply *r)
{
	pthread_mutex_lock(&r->lock);
	enum http_reply_state state = r->state;
	if (state == HTTP_REPLY_HELD)
		sleep_locked(r);
	pthread_mutex_unlock(&r->lock);
	return state;
}

unsigned http_reply_get_status(const struct http_reply *r)
{
	return r->status;
}

const char *http_reply_get_header(const struct http_reply *r, size_t i, const char **value)
{
	if (i >= r->n_headers)
		return NULL;
	*value = r->headers[i].value;
	return r->headers[i].name;
}

bool http_reply_take(struct http_reply *r, struct buf *out)
{
	pthread_mutex_lock(&r->lock);
	bool may = r->state == HTTP_REPLY_WHOLE && !r->out_at;
	if (may) {
		*out = r->out;
		r->out = (struct buf){ 0 };
	}
	pthread_mutex_unlock(&r->lock);
	return may;
}

ssize_t http_reply_read(struct http_reply *r, void *p, size_t max)
{
	pthread_mutex_lock(&r->lock);
	size_t n = MIN_OF(r->out.len - r->out_at, max);
	ssize_t got = (ssize_t)n;
	if (r->state == HTTP_REPLY_BROKEN) {
		got = -EIO;
	} else if (n) {
		memcpy(p, r->out.data + r->out_at, n);
		r->out_at += n;
		if (r->out.len - r->out_at <= HTTP_REPLY_HOLD_BYTES / 2)
			pthread_cond_signal(&r->has_room);
	} else if (r->state != HTTP_REPLY_WHOLE) {
		got = -EAGAIN;
		sleep_locked(r);
	}
	pthread_mutex_unlock(&r->lock);
	return got;
}
