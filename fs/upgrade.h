/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another version of this program takes over a mount. Who wants that hands its own program file to the supervisor, which tries it,
 * becomes it by execve, and so keeps its descriptors, its memory and its children; then a worker of that version follows the old one.
 * The supervisor's side is in supervisor_upgrade.c.
 */
#ifndef FS_UPGRADE_H
#define FS_UPGRADE_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#define UPGRADE_MAGIC         "thfsup1"
#define UPGRADE_VERSION_BYTES 32
#define UPGRADE_WORDS_BYTES   448

/* With the program file's descriptor, over a SEQPACKET socket. */
struct upgrade_request {
	char magic[8];
	char version[UPGRADE_VERSION_BYTES]; /* ends with a NUL */
};

struct upgrade_answer {
	char magic[8];
	int32_t error; /* 0: another worker serves */
	char was[UPGRADE_VERSION_BYTES];
	char words[UPGRADE_WORDS_BYTES]; /* what is wrong */
};

/* Where the supervisor of this absolute mount point listens: a name in the abstract namespace. Returns the address's length. */
unsigned upgrade_address(const char *mountpoint, struct sockaddr_un *out);

/*
 * Has this process's program take over the mount at an absolute path, and waits until it serves. `was` gets the version before.
 * -ENOENT: no supervisor of ours is there; other errors say what the mount's supervisor minds, and then nothing has changed.
 */
int upgrade_ask(const char *mountpoint, char was[UPGRADE_VERSION_BYTES], struct err *e);

/*
 * A program that was handed over is run with this in the environment: the number of a mount's memory (shared_state.h). It parses
 * its arguments, and then upgrade_try says whether it could go on: 0 or -errno.
 */
#define UPGRADE_TRY_ENVIRONMENT "THANOSFS_TRY"
bool upgrade_is_tried(void);
int upgrade_try(struct err *e);

#endif
