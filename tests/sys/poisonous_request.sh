#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A read that crashes or hangs each worker that serves it is given up after three, and others see no error; kills from outside don't count.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3
. "$ROOT/tests/sys/fs_mount.bash"
ulimit -c 0

good=01HQZZZZZZ000000000000000A
bad=01HQZZZZZZ000000000000000B
make_block $good
make_block $bad
deaths() { grep -c 'worker ended' "$WORK/fsmount.log" || true; }
given_up() { grep -c 'request is given up' "$WORK/fsmount.log" || true; }
given_up_metric() { sed -n 's/^thanosfs_requests_given_up_total //p' "$MNT/.thanosfs/metrics"; }

# Reads and looks up what is not poisoned until $WORK/enough is there; each time from the worker.
read_others() {
	until [[ -e $WORK/enough ]]; do
		dd if="$MNT/$good/chunks/000001" of=/dev/null iflag=nocache status=none || return 1
		cmp "$MNT/$good/chunks/000001" "$BLOCKS/$good/chunks/000001" || return 1
		check_has "$(stat "$MNT/$bad/no such name $RANDOM" 2>&1 || true)" "No such file" "a look-up's answer"
		echo >>"$WORK/rounds"
	done
}
others_start() {
	rm -f "$WORK/enough" "$WORK/rounds"
	readers=()
	for _ in 1 2 3; do
		read_others &
		readers+=($!)
	done
	pids+=("${readers[@]}")
	wait_until 10 "others read" test -s "$WORK/rounds"
}
others_end() {
	local before
	before=$(wc -l <"$WORK/rounds")
	wait_until 30 "others go on" bash -c "(( \$(wc -l <'$WORK/rounds') > $before + 3 ))"
	touch "$WORK/enough"
	for reader in "${readers[@]}"; do
		wait "$reader" || fail "another reader met an error"
	done
}

# poisoned_read WHAT: of five bytes that end in five zeros.
poisoned_read() {
	local got
	got=$(timeout $((60 * PATIENCE)) od -An -tx1 "$MNT/$bad/chunks/000002") || fail "a read that $1 is not answered"
	check_equal "${got// /}" 0000000000 "what a read that $1 gives"
}

healed() { cmp -s "$MNT/$bad/chunks/000002" "$BLOCKS/$bad/chunks/000002"; }

for replay in auto slots; do
	say "a read that crashes, requests come again by $replay"
	: >"$WORK/fsmount.log"
	fs_mount -R $replay -H $((1000 * PATIENCE))
	others_start
	echo crash >"$BLOCKS/$bad/poison"
	poisoned_read crashes
	rm "$BLOCKS/$bad/poison"
	others_end
	check_equal "$(deaths)" 3 "the number of workers that died"
	check_equal "$(given_up)" 1 "the number of requests given up"
	check_equal "$(given_up_metric)" 1 "the metric"
	line=$(grep 'request is given up' "$WORK/fsmount.log")
	check_has "$line" "operation=read" "the log"
	check_has "$line" "deaths=3" "the log"
	wait_until 20 "the zeros go" healed

	say "what is no read of a file"
	echo crash >"$BLOCKS/$bad/poison"
	check_has "$(errno_of timeout $((60 * PATIENCE)) python3 -c 'import os, sys; os.getxattr(*sys.argv[1:])' "$MNT/$bad" user.thanosfs.sources)" \
		"[Errno 5]" "the answer"
	rm "$BLOCKS/$bad/poison"
	check_equal "$(deaths)" 6 "the number of workers that died"
	check_has "$(grep 'request is given up' "$WORK/fsmount.log" | tail -n 1)" "operation=getxattr" "the log"

	say "a read that hangs"
	echo 3 >/proc/sys/vm/drop_caches 2>/dev/null || skip "the page cache can't be dropped by this user"
	others_start
	touch "$BLOCKS/$bad/poison"
	poisoned_read hangs
	rm "$BLOCKS/$bad/poison"
	others_end
	check_equal "$(given_up_metric)" 3 "the metric"
	check_equal "$(restarts_for hang)" 3 "the number of workers that hung"
	wait_until 20 "the zeros go" healed
	unmount "$MOUNT_PID" "$MNT"
done

say "a long read, and a hundred kills"
: >"$WORK/fsmount.log"
fs_mount
touch "$BLOCKS/$bad/poison"
cat "$MNT/$bad/chunks/000002" >"$WORK/slow" &
reader=$!
pids+=("$reader")
for n in $(seq 100); do
	# Each serves for a while, so that there are no pauses between them.
	sleep 0.25
	kill -KILL "$(worker_of "$MOUNT_PID")"
	wait_until 30 "worker $n is followed" bash -c "(( \$(grep -c 'worker has taken over' '$WORK/fsmount.log') >= $n ))"
done
is_running "$reader" || fail "the long read ended while it should wait"
rm "$BLOCKS/$bad/poison"
wait_until 30 "the long read is answered" is_gone "$reader"
wait "$reader" || fail "the long read failed"
cmp "$WORK/slow" "$BLOCKS/$bad/chunks/000002" || fail "the long read is wrong"
check_equal "$(given_up)" 0 "the number of requests given up"
unmount "$MOUNT_PID" "$MNT"
