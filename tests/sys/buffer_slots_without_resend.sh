#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where the kernel can't give requests again they are taken from memory, and both at once do no harm.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A
make_block $a
for way in slots both resend; do
	say "$way"
	fs_mount -R $way
	"$ROOT/tests/sys/worker_kills.py" "$MNT" "$MOUNT_PID" "${SECONDS_OF_LOAD:-4}" "${KILL_EVERY_MS:-300}" \
		$a/chunks/000001="$BLOCKS/$a/chunks/000001" $a/index="$BLOCKS/$a/index" || fail "the load noticed, with $way"
	unmount "$MOUNT_PID" "$MNT"
done
