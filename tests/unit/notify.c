/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/notify.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A service manager's socket; `name` as in NOTIFY_SOCKET. */
static int listening(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	memcpy(a.sun_path, name, strlen(name));
	if (*name == '@')
		a.sun_path[0] = 0;
	socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + (*name == '/'));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_INT(bind(fd, (struct sockaddr *)&a, n), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static const char *received(int fd)
{
	static char text[256];
	ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
	text[n < 0 ? 0 : n] = 0;
	return text;
}

static void check_all_messages(int fd)
{
	struct err e;
	CHECK_INT(notify_ready(&e), 1);
	CHECK_STR(received(fd), "READY=1");
	CHECK_INT(notify_stopping(&e), 1);
	CHECK_STR(received(fd), "STOPPING=1");
	CHECK_INT(notify_status("merging 3 of 5\nREADY=1", &e), 1);
	CHECK_STR(received(fd), "STATUS=merging 3 of 5");
	CHECK_INT(notify_extend_timeout(30000000, &e), 1);
	CHECK_STR(received(fd), "EXTEND_TIMEOUT_USEC=30000000");
	CHECK_INT(notify_send("READY=1\nSTATUS=mounted", &e), 1);
	CHECK_STR(received(fd), "READY=1\nSTATUS=mounted");
}

TEST(messages_reach_a_socket_in_the_filesystem)
{
	auto_free char *path = xasprintf("%s/notify", test_dir());
	auto_close_fd int fd = listening(path);
	check_all_messages(fd);
}

TEST(messages_reach_an_abstract_socket)
{
	auto_free char *name = xasprintf("@thanosfs-test-%d", getpid());
	auto_close_fd int fd = listening(name);
	check_all_messages(fd);
}

TEST(without_a_service_manager_nothing_is_sent)
{
	struct err e;
	unsetenv("NOTIFY_SOCKET");
	CHECK_INT(notify_ready(&e), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	CHECK_INT(notify_ready(&e), 0);
}

TEST(a_socket_that_is_gone_or_misnamed_is_an_error)
{
	struct err e;
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	CHECK_INT(notify_ready(&e), -ENOENT);
	CHECK_HAS(e.msg, "/nonexistent/notify");
	setenv("NOTIFY_SOCKET", "relative", 1);
	CHECK_INT(notify_ready(&e), -EINVAL);
	setenv("NOTIFY_SOCKET", "@", 1);
	CHECK_INT(notify_ready(&e), -EINVAL);
	char longer[300] = "/";
	memset(longer + 1, 'x', sizeof longer - 2);
	setenv("NOTIFY_SOCKET", longer, 1);
	CHECK_INT(notify_ready(&e), -EINVAL);
}

TEST_MAIN()
