/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon whose parent leaves only when it is ready, or has failed. */
#ifndef CMD_BACKGROUND_H
#define CMD_BACKGROUND_H

#include <stdbool.h>

/*
 * Forks. True in the parent, which has waited: *status is what to exit with, 0 once the child was ready. False in the child,
 * which goes on without a terminal and calls background_ready(*ready_fd). Call it before there are threads.
 */
bool background_start(int *ready_fd, int *status);

/* Tells the parent, and closes the descriptor; -1: there is none. */
void background_ready(int ready_fd);

#endif
