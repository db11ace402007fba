/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/mount_flags.h"

#include "tests/support/test.h"

#include <errno.h>

static struct mount_flags f;
static struct err e;

static int parse(const char *const *args)
{
	char *argv[32] = { NULL };
	int argc = 1;
	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1]; /* mount_flags_parse changes nothing */
	e.msg[0] = 0;
	return mount_flags_parse(argc, argv, &f, &e);
}

#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })
#define BUCKET     "--objstore.config-file=b.yaml"

TEST(the_defaults_are_those_of_the_manual)
{
	CHECK_OK(PARSE(BUCKET, "/mnt"), &e);
	CHECK_STR(f.mountpoint, "/mnt");
	CHECK_STR(f.objstore_config_file, "b.yaml");
	CHECK(!f.objstore_config && !f.selector_config && !f.selector_config_file && !f.http_address);
	CHECK_INT(f.replica_labels.len, 0);
	CHECK_INT(f.dedup_func, DEDUP_COMPLETE);
	CHECK(!f.min_time.is_relative && !f.max_time.is_relative);
	CHECK_INT(f.min_time.ms, -62167219200000);
	CHECK_INT(f.max_time.ms, 253402300799000);
	CHECK_INT(f.sync_interval_ms, 60000);
	CHECK_INT(f.ignore_deletion_marks_delay_ms, 86400000);
	CHECK_INT(f.consistency_delay_ms, 0);
	CHECK_STR(f.data_dir, "./data");
	CHECK_INT(f.cache_max_bytes, INT64_C(10) << 30);
	CHECK_INT(f.start_timeout_ms, 120000);
	CHECK_INT(f.read_deadline_ms, 10000);
	CHECK(!f.allow_other && !f.allow_root && !f.read_only && !f.is_daemon && !f.allow_empty);
	CHECK_INT(f.fuse_options.len, 0);
	CHECK_INT(f.log_level, LOG_LEVEL_INFO);
	CHECK_INT(f.log_format, LOG_FORMAT_LOGFMT);
	mount_flags_fini(&f);
}

TEST(replica_labels_are_sorted_and_none_stands_twice)
{
	CHECK_OK(PARSE(BUCKET, "--query.replica-label=replica,prometheus_replica",
			 "--deduplication.replica-label=a,replica", "/mnt"),
		&e);
	CHECK_INT(f.replica_labels.len, 3);
	CHECK_STR(f.replica_labels.data[0], "a");
	CHECK_STR(f.replica_labels.data[1], "prometheus_replica");
	CHECK_STR(f.replica_labels.data[2], "replica");
	mount_flags_fini(&f);
}

TEST(words_become_the_numbers_of_their_enums)
{
	static const struct {
		const char *flag;
		enum dedup_func func;
	} table[] = { { "--deduplication.func=complete", DEDUP_COMPLETE },
		{ "--deduplication.func=penalty", DEDUP_PENALTY },
		{ "--deduplication.func=chain", DEDUP_CHAIN } };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		CHECK_OK(PARSE(BUCKET, table[i].flag, "--log.level=error", "--log.format=json", "/mnt"), &e);
		CHECK_INT(f.dedup_func, table[i].func);
		CHECK_INT(f.log_level, LOG_LEVEL_ERROR);
		CHECK_INT(f.log_format, LOG_FORMAT_JSON);
		mount_flags_fini(&f);
	}
}

TEST(options_of_fstab_are_taken_and_those_of_fuse_are_sorted)
{
	CHECK_OK(PARSE(BUCKET, "/mnt", "-o",
			 "rw,noexec,nosuid,nodev,_netdev,auto,noauto,user,x-systemd.automount,fsname=thanos",
			 "-oallow_other,ro", "-o", "default_permissions,debug,comment=x"),
		&e);
	CHECK(f.allow_other && !f.allow_root && f.read_only);
	CHECK_INT(f.log_level, LOG_LEVEL_DEBUG);
	CHECK_INT(f.fuse_options.len, 2);
	CHECK_STR(f.fuse_options.data[0], "fsname=thanos");
	CHECK_STR(f.fuse_options.data[1], "default_permissions");
	mount_flags_fini(&f);
}

