#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The worker of a mount is killed every 300 ms for a minute, under a load of mapped and plain reads of evicted pages, listings, and
# writers of the upper directory: errors, wrong bytes, and from a kill to the next worker's first reply.
. "$(dirname "$0")/../sys/lib.sh"
need_fuse
need python3

"$GENBUCKET" "$WORK/ha" --clusters eu,us --replicas a,b --hours 4 --instances "${INSTANCES:-40}" >/dev/null 2>&1
# One cluster through slots, the other, which has one replica only, passed through.
for block in "$WORK"/ha/bucket/*/; do
	[[ $(labels_of "$block") != cluster=us,replica=b ]] || rm -r "$block"
done
mount_bucket mount "$WORK/ha/bucket" "$WORK/mnt" --query.replica-label=replica

# What is there without kills. It also makes every slot, as reads of a mount that has run for a while find them.
settle "$WORK/mnt"
files=()
n=0
while read -r path; do
	cp "$WORK/mnt/$path" "$WORK/truth$n"
	files+=("$path=$WORK/truth$n")
	n=$((n + 1))
done < <(cd "$WORK/mnt" && find . -path './0*/chunks/*' -o -path './0*/index' | sort | sed 's,^./,,')
say "$n files, $(du -sm --apparent-size "$WORK"/truth* | awk '{ n += $1 } END { print n }') MB"

"$ROOT/tests/sys/worker_kills.py" "$WORK/mnt" "$MOUNT_PID" "${SECONDS_OF_LOAD:-60}" "${KILL_EVERY_MS:-300}" "${files[@]}" |
	tee "$WORK/said" || true
awk '/level=info msg="worker has taken over"/ { sub(/.*after_ms=/, ""); print }' "$WORK/mount.log" | sort -n |
	awk '{ v[NR] = $1 } END { if (NR) printf "from a death to requests being read again: p50 %.1f ms, p99 %.1f ms, of %d\n", v[int((NR + 1) / 2)], v[int(NR * 0.99)], NR }'
sed -nE 's/^[0-9]+ kills, .* ([0-9]+) errors, ([0-9]+) of wrong bytes; .*p99 ([0-9.]+) ms.*/| kill -9 of the worker every 300 ms for 60 s under load | \1 errors, \2 wrong bytes, p99 \3 ms | 0, 0, 20 ms |/p' "$WORK/said"
unmount "$MOUNT_PID" "$WORK/mnt"
