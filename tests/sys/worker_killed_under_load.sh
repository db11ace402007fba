#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whoever uses a mount doesn't notice that its worker is killed every 300 ms: no error, no wrong byte, and a pause of milliseconds.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A b=01HQZZZZZZ000000000000000B
make_block $a
make_block $b
for PASSTHROUGH in "" -P; do
	[[ -z $PASSTHROUGH ]] || say "by requests alone"
	fs_mount
	"$ROOT/tests/sys/worker_kills.py" "$MNT" "$MOUNT_PID" "$((${SECONDS_OF_LOAD:-12} / 2))" "${KILL_EVERY_MS:-300}" \
		$a/chunks/000001="$BLOCKS/$a/chunks/000001" $b/index="$BLOCKS/$b/index" || fail "the load noticed"
	restarts=$(restarts_for signal)
	((restarts > 3)) || fail "the worker counts $restarts restarts"
	unmount "$MOUNT_PID" "$MNT"
done
! grep -q 'level=error' "$WORK/fsmount.log" || fail "errors are logged"
