#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs that write on the mount get what a disk would give them, byte by byte and errno by errno, while the worker is killed at random.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

model() { "$ROOT/tests/sys/upper_model.py" "$MNT" "$@" || fail "not what the model says"; }

fs_mount
say "without kills"
model 2
say "with kills"
model "${SECONDS_OF_LOAD:-8}" "$MOUNT_PID" "${KILL_EVERY_MS:-250}"
model_of_requests() {
	say "with kills, by requests alone${1:+, $1}"
	fs_mount -P ${1:+-R "$1"}
	model "$((${SECONDS_OF_LOAD:-8} / 2))" "$MOUNT_PID" "${KILL_EVERY_MS:-250}"
	unmount "$MOUNT_PID" "$MNT"
}
all_closed() { [[ $(jq .open_files "$MNT/.thanosfs/status.json") == 0 ]]; }
wait_until 5 "every file counts as closed" all_closed
unmount "$MOUNT_PID" "$MNT"

for way in "" slots both; do
	model_of_requests $way
done

say "with kills, slots"
fs_mount -R slots
model "$((${SECONDS_OF_LOAD:-8} / 2))" "$MOUNT_PID" "${KILL_EVERY_MS:-250}"
unmount "$MOUNT_PID" "$MNT"
