/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of `thanosfs mount`: the table, and the rules that no table can say. Names are those of Thanos
 * where it has one. */
#include "cmd/mount_flags.h"

#include "cmd/mount_options.h"
#include "lib/base/clock.h"
#include "lib/base/utf8.h"

#include <errno.h>

#define AT(field) .offset = offsetof(struct mount_flags, field)

/* In the order of the enums whose numbers they become. */
static const char *const dedup_funcs[] = { "complete", "penalty", "chain", NULL };
static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const replays[] = { "auto", "resend", "slots", "both", NULL };
static const char *const log_formats[] = { "logfmt", "json", NULL };

static const struct flag table[] = {
	{ .name = "help", .letter = 'h', .type = FLAG_BOOL, AT(help), .help = "Shows this help." },
	{ .name = "version", .type = FLAG_BOOL, AT(version), .help = "Shows the version." },
	{ .name = "objstore.config-file",
		.type = FLAG_STRING,
		AT(objstore_config_file),
		.value_name = "FILE",
		.help = "YAML file with the bucket's configuration, as Thanos has it." },
	{ .name = "objstore.config",
		.type = FLAG_STRING,
		AT(objstore_config),
		.value_name = "YAML",
		.help = "The bucket's configuration itself, instead of a file." },
	{ .name = "query.replica-label",
		.alias = "deduplication.replica-label",
		.type = FLAG_STRINGS,
		.splits_commas = true,
		AT(replica_labels),
		.value_name = "LABEL",
		.help = "External label that tells replicas apart: it is removed, and series that are equal "
			"without it "
			"are merged. Repeatable, and takes lists with commas." },
	{ .name = "deduplication.func",
		.type = FLAG_ENUM,
		AT(dedup_func),
		.value_name = "FUNCTION",
		.choices = dedup_funcs,
		.default_text = "complete",
		.help = "How replicas are merged: complete fills each gap that any replica can fill; penalty "
			"and chain do "
			"as Thanos does." },
	{ .name = "min-time",
		.type = FLAG_TIME,
		AT(min_time),
		.value_name = "TIME",
		.default_text = "0000-01-01T00:00:00Z",
		.help = "Blocks that end before this time are left out. RFC 3339, or relative to now: -2w." },
	{ .name = "max-time",
		.type = FLAG_TIME,
		AT(max_time),
		.value_name = "TIME",
		.default_text = "9999-12-31T23:59:59Z",
		.help = "Blocks that begin after this time are left out. RFC 3339, or relative to now." },
	{ .name = "selector.relabel-config-file",
		.type = FLAG_STRING,
		AT(selector_config_file),
		.value_name = "FILE",
		.help = "YAML file with relabel_config steps on each block's external labels and __block_id, "
			"which select "
			"blocks." },
	{ .name = "selector.relabel-config",
		.type = FLAG_STRING,
		AT(selector_config),
		.value_name = "YAML",
		.help = "The relabel_config steps themselves, instead of a file." },
	{ .name = "sync-block-duration",
		.type = FLAG_DURATION,
		AT(sync_interval_ms),
		.value_name = "DURATION",
		.default_text = "1m",
		.help = "How often the bucket is looked at for new and removed blocks." },
	{ .name = "ignore-deletion-marks-delay",
		.type = FLAG_DURATION,
		AT(ignore_deletion_marks_delay_ms),
		.value_name = "DURATION",
		.default_text = "24h",
		.help = "Blocks marked for deletion for longer than this are left out." },
	{ .name = "consistency-delay",
		.type = FLAG_DURATION,
		AT(consistency_delay_ms),
		.value_name = "DURATION",
		.default_text = "0s",
		.help = "Blocks that are younger than this, and that no compactor made, are left out." },
	{ .name = "data-dir",
		.type = FLAG_STRING,
		AT(data_dir),
		.value_name = "DIR",
		.default_text = "./data",
		.help = "Local directory for the catalogue, merged indexes, the cache, and the files that "
			"are written "
			"to the mount." },
	{ .name = "cache.max-size",
		.type = FLAG_BYTES,
		AT(cache_max_bytes),
		.value_name = "SIZE",
		.default_text = "10GB",
		.help = "Most that the cache of chunks takes on the local disk." },
	{ .name = "http-address",
		.type = FLAG_STRING,
		AT(http_address),
		.value_name = "HOST:PORT",
		.help = "Serves /metrics, /-/healthy and /-/ready there. Off unless given." },
	{ .letter = 'o',
		.type = FLAG_STRINGS,
		.splits_commas = true,
		AT(fuse_options),
		.value_name = "OPTION",
		.help = "Mount options: allow_other, allow_root, ro, default_permissions, fsname=NAME and "
			"the like; "
			"generic ones of fstab such as noauto and _netdev mean nothing here." },
	{ .name = "daemon",
		.type = FLAG_BOOL,
		AT(is_daemon),
		.help = "Goes to the background; the command ends with 0 once the mount is ready." },
	{ .letter = 'f',
		.type = FLAG_BOOL,
		AT(foreground),
		.help = "Stays in the foreground, as it does anyhow." },
	{ .letter = 'd', .type = FLAG_BOOL, AT(debug), .help = "The same as --log.level=debug." },
	{ .name = "start.timeout",
		.type = FLAG_DURATION,
		AT(start_timeout_ms),
		.value_name = "DURATION",
		.default_text = "2m",
		.help = "How long the first look at the bucket is retried before the start fails." },
	{ .name = "allow-empty",
		.type = FLAG_BOOL,
		AT(allow_empty),
		.help = "Mounts without blocks where the bucket can't be reached at start, and goes on "
			"trying." },
	{ .name = "read.deadline",
		.type = FLAG_DURATION,
		AT(read_deadline_ms),
		.value_name = "DURATION",
		.default_text = "10s",
		.help = "How long a read from the bucket is retried before zeros stand in for its bytes, "
			"which fails "
			"the query and nothing else." },
	{ .name = "upgrade",
		.type = FLAG_BOOL,
		AT(upgrade),
		.help = "Has this program take over the running mount at MOUNTPOINT, with the flags that one "
			"was "
			"given, and ends when it serves." },
	{ .name = "no-supervisor",
		.type = FLAG_BOOL,
		AT(no_supervisor),
		.help = "Serves in the process that mounts, whose death is then the mount's: for "
			"debuggers." },
	{ .name = "no-passthrough",
		.type = FLAG_BOOL,
		AT(no_passthrough),
		.help = "Serves every read and write itself, where the kernel could read and write local "
			"files "
			"without asking." },
	{ .name = "worker.hang-timeout",
		.type = FLAG_DURATION,
		AT(hang_ms),
		.value_name = "DURATION",
		.default_text = "1m",
		.help = "A worker that takes longer for a read or a look-up is killed, and another one takes "
			"over. "
			"At least twice --read.deadline." },
	{ .name = "debug.replay",
		.type = FLAG_ENUM,
		.is_hidden = true,
		AT(debug_replay),
		.value_name = "WAY",
		.choices = replays,
		.default_text = "auto",
		.help = "How a worker gets what the one before it left unanswered." },
	{ .name = "log.level",
		.type = FLAG_ENUM,
		AT(log_level),
		.value_name = "LEVEL",
		.choices = log_levels,
		.default_text = "info",
		.help = "Least level that is logged." },
	{ .name = "log.format",
		.type = FLAG_ENUM,
		AT(log_format),
		.value_name = "FORMAT",
		.choices = log_formats,
		.default_text = "logfmt",
		.help = "Format of the log on standard error." },
	{ .name = "debug.faults",
		.type = FLAG_STRING,
		.is_hidden = true,
		AT(debug_faults),
		.value_name = "PLAN",
		.help = "What is to go wrong with the bucket: see store/fault_plan.h." },
	{ 0 },
};

