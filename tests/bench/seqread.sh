#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sequential reads of a segment on the mount against libfuse's own example passthrough_ll over the same bytes, in alternating runs.
. "$(dirname "$0")/../sys/lib.sh"
need_fuse
need gcc pkg-config dd
. "$ROOT/tests/sys/fs_mount.bash"
example=/usr/share/doc/libfuse3-dev/examples
[[ -e $example/passthrough_ll.c ]] || skip "libfuse's examples are not installed"

mapfile -t flags < <(pkg-config --cflags --libs fuse3 | xargs -n1)
gcc -O2 -I"$example" -o "$WORK/passthrough_ll" "$example/passthrough_ll.c" "${flags[@]}" -pthread 2>/dev/null
megabytes=${MEGABYTES:-1000}
block=01HQZZZZZZ000000000000000A
mkdir -p "$BLOCKS/$block/chunks" "$WORK/peer"
head -c "${megabytes}M" /dev/urandom >"$BLOCKS/$block/chunks/000001"
fs_mount -r "$BLOCKS"
"$WORK/passthrough_ll" -f -o source="$BLOCKS",cache=always "$WORK/peer" >"$WORK/peer.log" 2>&1 &
pids+=($!)
mounts+=("$WORK/peer")
wait_until 5 "the peer is mounted" is_mounted "$WORK/peer"

# Page cache of the source, but not of the mounts: what is measured is the way through FUSE.
read_once() { # NAME FILE BLOCK_SIZE
	local begin end
	dd if="$2" of=/dev/null bs=4k iflag=nocache count=0 status=none
	cat "$BLOCKS/$block/chunks/000001" >/dev/null
	begin=$(date +%s%N)
	dd if="$2" of=/dev/null bs="$3" status=none
	end=$(date +%s%N)
	echo $((megabytes * 1000000000 / (end - begin))) >>"$WORK/$1.$3"
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for _ in $(seq "${RUNS:-7}"); do
	for bs in 128k 1M; do
		read_once mount "$MNT/$block/chunks/000001" "$bs"
		read_once peer "$WORK/peer/$block/chunks/000001" "$bs"
		read_once raw "$MNT/.thanosfs/bucket/$block/chunks/000001" "$bs"
	done
done
for bs in 128k 1M; do
	mount=$(median "$WORK/mount.$bs") peer=$(median "$WORK/peer.$bs") raw=$(median "$WORK/raw.$bs")
	say "$bs reads: the mount $mount MiB/s, its raw bucket $raw MiB/s, passthrough_ll $peer MiB/s"
	echo "| sequential read of a segment, $bs a call, against passthrough_ll | $(awk "BEGIN { printf \"%.2f\", $mount / $peer }")x ($mount MiB/s) | 0.9x |"
done
umount "$WORK/peer"
unmount "$MOUNT_PID" "$MNT"
