#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A worker that stands still is killed, another one answers what it was asked meanwhile, and the log and the metrics say so.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A
make_block $a
fs_mount -H 2000
worker=$(worker_of "$MOUNT_PID")

say "stopped over a request"
# Whichever thread takes the read, it is not going to answer.
kill -STOP "$worker"
timeout $((60 * PATIENCE)) cmp "$MNT/$a/index" "$BLOCKS/$a/index" || fail "a read of a stopped worker is not answered"
check_equal "$(restarts_for hang)" 1 "the number of restarts because of a hang"
check_has "$(cat "$WORK/fsmount.log")" "worker hangs" "the log"
is_gone "$worker" || fail "the worker that hung is still there"

say "nothing to do is no hang"
sleep 3 # longer than the limit for requests
check_equal "$(restarts_for hang)" 1 "the number of restarts after a while of nothing"
unmount "$MOUNT_PID" "$MNT"
