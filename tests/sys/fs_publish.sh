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

# A long listing that a publication interrupts shows one set or the other, never parts of both.
make_block 01HQZZZZZZ000000000000000C
fs_mount -n 2000
python3 - "$MNT" "$BLOCKS" "$MOUNT_PID" <<'PY'
import os, signal, sys, threading, time
mnt, blocks, pid = sys.argv[1], sys.argv[2], int(sys.argv[3])
# Two sets without a block in common but the 2,000: one window each, under another name.
sets = [{f"01HQZZZZZZ00000000000{s}{i:04d}" for i in range(40)} for s in "AB"]
away = f"{blocks}/../away"
os.mkdir(away)
for names, place in ((sets[0], blocks), (sets[1], away)):
	for name in names:
		os.mkdir(f"{place}/{name}")
stop = threading.Event()
def swap():
	now = 0
	while not stop.is_set():
		for name in sets[now]:
			os.rename(f"{blocks}/{name}", f"{away}/{name}")
		for name in sets[1 - now]:
			os.rename(f"{away}/{name}", f"{blocks}/{name}")
		now = 1 - now
		os.kill(pid, signal.SIGHUP)
		# The fake view reads the directory when it gets to it: leave it time, or it sees a mixture itself.
		time.sleep(0.3)
os.kill(pid, signal.SIGHUP)
time.sleep(0.3)
t = threading.Thread(target=swap)
t.start()
seen = [0, 0]
try:
	end = time.monotonic() + 6
	while time.monotonic() < end:
		names = {n for n in os.listdir(mnt) if n.startswith("01HQZZZZZZ")} - {"01HQZZZZZZ000000000000000B", "01HQZZZZZZ000000000000000C"}
		assert names in sets, f"{len(names & sets[0])} of one set, {len(names & sets[1])} of the other"
		seen[sets.index(names)] += 1
finally:
	stop.set()
	t.join()
assert min(seen) > 2, seen
PY
unmount "$MOUNT_PID" "$MNT"
