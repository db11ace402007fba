/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as the kernel sends them, to a process that is killed before or after any of its system calls, and then to the
 * next one: each has to be answered as if nothing had happened, and to have happened once.
 */
#include "fs/fd_keeper.h"
#include "fs/journal.h"
#include "fs/loop.h"
#include "fs/name_list.h"
#include "fs/open_count.h"
#include "fs/upper.h"
#include "lib/base/file.h"
#include "tests/support/killed.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define UNIQUE 1000u
#define RESENT (1ull << 63)

struct request {
	uint32_t opcode;
	uint64_t node;
	size_t n;
	char body[512];
};

/* Shared by all processes. */
static struct answer {
	int count, error;
	size_t n;
	char body[1024];
} * answer;

static struct fs fs;
static struct fuse_session *session;
static char *region;
static uint64_t next_unique = 2 * UNIQUE;

static ssize_t take_answer(int fd, struct iovec *v, int n, void *userdata)
{
	(void)fd, (void)userdata;
	char all[4096];
	size_t len = 0;
	for (int i = 0; i < n; i++) {
		memcpy(all + len, v[i].iov_base, v[i].iov_len);
		len += v[i].iov_len;
	}
	const struct fuse_out_header *h = (const void *)all;
	answer->error = -h->error;
	answer->n = len - sizeof *h;
	memcpy(answer->body, all + sizeof *h, MIN_OF(answer->n, sizeof answer->body));
	answer->count++;
	return (ssize_t)len;
}

static ssize_t read_nothing(int fd, void *p, size_t n, void *userdata)
{
	(void)fd, (void)p, (void)n, (void)userdata;
	return 0;
}

static void serve(const struct request *q, uint64_t unique)
{
	_Alignas(8) char bytes[1024];
	struct fuse_in_header h = { .len = (uint32_t)(sizeof h + q->n),
		.opcode = q->opcode,
		.unique = unique,
		.nodeid = q->node,
		.pid = 1 };
	memcpy(bytes, &h, sizeof h);
	memcpy(bytes + sizeof h, q->body, q->n);
	struct fuse_buf buf = { .size = h.len, .mem = bytes };
	loop_set_request_unique(unique);
	fuse_session_process_buf(session, &buf);
	loop_set_request_unique(0);
}

/* The error that it is answered with. */
static int ask(const struct request *q)
{
	answer->count = 0;
	serve(q, next_unique += 2);
	CHECK_INT(answer->count, 1);
	return answer->error;
}

/* A keeper whose descriptors outlive the process: they wait in a socket. */
static struct {
	struct fd_keeper base;
	struct fd_keeper *local;
	int ends[2];
} keeper;

static int post(uint64_t node, int fd)
{
	char control[CMSG_SPACE(sizeof fd)] = "";
	struct iovec v = { &node, sizeof node };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof control;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	return sendmsg(keeper.ends[0], &m, 0) < 0 ? -errno : 0;
}

static int keep(struct fd_keeper *k, uint64_t node, int fd)
{
	(void)k;
	return post(node, fd);
}

static int fetch(struct fd_keeper *k, uint64_t node)
{
	(void)k;
	return keeper.local->fetch(keeper.local, node);
}

static void drop(struct fd_keeper *k, uint64_t node)
{
	(void)k;
	post(node, -1);
}

