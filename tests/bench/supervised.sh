#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a supervisor costs while nothing dies: reads, page faults, look-ups and small files on two mounts of one bucket, with and
# without, taking turns (supervised.py). And what the processes of an idle mount weigh, and how long a worker's death is felt by an
# idle machine.
. "$(dirname "$0")/../sys/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"

"$GENBUCKET" "$WORK/ha" --clusters eu,us --replicas a,b --hours 2 --instances "${INSTANCES:-800}" >/dev/null 2>&1
# One cluster through slots, the other, which has one replica only, passed through.
for block in "$WORK"/ha/bucket/*/; do
	[[ $(labels_of "$block") != cluster=us,replica=b ]] || rm -r "$block"
done
# What is settled on one mount is on the other, whose data is a copy.
mount_bucket with "$WORK/ha/bucket" "$WORK/with" --query.replica-label=replica
settle "$WORK/with"
unmount "$MOUNT_PID" "$WORK/with"
cp -r "$WORK/with.data" "$WORK/without.data"
mount_bucket with "$WORK/ha/bucket" "$WORK/with" --query.replica-label=replica
supervisor=$MOUNT_PID
mount_bucket without "$WORK/ha/bucket" "$WORK/without" --query.replica-label=replica --no-supervisor

# A segment that passes through has a source's size.
made='' passed=''
while read -r size path; do
	if find "$WORK/ha/bucket" -path '*/chunks/*' -size "${size}c" | grep -q .; then passed=${passed:-$path}; else made=${made:-$path}; fi
done < <(cd "$WORK/with" && find . -path './0*/chunks/*' -printf '%s %p\n' | sort -rn)
[[ -n $made && -n $passed ]] || fail "no made segment ('$made') or none that passes through ('$passed')"

"$ROOT/tests/bench/supervised.py" "$WORK/with" "$WORK/without" --made "$made" --passed "$passed" --runs "${RUNS:-15}" | tee "$WORK/said"
sed -nE 's/^geometric mean ([0-9.]+), worst ([0-9.]+)$/| throughput with the supervisor against without | \1x (the worst of six: \2x) | 0.98x |/p' "$WORK/said"
unmount "$MOUNT_PID" "$WORK/without"
unmount "$supervisor" "$WORK/with"

a=01HQZZZZZZ000000000000000A
make_block $a
mkdir -p "$WORK/upper/names"
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
