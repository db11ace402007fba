# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For tests of the filesystem alone: tests/gen/fsmount shows the directories of $BLOCKS as merged blocks. Source after lib.sh.
FSMOUNT=$BUILD/tests/gen/fsmount
MNT=$WORK/mnt
BLOCKS=$WORK/blocks
mkdir -p "$MNT" "$BLOCKS"

# fs_mount [FLAGS...]: on $MNT, with the upper directory $WORK/upper and its state in $WORK/state; $MOUNT_PID is the process, a
# supervisor unless SUPERVISED is empty; where PASSTHROUGH is -P, every read and write is its worker's.
SUPERVISED=-S PASSTHROUGH=
fs_mount() {
	[[ -x $FSMOUNT ]] || fail "$FSMOUNT is not built"
	logs=("$WORK/fsmount.log")
	"$FSMOUNT" ${SUPERVISED:+"$SUPERVISED"} ${PASSTHROUGH:+"$PASSTHROUGH"} -b "$BLOCKS" "$@" "$MNT" "$WORK/upper" "$WORK/state" >>"$WORK/fsmount.log" 2>&1 </dev/null &
	MOUNT_PID=$!
	pids+=("$MOUNT_PID")
	mounts=("$MNT")
	wait_ready "$MNT"
}

# kill_mount: as a machine's failure would, of all that serves the mount; and clears away what is left of it.
kill_mount() {
	stop "$MOUNT_PID" KILL || true
	fusermount3 -uz "$MNT" 2>/dev/null || umount -l "$MNT"
}

# make_block ULID: with two segments and an index of random bytes.
make_block() {
	mkdir -p "$BLOCKS/$1/chunks"
	echo "{\"ulid\":\"$1\",\"version\":1}" >"$BLOCKS/$1/meta.json"
	head -c 300001 /dev/urandom >"$BLOCKS/$1/index"
	head -c 700003 /dev/urandom >"$BLOCKS/$1/chunks/000001"
	head -c 5 /dev/urandom >"$BLOCKS/$1/chunks/000002"
}

# errno_of COMMAND...: the last line of what it says on standard error; fails if it succeeds.
errno_of() {
	local said
	if said=$("$@" 2>&1 >/dev/null); then
		fail "should not succeed: $*"
	fi
	tail -n 1 <<<"$said"
}

# workers_of PID: the processes that a supervisor has started and that live; the one that serves is the first.
workers_of() { ps -o pid=,stat= --ppid "$1" --sort=start_time | awk '$2 !~ /^Z/ {print $1}'; }
worker_of() { workers_of "$1" | head -n 1; }

# restarts_for REASON: what the worker of $MNT counts.
restarts_for() { sed -n "s/^thanosfs_worker_restarts_total{reason=\"$1\"} //p" "$MNT/.thanosfs/metrics"; }