static void receive_all(void)
{
	for (;;) {
		uint64_t node;
		int fd = -1;
		char control[CMSG_SPACE(sizeof fd)];
		struct iovec v = { &node, sizeof node };
		struct msghdr m = { .msg_iov = &v,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof control };
		if (recvmsg(keeper.ends[1], &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			return;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		if (c) {
			memcpy(&fd, CMSG_DATA(c), sizeof fd);
			keeper.local->keep(keeper.local, node, fd);
			close(fd);
		} else {
			keeper.local->drop(keeper.local, node);
		}
	}
}

static void end_process(void)
{
	if (!session)
		return;
	fuse_session_destroy(session);
	session = NULL;
	upper_close(fs.upper);
	name_cache_free(fs.listings);
	open_count_free(fs.opens);
	journal_free(fs.journal);
	receive_all();
}

/* What a new process has. */
static void start_process(const char *dir)
{
	struct err e = { .msg = "" };
	end_process();
	fs = (struct fs){ .listings = name_cache_new(), .keeper = &keeper.base };
	fs.journal = journal_attach(region);
	fs.opens = open_count_attach(region + (journal_bytes() + 4095) / 4096 * 4096, fs.journal);
	CHECK_OK(upper_open(dir, fs.opens, fs.keeper, &fs.upper, &e), &e);

	static const struct fuse_custom_io io = { .writev = take_answer, .read = read_nothing };
	struct fuse_lowlevel_ops ops = fs_fuse_ops;
	ops.init = NULL;
	char *argv[] = { (char *)"test", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	session = fuse_session_new(&args, &ops, sizeof ops, &fs);
	fuse_opt_free_args(&args);
	CHECK(session && fuse_session_custom_io(session, &io, open("/dev/null", O_RDWR | O_CLOEXEC)) == 0);
	struct request init = { .opcode = FUSE_INIT, .n = sizeof(struct fuse_init_in) };
	struct fuse_init_in in = { .major = 7, .minor = 31 };
	memcpy(init.body, &in, sizeof in);
	ask(&init);
}

static void add(struct request *q, const void *p, size_t n)
{
	memcpy(q->body + q->n, p, n);
	q->n += n;
}

static struct request with_name(uint32_t opcode, uint64_t node, const void *in, size_t n, const char *name)
{
	struct request q = { .opcode = opcode, .node = node };
	add(&q, in, n);
	add(&q, name, strlen(name) + 1);
	return q;
}

static uint64_t look_up(uint64_t dir, const char *name)
{
	struct request q = with_name(FUSE_LOOKUP, dir, "", 0, name);
	return ask(&q) ? 0 : ((struct fuse_entry_out *)answer->body)->nodeid;
}

static struct request open_request(uint64_t node, uint32_t flags)
{
	struct request q = { .opcode = FUSE_OPEN, .node = node };
	add(&q, &(struct fuse_open_in){ .flags = flags }, sizeof(struct fuse_open_in));
	return q;
}

static struct request release_request(uint64_t node)
{
	struct request q = { .opcode = FUSE_RELEASE, .node = node };
	add(&q, &(struct fuse_release_in){ .fh = node }, sizeof(struct fuse_release_in));
	return q;
}

/* Where the cases play: the directory d with the files f ("text of f") and g, and the empty directory e. */
static char top[4096];
static uint64_t d, f, g, e;
static int dir_fd = -1;

static void put(const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void set_scene(void)
{
	static unsigned n;
	struct err err;
	end_process();
	if (dir_fd >= 0)
		close(dir_fd);
	if (region)
		munmap(region, journal_bytes() + 4096 + open_count_bytes());
	else
		CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper.ends) == 0);
	region = killed_shared(journal_bytes() + 4096 + open_count_bytes());
	answer = answer ? answer : killed_shared(sizeof *answer);
	fd_keeper_local_free(keeper.local);
	keeper.local = fd_keeper_local_new();
	keeper.base = (struct fd_keeper){ keep, fetch, drop };
	if (n)
		CHECK_OK(file_remove_tree(top, &err), &err);
	snprintf(top, sizeof top, "%s/%u", test_dir(), n++);
	auto_free char *path = xasprintf("%s/d/e", top);
	CHECK_OK(file_mkdirs(path, 0755, &err), &err);
	dir_fd = openat(AT_FDCWD, top, O_PATH | O_CLOEXEC);
	put("d/f", "text of f");
	put("d/g", "text of g");
	start_process(top);
	d = look_up(NODE_ROOT, "d");
	f = look_up(d, "f");
	g = look_up(d, "g");
	e = look_up(d, "e");
	CHECK(d && f && g && e);
}

static bool exists(const char *name)
{
	struct stat st;
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool holds(const char *name, const char *text)
{
	char got[64] = "";
	int fd = openat(dir_fd, name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, got, sizeof got - 1);
	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !strcmp(got, text);
}

/* What an open file is to its program, whether it has a name or not. */
static bool reads(uint64_t node, const char *text)
{
	struct fs_range r = { .fd = -1 };
	char got[64] = "";
	if (upper_read(&fs, node, sizeof got - 1, 0, &r) < 0)
		return false;
	ssize_t n = pread(r.fd, got, r.n, (off_t)r.fd_at);
	r.done(&fs, &r);
	return n == (ssize_t)strlen(text) && !memcmp(got, text, (size_t)n);
}

static bool is_kept(uint64_t node)
{
	int fd = keeper.local->fetch(keeper.local, node);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static struct request request;
static struct answer got; /* to the request, in the end */

static void work(void *arg)
{
	(void)arg;
	serve(&request, UNIQUE);
}

/* Kills before every step; `prepare` makes the request, `check` looks at what there is in the end. */
static void at_every_call(void (*prepare)(void), void (*check)(void))
{
	unsigned resent = 0, copies = 0;
	bool was_killed = true;
	for (unsigned long at = 0; was_killed; at++) {
		set_scene();
		prepare();
		answer->count = 0;
		was_killed = killed_at(KILLED_CALL, at, work, NULL);
		bool is_answered = answer->count > 0;
		got = *answer;
		start_process(top);
		answer->count = 0;
		/* Either the kernel gives it again, or a copy of it was left behind. */
		serve(&request, is_answered ? UNIQUE : UNIQUE | RESENT);
		CHECK_INT(answer->count, !is_answered);
		if (!is_answered)
			got = *answer;
		if (got.error)
			test_fail(__FILE__, __LINE__, "killed at %lu: %s", at, strerror(got.error));
		check();
		resent += !is_answered;
		copies += is_answered;
	}
	CHECK(resent > 0 && copies > 0);
}

static void prepare_mkdir(void)
{
	request = with_name(
		FUSE_MKDIR, d, &(struct fuse_mkdir_in){ .mode = 0750 }, sizeof(struct fuse_mkdir_in), "new");
}

static void check_new(void)
{
	struct stat st;
	CHECK(fstatat(dir_fd, "d/new", &st, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(((struct fuse_entry_out *)got.body)->nodeid == look_up(d, "new"));
	CHECK(S_ISLNK(st.st_mode) || (st.st_mode & 07777) == 0750);
}

TEST(mkdir)
{
	at_every_call(prepare_mkdir, check_new);
}

static void prepare_mknod(void)
{
	request = with_name(FUSE_MKNOD, d, &(struct fuse_mknod_in){ .mode = S_IFIFO | 0750 },
		sizeof(struct fuse_mknod_in), "new");
}

TEST(mknod)
{
	at_every_call(prepare_mknod, check_new);
}

static void prepare_symlink(void)
{
	request = with_name(FUSE_SYMLINK, d, "", 0, "new");
	add(&request, "target", 7);
}

TEST(symlink)
{
	at_every_call(prepare_symlink, check_new);
}

static void prepare_link(void)
{
	request = with_name(
		FUSE_LINK, d, &(struct fuse_link_in){ .oldnodeid = f }, sizeof(struct fuse_link_in), "new");
}

static void check_link(void)
{
	struct stat st;
	CHECK(fstatat(dir_fd, "d/f", &st, 0) == 0);
	CHECK_INT(st.st_nlink, 2);
	CHECK(look_up(d, "new") == f);
}

TEST(link)
{
	at_every_call(prepare_link, check_link);
}

static void prepare_create(void)
{
	request = with_name(FUSE_CREATE, d,
		&(struct fuse_create_in){ .flags = O_RDWR | O_CREAT | O_EXCL, .mode = 0750 },
		sizeof(struct fuse_create_in), "new");
}

static void check_create(void)
{
	uint64_t node = ((struct fuse_entry_out *)got.body)->nodeid;
	check_new();
	CHECK_INT(open_count_get(fs.opens, node), 1);
	CHECK_INT(upper_write(&fs, node, "hello", 5, 0, 0, &(struct fs_caller){ 0 }), 5);
	CHECK(holds("d/new", "hello"));
}

TEST(create)
{
	at_every_call(prepare_create, check_create);
}

static void prepare_create_over(void)
{
	request = with_name(FUSE_CREATE, d,
		&(struct fuse_create_in){ .flags = O_RDWR | O_CREAT | O_TRUNC, .mode = 0600 },
		sizeof(struct fuse_create_in), "f");
}

static void check_create_over(void)
{
	struct stat st;
	CHECK(fstatat(dir_fd, "d/f", &st, 0) == 0);
	CHECK_INT(st.st_size, 0);
	CHECK_INT(st.st_mode & 07777, 0644);
	CHECK_INT(open_count_get(fs.opens, f), 1);
}

TEST(create_of_a_file_that_is_there)
{
	at_every_call(prepare_create_over, check_create_over);
}

static void prepare_open_truncating(void)
{
	request = open_request(f, O_RDWR | O_TRUNC);
}

TEST(open_that_truncates)
{
	at_every_call(prepare_open_truncating, check_create_over);
}

static void prepare_unlink(void)
{
	request = with_name(FUSE_UNLINK, d, "", 0, "f");
}

static void check_unlink(void)
{
	CHECK(!exists("d/f"));
	CHECK(!look_up(d, "f"));
	CHECK(!is_kept(f));
}

TEST(unlink)
{
	at_every_call(prepare_unlink, check_unlink);
}

static void open_both(void)
{
	struct request q = open_request(f, O_RDWR);
	CHECK_INT(ask(&q), 0);
	CHECK_INT(ask(&q), 0);
}

static void prepare_unlink_open(void)
{
	open_both();
	prepare_unlink();
}

/* It is all there until the last close, in this process, another, and yet another; then it is not. */
static void check_nameless(void)
{
	for (int i = 0; i < 2; i++) {
		CHECK(reads(f, "text of f"));
		CHECK_INT(upper_write(&fs, f, "TEXT", 4, 0, 0, &(struct fs_caller){ 0 }), 4);
		CHECK_INT(upper_sync(&fs, f, false), 0);
		CHECK_INT(upper_fallocate(&fs, f, 0, 0, 100), 0);
		CHECK_INT(upper_setattr(&fs, f, &(struct stat){ .st_size = 9 }, FUSE_SET_ATTR_SIZE), 0);
		CHECK(reads(f, "TEXT of f"));
		CHECK_INT(upper_write(&fs, f, "text", 4, 0, 0, &(struct fs_caller){ 0 }), 4);
		start_process(top);
	}
	struct request q = release_request(f);
	CHECK_INT(ask(&q), 0);
	CHECK(reads(f, "text of f"));
	CHECK_INT(ask(&q), 0);
	receive_all();
	CHECK(!is_kept(f));
	CHECK(!reads(f, "text of f"));
}

static void check_unlink_open(void)
{
	CHECK(!exists("d/f"));
	check_nameless();
}

TEST(unlink_of_an_open_file)
{
	at_every_call(prepare_unlink_open, check_unlink_open);
}

static void prepare_rename_over_open(void)
{
	open_both();
	request = with_name(
		FUSE_RENAME, d, &(struct fuse_rename_in){ .newdir = d }, sizeof(struct fuse_rename_in), "g");
	add(&request, "f", 2);
}

static void check_rename_over_open(void)
{
	CHECK(holds("d/f", "text of g") && !exists("d/g"));
	CHECK(look_up(d, "f") == g);
	check_nameless();
}

TEST(rename_over_an_open_file)
{
	at_every_call(prepare_rename_over_open, check_rename_over_open);
}

static void prepare_last_release(void)
{
	open_both();
	prepare_unlink();
	CHECK_INT(ask(&request), 0);
	request = release_request(f);
	CHECK_INT(ask(&request), 0);
}

static void check_last_release(void)
{
	receive_all();
	CHECK_INT(open_count_get(fs.opens, f), 0);
	CHECK(!is_kept(f));
}

TEST(last_release_of_a_nameless_file)
{
	at_every_call(prepare_last_release, check_last_release);
}

static void prepare_release(void)
{
	open_both();
	request = release_request(f);
}

static void check_release(void)
{
	CHECK_INT(open_count_get(fs.opens, f), 1);
}

TEST(release_of_one_of_two)
{
	at_every_call(prepare_release, check_release);
}

static void prepare_rmdir_open(void)
{
	struct request q = open_request(e, O_RDONLY);
	q.opcode = FUSE_OPENDIR;
	CHECK_INT(ask(&q), 0);
	request = with_name(FUSE_RMDIR, d, "", 0, "e");
}

static int count_entries(void *arg, const char *name, const struct fuse_entry_param *entry, uint64_t cookie)
{
	(void)name, (void)entry, (void)cookie;
	++*(int *)arg;
	return 0;
}

static void check_rmdir_open(void)
{
	struct stat st;
	double timeout;
	int n = 0;
	CHECK(!exists("d/e"));
	CHECK_INT(upper_getattr(&fs, e, &st, &timeout), 0);
	CHECK(S_ISDIR(st.st_mode));
	CHECK_INT(upper_list(&fs, e, 0, false, count_entries, &n, NULL), 0);
	CHECK_INT(n, 0);
	struct request q = with_name(
		FUSE_MKDIR, e, &(struct fuse_mkdir_in){ .mode = 0755 }, sizeof(struct fuse_mkdir_in), "x");
	CHECK_INT(ask(&q), ENOENT);
}

TEST(rmdir_of_an_open_directory)
{
	at_every_call(prepare_rmdir_open, check_rmdir_open);
}

static void prepare_rename(unsigned flags, const char *to)
{
	request = with_name(FUSE_RENAME2, d, &(struct fuse_rename2_in){ .newdir = d, .flags = flags },
		sizeof(struct fuse_rename2_in), "f");
	add(&request, to, strlen(to) + 1);
}

static void prepare_rename_plain(void)
{
	prepare_rename(0, "new");
}

static void check_rename(void)
{
	CHECK(holds("d/new", "text of f") && !exists("d/f"));
	CHECK(look_up(d, "new") == f);
}

TEST(rename_to_a_new_name)
{
	at_every_call(prepare_rename_plain, check_rename);
}

static void prepare_noreplace(void)
{
	prepare_rename(RENAME_NOREPLACE, "new");
}

TEST(rename_that_must_not_replace)
{
	at_every_call(prepare_noreplace, check_rename);
}

static void prepare_exchange(void)
{
	prepare_rename(RENAME_EXCHANGE, "g");
}

static void check_exchange(void)
{
	CHECK(holds("d/g", "text of f") && holds("d/f", "text of g"));
	CHECK(look_up(d, "g") == f && look_up(d, "f") == g);
}

TEST(rename_that_exchanges)
{
	at_every_call(prepare_exchange, check_exchange);
}

static struct request setxattr_request(int flags)
{
	uint32_t in[2] = { 5, (uint32_t)flags };
	struct request q = with_name(FUSE_SETXATTR, f, in, sizeof in, "user.x");
	add(&q, "value", 5);
	return q;
}

static void prepare_setxattr(void)
{
	request = setxattr_request(XATTR_CREATE);
}

static void check_setxattr(void)
{
	auto_buf struct buf value = { 0 };
	CHECK_INT(upper_getxattr(&fs, f, "user.x", &value), 0);
	CHECK_STR(buf_str(&value), "value");
	struct request q = setxattr_request(XATTR_CREATE);
	CHECK_INT(ask(&q), EEXIST);
}

TEST(setxattr_that_creates)
{
	at_every_call(prepare_setxattr, check_setxattr);
}

static void prepare_removexattr(void)
{
	request = setxattr_request(0);
	CHECK_INT(ask(&request), 0);
	request = with_name(FUSE_REMOVEXATTR, f, "", 0, "user.x");
}

static void check_removexattr(void)
{
	auto_buf struct buf value = { 0 };
	CHECK_INT(upper_getxattr(&fs, f, "user.x", &value), -ENODATA);
	CHECK_INT(ask(&request), ENODATA);
}

TEST(removexattr)
{
	at_every_call(prepare_removexattr, check_removexattr);
}

static void prepare_write(void)
{
	open_both();
	request = (struct request){ .opcode = FUSE_WRITE, .node = f };
	add(&request,
		&(struct fuse_write_in){ .fh = f, .offset = 9, .size = 5, .flags = O_WRONLY | O_APPEND },
		sizeof(struct fuse_write_in));
	add(&request, " more", 5);
}

static void check_write(void)
{
	CHECK_INT(((struct fuse_write_out *)got.body)->size, 5);
	CHECK(holds("d/f", "text of f more"));
}

TEST(write_at_the_end)
{
	at_every_call(prepare_write, check_write);
}

static void prepare_setattr(void)
{
	request = (struct request){ .opcode = FUSE_SETATTR, .node = f };
	add(&request, &(struct fuse_setattr_in){ .valid = FATTR_SIZE | FATTR_MODE, .size = 4, .mode = 0600 },
		sizeof(struct fuse_setattr_in));
}

static void check_setattr(void)
{
	CHECK_INT(((struct fuse_attr_out *)got.body)->attr.size, 4);
	CHECK(holds("d/f", "text"));
}

TEST(truncate_and_chmod)
{
	at_every_call(prepare_setattr, check_setattr);
}

static void prepare_fallocate(void)
{
	open_both();
	request = (struct request){ .opcode = FUSE_FALLOCATE, .node = f };
	add(&request, &(struct fuse_fallocate_in){ .fh = f, .offset = 0, .length = 4096 },
		sizeof(struct fuse_fallocate_in));
}

static void check_fallocate(void)
{
	struct stat st;
	CHECK(fstatat(dir_fd, "d/f", &st, 0) == 0);
	CHECK_INT(st.st_size, 4096);
}

TEST(fallocate)
{
	at_every_call(prepare_fallocate, check_fallocate);
}

/* What is true of the second try must not be true of the first. */
TEST(what_was_there_before_is_answered_as_ever)
{
	set_scene();
	struct request q = with_name(
		FUSE_MKDIR, d, &(struct fuse_mkdir_in){ .mode = 0755 }, sizeof(struct fuse_mkdir_in), "e");
	CHECK_INT(ask(&q), EEXIST);
	q = with_name(FUSE_UNLINK, d, "", 0, "missing");
	CHECK_INT(ask(&q), ENOENT);
	q = with_name(FUSE_RMDIR, d, "", 0, "f");
	CHECK_INT(ask(&q), ENOTDIR);
	q = with_name(FUSE_REMOVEXATTR, f, "", 0, "user.none");
	CHECK_INT(ask(&q), ENODATA);
}

/* A file that is opened while its name goes, by two threads. */
static void *unlink_f(void *arg)
{
	*(int *)arg = upper_remove(&fs, d, "f", false);
	return NULL;
}

TEST(a_file_that_is_opened_while_its_name_goes_is_kept_or_was_not_opened)
{
	for (int round = 0; round < 200; round++) {
		set_scene();
		pthread_t other;
		int removed = -1;
		struct fuse_file_info fi = { .flags = O_RDWR };
		CHECK(pthread_create(&other, NULL, unlink_f, &removed) == 0);
		open_count_add(fs.opens, f, NULL, 0);
		int r = upper_open_file(&fs, f, &fi);
		pthread_join(other, NULL);
		CHECK_INT(removed, 0);
		start_process(top);
		CHECK(r < 0 || reads(f, "text of f"));
	}
}

/* Gives the other thread the time to end, which it does only where nothing holds it up. */
static pthread_t other;
static atomic_bool has_ended;

static void meet(void *(*fn)(void *))
{
	atomic_store(&has_ended, false);
	CHECK(pthread_create(&other, NULL, fn, NULL) == 0);
	for (int i = 0; i < 100 && !atomic_load(&has_ended); i++)
		usleep(1000);
}

static void *close_f(void *arg)
{
	struct request q = release_request(f);
	CHECK_INT(ask(&q), 0);
	atomic_store(&has_ended, true);
	return arg;
}

static int keep_after_close(struct fd_keeper *k, uint64_t node, int fd)
{
	meet(close_f);
	return keep(k, node, fd);
}

TEST(a_file_that_is_closed_while_its_name_goes_is_not_kept)
{
	set_scene();
	struct request q = open_request(f, O_RDWR);
	CHECK_INT(ask(&q), 0);
	keeper.base.keep = keep_after_close;
	CHECK_INT(upper_remove(&fs, d, "f", false), 0);
	pthread_join(other, NULL);
	receive_all();
	CHECK(!is_kept(f));
}

static void *open_f(void *arg)
{
	struct fuse_file_info fi = { .flags = O_RDWR };
	open_count_add(fs.opens, f, NULL, 0);
	CHECK_INT(upper_open_file(&fs, f, &fi), 0);
	atomic_store(&has_ended, true);
	return arg;
}

static void drop_after_open(struct fd_keeper *k, uint64_t node)
{
	meet(open_f);
	drop(k, node);
}

TEST(a_nameless_file_that_is_opened_while_it_is_closed_is_kept)
{
	set_scene();
	open_both();
	prepare_unlink();
	CHECK_INT(ask(&request), 0);
	struct request q = release_request(f);
	CHECK_INT(ask(&q), 0);
	keeper.base.drop = drop_after_open;
	CHECK_INT(ask(&q), 0);
	pthread_join(other, NULL);
	start_process(top);
	CHECK(reads(f, "text of f"));
	keeper.base.drop = drop;
	CHECK_INT(ask(&q), 0);
	receive_all();
	CHECK(!is_kept(f));
}

TEST_MAIN()
