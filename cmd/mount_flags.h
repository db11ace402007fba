/* SPDX-License-Identifier: Apache-2.0 */
/* What `thanosfs mount` can be told. Times are ms. */
#ifndef CMD_MOUNT_FLAGS_H
#define CMD_MOUNT_FLAGS_H

#include "dedup/source.h"
#include "lib/base/duration.h"
#include "lib/base/flags.h"
#include "lib/base/log.h"
#include "store/fault_plan.h"

struct mount_flags {
	bool help, version;
	bool upgrade;           /* then only the mount point counts */
	const char *mountpoint; /* borrowed from argv */

	/* Exactly one of the two is not NULL. */
	char *objstore_config_file, *objstore_config;

	struct flag_strings replica_labels; /* sorted, none twice */
	enum dedup_func dedup_func;

	struct time_or_duration min_time, max_time;
	char *selector_config_file, *selector_config; /* at most one is not NULL */
	int64_t sync_interval_ms, ignore_deletion_marks_delay_ms, consistency_delay_ms;

	char *data_dir;
	uint64_t cache_max_bytes;
	char *http_address; /* NULL: none */

	/* -o: what of it thanosfs itself acts on, and what goes to libfuse as it is. What means nothing here
	 * is gone. */
	bool allow_other, allow_root, read_only;
	struct flag_strings fuse_options;

	bool is_daemon, foreground;
	int64_t start_timeout_ms, read_deadline_ms;
	bool allow_empty;
	bool no_supervisor;
	bool no_passthrough;
	int64_t hang_ms;
	unsigned debug_replay; /* enum supervisor_replay */
	bool debug;            /* -d; log_level is debug then */
	enum log_level log_level;
	enum log_format log_format;
	char *debug_faults; /* NULL: none; else parsed into `faults` */
	struct fault_plan faults;
};

extern const struct flag_set mount_flag_set;

/*
 * Fills *f, which mount_flags_fini frees in any case. -EINVAL with one line that names what is wrong. Where
 * --help or
 * --version was given, nothing else is checked.
 */
int mount_flags_parse(int argc, char *const *argv, struct mount_flags *f, struct err *e);
void mount_flags_fini(struct mount_flags *f);

#endif
