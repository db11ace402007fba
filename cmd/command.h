/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands: one file each, one line in the table of main.c each. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

/* argv[0] is the subcommand's name. The exit status: 0; 1 where it failed, and 2 where it was called wrongly,
 * said on stderr. */
int cmd_mount(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_tools(int argc, char **argv);

/* What --help and --version print, on stdout; returns the exit status. */
struct flag_set;
int command_help(const struct flag_set *flags);
int command_version(void);

#endif
