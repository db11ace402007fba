#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sequential reads of a passed-through and of an already made segment, against libfuse's own example passthrough_ll over the same bytes,
# in alternating runs.
. "$(dirname "$0")/../sys/lib.sh"
need_fuse
need gcc pkg-config dd
example=/usr/share/doc/libfuse3-dev/examples
[[ -e $example/passthrough_ll.c ]] || skip "libfuse's examples are not installed"

mapfile -t flags < <(pkg-config --cflags --libs fuse3 | xargs -n1)
gcc -O2 -I"$example" -o "$WORK/passthrough_ll" "$example/passthrough_ll.c" "${flags[@]}" -pthread 2>/dev/null

# The largest chunk segment of a mount: MOUNT -> path below it.
largest() { (cd "$1" && find . -path './[0-9]*/chunks/*' -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2); }

"$GENBUCKET" "$WORK/ha" --clusters eu --replicas a,b --hours 2 --instances "${INSTANCES:-2500}" >/dev/null 2>&1
mount_bucket made "$WORK/ha/bucket" "$WORK/made" --query.replica-label=replica
"$GENBUCKET" "$WORK/single" --clusters eu --replicas a --hours 2 --instances "${INSTANCES:-2500}" >/dev/null 2>&1
mount_bucket passed "$WORK/single/bucket" "$WORK/passed" --query.replica-label=replica
made=$(largest "$WORK/made") passed=$(largest "$WORK/passed")

# The same bytes as plain files, which also makes every slot.
mkdir -p "$WORK/plain" "$WORK/peer"
cp "$WORK/made/$made" "$WORK/plain/made"
cp "$WORK/passed/$passed" "$WORK/plain/passed"
"$WORK/passthrough_ll" -f -o source="$WORK/plain",cache=always "$WORK/peer" >"$WORK/peer.log" 2>&1 &
pids+=($!)
mounts+=("$WORK/peer")
wait_until 5 "the peer is mounted" is_mounted "$WORK/peer"

# The sources are in the page cache, the mounts' files are not: what is measured is the way through FUSE.
read_once() { # NAME FILE BLOCK_SIZE SOURCE
	local begin end
	dd if="$2" of=/dev/null iflag=nocache count=0 status=none
	cat "$4" >/dev/null
	begin=$(date +%s%N)
	dd if="$2" of=/dev/null bs="$3" status=none
	end=$(date +%s%N)
	echo $(($(stat -c %s "$2") * 1000 / (end - begin))) >>"$WORK/$1.$3"
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

store=$(find "$WORK/made.data/merged" -name 'segment-*' ! -name '*.made' -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2)
source=$(find "$WORK/single/bucket" -path '*/chunks/*' -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2)
for _ in $(seq "${RUNS:-7}"); do
	for bs in 128k 1M; do
		read_once made "$WORK/made/$made" "$bs" "$store"
		read_once made-peer "$WORK/peer/made" "$bs" "$WORK/plain/made"
		read_once passed "$WORK/passed/$passed" "$bs" "$source"
		read_once passed-peer "$WORK/peer/passed" "$bs" "$WORK/plain/passed"
	done
done
for kind in passed made; do
	for bs in 128k 1M; do
		ours=$(median "$WORK/$kind.$bs") peer=$(median "$WORK/$kind-peer.$bs")
		say "$kind, $(stat -c %s "$WORK/plain/$kind") bytes, $bs a call: the mount $ours MB/s, passthrough_ll $peer MB/s"
		what=$([[ $kind == made ]] && echo "an already made" || echo "a passed-through")
		echo "| sequential read of $what segment, $bs a call, against passthrough_ll | $(awk "BEGIN { printf \"%.2f\", $ours / $peer }")x ($ours MB/s) | 0.9x |"
	done
done
umount "$WORK/peer"
