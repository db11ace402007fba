#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Soon after a worker has taken over another one stands by, however lately the one before it was started; and in a pause of a loop of
# crashes too.
. "$(dirname "$0")/lib.sh"
need_fuse
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A
make_block $a
fs_mount -C "$WORK/crash"
count() { workers_of "$MOUNT_PID" | wc -l; }
two_are_there() { (($(count) == 2)); }
deaths() { grep -c 'worker ended' "$WORK/fsmount.log" || true; }
have_died() { (($(deaths) >= $1)); }

wait_until 10 "a worker stands by" two_are_there
for i in 1 2 3 4 5; do
	sleep 0.3 # as long as a worker must serve at least, for its death not to count as one of a loop
	kill -KILL "$(worker_of "$MOUNT_PID")"
	wait_until 10 "death $i is noticed" have_died "$i"
	begin=${EPOCHREALTIME/./}
	wait_until 10 "another one stands by after death $i" two_are_there
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
	((took < 600 * PATIENCE)) || fail "nobody stood by for $took ms after death $i"
done

say "in the pauses of a loop of crashes"
touch "$WORK/crash"
kill -KILL "$(worker_of "$MOUNT_PID")"
wait_until 30 "there is a pause of 800 ms" grep -q wait_ms=800 "$WORK/fsmount.log"
one_is_there() { (($(count) == 1)); }
before=$(deaths)
wait_until 10 "one stands by in the pause" one_is_there
check_equal "$(deaths)" "$before" "the number of deaths at the end of the pause"
rm "$WORK/crash"
cmp "$MNT/$a/index" "$BLOCKS/$a/index" || fail "wrong bytes"
unmount "$MOUNT_PID" "$MNT"
