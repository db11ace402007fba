#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Local files read and written by the kernel alone, against the same by requests: two mounts, taking turns.
. "$(dirname "$0")/../sys/lib.sh"
need_fuse
((EUID == 0)) || skip "only root may pass files on"
. "$ROOT/tests/sys/fs_mount.bash"

block=01HQZZZZZZ000000000000000A
make_block $block
head -c "${INDEX_BYTES:-300000000}" /dev/urandom >"$BLOCKS/$block/index"
for way in kernel requests; do
	mkdir -p "$WORK/$way/mnt"
	flags=(-S)
	[[ $way == kernel ]] || flags+=(-P)
	"$FSMOUNT" "${flags[@]}" -b "$BLOCKS" "$WORK/$way/mnt" "$WORK/$way/upper" "$WORK/$way/state" \
		>>"$WORK/$way.log" 2>&1 </dev/null &
	MOUNT_PID=$!
	pids+=("$MOUNT_PID")
	mounts+=("$WORK/$way/mnt")
	wait_ready "$WORK/$way/mnt"
done

run() { "$BUILD/tests/bench/bench_passthrough" "$WORK/$1/mnt" "$WORK/$1/mnt/$block/index"; }
for _ in $(seq "${RUNS:-7}"); do
	for way in kernel requests; do
		cat "$BLOCKS/$block/index" >/dev/null
		run "$way" >>"$WORK/$way.out"
	done
done
check_equal "$(sed -n 's/^thanosfs_passthrough_opens_total //p' "$WORK/requests/mnt/.thanosfs/metrics")" 0 "opens passed on with -P"
(($(sed -n 's/^thanosfs_passthrough_opens_total //p' "$WORK/kernel/mnt/.thanosfs/metrics") > 0)) || skip "the kernel passes nothing on"

median() { sed -n "s,^$2 ,,p" "$WORK/$1.out" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
row() { # NAME UNIT WHAT
	local kernel requests
	kernel=$(median kernel "$1-$2") requests=$(median requests "$1-$2")
	echo "| $3, by the kernel alone against by requests | $kernel $2 against $requests $2 | |"
}
row write MB/s "sequential write of a file on the mount, 128k a call"
row read-first MB/s "sequential read, the file in the disk's cache, 128k a call"
row read-again MB/s "the same once more"
row append us "appends of 4 KiB"
row append-sync us "appends of 4 KiB with fdatasync"
row index-pread-first us "random reads of 4 KiB of an index in the disk's cache"
row index-pread-again us "the same once more"
row index-fault-first us "random page faults of an index in the disk's cache"
row index-fault-again us "the same once more"
row open-close us "open and close of an index"
