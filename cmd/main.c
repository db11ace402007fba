/* SPDX-License-Identifier: Apache-2.0 */
/* The program: finds the subcommand and hands over. */
#include "cmd/command.h"
#include "cmd/mount_flags.h"
#include "cmd/mount_helper.h"
#include "cmd/query_flags.h"
#include "cmd/tools_query.h"

#include "lib/base/nearest.h"

#include <errno.h>
#include <stdio.h>

#define STATUS_FAILED 1
#define STATUS_USAGE  2

struct command {
	const char *name;
	const struct flag_set *flags;
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{ "mount", &mount_flag_set, cmd_mount },
	{ "query", &query_flag_set, cmd_query },
	{ "tools", &tools_query_flag_set, cmd_tools },
};

static int print(struct buf *b)
{
	bool is_written = fwrite(b->data, 1, b->len, stdout) == b->len && fflush(stdout) == 0;
	buf_fini(b);
	if (is_written)
		return 0;
	fprintf(stderr, "thanosfs: writing to standard output: %s\n", strerror(errno));
	return STATUS_FAILED;
}

static int show_overview(void)
{
	struct buf b = { 0 };
	buf_add_str(&b, "usage: thanosfs COMMAND [flags] [ARGUMENT ...]\n\n"
			"Shows the TSDB blocks of a Thanos bucket as one merged, replica-deduplicated\n"
			"Prometheus TSDB directory.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		buf_printf(&b, "  %s\n", commands[i].name);
		flags_wrap(&b, commands[i].flags->summary, 6, 80);
	}
	buf_add_str(&b,
		"  help [--flags] [COMMAND]\n      Shows this, or the flags of a command; with --flags one "
		"line "
		"a flag, for\n      programs.\n\nFlags:\n  -h, --help     Shows this help.\n      --version  "
		"Shows the version.\n");
	return print(&b);
}

static const struct command *find(const char *name)
{
	struct nearest near = { .typed = name };
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
		nearest_try(&near, commands[i].name);
	}
	if (near.best)
		fprintf(stderr, "thanosfs: unknown command \"%.64s\"; did you mean %s?\n", name, near.best);
	else
		fprintf(stderr, "thanosfs: unknown command \"%.64s\"; see thanosfs --help\n", name);
	return NULL;
}

int command_help(const struct flag_set *flags)
{
	struct buf b = { 0 };
	flags_help(flags, &b);
	return print(&b);
}

int command_version(void)
{
	struct buf b = { 0 };
	buf_add_str(&b, "thanosfs " THANOSFS_VERSION "\n");
	return print(&b);
}

static int help(int argc, char **argv)
{
	bool as_list = argc > 1 && !strcmp(argv[1], "--flags");
	if (argc > 2 + as_list) {
		fprintf(stderr, "thanosfs help: \"%.64s\" is too much\n", argv[2 + as_list]);
		return STATUS_USAGE;
	}
	if (argc < 2 + as_list)
		return show_overview();
	const struct command *c = find(argv[1 + as_list]);
	if (!c)
		return STATUS_USAGE;
	if (!as_list)
		return command_help(c->flags);
	struct buf b = { 0 };
	flags_list(c->flags, &b);
	return print(&b);
}

int main(int argc, char **argv)
{
	if (argc > 0 && mount_helper_is_name(argv[0]))
		return mount_helper_run(argc, argv);
	const char *first = argc > 1 ? argv[1] : NULL;
	if (!first) {
		fprintf(stderr, "thanosfs: the command is missing; see thanosfs --help\n");
		return STATUS_USAGE;
	}
	if (!strcmp(first, "--help") || !strcmp(first, "-h"))
		return show_overview();
	if (!strcmp(first, "help"))
		return help(argc - 1, argv + 1);
	if (!strcmp(first, "--version") || !strcmp(first, "version"))
		return command_version();
	if (*first == '-') {
		fprintf(stderr, "thanosfs: unknown flag %.64s; flags of a command come after it\n", first);
		return STATUS_USAGE;
	}
	const struct command *c = find(first);
	return c ? c->run(argc - 1, argv + 1) : STATUS_USAGE;
}
