#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bytes that could not be had read as zeros, never as an error, and a moment after they can be had a mapping shows them.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A
make_block $a
touch "$BLOCKS/$a/broken"
fs_mount
python3 - "$MNT/$a/chunks/000001" "$BLOCKS/$a/chunks/000001" "$BLOCKS/$a/broken" <<'PY'
import mmap, os, sys, time
path, source, broken = sys.argv[1:]
want = open(source, "rb").read()
fd = os.open(path, os.O_RDONLY)
mapped = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
assert mapped[:] == bytes(len(want)), "not zeros"
assert os.pread(fd, len(want) + 1, 0) == bytes(len(want))
os.unlink(broken)
end = time.monotonic() + 10
while mapped[:] != want:
	assert time.monotonic() < end, "the zeros stay"
	time.sleep(0.01)
assert os.pread(fd, len(want) + 1, 0) == want
PY
unmount "$MOUNT_PID" "$MNT"
