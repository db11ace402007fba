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
all_closed() { [[ $(jq .open_files "$MNT/.thanosfs/status.json") == 0 ]]; }
wait_until 5 "every file counts as closed" all_closed
unmount "$MOUNT_PID" "$MNT"

for way in slots both; do
	say "with kills, $way"
	fs_mount -R $way
	model "$((${SECONDS_OF_LOAD:-8} / 2))" "$MOUNT_PID" "${KILL_EVERY_MS:-250}"
	unmount "$MOUNT_PID" "$MNT"
done

# Blocks are removed as Prometheus does it, and don't come back.
for i in $(seq 10 39); do
	make_block "01HQZZZZZZ00000000000000$i"
done
fs_mount
while sleep 0.3; do kill -KILL "$(worker_of "$MOUNT_PID")" || true; done 2>/dev/null &
killer=$!
python3 - "$MNT" <<'PY'
import os, shutil, sys, time
mnt = sys.argv[1]
blocks = sorted(n for n in os.listdir(mnt) if n.startswith("01H"))
assert len(blocks) == 30, blocks
for b in blocks:
	os.rename(f"{mnt}/{b}", f"{mnt}/{b}.tmp-for-deletion")
	assert not os.path.exists(f"{mnt}/{b}")
	shutil.rmtree(f"{mnt}/{b}.tmp-for-deletion")
	assert b not in " ".join(os.listdir(mnt)), b
	time.sleep(0.05)
assert not [n for n in os.listdir(mnt) if n.startswith("01H")]
PY
kill "$killer"
wait "$killer" || true
unmount "$MOUNT_PID" "$MNT"
fs_mount
check_equal "$(find "$MNT" -maxdepth 1 -name '01H*' | wc -l)" 0 "the number of blocks after a remount"
unmount "$MOUNT_PID" "$MNT"
