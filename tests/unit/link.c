/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/link.h"

#include "fs/fd_keeper_link.h"
#include "fs/fd_store.h"
#include "fs/invalidate.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static void set_up(void)
{
	CHECK_INT(link_pair(pair), 0);
}

TEST(a_message_arrives_with_its_descriptors)
{
	set_up();
	struct link_message m = { .kind = LINK_KEEP, .node = 7, .name = "x" }, got;
	int sent[LINK_FDS], fds[LINK_FDS];
	CHECK_INT(pipe(sent), 0);
	CHECK_INT(link_send(pair[0], &m, sent, 2), 0);
	CHECK_INT(link_receive(pair[1], &got, fds, 0), 1);
	CHECK_INT(memcmp(&m, &got, sizeof m), 0);
	CHECK_INT(write(fds[1], "a", 1), 1);
	char byte;
	CHECK_INT(read(sent[0], &byte, 1), 1);
	CHECK(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	CHECK_INT(link_receive(pair[1], &got, fds, MSG_DONTWAIT), -EAGAIN);
}

TEST(what_a_dead_process_said_is_heard)
{
	set_up();
	struct link_message m = { .kind = LINK_DROP_NODE, .node = 3 };
	int fds[LINK_FDS];
	CHECK_INT(link_send(pair[0], &m, NULL, 0), 0);
	close(pair[0]);
	CHECK_INT(link_receive(pair[1], &m, fds, 0), 1);
	CHECK_INT(fds[0], -1);
	CHECK_INT(link_receive(pair[1], &m, fds, 0), 0);
	CHECK_INT(link_send(pair[1], &m, NULL, 0), -EPIPE);
}

static int open_descriptors(void)
{
	int n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST(what_is_no_message_is_refused_and_leaks_nothing)
{
	set_up();
	struct link_message good = { .kind = LINK_KEEP }, got;
	struct link_message unknown = { .kind = LINK_KINDS }, none = { .kind = 0 },
			    endless = { .kind = LINK_DROP_NAME };
	memset(endless.name, 'x', sizeof endless.name);
	int fds[LINK_FDS], before = open_descriptors();
	const struct link_message *const bad[] = { &unknown, &none, &endless };
	for (unsigned i = 0; i < 3; i++) {
		CHECK_INT(link_send(pair[0], bad[i], pair, 2), 0);
		CHECK_INT(link_receive(pair[1], &got, fds, 0), -EBADMSG);
	}
	CHECK_INT(send(pair[0], &good, sizeof good - 1, 0), sizeof good - 1);
	CHECK_INT(link_receive(pair[1], &got, fds, 0), -EBADMSG);
	char longer[sizeof good + 1] = { LINK_KEEP };
	CHECK_INT(send(pair[0], longer, sizeof longer, 0), sizeof longer);
	CHECK_INT(link_receive(pair[1], &got, fds, 0), -EBADMSG);
	CHECK_INT(open_descriptors(), before);
}

/* A child plays the supervisor with one question. */
static pid_t answer_one(struct link_message *answer, int fd)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct link_message m;
		int fds[LINK_FDS];
		if (link_receive(pair[1], &m, fds, 0) == 1 && answer)
			link_send(fds[1] >= 0 ? fds[1] : fds[0], answer, &fd, fd >= 0);
		_exit(0);
	}
	return pid;
}

TEST(a_keeper_over_a_link_gives_back_what_the_other_end_says)
{
	set_up();
	struct fd_keeper_link k;
	fd_keeper_link_init(&k, pair[0]);
	struct link_message yes = { .kind = LINK_ANSWER },
			    no = { .kind = LINK_ANSWER, .bytes = (uint64_t)-ENOENT };
	answer_one(&yes, -1);
	CHECK_INT(k.base.keep(&k.base, 5, 0), 0);
	answer_one(&no, -1);
	CHECK_INT(k.base.fetch(&k.base, 5), -ENOENT);
	answer_one(&yes, open("/dev/null", O_RDONLY));
	CHECK(k.base.fetch(&k.base, 5) > 2);
	answer_one(NULL, -1);
	CHECK_INT(k.base.keep(&k.base, 5, 0), -EPIPE);
}

