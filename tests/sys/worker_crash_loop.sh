#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A worker that dies as soon as it serves is followed after growing pauses, requests wait meanwhile, and are answered when it is over.
. "$(dirname "$0")/lib.sh"
need_fuse
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A
make_block $a
fs_mount -C "$WORK/crash"
touch "$WORK/crash"
kill -KILL "$(worker_of "$MOUNT_PID")"
# A worker that is slow to die, as on a busy machine, has served for a while, and the list begins anew.
pauses_grow() {
	local pauses
	pauses=$(grep -o 'wait_ms=[0-9]*' "$WORK/fsmount.log" | cut -d= -f2 | xargs)
	[[ " $pauses " == *" 0 0 0 0 0 100 200 400 "* ]]
}
wait_until 30 "pauses grow: 0 0 0 0 0 100 200 400" pauses_grow
check_has "$(grep 'worker ended' "$WORK/fsmount.log" | tail -n 1)" "signal=Killed" "the log"

cat "$MNT/$a/index" >"$WORK/read" &
reader=$!
pids+=("$reader")
rm "$WORK/crash"
wait_until 30 "the read that waited is answered" is_gone "$reader"
wait "$reader" || fail "the read that waited failed"
cmp "$WORK/read" "$BLOCKS/$a/index" || fail "the read that waited is wrong"

say "a mount whose workers die can be left"
touch "$WORK/crash"
kill -KILL "$(worker_of "$MOUNT_PID")"
wait_until 30 "workers die again" bash -c "(( \$(grep -c 'worker ended' '$WORK/fsmount.log') >= 8 ))"
unmount "$MOUNT_PID" "$MNT"
