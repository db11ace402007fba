#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same sources and settings give the same names and the same bytes: in another data directory, after a remount, and whatever
# was read first; other dedup settings give other names.
. "$(dirname "$0")/lib.sh"
need_fuse
need sha256sum

"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 4 --end 1699999200000 --instances 2

# digests MOUNTPOINT [sort flags]: every file of every block, read in the order that sort gives.
digests() {
	(cd "$1" && find . -mindepth 2 -path './0*' -type f | sort "${@:2}" | xargs sha256sum | sort -k2)
}

mount_bucket one "$WORK/gen/bucket" "$WORK/mnt1" --query.replica-label=replica
mount_bucket two "$WORK/gen/bucket" "$WORK/mnt2" --query.replica-label=nosuch,replica --query.replica-label=replica
pid_two=$MOUNT_PID
digests "$WORK/mnt1" >"$WORK/d1"
(($(wc -l <"$WORK/d1") >= 6)) || fail "there is too little to compare: $(cat "$WORK/d1")"

# A label that no series has is a setting all the same: another name, by design.
digests "$WORK/mnt2" -R >"$WORK/d2"
! cmp -s "$WORK/d1" "$WORK/d2" || fail "other replica labels gave the same names"
unmount "$pid_two" "$WORK/mnt2"
rm -rf "$WORK/two.data"
mount_bucket two "$WORK/gen/bucket" "$WORK/mnt2" --deduplication.replica-label=replica
pid_two=$MOUNT_PID
digests "$WORK/mnt2" -R >"$WORK/d2"
diff "$WORK/d1" "$WORK/d2" || fail "a second data directory differs"
unmount "$pid_two" "$WORK/mnt2"

# A remount finds what it made before.
mount_bucket two "$WORK/gen/bucket" "$WORK/mnt2" --query.replica-label=replica
pid_two=$MOUNT_PID
digests "$WORK/mnt2" --random-sort >"$WORK/d2"
diff "$WORK/d1" "$WORK/d2" || fail "a remount differs"
unmount "$pid_two" "$WORK/mnt2"

# And so does one whose slots are all to be made again, two readers at a time.
mount_bucket three "$WORK/gen/bucket" "$WORK/mnt3" --query.replica-label=replica
digests "$WORK/mnt3" --random-sort >"$WORK/d3" &
digests "$WORK/mnt3" --random-sort >"$WORK/d4"
wait $!
for reader in d3 d4; do
	diff "$WORK/d1" "$WORK/$reader" || fail "readers side by side differ"
done

mount_bucket four "$WORK/gen/bucket" "$WORK/mnt4" --query.replica-label=replica --deduplication.func=penalty
digests "$WORK/mnt4" >"$WORK/d4"
check_equal "$(cut -d/ -f2 "$WORK/d1" "$WORK/d4" | sort -u | wc -l)" 4 "the names of two functions' blocks"