TEST(the_habits_of_fuse_work)
{
	CHECK_OK(PARSE(BUCKET, "-f", "-d", "/mnt"), &e);
	CHECK(f.foreground && f.debug);
	CHECK_INT(f.log_level, LOG_LEVEL_DEBUG);
	mount_flags_fini(&f);
}

TEST(help_and_version_need_nothing_else)
{
	CHECK_OK(PARSE("--help"), &e);
	CHECK(f.help);
	mount_flags_fini(&f);
	CHECK_OK(PARSE("--version"), &e);
	CHECK(f.version);
	mount_flags_fini(&f);
}

TEST(an_empty_http_address_means_none)
{
	CHECK_OK(PARSE(BUCKET, "--http-address=", "/mnt"), &e);
	CHECK(!f.http_address);
	mount_flags_fini(&f);
}

TEST(what_is_wrong_is_named)
{
	static const struct {
		const char *args[4], *message;
	} table[] = {
		{ { BUCKET }, "the mount point is missing" },
		{ { BUCKET, "" }, "the mount point is empty" },
		{ { BUCKET, "/a", "/b" }, "one mount point is enough: \"/b\" is too much" },
		{ { "/a" }, "the bucket is missing: --objstore.config-file or --objstore.config" },
		{ { BUCKET, "--objstore.config=x", "/a" },
			"--objstore.config-file and --objstore.config exclude each other" },
		{ { "--objstore.config-file=", "/a" }, "flag --objstore.config-file: is empty" },
		{ { BUCKET, "--data-dir=", "/a" }, "flag --data-dir: is empty" },
		{ { BUCKET, "--min-time=-1h", "--max-time=-2h", "/a" },
			"--min-time is later than --max-time" },
		{ { BUCKET, "--sync-block-duration=10ms", "/a" },
			"flag --sync-block-duration: is shorter than 1s" },
		{ { BUCKET, "--read.deadline=0s", "/a" }, "flag --read.deadline: is 0" },
		{ { BUCKET, "--daemon", "-f", "/a" }, "--daemon and -f exclude each other" },
		{ { BUCKET, "-oallow_othr,fsname=x,noatime", "/a" },
			"flag -o: unknown option \"allow_othr\"; did you mean allow_other?" },
		{ { BUCKET, "-ofsname=", "/a" }, "flag -o: unknown option \"fsname=\"" },
		{ { BUCKET, "-oallow_other,allow_root", "/a" },
			"flag -o: allow_other and allow_root exclude each other" },
		{ { BUCKET, "--query.replica-label=\xff", "/a" },
			"flag --query.replica-label: the name is not UTF-8" },
		{ { BUCKET, "--replica-label=a", "/a" },
			"unknown flag --replica-label; did you mean --query.replica-label?" },
		{ { BUCKET, "--sync-block-duraton=1m", "/a" },
			"unknown flag --sync-block-duraton; did you mean --sync-block-duration?" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *args[5] = { NULL };
		memcpy(args, table[i].args, sizeof table[i].args);
		CHECK_INT(parse(args), -EINVAL);
		CHECK_STR(e.msg, table[i].message);
		mount_flags_fini(&f);
	}
}

TEST(a_plan_of_faults_is_taken_and_shown_nowhere)
{
	auto_buf struct buf help = { 0 };
	CHECK_OK(PARSE(BUCKET, "--debug.faults=seed=9,read.error=0.5", "/mnt"), &e);
	CHECK_INT(f.faults.seed, 9);
	mount_flags_fini(&f);
	CHECK_INT(PARSE(BUCKET, "--debug.faults=error=5", "/mnt"), -EINVAL);
	CHECK_HAS(e.msg, "flag --debug.faults: \"error=5\"");
	mount_flags_fini(&f);
	flags_help(&mount_flag_set, &help);
	CHECK(!strstr(buf_str(&help), "faults"));
}

TEST_MAIN()
