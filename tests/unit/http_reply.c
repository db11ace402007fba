/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_reply.h"

#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <zlib.h>

/* A reader that counts, and waits on a semaphore while it is asleep. */
struct reader {
	int sleeps, wakes;
	sem_t awake;
};

static void on_sleep(void *arg)
{
	((struct reader *)arg)->sleeps++;
}

static void on_wake(void *arg)
{
	struct reader *x = arg;
	x->wakes++;
	sem_post(&x->awake);
}

static struct http_reply *made(struct reader *x, bool takes_gzip)
{
	struct http_reply_reader reader = { on_sleep, on_wake, x };
	*x = (struct reader){ 0 };
	sem_init(&x->awake, 0, 0);
	return http_reply_new(takes_gzip, &reader);
}

static void read_all(struct http_reply *r, struct buf *out)
{
	ssize_t n;
	while ((n = http_reply_read(r, buf_reserve(out, 5000), 5000)) > 0)
		out->len += (size_t)n;
	CHECK_INT(n, 0);
}

static void add(struct http_reply *r, char c, size_t n)
{
	struct buf *b = http_reply_body(r);
	memset(buf_reserve(b, n), c, n);
	b->len += n;
}

TEST(a_short_answer_leaves_whole_with_its_length)
{
	struct reader x;
	auto_of(http_reply) struct http_reply *r = made(&x, false);
	auto_buf struct buf got = { 0 };
	const char *value;
	CHECK_INT(http_reply_wait(r), HTTP_REPLY_HELD);
	CHECK_INT(x.sleeps, 1);
	http_reply_status(r, 422);
	http_reply_header(r, "Content-Type", "text/plain");
	http_reply_header(r, "content-type", "application/json");
	buf_add_str(http_reply_body(r), "{}");
	CHECK_INT(http_reply_flush(r), 0);
	CHECK_INT(x.wakes, 0);
	http_reply_end(r, true);
	http_reply_end(r, false); /* too late to matter */
	CHECK_INT(x.wakes, 1);
	CHECK_INT(http_reply_wait(r), HTTP_REPLY_WHOLE);
	CHECK_INT(http_reply_get_status(r), 422);
	CHECK_STR(http_reply_get_header(r, 0, &value), "Content-Type");
	CHECK_STR(value, "application/json");
	CHECK(!http_reply_get_header(r, 1, &value));
	CHECK(http_reply_take(r, &got));
	CHECK_STR(buf_str(&got), "{}");
	CHECK_INT(http_reply_read(r, &(char){ 0 }, 1), 0);
}

TEST(what_was_written_can_be_taken_back_until_it_leaves)
{
	struct reader x;
	auto_of(http_reply) struct http_reply *r = made(&x, false);
	auto_buf struct buf got = { 0 };
	add(r, 'a', 3 * HTTP_REPLY_STAGE_BYTES);
	CHECK_INT(http_reply_flush(r), 0);
	add(r, 'a', 10);
	CHECK(http_reply_start_over(r));
	buf_add_str(http_reply_body(r), "error");
	http_reply_end(r, true);
	read_all(r, &got);
	CHECK_STR(buf_str(&got), "error");
}

TEST(a_compressed_answer_can_be_taken_back_too)
{
	struct reader x;
	auto_of(http_reply) struct http_reply *r = made(&x, true);
	auto_buf struct buf got = { 0 };
	unsigned char plain[8192];
	const char *value;
	add(r, 'a', HTTP_REPLY_STAGE_BYTES);
	CHECK_INT(http_reply_flush(r), 0);
	CHECK(http_reply_start_over(r));
	add(r, 'b', 5000);
	http_reply_end(r, true);
	read_all(r, &got);
	CHECK_STR(http_reply_get_header(r, 0, &value), "Content-Encoding");
	CHECK_STR(value, "gzip");
	z_stream z = {
		.next_in = got.data, .avail_in = (uInt)got.len, .next_out = plain, .avail_out = sizeof plain
	};
	CHECK_INT(inflateInit2(&z, 15 + 16), Z_OK);
	CHECK_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
	CHECK_INT(z.total_out, 5000);
	for (size_t i = 0; i < 5000; i++)
		CHECK_INT(plain[i], 'b');
	inflateEnd(&z);
}

TEST(a_few_bytes_are_not_compressed)
{
	struct reader x;
	auto_of(http_reply) struct http_reply *r = made(&x, true);
	auto_buf struct buf got = { 0 };
	const char *value;
	buf_add_str(http_reply_body(r), "short");
	http_reply_end(r, true);
	read_all(r, &got);
	CHECK_STR(buf_str(&got), "short");
	CHECK(!http_reply_get_header(r, 0, &value));
}

