#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What was fsynced, and every write that returned, is there after a kill -9 of the process that serves the mount, and a remount.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

fs_mount
for round in 1 2 3; do
	python3 - "$MNT" "$round" "$WORK/said" <<'PY' &
import os, sys
mnt, round_, said = sys.argv[1:]
out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
os.makedirs(f"{mnt}/wal{round_}")
n = 0
try:
	while True:
		# As Prometheus makes a block: a directory under another name, synced, renamed.
		tmp, done = f"{mnt}/wal{round_}/{n}.tmp", f"{mnt}/wal{round_}/{n}"
		os.mkdir(tmp)
		fd = os.open(f"{tmp}/data", os.O_WRONLY | os.O_CREAT, 0o644)
		for i in range(8):
			os.write(fd, f"{round_} {n} {i}\n".encode() * 500)
		os.fsync(fd)
		os.close(fd)
		os.rename(tmp, done)
		d = os.open(f"{mnt}/wal{round_}", os.O_RDONLY)
		os.fsync(d)
		os.close(d)
		os.write(out, f"{round_} {n}\n".encode())
		n += 1
except OSError:
	pass  # the mount was killed
PY
	writer=$!
	wait_until 20 "the writer has got on" bash -c "(( \$(grep -c '^$round ' '$WORK/said') >= 30 ))"
	kill_mount
	wait "$writer"
	fs_mount
	python3 - "$MNT" "$WORK/said" <<'PY'
import os, sys
mnt, said = sys.argv[1:]
checked = 0
for line in open(said):
	round_, n = line.split()
	got = open(f"{mnt}/wal{round_}/{n}/data").read()
	want = "".join(f"{round_} {n} {i}\n" * 500 for i in range(8))
	assert got == want, f"wal{round_}/{n}"
	checked += 1
assert checked >= 30
PY
done
unmount "$MOUNT_PID" "$MNT"