const struct flag_set mount_flag_set = {
	.usage = "thanosfs mount [flags] MOUNTPOINT",
	.summary = "Mounts the blocks of a Thanos bucket as one merged, replica-deduplicated Prometheus TSDB "
		   "directory.",
	.table = table,
};

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int sort_replica_labels(struct mount_flags *f, struct err *e)
{
	struct flag_strings *l = &f->replica_labels;
	for (size_t i = 0; i < l->len; i++)
		if (!utf8_is_valid(l->data[i], strlen(l->data[i])))
			return err_set(e, -EINVAL, "flag --query.replica-label: the name is not UTF-8");
	if (l->len > 1)
		qsort(l->data, l->len, sizeof *l->data, compare_strings);
	size_t kept = 0;
	for (size_t i = 0; i < l->len; i++) {
		if (kept && !strcmp(l->data[kept - 1], l->data[i]))
			free(l->data[i]);
		else
			l->data[kept++] = l->data[i];
	}
	l->len = kept;
	return 0;
}

static int not_empty(const char *flag, const char *value, struct err *e)
{
	return value && !*value ? err_set(e, -EINVAL, "flag --%s: is empty", flag) : 0;
}

static int parse_faults(struct mount_flags *f, struct err *e)
{
	struct err why;
	if (!f->debug_faults)
		return 0;
	int r = fault_plan_parse(f->debug_faults, &f->faults, &why);
	return r < 0 ? err_set(e, r, "flag --debug.faults: %s", why.msg) : 0;
}

