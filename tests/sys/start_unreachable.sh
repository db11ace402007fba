#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bucket that can't be reached at start is retried, and said in the log; after --start.timeout the mount gives up, unless
# --allow-empty: then it mounts without blocks, and shows them once the bucket is there.
. "$(dirname "$0")/lib.sh"
need_fuse

"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a,b --hours 2 --end 1699999200000 --instances 1
printf 'type: FILESYSTEM\nconfig:\n  directory: "%s"\n' "$WORK/later" >"$WORK/bucket.yaml"

say "it gives up after --start.timeout"
begin=$(date +%s%N)
mount_start timeout "$WORK/mnt1" --objstore.config-file="$WORK/bucket.yaml" --data-dir="$WORK/data1" --start.timeout=2s
wait_until 30 "thanosfs gives up" is_gone "$MOUNT_PID"
status=0
wait "$MOUNT_PID" || status=$?
check_equal "$status" 1 "the exit status"
took=$((($(date +%s%N) - begin) / 1000000))
((took >= 1900)) || fail "it gave up after $took ms, not 2 s"
check_has "$(cat "$WORK/timeout.log")" "$WORK/later" "the log"
! is_mounted "$WORK/mnt1" || fail "it left a mount"

say "it waits for a bucket that comes in time"
mount_start patient "$WORK/mnt2" --objstore.config-file="$WORK/bucket.yaml" --data-dir="$WORK/data2" --start.timeout=60s
pid_two=$MOUNT_PID
wait_until 20 "the log says what is wrong" grep -q "$WORK/later" "$WORK/patient.log"
! is_mounted "$WORK/mnt2" || fail "it mounted without a bucket"
cp -r "$WORK/gen/bucket" "$WORK/copy"
mv "$WORK/copy" "$WORK/later"
wait_ready "$WORK/mnt2"
check_equal "$(count_blocks "$WORK/mnt2")" 1 "the number of blocks"
unmount "$pid_two" "$WORK/mnt2"

say "it mounts without a bucket when that is allowed"
mv "$WORK/later" "$WORK/away"
mount_start empty "$WORK/mnt3" --objstore.config-file="$WORK/bucket.yaml" --data-dir="$WORK/data3" --allow-empty \
	--start.timeout=1s --sync-block-duration=1s
wait_ready "$WORK/mnt3"
check_equal "$(count_blocks "$WORK/mnt3")" 0 "the number of blocks"
mv "$WORK/away" "$WORK/later"
shows_one() { [[ $(count_blocks "$WORK/mnt3") == 1 ]]; }
wait_until 30 "the block is listed" shows_one

say "a bucket that goes away later changes nothing"
mv "$WORK/later" "$WORK/away"
wait_until 30 "the log says what is wrong" grep -q "level=\(warn\|error\).*$WORK/later" "$WORK/empty.log"
check_equal "$(count_blocks "$WORK/mnt3")" 1 "the number of blocks"
unmount "$MOUNT_PID" "$WORK/mnt3"
