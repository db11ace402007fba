#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A merged block that is removed as Prometheus does it is gone here, stays gone after a remount and a kill, and its source is untouched.
. "$(dirname "$0")/lib.sh"
need_fuse
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A b=01HQZZZZZZ000000000000000B c=01HQZZZZZZ000000000000000C
for block in $a $b $c; do make_block "$block"; done
fs_mount

# Nothing can be written into a block, nor can it get another name.
check_has "$(errno_of touch "$MNT/$a/new")" "Read-only file system" "touch"
check_has "$(errno_of mkdir "$MNT/$a/new")" "Read-only file system" "mkdir"
check_has "$(errno_of cp /etc/hostname "$MNT/$a/index")" "Read-only file system" "overwriting"
check_has "$(errno_of truncate -s 0 "$MNT/$a/chunks/000001")" "Read-only file system" "truncate"
check_has "$(errno_of chmod 777 "$MNT/$a")" "Read-only file system" "chmod"
check_has "$(errno_of ln -s x "$MNT/$a/link")" "Read-only file system" "symlink"
check_has "$(errno_of mv -T "$MNT/$a" "$MNT/other")" "Read-only file system" "rename"
check_has "$(errno_of mv -T "$MNT/$a" "$MNT/$b.tmp-for-deletion")" "Read-only file system" "rename to another's name"
check_has "$(errno_of mkdir "$MNT/$a")" "File exists" "mkdir over a block"
check_has "$(errno_of rmdir "$MNT/$a")" "not empty" "rmdir of a whole block"
check_has "$(errno_of rmdir "$MNT/.thanosfs")" "Operation not permitted" "rmdir of .thanosfs"
check_has "$(errno_of touch "$MNT/.thanosfs/new")" "Read-only file system" "touch in .thanosfs"

# As Prometheus does it, with a file open.
exec 5<"$MNT/$a/index"
mv -T "$MNT/$a" "$MNT/$a.tmp-for-deletion"
check_equal "$(cd "$MNT" && echo 0*)" "$a.tmp-for-deletion $b $c" "the listing after the rename"
kill_mount
fs_mount
check_equal "$(cd "$MNT" && echo 0*)" "$a.tmp-for-deletion $b $c" "the listing after a kill"
exec 5<&-
exec 5<"$MNT/$a.tmp-for-deletion/index"
rm "$MNT/$a.tmp-for-deletion/chunks/000001"
check_equal "$(cd "$MNT/$a.tmp-for-deletion" && find . -type f | sort | tr '\n' ' ')" "./chunks/000002 ./index ./meta.json " "what is left"
check_has "$(errno_of rmdir "$MNT/$a.tmp-for-deletion/chunks")" "not empty" "rmdir of chunks"
rm -r "$MNT/$a.tmp-for-deletion"
check_equal "$(cd "$MNT" && echo 0*)" "$b $c" "the listing after the removal"
cmp /dev/fd/5 "$BLOCKS/$a/index" || fail "an open file of a removed block reads wrong"
exec 5<&-

# And without the rename.
rm -r "${MNT:?}/$b"
check_equal "$(cd "$MNT" && echo 0*)" "$c" "the listing after rm -r"
unmount "$MOUNT_PID" "$MNT"
fs_mount
check_equal "$(cd "$MNT" && echo 0*)" "$c" "the listing after a remount"
for block in $a $b; do
	check_equal "$(find "$BLOCKS/$block" -type f | wc -l)" 4 "the files of the source of $block"
done

# A name that is free again can be used; what it hides ends when the block is published no more.
mkdir "$MNT/$a" && echo mine >"$MNT/$a/file"
check_equal "$(cat "$MNT/$a/file")" mine "a file in a directory of that name"
rm -r "${MNT:?}/$a"
rm -r "${BLOCKS:?}/$b"
kill -HUP "$MOUNT_PID"
published() { [[ $(cat "$MNT/.thanosfs/status.json") == *"\"generation\":$1"* ]]; }
wait_until 5 "the block's end is published" published 2
make_block $b
kill -HUP "$MOUNT_PID"
wait_until 5 "the block is published again" test -e "$MNT/$b/index"
check_equal "$(cd "$MNT" && echo 0*)" "$b $c" "the listing when a block of that name is published again"
unmount "$MOUNT_PID" "$MNT"
