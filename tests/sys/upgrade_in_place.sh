#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `thanosfs mount --upgrade` puts another program in the place of both processes of a running mount, and nobody on the mount notices;
# what can't take the place is refused, and the mount goes on.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a,b --hours 2 --end 1699999200000 --instances 1
cp "$THANOSFS" "$WORK/old"
cp "$THANOSFS" "$WORK/new"
THANOSFS=$WORK/old mount_start mount "$MNT" --objstore.config-file="$WORK/gen/bucket.yaml" --query.replica-label=replica \
	--data-dir="$WORK/data"
wait_ready "$MNT"
supervisor=$MOUNT_PID
program_of() { readlink "/proc/$1/exe"; }
upgrades() { sed -n 's/^thanosfs_worker_restarts_total{reason="upgrade"} //p' "$MNT/.thanosfs/metrics"; }

# A load that must not notice. What is unlinked and open lives in the supervisor.
block=$(blocks_of "$MNT")
cat "$MNT/$block/chunks/"* >"$WORK/truth"
python3 - "$MNT" "$MNT/$block/chunks/000001" "$WORK/stop" <<'PY' &
import os, sys
mount, path, stop = sys.argv[1:]
want = open(path, "rb").read()
gone = os.open(mount + "/gone", os.O_RDWR | os.O_CREAT)
os.write(gone, b"still here")
os.unlink(mount + "/gone")
n = 0
while not os.path.exists(stop):
	fd = os.open(path, os.O_RDONLY)
	os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
	assert os.read(fd, len(want)) == want
	os.close(fd)
	assert os.pread(gone, 100, 0) == b"still here"
	name = f"{mount}/file{n}"
	with open(name, "x") as f:
		f.write(str(n))
	os.rename(name, name + ".renamed")
	assert open(name + ".renamed").read() == str(n)
	os.unlink(name + ".renamed")
	n += 1
PY
load=$!
pids+=("$load")

say "twice"
for program in "$WORK/new" "$WORK/old"; do
	before=$(worker_of "$supervisor")
	said=$(timeout 60 "$program" mount --upgrade "$MNT" 3>&-) || fail "--upgrade ended with $?"
	check_has "$said" "version" "what it says"
	check_equal "$(program_of "$supervisor")" "$program" "the supervisor's program"
	check_equal "$(program_of "$(worker_of "$supervisor")")" "$program" "the worker's program"
	[[ $(worker_of "$supervisor") != "$before" ]] || fail "the worker is the old one"
	check_equal "$(cat "/proc/$supervisor/comm")" thanosfs "the supervisor's name"
done
check_equal "$(upgrades)" 2 "the number of upgrades that are counted"

say "a worker that is killed afterwards is followed"
kill -KILL "$(worker_of "$supervisor")"
cmp <(cat "$MNT/$block/chunks/"*) "$WORK/truth" || fail "wrong bytes after a worker's death"

say "what is no thanosfs is refused"
cat >"$WORK/offer.py" <<'PY'
import array, glob, os, re, socket, struct, sys
for line in open("/proc/net/unix"):
	name = line.split()[-1]
	if name.startswith("@thanosfs-mount:"):
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.connect("\0" + name[1:])
		pid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
		if pid == int(sys.argv[1]):
			break
else:
	sys.exit("no supervisor listens")
fd = os.open(sys.argv[2], os.O_RDONLY)
s.sendmsg([b"thfsup1\0" + b"9.9".ljust(32, b"\0")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
answer = s.recv(1000)
error, = struct.unpack_from("i", answer, 8)
print(error, answer[44:].split(b"\0")[0].decode())
PY
check_has "$(python3 "$WORK/offer.py" "$supervisor" /bin/false)" "-22 the new program refuses" "the answer to /bin/false"
check_has "$(python3 "$WORK/offer.py" "$supervisor" /etc/passwd)" "-22 the new program can't be run" "the answer to /etc/passwd"
status=0
said=$("$WORK/new" mount --upgrade "$WORK" 2>&1 3>&-) || status=$?
check_equal "$status" 1 "the exit status for what is no mount"
check_has "$said" "is not a mount with a supervisor" "what it says of what is no mount"

is_running "$load" || fail "the load noticed"
touch "$WORK/stop"
wait "$load" || fail "the load noticed"
unmount "$supervisor" "$MNT"
