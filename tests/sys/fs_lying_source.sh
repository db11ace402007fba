#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A source that is cut short under a published block gives zeros, at the full size, never an error or a short read.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A
make_block $a
fs_mount
python3 - "$MNT/$a/chunks/000001" "$BLOCKS/$a/chunks/000001" <<'PY'
import mmap, os, sys
path, source = sys.argv[1:]
want = open(source, "rb").read()
fd = os.open(path, os.O_RDONLY)
mapped = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
os.truncate(source, 10000)
assert mapped[:] == want[:10000] + bytes(len(want) - 10000)
assert os.fstat(fd).st_size == len(want)
assert len(os.pread(fd, len(want) + 1, 0)) == len(want)
PY
check_has "$(cat "$MNT/.thanosfs/metrics")" "thanosfs_read_failures_total" "the metrics"
unmount "$MOUNT_PID" "$MNT"
