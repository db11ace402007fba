#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A busy mount leaves at once on SIGTERM and serves what is open a little longer; one that others unmount ends by itself.
. "$(dirname "$0")/lib.sh"
need_fuse
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A
make_block $a
fs_mount
exec 5<"$MNT/$a/index" 6>"$MNT/file"
kill -TERM "$MOUNT_PID"
gone() { ! is_mounted "$MNT"; }
wait_until 5 "the name is gone" gone
is_running "$MOUNT_PID" || fail "the process ended before its files were closed"
cmp /dev/fd/5 "$BLOCKS/$a/index" || fail "an open file reads wrong after the unmount"
echo text >&6
exec 5<&- 6>&-
wait_until 3 "the process ends when the last file is closed" is_gone "$MOUNT_PID"
wait "$MOUNT_PID" || fail "it ended with $?"
check_equal "$(cat "$WORK/upper/file")" text "what was written after the unmount"

# Not for ever.
fs_mount
exec 5<"$MNT/$a/index"
stop "$MOUNT_PID" || fail "it ended with $?"
exec 5<&-

fs_mount
fusermount3 -u "$MNT"
wait_until 5 "the process ends when others unmount" is_gone "$MOUNT_PID"
wait "$MOUNT_PID" || fail "it ended with $?"

# Errors that name their cause.
mkdir -p "$WORK/other"
! "$FSMOUNT" "$WORK/nosuch" "$WORK/upper" "$WORK/state" 2>"$WORK/said" || fail "mounted on nothing"
check_has "$(cat "$WORK/said")" "$WORK/nosuch" "the error of a missing mount point"
! "$FSMOUNT" -o nosuchoption "$WORK/other" "$WORK/upper" "$WORK/state" 2>"$WORK/said" || fail "mounted with a strange option"
check_has "$(cat "$WORK/said")" nosuchoption "the error of a strange option"
! is_mounted "$WORK/other" || fail "it is mounted all the same"
