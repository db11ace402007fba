#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A full local disk costs speed, not answers: reads of the bucket go on uncached and right, who writes to the mount is told ENOSPC, new
# blocks wait, each is said once; and when there is space again all is as before.
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/sys/s3.bash"
need_fuse
need curl jq
((EUID == 0)) || skip "only root can mount a small disk"
mkdir "$WORK/disk"
mount -t tmpfs -o size=24m tmpfs "$WORK/disk" 2>/dev/null || skip "a small disk can't be mounted here"
mounts+=("$WORK/disk")

"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a,b --hours 8 --block-hours 2 --instances 2 --seed 2 --end 1699992000000 >/dev/null
mount_bucket want "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica
mkdir "$WORK/want"
for block in $(blocks_of "$WORK/mnt"); do
	cp -r "$WORK/mnt/$block" "$WORK/want/"
done
unmount "$MOUNT_PID" "$WORK/mnt"
mapfile -t windows < <(cd "$WORK/want" && jq -r '"\(.minTime) \(.ulid)"' -- */meta.json | sort -n | cut -d' ' -f2)
start_s3serve own
add_window() { # NUMBER
	local from block
	from=$(jq .minTime "$WORK/want/${windows[$1]}/meta.json")
	for block in $(cd "$WORK/gen/bucket" && jq -r "select(.minTime >= $from and .minTime < $from + 7200000) | .ulid" -- */meta.json); do
		upload "$WORK/gen/bucket/$block" "$S3_DIR"
	done
}
# What it follows, which meta.json says, depends on whether a sync came between its blocks' uploads.
is_right() { diff -r -x meta.json "$WORK/mnt/${windows[$1]}" "$WORK/want/${windows[$1]}"; }
fill() { dd if=/dev/zero bs=64k 2>/dev/null >"$WORK/disk/filler" || true; }

for i in 0 1; do
	add_window $i
done
write_s3_config "$WORK/bucket.yaml"
mount_start own "$WORK/mnt" --objstore.config-file="$WORK/bucket.yaml" --query.replica-label=replica \
	--data-dir="$WORK/disk/data" --sync-block-duration=1s --read.deadline=5s
wait_ready "$WORK/mnt"
log=$WORK/own.log
echo before >"$WORK/mnt/before"

say "the disk is full"
fill
check_equal "$(df --output=avail "$WORK/disk" | tail -n 1 | tr -d ' ')" 0 "what is free"
for i in 0 1; do
	is_right $i || fail "window $i is another"
done
status=0
said=$(dd if=/dev/zero of="$WORK/mnt/written" bs=1M count=2 conv=fsync 2>&1) || status=$?
((status != 0)) || fail "2 MB were written to a full disk"
check_has "$said" "No space left on device" "what the writer is told"
check_equal "$(cat "$WORK/mnt/before")" before "what was written before"
add_window 2
sleep 4
check_equal "$(count_blocks "$WORK/mnt")" 2 "the number of blocks"
for i in 0 1; do
	is_right $i || fail "window $i is another"
done
said=$(sed '/level=info/d; s/.*\(level=[a-z]* msg="[^"]*"\).*/\1/' "$log" | sort | uniq -c)
say "$said"
[[ -n $said ]] || fail "nobody said anything"
often=$(awk '$1 > 2' <<<"$said")
[[ -z $often ]] || fail "the log says too often: $often"
check_has "$(cat "$log")" "No space left on device" "the log"

say "there is space again"
rm "$WORK/disk/filler"
is_written() { dd if=/dev/zero of="$WORK/mnt/written" bs=1M count=2 conv=fsync; }
wait_until 10 "files can be written again" is_written
rm "$WORK/mnt/written"
wait_until 20 "the new window is as it should be" is_right 2
is_kept() { [[ -n $(find "$WORK/disk/data/merged/${windows[3]}" -name 'segment-*' -size +0) ]]; }
add_window 3
wait_until 20 "the last window is as it should be" is_right 3
wait_until 20 "what is read is kept" is_kept
! grep -q 'msg="worker ended' "$log" || fail "a worker died"
unmount "$MOUNT_PID" "$WORK/mnt"
