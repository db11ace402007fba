#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sequential reads and look-ups with and without a supervisor, in alternating runs: both take the same time. And what the processes
# of an idle mount weigh, and how long a worker's death is felt by an idle machine.
. "$(dirname "$0")/../sys/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

a=01HQZZZZZZ000000000000000A
make_block $a
head -c 256M /dev/urandom >"$BLOCKS/$a/chunks/000001"
mkdir -p "$WORK/upper/names"
cat >"$WORK/measure.py" <<'PY'
import os, sys, time
mount, block = sys.argv[1:]
buffer = bytearray(1 << 20)
best = [1e9, 1e9]
for run in range(5):
	fd = os.open(f"{mount}/{block}/chunks/000001", os.O_RDONLY)
	os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
	at = time.monotonic()
	while os.readv(fd, [buffer]):
		pass
	best[0] = min(best[0], time.monotonic() - at)
	os.close(fd)
	at = time.monotonic()
	for i in range(10000):
		try:
			os.stat(f"{mount}/names/{run}.{i}")
		except FileNotFoundError:
			pass
	best[1] = min(best[1], time.monotonic() - at)
print("%.1f %.2f" % (256 / best[0], best[1] * 100))
PY
for _ in $(seq "${ROUNDS:-4}"); do
	for SUPERVISED in -S ''; do
		fs_mount
		printf '%-14s MiB/s, us a look-up: %s\n' "${SUPERVISED:+supervised}" "$(python3 "$WORK/measure.py" "$MNT" $a)"
		unmount "$MOUNT_PID" "$MNT"
	done
done

SUPERVISED=-S
fs_mount
wait_until 5 "a worker stands by" bash -c "(( \$(ps -o pid= --ppid $MOUNT_PID | wc -l) == 2 ))"
sleep 1
for pid in "$MOUNT_PID" $(workers_of "$MOUNT_PID"); do
	echo "$pid: $(awk '/^(Rss|Pss|Private_Dirty)/ {printf "%s %s kB  ", $1, $2}' "/proc/$pid/smaps_rollup")"
done
python3 - "$MNT" "$MOUNT_PID" "${KILLS:-100}" <<'PY'
import os, signal, subprocess, sys, time
mount, supervisor, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
times = []
for i in range(kills):
	time.sleep(0.35)
	worker = subprocess.check_output(["ps", "-o", "pid=", "--sort=start_time", "--ppid", supervisor]).split()[0]
	os.kill(int(worker), signal.SIGKILL)
	at = time.monotonic()
	try:
		os.stat(f"{mount}/names/kill{i}")
	except FileNotFoundError:
		times.append((time.monotonic() - at) * 1000)
times.sort()
print("kill to first reply: p50 %.1f ms, p99 %.1f ms, longest %.1f ms, of %d" %
	(times[len(times) // 2], times[len(times) * 99 // 100], times[-1], len(times)))
PY
unmount "$MOUNT_PID" "$MNT"
