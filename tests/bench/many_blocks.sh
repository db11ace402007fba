#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bucket of 10,000 blocks that is catalogued and merged already: from the start of the program to a full ls -l, and its memory.
. "$(dirname "$0")/../sys/lib.sh"
need_fuse

blocks=${BLOCKS:-10000}
"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a --hours $((2 * blocks)) --end 1699999200000 --instances 1 --step 10m
begin=$(date +%s%N)
mount_bucket first "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica
all_there() { [[ $(find "$WORK/mnt" -maxdepth 1 -name '0*' | wc -l) == "$blocks" ]]; }
wait_until 600 "all blocks are listed" all_there
say "the first mount took $((($(date +%s%N) - begin) / 1000000)) ms"
unmount "$MOUNT_PID" "$WORK/mnt"

for run in 1 2 3 4 5; do
	begin=$(date +%s%N)
	"$THANOSFS" mount --objstore.config-file="$WORK/first.yaml" --data-dir="$WORK/first.data" --query.replica-label=replica \
		"$WORK/mnt" >>"$WORK/again.log" 2>&1 </dev/null &
	MOUNT_PID=$!
	pids+=("$MOUNT_PID")
	until is_mounted "$WORK/mnt"; do
		sleep 0.01
	done
	ls -l "$WORK/mnt" >"$WORK/ls"
	took=$((($(date +%s%N) - begin) / 1000000))
	rss=$(sed -n 's/^VmHWM:\s*\([0-9]*\) kB/\1/p' "/proc/$MOUNT_PID/status")
	lines=$(grep -c ' 0' "$WORK/ls")
	((lines >= blocks)) || fail "ls -l shows $lines blocks"
	say "run $run: $took ms, peak RSS $((rss / 1024)) MiB"
	echo "$took $rss" >>"$WORK/runs"
	unmount "$MOUNT_PID" "$WORK/mnt"
done
took=$(sort -n "$WORK/runs" | sed -n '3s/ .*//p')
rss=$(sort -n -k2 "$WORK/runs" | tail -1 | cut -d' ' -f2)
echo "| mount of $blocks blocks, catalogued and merged, to a full ls -l | $(awk "BEGIN { print $took / 1000 }") s, $((rss / 1024)) MiB | 1 s, under 100 MiB |"
