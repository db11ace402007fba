/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As little as possible is looked at on the way, for it may be what workers die of: who died even here is followed by one that
 * looks at nothing and answers EIO.
 */
#include "fs/give_up.h"

#include "fs/fs.h"
#include "fs/fuse_kernel.h"
#include "fs/invalidate.h"
#include "fs/journal.h"
#include "fs/suspects.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

static void answer(struct fs *fs, const struct fuse_in_header *in, int error, size_t zeros)
{
	auto_free void *bytes = xcalloc(1, zeros + 1);
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof out + zeros), .error = error, .unique = in->unique
	};
	struct iovec parts[] = { { &out, sizeof out }, { bytes, zeros } };
	/* ENOENT: nobody waits for it any more. */
	if (writev(fuse_session_fd(fs->session), parts, zeros ? 2 : 1) < 0 && errno != ENOENT)
		log_warn("the kernel doesn't take an answer", KV("err", strerror(errno)));
}

/* How many of the bytes that a read asks for the file has; -1: this is no read of a block's file. */
static int64_t zeros_for(struct fs *fs, const struct fuse_in_header *in, size_t n)
{
	struct fuse_read_in read;
	struct stat st;
	double timeout;
	if (in->opcode != FUSE_READ || node_kind(in->nodeid) != NODE_BLOCK || n < sizeof *in + sizeof read)
		return -1;
	memcpy(&read, in + 1, sizeof read);
	if (fs_ops_of(in->nodeid)->getattr(fs, in->nodeid, &st, &timeout) < 0)
		return -1;
	uint64_t left = read.offset < (uint64_t)st.st_size ? (uint64_t)st.st_size - read.offset : 0;
	size_t zeros = MIN_OF(MIN_OF((uint64_t)read.size, left), (uint64_t)FS_REQUEST_BYTES);
	if (zeros)
		invalidate_pages(fs->invalidate, in->nodeid, read.offset, zeros);
	return (int64_t)zeros;
}

static void refuse(struct fs *fs, const struct fuse_in_header *in, uint64_t number)
{
	struct journal_op *op;
	enum journal_verdict v = journal_begin(fs->journal, number, &op);
	if (v == JOURNAL_SILENCE)
		return;
	if (v == JOURNAL_DO)
		journal_done(op, -EIO);
	answer(fs, in, -EIO, 0);
	journal_end(op);
}

static const char *name_of(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_LOOKUP: return "lookup";
	case FUSE_GETATTR: return "getattr";
	case FUSE_SETATTR: return "setattr";
	case FUSE_OPEN: return "open";
	case FUSE_CREATE: return "create";
	case FUSE_READ: return "read";
	case FUSE_WRITE: return "write";
	case FUSE_RELEASE: return "release";
	case FUSE_FSYNC: return "fsync";
	case FUSE_MKDIR: return "mkdir";
	case FUSE_UNLINK: return "unlink";
	case FUSE_RMDIR: return "rmdir";
	case FUSE_RENAME:
	case FUSE_RENAME2: return "rename";
	case FUSE_OPENDIR: return "opendir";
	case FUSE_READDIR:
	case FUSE_READDIRPLUS: return "readdir";
	case FUSE_GETXATTR: return "getxattr";
	default: return "another";
	}
}

void give_up(struct fs *fs, const struct fuse_in_header *in, size_t n, uint64_t number, unsigned deaths)
{
	char node[20];
	snprintf(node, sizeof node, "%" PRIx64, in->nodeid);
	log_error("request is given up, workers die or hang over it", KV("operation", name_of(in->opcode)),
		KV_U64("opcode", in->opcode), KV("node", node), KV_U64("deaths", deaths));
	if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET || in->opcode == FUSE_INTERRUPT)
		return; /* want no answer */
	bool may_look = deaths <= SUSPECTS_LIMIT;
	int64_t zeros = may_look ? zeros_for(fs, in, n) : -1;
	if (zeros >= 0)
		answer(fs, in, 0, (size_t)zeros);
	else if (may_look)
		refuse(fs, in, number);
	else
		answer(fs, in, -EIO, 0);
}
