/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/gen/s3serve does around its loop, with a thread in the place of a process. */
#include "tests/support/s3_fixture.h"

#include "lib/base/file.h"
#include "tests/support/s3serve_loop.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct s3_fixture {
	struct s3serve server;
	struct s3serve_loop *loop;
	pthread_t thread;
	int listener, stop, log_fd;
	unsigned port;
	char *dir, *log;
};

static void *accept_all(void *arg)
{
	struct s3_fixture *f = arg;
	for (;;) {
		struct pollfd wait[] = { { .fd = f->stop, .events = POLLIN },
			{ .fd = f->listener, .events = POLLIN } };
		poll(wait, 2, -1);
		if (wait[0].revents)
			return NULL;
		int fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			s3serve_loop_add(f->loop, fd);
	}
}

static void listen_on_any_port(struct s3_fixture *f)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(f->listener >= 0);
	CHECK_INT(bind(f->listener, (struct sockaddr *)&at, n), 0);
	CHECK_INT(listen(f->listener, 64), 0);
	CHECK_INT(getsockname(f->listener, (struct sockaddr *)&at, &n), 0);
	f->port = ntohs(at.sin_port);
}

struct s3_fixture *s3_fixture_new(const char *region)
{
	static unsigned count;
	struct err e;
	struct s3_fixture *f = xcalloc(1, sizeof *f);
	signal(SIGPIPE, SIG_IGN);
	f->dir = xasprintf("%s/s3-%u", test_dir(), count);
	f->log = xasprintf("%s/s3-%u.log", test_dir(), count++);
	f->log_fd = open(f->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	CHECK(f->log_fd >= 0);
	f->server = (struct s3serve){
		.bucket = S3_FIXTURE_BUCKET,
		.account = { S3_FIXTURE_ACCESS, S3_FIXTURE_SECRET, NULL, region ? region : "us-east-1" },
		.faults = s3serve_faults_new(),
		.uploads = s3serve_uploads_new(),
	};
	CHECK_OK(s3serve_store_open(f->dir, &f->server.store, &e), &e);
	listen_on_any_port(f);
	f->loop = s3serve_loop_new(
		&(struct s3serve_loop_options){ .server = &f->server, .threads = 2, .log_fd = f->log_fd });
	f->stop = eventfd(0, EFD_CLOEXEC);
	CHECK_INT(pthread_create(&f->thread, NULL, accept_all, f), 0);
	return f;
}

void s3_fixture_free(struct s3_fixture *f)
{
	if (!f)
		return;
	eventfd_write(f->stop, 1);
	pthread_join(f->thread, NULL);
	s3serve_loop_free(f->loop);
	s3serve_uploads_free(f->server.uploads);
	s3serve_faults_free(f->server.faults);
	s3serve_store_close(f->server.store);
	close(f->listener);
	close(f->stop);
	close(f->log_fd);
	free(f->dir);
	free(f->log);
	free(f);
}

const char *s3_fixture_dir(const struct s3_fixture *f)
{
	return f->dir;
}

void s3_fixture_faults(struct s3_fixture *f, const char *rules)
{
	struct err e;
	CHECK_OK(s3serve_faults_set(f->server.faults, rules, &e), &e);
}

void s3_fixture_log(struct s3_fixture *f, struct buf *out)
{
	struct err e;
	CHECK_OK(file_read(f->log, 1 << 20, out, &e), &e);
}

void s3_fixture_config(struct s3_fixture *f, const char *more, struct s3_config *out)
{
	struct err e;
	auto_of(yaml_doc) struct yaml_doc *y = NULL;
	auto_free char *text =
		xasprintf("bucket: " S3_FIXTURE_BUCKET "\nendpoint: 127.0.0.1:%u\ninsecure: true\n"
			  "access_key: " S3_FIXTURE_ACCESS "\nsecret_key: " S3_FIXTURE_SECRET "\n%s",
			f->port, more);
	CHECK_OK(yaml_doc_parse("fixture", text, strlen(text), &y, &e), &e);
	CHECK_OK(s3_config_read(yaml_root(y), out, &e), &e);
}
