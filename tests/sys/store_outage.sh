#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# While the store is out, queries for what isn't local fail and nothing else does: no answer is wrong, Prometheus lives, the log says it
# once; and 5 s after the store's return no query fails.
# limit: 400
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/sys/outage.bash"

# Some seconds of outages as part of every check, and as many as a minute lasts where everything is checked.
case $BUILD in
*/asan | */tsan) rounds=4 seconds=8 ;;
*) rounds=2 seconds=4 ;;
esac
outage_bucket
go() { touch "$WORK/away"; }
come() { rm "$WORK/away"; }
for ((round = 1; round <= rounds; round++)); do
	say "round $round: nothing is in any cache, and the store goes away for $seconds s"
	mount_bucket "mount$round" "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica --sync-block-duration=1s \
		--read.deadline=2s --debug.faults="seed=$round,outage=$WORK/away,latency=1ms..5ms,read.error=0.02"
	outage_round "$round" "$seconds" go come
done
outage_ends
