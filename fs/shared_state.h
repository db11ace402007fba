/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlives a worker: a memory file that the supervisor makes and every worker maps. It holds no pointers. A killed worker may
 * leave any of it half written, so each region's owner orders its stores.
 *
 *	head	  what was agreed with the kernel, the workers' liveness, counts
 *	slots	  the requests that are being served (loop.h)
 *	owed	  what the kernel is still to be told to forget (invalidate.h); the supervisor's own
 *	kept	  descriptors that the supervisor holds for workers (fd_store.h); its own
 *	journal	  what requests that change something have come to (journal.h)
 *	opens	  how often each node is open (open_count.h)
 *	suspects  which requests workers died over (suspects.h)
 */
#ifndef FS_SHARED_STATE_H
#define FS_SHARED_STATE_H

#include "fs/fuse_kernel.h"
#include "lib/base/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SHARED_LAYOUT       2u /* changes with the head; regions are told apart by their sizes */
#define SHARED_PATH_BYTES   4096
#define SHARED_WORDS_BYTES  256
#define SHARED_SLOTS        64u
#define SHARED_SLOT_BYTES   ((256u << 10) + 8192u) /* the largest request, with its head; whole pages */
#define SHARED_VERSION_SIZE 32

enum shared_region {
	SHARED_REGION_SLOTS,
	SHARED_REGION_OWED,
	SHARED_REGION_KEPT,
	SHARED_REGION_JOURNAL,
	SHARED_REGION_OPENS,
	SHARED_REGION_SUSPECTS,
	SHARED_REGIONS
};

/* Why a worker was followed by another. */
enum restart_reason { RESTART_SIGNAL, RESTART_EXIT, RESTART_HANG, RESTART_UPGRADE, RESTART_REASONS };
extern const char *const restart_reason_names[RESTART_REASONS];

/* A supervisor's own state on its way through execve. Descriptors are numbers of that process. */
struct shared_handover {
	int32_t fuse_fd, helper_fd, extra_fd, client_fd;
	int32_t worker_pid, worker_socket;
	uint32_t can_resend, replay;
	char version[SHARED_VERSION_SIZE]; /* of who hands over */
};

struct shared_head {
	char magic[8];
	uint32_t layout, regions;
	struct {
		uint64_t at, bytes;
	} region[SHARED_REGIONS];
	char mountpoint[SHARED_PATH_BYTES]; /* absolute */
	struct fuse_kernel_init init;
	_Atomic uint64_t liveness; /* a worker that serves counts it up several times a second */
	_Atomic uint64_t restarts[RESTART_REASONS];
	char last_words[SHARED_WORDS_BYTES]; /* why a worker ended by itself; ends with a NUL */
	struct shared_handover handover;
};

struct shared_state {
	struct shared_head *head;
	size_t bytes;
	int fd; /* -1: not ours */
};

/* A fresh one, all zeros but for the head. */
int shared_state_create(const char *mountpoint, struct shared_state *out, struct err *e);

/* Takes fd in any case. -EBADMSG where another version made it, or nothing of ours: the error says how they differ. */
int shared_state_attach(int fd, struct shared_state *out, struct err *e);

/* The mapping goes, and the descriptor; the memory when the last has gone. */
void shared_state_close(struct shared_state *s);

void *shared_state_region(const struct shared_state *s, enum shared_region which);

void shared_state_say(struct shared_state *s, const char *words); /* sets last_words */

#endif
