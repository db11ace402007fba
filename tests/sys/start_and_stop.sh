#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ready means mounted: systemd is told then, and with --daemon the parent ends with 0 then and not before; SIGTERM and SIGINT
# unmount.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3

"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a,b --hours 2 --end 1699999200000 --instances 1
flags=(--objstore.config-file="$WORK/gen/bucket.yaml" --query.replica-label=replica)

# pid_of DIRECTORY: the process that was given this data directory, its workers left out.
pid_of() {
	local process
	for process in /proc/[0-9]*; do
		if [[ $(cat "$process/comm" 2>/dev/null) != thanosfs-worker ]] &&
			{ tr '\0' '\n' <"$process/cmdline"; } 2>/dev/null | grep -qx -e "--data-dir=$1"; then
			echo "${process#/proc/}"
		fi
	done
}

for signal in TERM INT; do
	say "SIG$signal unmounts"
	mount_start "on-$signal" "$WORK/mnt-$signal" "${flags[@]}" --data-dir="$WORK/data-$signal"
	wait_ready "$WORK/mnt-$signal"
	status=0
	stop "$MOUNT_PID" "$signal" || status=$?
	check_equal "$status" 0 "the exit status on SIG$signal"
	! is_mounted "$WORK/mnt-$signal" || fail "SIG$signal left a mount"
done

say "--daemon ends when mounted"
mkdir "$WORK/mnt-d"
mounts+=("$WORK/mnt-d")
timeout 120 "$THANOSFS" mount "${flags[@]}" --data-dir="$WORK/data-d" --daemon "$WORK/mnt-d" </dev/null >"$WORK/daemon.log" 2>&1 ||
	fail "--daemon ended with $?"
is_mounted "$WORK/mnt-d" || fail "--daemon ended before it was mounted"
check_equal "$(count_blocks "$WORK/mnt-d")" 1 "the number of blocks right after"
daemon=$(pid_of "$WORK/data-d")
[[ $daemon =~ ^[0-9]+$ ]] || fail "there should be one process left, not '$daemon'"
pids+=("$daemon")
check_equal "$(readlink "/proc/$daemon/cwd")" / "the daemon's working directory"
kill -TERM "$daemon"
wait_until 30 "the daemon ends" is_gone "$daemon"
! is_mounted "$WORK/mnt-d" || fail "the daemon left a mount"

say "--daemon fails when the mount fails"
status=0
timeout 120 "$THANOSFS" mount --objstore.config='{type: FILESYSTEM, config: {directory: /nonexistent}}' --start.timeout=1s \
	--data-dir="$WORK/data-e" --daemon "$WORK/mnt-d" </dev/null >"$WORK/daemon-bad.log" 2>&1 || status=$?
check_equal "$status" 1 "the exit status"
check_has "$(cat "$WORK/daemon-bad.log")" /nonexistent "what it says"
check_equal "$(pid_of "$WORK/data-e")" "" "what is left of it"

say "systemd is told"
cat >"$WORK/listen.py" <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listening", flush=True)
while True:
    for line in s.recv(4096).decode().splitlines():
        print(line, "mounted" if os.path.ismount(sys.argv[2]) else "not mounted", flush=True)
END
python3 "$WORK/listen.py" "$WORK/notify" "$WORK/mnt-n" >"$WORK/notified" 2>&1 </dev/null &
pids+=($!)
wait_until 10 "the listener is up" grep -q listening "$WORK/notified"
NOTIFY_SOCKET=$WORK/notify mount_start notify "$WORK/mnt-n" "${flags[@]}" --data-dir="$WORK/data-n"
wait_until 60 "READY=1 arrives" grep -q '^READY=1' "$WORK/notified"
check_equal "$(grep '^READY=1' "$WORK/notified")" "READY=1 mounted" "the state at READY=1"
unmount "$MOUNT_PID" "$WORK/mnt-n"
wait_until 10 "STOPPING=1 arrives" grep -q '^STOPPING=1' "$WORK/notified"
