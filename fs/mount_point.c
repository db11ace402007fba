/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount(2) where that is allowed, else fusermount3, which mounts and hands the descriptor over a socket. INIT is answered with
 * what fs_mount_init also makes libfuse believe, and a flag or two that libfuse doesn't know.
 */
#include "fs/mount_point.h"

#include "fs/shared_state.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define INIT_LIMIT_MS     20000
#define INIT_BUFFER_BYTES 65536 /* the kernel wants room for any request */
/* Reads ahead that wait for a store that is down must not keep others from being sent, nor take all threads. */
#define BACKGROUND_MOST (SHARED_SLOTS - 16)
#define PROTOCOL_MINOR  38 /* what libfuse 3.14 speaks; newer things go by flags */
/*
 * Of the two ways to drop set-user-id bits here and not there, the second makes the kernel remember of a file that it has none, and
 * no capabilities either: else it asks before each write.
 */
#define WANTED_FLAGS                                                                                     \
	(FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS |                \
		FUSE_DO_READDIRPLUS | FUSE_ASYNC_DIO | FUSE_HANDLE_KILLPRIV | FUSE_HANDLE_KILLPRIV_V2 |  \
		FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS | FUSE_EXPLICIT_INVAL_DATA | FUSE_KERNEL_INIT_EXT | \
		FUSE_KERNEL_HAS_RESEND)

extern char **environ;

/* What the options come to. */
struct plan {
	unsigned long flags;
	struct buf data; /* for the kernel */
	struct buf all;  /* for fusermount3 */
	char *source, *type;
	bool needs_helper;
};

static void plan_fini(struct plan *p)
{
	buf_fini(&p->data);
	buf_fini(&p->all);
	free(p->source);
	free(p->type);
}

static const struct {
	const char *word;
	unsigned long set, clear;
} flag_words[] = {
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "noatime", MS_NOATIME, 0 },
	{ "atime", 0, MS_NOATIME },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
};

static bool plan_flag(struct plan *p, const char *option)
{
	for (size_t i = 0; i < ARRAY_LEN(flag_words); i++) {
		if (strcmp(option, flag_words[i].word) != 0)
			continue;
		p->flags = (p->flags & ~flag_words[i].clear) | flag_words[i].set;
		return true;
	}
	return false;
}

static void replace(char **s, char *with)
{
	free(*s);
	*s = with;
}

static int plan_option(struct plan *p, const char *option, struct err *e)
{
	const char *word = strcmp(option, "allow_root") == 0 ? "allow_other" : option;
	if (strncmp(option, "fsname=", 7) == 0)
		replace(&p->source, xstrdup(option + 7));
	else if (strncmp(option, "subtype=", 8) == 0)
		replace(&p->type, xasprintf("fuse.%s", option + 8));
	else if (strcmp(option, "auto_unmount") == 0)
		p->needs_helper = true;
	else if (strcmp(word, "allow_other") == 0 || strncmp(word, "max_read=", 9) == 0)
		buf_printf(&p->data, ",%s", word);
	else if (strcmp(word, "default_permissions") != 0 && !plan_flag(p, word))
		return err_set(e, -EINVAL, "unknown mount option %.64s", option);
	/* Of default_permissions one is enough; it is always there. */
	if (strcmp(word, "default_permissions") != 0)
		buf_printf(&p->all, ",%s", word);
	return 0;
}