struct writing {
	struct http_reply *reply;
	size_t bytes, most_held;
	int result;
};

static void *write_much(void *arg)
{
	struct writing *w = arg;
	for (size_t at = 0; at < w->bytes && w->result == 0; at += 1000) {
		add(w->reply, (char)('a' + at / 1000 % 26), 1000);
		w->result = http_reply_flush(w->reply);
	}
	http_reply_end(w->reply, w->result == 0);
	return NULL;
}

TEST(an_answer_of_any_size_goes_through_a_bounded_buffer)
{
	struct reader x;
	auto_of(http_reply) struct http_reply *r = made(&x, false);
	struct writing w = { .reply = r, .bytes = 20000000 };
	pthread_t thread;
	auto_free char *piece = xmalloc(30000);
	size_t got = 0;
	if (http_reply_wait(r) != HTTP_REPLY_HELD)
		test_fail(__FILE__, __LINE__, "the reply isn't held");
	CHECK_INT(pthread_create(&thread, NULL, write_much, &w), 0);
	sem_wait(&x.awake);
	CHECK_INT(http_reply_wait(r), HTTP_REPLY_SENDING);
	auto_buf struct buf none = { 0 };
	CHECK(!http_reply_take(r, &none));
	CHECK(!http_reply_start_over(r));
	for (ssize_t n; (n = http_reply_read(r, piece, 30000)) != 0;) {
		if (n == -EAGAIN) {
			sem_wait(&x.awake);
			continue;
		}
		CHECK(n > 0);
		for (ssize_t i = 0; i < n; i++, got++)
			if (piece[i] != (char)('a' + got / 1000 % 26))
				test_fail(__FILE__, __LINE__, "byte %zu is wrong", got);
	}
	CHECK_INT(got, w.bytes);
	pthread_join(thread, NULL);
	CHECK_INT(w.result, 0);
}

TEST(a_writer_that_waits_for_room_hears_that_the_client_has_gone)
{
	struct reader x;
	auto_of(http_reply) struct http_reply *r = made(&x, false);
	struct writing w = { .reply = r, .bytes = 100000000 };
	pthread_t thread;
	CHECK_INT(http_reply_wait(r), HTTP_REPLY_HELD);
	CHECK_INT(pthread_create(&thread, NULL, write_much, &w), 0);
	sem_wait(&x.awake); /* the buffer is full */
	http_reply_abandon(r);
	pthread_join(thread, NULL);
	CHECK_INT(w.result, -ECANCELED);
	CHECK(atomic_load(http_reply_is_gone(r)));
}

TEST(a_writer_may_do_something_else_while_there_is_no_room)
{
	struct reader x;
	auto_of(http_reply) struct http_reply *r = made(&x, false);
	auto_free char *piece = xmalloc(HTTP_REPLY_HOLD_BYTES);
	int is_full = 0;
	for (size_t at = 0; at < 2 * HTTP_REPLY_HOLD_BYTES && !is_full; at += HTTP_REPLY_STAGE_BYTES) {
		add(r, 'a', HTTP_REPLY_STAGE_BYTES);
		is_full = http_reply_offer(r);
	}
	CHECK_INT(is_full, 1);
	CHECK_INT(http_reply_wait_for_room(r, 1), 1);
	CHECK_INT(http_reply_wait(r), HTTP_REPLY_SENDING);
	CHECK_INT(http_reply_read(r, piece, HTTP_REPLY_HOLD_BYTES), HTTP_REPLY_HOLD_BYTES);
	CHECK_INT(http_reply_wait_for_room(r, 1), 0);
	CHECK_INT(http_reply_wait_for_room(r, -1), 0);
	http_reply_abandon(r);
	CHECK_INT(http_reply_wait_for_room(r, 1), -ECANCELED);
	CHECK_INT(http_reply_offer(r), -ECANCELED);
}

TEST(an_answer_that_breaks_off_is_not_taken_for_whole)
{
	struct reader x;
	auto_of(http_reply) struct http_reply *r = made(&x, false);
	char piece[100];
	add(r, 'a', HTTP_REPLY_STAGE_BYTES);
	CHECK_INT(http_reply_flush(r), 0);
	http_reply_end(r, false);
	CHECK_INT(http_reply_wait(r), HTTP_REPLY_BROKEN);
	CHECK_INT(http_reply_read(r, piece, sizeof piece), -EIO);
}

TEST_MAIN()
