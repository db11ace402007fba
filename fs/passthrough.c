/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel opens the file behind a number anew for each open on the mount, with that open's flags and this process' rights. It is
 * asked for one number at a time, and counts them up; so of those that it gave, the only ones that can be in no table come after the
 * last that is, one for each process that was killed before it wrote down what it got. A number is taken out of the table before it
 * is ended: an open that is answered with one that has ended fails with EIO.
 */
#include "fs/passthrough.h"

#include "fs/fuse_kernel.h"
#include "fs/open_count.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOST_MAX \
	8 /* processes that are killed in that moment without one between them that writes a number down */

METRIC_COUNTER(passed_on, "thanosfs_passthrough_opens_total",
	"Opens of files that the kernel then reads and writes without asking the mount.")

struct passthrough {
	int fuse_fd;
	struct open_count *opens;
	atomic_bool is_on;
	struct __user_cap_data_struct capabilities[_LINUX_CAPABILITY_U32S_3]; /* of this process */
	pthread_mutex_t lock; /* what was decided of a node, and the number that says so, change together */
};

/*
 * The kernel writes with the rights of who got the number. Without this one a write takes the set-user-id bits off a file, as it must
 * for the writers that haven't that right themselves. Of this thread only.
 */
static int set_fsetid(const struct passthrough *p, bool on)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	memcpy(sets, p->capabilities, sizeof sets);
	if (!on)
		sets[0].effective &= ~(1u << CAP_FSETID);
	return syscall(SYS_capset, &head, sets) < 0 ? -errno : 0;
}

static int32_t get_number(const struct passthrough *p, int fd)
{
	struct fuse_kernel_backing file = { .fd = fd };
	int r = set_fsetid(p, false);
	if (r < 0)
		return r;
	r = ioctl(p->fuse_fd, FUSE_KERNEL_BACKING_OPEN, &file);
	r = r < 0 ? -errno : r;
	if (set_fsetid(p, true) < 0)
		abort(); /* this thread has lost a right that others count on */
	return r;
}

static void end_number(int fuse_fd, int32_t number)
{
	uint32_t n = (uint32_t)number;
	ioctl(fuse_fd, FUSE_KERNEL_BACKING_CLOSE, &n);
}

struct passthrough *passthrough_new(int fuse_fd, struct open_count *opens, bool is_wanted)
{
	struct passthrough *p = xcalloc(1, sizeof *p);
	p->fuse_fd = fuse_fd;
	p->opens = opens;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	atomic_init(&p->is_on, is_wanted && syscall(SYS_capget, &head, p->capabilities) == 0);
	pthread_mutex_init(&p->lock, NULL);
	int32_t last = open_count_last_backing(opens), ending = open_count_ending(opens);
	if (ending) {
		end_number(fuse_fd, ending);
		open_count_ended(opens);
	}
	for (int32_t i = 1; i <= LOST_MAX && last <= INT32_MAX - i; i++)
		end_number(fuse_fd, last + i);
	return p;
}

void passthrough_free(struct passthrough *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* What the kernel says of one file it says of others too, unless the file itself is of a wrong kind. */
static void on_refusal(struct passthrough *p, int r)
{
	if (r == -EOPNOTSUPP || r == -ENFILE || r == -ENOMEM || !atomic_exchange(&p->is_on, false))
		return;
	if (r == -ELOOP)
		log_debug("local files are read and written by requests: they lie on a filesystem that "
			  "stands on another",
			KV("err", strerror(-r)));
	else
		log_info("local files are read and written by requests: the kernel can't do it alone",
			KV("err", strerror(-r)));
}

static int32_t decide_locked(struct passthrough *p, uint64_t id, int fd)
{
	unsigned count;
	int32_t backing = open_count_backing(p->opens, id, &count);
	if (backing)
		return backing;
	backing = fd < 0 ? fd : get_number(p, fd);
	if (fd >= 0 && backing < 0)
		on_refusal(p, backing);
	backing = backing > 0 ? backing : OPEN_COUNT_PLAIN;
	if (!open_count_set_backing(p->opens, id, backing) && backing > 0) {
		/* A copy of a request that was answered long since: the file is closed again. */
		end_number(p->fuse_fd, backing);
		backing = OPEN_COUNT_PLAIN;
	}
	return backing;
}

int32_t passthrough_open(struct fs *fs, uint64_t id, struct fuse_file_info *fi)
{
	struct passthrough *p = fs->passthrough;
	const struct fs_node_ops *ops = fs_ops_of(id);
	unsigned count;
	if (!p || !ops->whole)
		return 0;
	pthread_mutex_lock(&p->lock);
	int32_t backing = open_count_backing(p->opens, id, &count);
	pthread_mutex_unlock(&p->lock);
	if (!backing) {
		/* O_DIRECT asks more of a local file, which may not be able to do it. */
		bool may = atomic_load(&p->is_on) && !(fi->flags & O_DIRECT);
		int fd = may ? ops->whole(fs, id) : -EOPNOTSUPP;
		pthread_mutex_lock(&p->lock);
		backing = decide_locked(p, id, fd);
		pthread_mutex_unlock(&p->lock);
		if (fd >= 0)
			close(fd);
	}
	if (backing > 0)
		metric_add(passed_on, 1);
	else if (atomic_load(&p->is_on) && node_kind(id) == NODE_UPPER)
		fi->keep_cache = 0; /* it may have been written past that */
	return MAX_OF(backing, 0);
}

void passthrough_closed(struct passthrough *p, uint64_t id)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	/* None, if it is open again by now: then it goes on as it was. */
	int32_t number = open_count_begin_end(p->opens, id);
	if (number) {
		end_number(p->fuse_fd, number);
		open_count_ended(p->opens);
	}
	pthread_mutex_unlock(&p->lock);
}

static struct fuse_kernel_open_out open_out(const struct fuse_file_info *fi, int32_t backing)
{
	return (struct fuse_kernel_open_out){
		.fh = fi->fh, .open_flags = FUSE_KERNEL_OPEN_PASSTHROUGH, .backing = backing
	};
}

int passthrough_reply_open(fuse_req_t req, const struct fuse_file_info *fi, int32_t backing)
{
	if (!backing)
		return fuse_reply_open(req, fi);
	struct fuse_kernel_open_out out = open_out(fi, backing);
	return fuse_reply_buf(req, (const char *)&out, sizeof out);
}

static uint64_t seconds_of(double s)
{
	return (uint64_t)s;
}

static uint32_t nanoseconds_of(double s)
{
	return (uint32_t)((s - (double)seconds_of(s)) * 1e9);
}

static struct fuse_attr attr_of(const struct stat *st)
{
	return (struct fuse_attr){ .ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (uint32_t)st->st_rdev,
		.blksize = (uint32_t)st->st_blksize };
}

int passthrough_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
	const struct fuse_file_info *fi, int32_t backing)
{
	if (!backing)
		return fuse_reply_create(req, entry, fi);
	struct {
		struct fuse_entry_out entry;
		struct fuse_kernel_open_out open;
	} out = { .entry = { .nodeid = entry->ino,
			  .generation = entry->generation,
			  .entry_valid = seconds_of(entry->entry_timeout),
			  .attr_valid = seconds_of(entry->attr_timeout),
			  .entry_valid_nsec = nanoseconds_of(entry->entry_timeout),
			  .attr_valid_nsec = nanoseconds_of(entry->attr_timeout),
			  .attr = attr_of(&entry->attr) },
		.open = open_out(fi, backing) };
	return fuse_reply_buf(req, (const char *)&out, sizeof out);
}
