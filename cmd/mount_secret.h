/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --objstore.config may hold keys, and everybody can read the arguments of a process. So its text moves to a file in memory, and
 * the argument becomes "fd:N": the descriptor of that file, which workers inherit, and whatever program a supervisor turns into.
 */
#ifndef CMD_MOUNT_SECRET_H
#define CMD_MOUNT_SECRET_H

#include "lib/base/err.h"

#include <stdbool.h>

/*
 * Takes the value `config` of --objstore.config out of argv, in place, so that no program that lists processes shows it from now on.
 * NULL, and what is a reference already: does nothing. The descriptor stays open for good.
 */
int mount_secret_hide(int argc, char **argv, const char *config, struct err *e);

/* Where *config is such a reference, it is replaced by the text, and the descriptor is closed; *config is from malloc. */
int mount_secret_take(char **config, struct err *e);

#endif