static int plan_make(struct plan *p, const char *options, struct err *e)
{
	auto_free char *copy = xstrdup(options ? options : "");
	char *rest = copy;
	*p = (struct plan){
		.flags = MS_NOSUID | MS_NODEV, .source = xstrdup("thanosfs"), .type = xstrdup("fuse.thanosfs")
	};
	buf_add_str(&p->all, "default_permissions,fsname=thanosfs,subtype=thanosfs");
	for (char *o; (o = strsep(&rest, ","));) {
		int r = *o ? plan_option(p, o, e) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int mount_directly(const char *path, struct plan *p, int *out, struct err *e)
{
	auto_close_fd int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, -errno, "opening /dev/fuse");
	auto_free char *data = xasprintf("fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions%s",
		fd, (unsigned)getuid(), (unsigned)getgid(), buf_str(&p->data));
	if (mount(p->source, path, p->type, p->flags, data) < 0)
		return err_errno(e, -errno, "mounting on %s", path);
	*out = fd;
	fd = -1;
	return 0;
}

static int receive_fd(int from)
{
	char byte;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	ssize_t n;
	while ((n = recvmsg(from, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return n < 0 ? -errno : -EPERM;
	int fd;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

static int wait_for(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* fusermount3 says on standard error what it doesn't like. */
static int mount_with_helper(const char *path, struct plan *p, int *out, int *helper, struct err *e)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(e, -errno, "making a socket");
	auto_close_fd int ours = ends[0], theirs = ends[1];
	auto_free char *name = xasprintf("_FUSE_COMMFD=%d", theirs);
	size_t n = 0;
	while (environ[n])
		n++;
	auto_free char **env = xcalloc(n + 2, sizeof *env);
	memcpy(env, environ, n * sizeof *env);
	env[n] = name;
	if (p->needs_helper)
		buf_add_str(&p->all, ",auto_unmount");
	char *argv[] = { (char *)"fusermount3", (char *)"-o", (char *)(uintptr_t)buf_str(&p->all),
		(char *)"--", (char *)(uintptr_t)path, NULL };
	fcntl(theirs, F_SETFD, 0);
	pid_t pid;
	int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, env);
	close(theirs);
	theirs = -1;
	if (r != 0)
		return err_errno(e, -r, "starting fusermount3 to mount on %s", path);
	int fd = receive_fd(ours);
	/* With auto_unmount it lives as long as the mount and the socket. */
	r = p->needs_helper && fd >= 0 ? 0 : wait_for(pid);
	if (fd < 0 || r < 0) {
		if (fd >= 0)
			close(fd);
		return err_set(e, -EPERM, "fusermount3 could not mount on %s with the options %s", path,
			buf_str(&p->all));
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (p->needs_helper) {
		*helper = ours;
		ours = -1;
	}
	*out = fd;
	return 0;
}

int mount_point_open(const char *path, const char *options, int *fd, int *helper, struct err *e)
{
	struct plan p;
	*helper = -1;
	int r = plan_make(&p, options, e);
	if (r == 0) {
		r = p.needs_helper ? -EPERM : mount_directly(path, &p, fd, e);
		if (r == -EPERM || r == -EACCES)
			r = mount_with_helper(path, &p, fd, helper, e);
	}
	plan_fini(&p);
	return r;
}

static int read_init(int fd, uint8_t *buffer, struct fuse_kernel_init *init, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;
	do {
		int r = poll(&p, 1, INIT_LIMIT_MS);
		if (r == 0)
			return err_set(e, -ETIMEDOUT, "the kernel did not start to use the mount within %d s",
				INIT_LIMIT_MS / 1000);
		n = r < 0 ? r : read(fd, buffer, INIT_BUFFER_BYTES);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT));
	if (n < 0)
		return err_errno(e, -errno, "reading the kernel's INIT");
	memset(init, 0, sizeof *init);
	memcpy(init, buffer, MIN_OF((size_t)n, sizeof *init));
	init->head.len = sizeof *init;
	if ((size_t)n < sizeof init->head + 16 || init->head.opcode != FUSE_INIT)
		return err_set(e, -EPROTO, "the kernel's first request is not INIT");
	if (init->in.major != FUSE_KERNEL_VERSION || init->in.minor < 28)
		return err_set(e, -EPROTO, "the kernel speaks FUSE %u.%u, which is too old", init->in.major,
			init->in.minor);
	return 0;
}

int mount_point_negotiate(int fd, size_t request_max_bytes, bool passthrough, struct fuse_kernel_init *init,
	bool *can_resend, struct err *e)
{
	auto_free uint8_t *buffer = xmalloc(INIT_BUFFER_BYTES);
	int r = read_init(fd, buffer, init, e);
	if (r < 0)
		return r;
	uint64_t offered = init->in.flags;
	if (offered & FUSE_KERNEL_INIT_EXT)
		offered |= (uint64_t)init->in.flags2 << 32;
	else
		init->in.flags2 = 0;
	uint64_t taken = offered & (WANTED_FLAGS | (passthrough ? FUSE_KERNEL_PASSTHROUGH : 0));
	struct {
		struct fuse_out_header head;
		struct fuse_init_out out;
	} answer = {
		.head = { .len = sizeof answer, .unique = init->head.unique },
		.out = { .major = FUSE_KERNEL_VERSION,
			.minor = MIN_OF(init->in.minor, (uint32_t)PROTOCOL_MINOR),
			.max_readahead = init->in.max_readahead,
			.max_background = BACKGROUND_MOST,
			.congestion_threshold = BACKGROUND_MOST,
			.flags = (uint32_t)taken,
			.flags2 = (uint32_t)(taken >> 32),
			.max_write = (uint32_t)request_max_bytes,
			.max_pages = (uint16_t)((request_max_bytes + 4095) / 4096),
			.time_gran = 1 },
	};
	uint32_t depth = taken & FUSE_KERNEL_PASSTHROUGH ? 1 : 0;
	memcpy((char *)&answer.out + FUSE_KERNEL_STACK_DEPTH_AT, &depth, sizeof depth);
	if (write(fd, &answer, sizeof answer) != (ssize_t)sizeof answer)
		return err_errno(e, -errno, "answering the kernel's INIT");
	*can_resend = taken & FUSE_KERNEL_HAS_RESEND;
	return 0;
}

int mount_point_unmount(const char *path, bool lazily)
{
	if (umount2(path, UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	char *const argv[] = { (char *)"fusermount3", (char *)(lazily ? "-uz" : "-u"), (char *)"-q",
		(char *)"--", (char *)(uintptr_t)path, NULL };
	pid_t pid;
	int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	return r != 0 ? -r : wait_for(pid) < 0 ? -EBUSY : 0;
}

bool mount_point_has_ended(int fd)
{
	struct pollfd p = { .fd = fd };
	return poll(&p, 1, 0) == 1 && p.revents & POLLERR;
}

int mount_point_resend(int fd)
{
	struct fuse_out_header again = { .len = sizeof again, .error = FUSE_KERNEL_NOTIFY_RESEND };
	return write(fd, &again, sizeof again) == (ssize_t)sizeof again ? 0 : -errno;
}
