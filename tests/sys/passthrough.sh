#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The kernel reads and writes local files by itself, with what a disk would give, while workers die; and lets go of them when they are closed.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

passed_on() { sed -n 's/^thanosfs_passthrough_opens_total //p' "$MNT/.thanosfs/metrics"; }
used_inodes() { df --output=iused "$WORK/upper" | tail -n 1; }
index=01HQZZZZZZ000000000000000A/index

say "not where it is switched off"
make_block 01HQZZZZZZ000000000000000A
fs_mount -P -o allow_other
echo text >"$MNT/f"
cmp "$MNT/$index" "$BLOCKS/$index"
check_equal "$(passed_on)" 0 "opens passed on with -P"
unmount "$MOUNT_PID" "$MNT"

((EUID == 0)) || skip "only root may pass files on"
python3 - <<'PY' || skip "the kernel is older than Linux 6.9"
import os, sys
sys.exit(tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2]) < (6, 9))
PY

say "what a disk gives"
rm -rf "$WORK/upper"
mkdir "$WORK/upper"
mount -t tmpfs -o mode=755 thanosfs-test "$WORK/upper"
before=$(used_inodes)
fs_mount -o allow_other
mounts=("$WORK/upper" "$MNT")
"$ROOT/tests/sys/passthrough.py" "$MNT" "$BLOCKS/$index" "$MNT/$index" "$MOUNT_PID"
cat "$MNT/$index" >/dev/null
are_counted() { (($(passed_on) > 0)); }
wait_until 5 "opens are counted" are_counted

say "nothing stays behind"
none_open() { [[ $(jq .open_files "$MNT/.thanosfs/status.json") == 0 ]]; }
# shellcheck disable=SC2317 # called by name, as is none_left
# What each process has open that has no name any more; what is in use and not there, the kernel has.
say_who_holds() {
	local pid
	for pid in "$MOUNT_PID" $(workers_of "$MOUNT_PID"); do
		find "/proc/$pid/fd" -lname "$WORK/upper/* (deleted)" -printf '%p -> %l\n'
	done
	echo "$(used_inodes) inodes are used, of which these have names:"
	find "$WORK/upper"
}
# shellcheck disable=SC2317
none_left() { [[ $(used_inodes) == "$before" ]] || { say_who_holds >"$WORK/held.log"; false; }; }
wait_until 10 "all files are closed" none_open
: >"$WORK/held.log"
logs+=("$WORK/held.log")
wait_until 10 "files without a name have gone" none_left
unmount "$MOUNT_PID" "$MNT"

say "on a filesystem that stands on another one: by requests"
rm -rf "$WORK/state"
mkdir "$WORK/upper/"{low,high,work}
mkdir "$WORK/over"
mount -t overlay -o "lowerdir=$WORK/upper/low,upperdir=$WORK/upper/high,workdir=$WORK/upper/work" thanosfs-test "$WORK/over" ||
	skip "no overlay filesystem here"
mounts=("$WORK/upper" "$WORK/over" "$MNT")
"$FSMOUNT" -S -b "$BLOCKS" "$MNT" "$WORK/over" "$WORK/state" >>"$WORK/fsmount.log" 2>&1 </dev/null &
MOUNT_PID=$!
pids+=("$MOUNT_PID")
wait_ready "$MNT"
echo text >"$MNT/f"
check_equal "$(cat "$MNT/f")" text "the file"
cmp "$MNT/$index" "$BLOCKS/$index"
check_equal "$(passed_on)" 0 "opens passed on from an overlay"
unmount "$MOUNT_PID" "$MNT"
umount "$WORK/over" "$WORK/upper"

say "for who may not ask for it: by requests, and said once"
chmod 711 "$WORK"
mkdir -m 777 "$WORK/nobody"
cp "$FSMOUNT" "$WORK/nobody/fsmount"
unshare -m "$ROOT/tests/sys/passthrough_nobody.bash" "$WORK/nobody" || { cat "$WORK/nobody/log"; fail "nobody can't use a mount"; }
check_equal "$(grep -c 'by requests' "$WORK/nobody/log")" 1 "how often it is said"
