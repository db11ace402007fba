#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Of two HA clusters with outages the mount shows every series once, with no gap that a replica could fill, at one replica's
# rate, and with counters that fall only where the truth does.
. "$(dirname "$0")/lib.sh"
need_fuse
need promtool jq python3

"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 6 --end 1699999200000 --instances 2 --truth

mount_bucket mount "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica --sync-block-duration=1s
settle "$WORK/mnt"
check_dedup "$WORK/gen/bucket" "$WORK/gen/truth" "$WORK/mnt" 15000
check_equal "$(count_blocks "$WORK/mnt")" 3 "the number of virtual blocks"
unmount "$MOUNT_PID" "$WORK/mnt"
