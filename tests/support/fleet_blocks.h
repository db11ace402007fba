/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of a fleet of machines (tests/support/fleet.h) as two replicas of each cluster upload them: 2 h each, of three metrics
 * only, the one that queries are about between two others.
 */
#ifndef TESTS_FLEET_BLOCKS_H
#define TESTS_FLEET_BLOCKS_H

#include <stdint.h>

#define FLEET_T0         1699920000000
#define FLEET_BLOCK_MS   7200000
#define FLEET_STEP_MS    15000
#define FLEET_CPU        "node_cpu_seconds_total"
#define FLEET_CPU_SERIES 32 /* a machine */

/*
 * Writes the block-th block, from 0, of a cluster's replica, 0 or 1, below `dir`. One scrape in 2,000 is missed, and in the
 * second block the first replica is away for 7 minutes.
 */
void fleet_block_write(
	const char *dir, const char *cluster, unsigned replica, unsigned block, unsigned machines);

#endif