TEST(a_store_of_descriptors_finds_them_after_any_order_of_drops)
{
	struct fd_store *s = fd_store_attach(calloc(1, fd_store_bytes()));
	enum { N = 200 };
	unsigned seed = 1;
	int fds[N];
	for (uint64_t i = 0; i < N; i++) {
		fds[i] = dup(0);
		CHECK_INT(fd_store_put(s, i * i + 1, fds[i]), 0);
	}
	for (unsigned round = 0; round < 1000; round++) {
		seed = seed * 1103515245 + 12345;
		uint64_t i = seed / 65536 % N;
		if (fds[i] >= 0) {
			fd_store_drop(s, i * i + 1);
			fds[i] = -1;
		} else {
			fds[i] = dup(0);
			CHECK_INT(fd_store_put(s, i * i + 1, fds[i]), 0);
		}
		for (uint64_t j = 0; j < N; j++)
			CHECK_INT(fd_store_get(s, j * j + 1), fds[j] >= 0 ? fds[j] : -ENOENT);
	}
	fd_store_inherit(s, true);
	for (unsigned j = 0; j < N; j++)
		CHECK(fds[j] < 0 || fcntl(fds[j], F_GETFD) == 0);
	free(s);
}

TEST(a_store_replaces_and_has_an_end)
{
	struct fd_store *s = fd_store_attach(calloc(1, fd_store_bytes()));
	int a = dup(0), b = dup(0);
	CHECK_INT(fd_store_put(s, 9, a), 0);
	CHECK_INT(fd_store_put(s, 9, b), 0);
	CHECK_INT(fd_store_get(s, 9), b);
	CHECK(fcntl(a, F_GETFD) < 0);
	CHECK_INT(fd_store_put(s, 0, dup(0)), -EINVAL);
	fd_store_drop(s, 10);
	int r = 0;
	/* Closed numbers will do: the store closes what it refuses, and nothing looks at the others. */
	for (uint64_t i = 100; r == 0; i++)
		r = fd_store_put(s, i, 100000);
	CHECK_INT(r, -ENFILE);
	CHECK_INT(fd_store_get(s, 9), b);
	free(s);
}

TEST(what_a_worker_wants_forgotten_is_written_to_the_kernel_in_time)
{
	set_up();
	struct invalidate *here = invalidate_over_link(pair[0]);
	int kernel[2];
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, kernel), 0);
	void *owed = calloc(1, invalidate_owed_bytes());
	struct invalidate *there = invalidate_start(kernel[0], owed);
	invalidate_pages(here, 77, 4096, 100);
	invalidate_root_entry(here, "name");
	invalidate_node(here, 78);
	struct link_message m;
	int fds[LINK_FDS];
	for (unsigned i = 0; i < 3; i++) {
		CHECK_INT(link_receive(pair[1], &m, fds, 0), 1);
		invalidate_message(there, &m);
	}
	struct {
		uint32_t len;
		int32_t code;
		uint64_t unique;
		uint64_t node;
		int64_t at, n;
		char rest[64];
	} got;
	unsigned seen = 0;
	for (unsigned i = 0; i < 3; i++) {
		ssize_t n = recv(kernel[1], &got, sizeof got, 0);
		CHECK_INT(n, got.len);
		CHECK_INT(got.unique, 0);
		if (got.code == 3) {
			CHECK_INT(n, 16 + 16 + 5);
			CHECK_INT(got.node, 1);
			seen |= 1;
		} else if (got.node == 78) {
			seen |= 2;
		} else {
			CHECK_INT(got.node, 77);
			CHECK_INT(got.at, 4096);
			CHECK_INT(got.n, 100);
			seen |= 4;
		}
	}
	CHECK_INT(seen, 7);
	invalidate_free(here);
	invalidate_free(there);
	free(owed);
}

TEST(what_is_owed_survives_who_owes_it)
{
	int kernel[2];
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, kernel), 0);
	void *owed = calloc(1, invalidate_owed_bytes());
	struct invalidate *v = invalidate_start(kernel[0], owed);
	CHECK(invalidate_end_ms(v, 10000));
	for (uint64_t i = 0; i < 10000; i++)
		invalidate_pages(v, 5 + i % 3, i * 8192, 4096);
	invalidate_root_entry(v, "kept");
	invalidate_free(v);
	v = invalidate_start(kernel[0], owed);
	/* Of each of the three files at least one range, and no more of them than there is room for. */
	char bytes[128];
	unsigned files = 0;
	for (unsigned n = 0; files != 7; n++) {
		uint64_t node;
		CHECK(n < 4097);
		CHECK(recv(kernel[1], bytes, sizeof bytes, 0) > 16);
		memcpy(&node, bytes + 16, sizeof node);
		files |= node >= 5 ? 1u << (node - 5) : 0;
	}
	close(kernel[1]);
	invalidate_free(v);
	free(owed);
}

TEST_MAIN()
