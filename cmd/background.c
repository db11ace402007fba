/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/background.h"

#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_FAILED 1

/* Until the child says that it is ready, or ends. */
static int wait_for_child(pid_t child, int fd)
{
	char byte;
	ssize_t n;
	while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR)
		;
	if (n == 1)
		return 0;
	int status;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : STATUS_FAILED;
}

/* Errors go on to where they went: the log is on standard error. */
static void leave_terminal(void)
{
	setsid();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
}

bool background_start(int *ready_fd, int *status)
{
	int fds[2];
	*status = STATUS_FAILED;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return true;
	pid_t child = fork();
	if (child != 0) {
		close(fds[1]);
		if (child > 0)
			*status = wait_for_child(child, fds[0]);
		close(fds[0]);
		return true;
	}
	close(fds[0]);
	*ready_fd = fds[1];
	leave_terminal();
	return false;
}

void background_ready(int ready_fd)
{
	if (ready_fd < 0)
		return;
	if (write(ready_fd, "", 1) != 1)
		log_warn("the parent process is gone");
	close(ready_fd);
}
