#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The upper directory behaves as a directory on a disk does: every operation that a program like Prometheus uses, and a few more.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

make_block 01HQZZZZZZ000000000000000A
for PASSTHROUGH in "" -P; do
	[[ -z $PASSTHROUGH ]] || say "by requests alone"
	rm -rf "$WORK/upper" "$WORK/state"
	fs_mount -o allow_other
	"$ROOT/tests/sys/fs_posix.py" "$MNT" "$BLOCKS"
	unmount "$MOUNT_PID" "$MNT"
done
