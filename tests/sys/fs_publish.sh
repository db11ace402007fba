#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Another set of blocks shows at once: new ones appear, old names go, and what was open of an old block goes on working.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A b=01HQZZZZZZ000000000000000B
make_block $a
fs_mount
want=$(md5sum <"$BLOCKS/$a/chunks/000001")
python3 - "$MNT" "$BLOCKS" $a $b "$MOUNT_PID" <<'PY'
import mmap, os, signal, sys, time
mnt, blocks, a, b, pid = *sys.argv[1:5], int(sys.argv[5])
want = open(f"{blocks}/{a}/chunks/000001", "rb").read()
fd = os.open(f"{mnt}/{a}/chunks/000001", os.O_RDONLY)
mapped = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
assert mapped[:4096] == want[:4096]
os.listdir(f"{mnt}/{a}")
# The source's descriptors stay with the view; only the name goes.
os.rename(f"{blocks}/{a}", f"{blocks}/was")
os.mkdir(f"{blocks}/{b}")
open(f"{blocks}/{b}/meta.json", "w").write("{}")
os.kill(pid, signal.SIGHUP)
end = time.monotonic() + 5
while True:
	names = [n for n in os.listdir(mnt) if n.startswith("0")]
	assert names in ([a], [b]), names
	if names == [b]:
		break
	assert time.monotonic() < end, names
# A cached name goes too, though the kernel was told it may keep it.
while os.path.exists(f"{mnt}/{a}/index"):
	assert time.monotonic() < end, "the old name still works"
assert open(f"{mnt}/{b}/meta.json").read() == "{}"
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
assert mapped[:] == want
assert os.pread(fd, len(want) + 1, 0) == want
assert os.fstat(fd).st_size == len(want)
PY
check_equal "$(md5sum <"$BLOCKS/was/chunks/000001")" "$want" "the source"
unmount "$MOUNT_PID" "$MNT"