static int check(const struct mount_flags *f, struct err *e)
{
	int64_t now = clock_unix_ms();
	if (!f->objstore_config_file && !f->objstore_config)
		return err_set(
			e, -EINVAL, "the bucket is missing: --objstore.config-file or --objstore.config");
	if (f->objstore_config_file && f->objstore_config)
		return err_set(e, -EINVAL, "--objstore.config-file and --objstore.config exclude each other");
	if (f->selector_config_file && f->selector_config)
		return err_set(e, -EINVAL,
			"--selector.relabel-config-file and --selector.relabel-config exclude each other");
	if (f->foreground && f->is_daemon)
		return err_set(e, -EINVAL, "--daemon and -f exclude each other");
	if (time_or_duration_at(&f->min_time, now) > time_or_duration_at(&f->max_time, now))
		return err_set(e, -EINVAL, "--min-time is later than --max-time");
	if (f->sync_interval_ms < 1000)
		return err_set(e, -EINVAL, "flag --sync-block-duration: is shorter than 1s");
	if (f->read_deadline_ms < 1)
		return err_set(e, -EINVAL, "flag --read.deadline: is 0");
	int r = not_empty("objstore.config-file", f->objstore_config_file, e);
	if (r == 0)
		r = not_empty("selector.relabel-config-file", f->selector_config_file, e);
	return r < 0 ? r : not_empty("data-dir", f->data_dir, e);
}

int mount_flags_parse(int argc, char *const *argv, struct mount_flags *f, struct err *e)
{
	auto_free const char **rest = xcalloc((size_t)argc + 1, sizeof *rest);
	size_t n_rest;
	*f = (struct mount_flags){ 0 };
	int r = flags_parse(&mount_flag_set, argc, argv, f, rest, &n_rest, e);
	if (r < 0 || f->help || f->version)
		return r;
	if (n_rest == 0)
		return err_set(e, -EINVAL, "the mount point is missing");
	if (n_rest > 1)
		return err_set(e, -EINVAL, "one mount point is enough: \"%.64s\" is too much", rest[1]);
	if (!*rest[0])
		return err_set(e, -EINVAL, "the mount point is empty");
	f->mountpoint = rest[0];
	if (f->upgrade)
		return 0;
	if (f->http_address && !*f->http_address) {
		free(f->http_address);
		f->http_address = NULL;
	}
	r = mount_options_sort(f, e);
	if (r == 0)
		r = sort_replica_labels(f, e);
	if (r == 0)
		r = parse_faults(f, e);
	if (f->debug)
		f->log_level = LOG_LEVEL_DEBUG;
	return r < 0 ? r : check(f, e);
}

void mount_flags_fini(struct mount_flags *f)
{
	flags_fini(&mount_flag_set, f);
}
