#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ls, stat, find, du, df, cat, cp -r and getfattr behave on the mount as on a disk.
. "$(dirname "$0")/lib.sh"
need_fuse
need jq getfattr python3

"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 4 --end 1699999200000 --instances 1
mount_bucket mount "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica
cd "$WORK/mnt"
mapfile -t blocks < <(blocks_of .)
check_equal "${#blocks[@]}" 2 "the number of blocks"

for block in "${blocks[@]}"; do
	check_equal "$(find "$block" -printf '%P %y\n' | grep -v '^chunks/0' | sort | tr '\n' ';')" \
		" d;chunks d;index f;meta.json f;tombstones f;" "what is in $block"
	check_equal "$(find "$block/chunks" -type f -printf '%f\n' | sort)" \
		"$(seq -f %06.0f "$(find "$block/chunks" -type f | wc -l)")" "the segments of $block"
	check_equal "$(jq -r .ulid "$block/meta.json")" "$block" "the ulid in meta.json"
	check_equal "$(jq -r '.compaction.hints[0]' "$block/meta.json")" from-out-of-order "the hint in meta.json"
	check_equal "$(jq -r '.version' "$block/meta.json")" 1 "the version in meta.json"
	# A size is what a read finds.
	while read -r size path; do
		check_equal "$(wc -c <"$path")" "$size" "the bytes of $path"
	done < <(find "$block" -type f -printf '%s %p\n')
	# Read-only, whoever asks.
	! touch "$block/x" 2>/dev/null || fail "a file could be made in $block"
	check_has "$(touch "$block/x" 2>&1 || true)" "Read-only file system" "touch in a block"
	check_has "$( (echo x >>"$block/index") 2>&1 || true)" "Read-only file system" "writing an index"
	sources=$(getfattr --only-values -n user.thanosfs.sources "$block")
	for source in "$WORK"/gen/bucket/*/; do
		source=$(basename "$source")
		overlaps=$(jq -s '.[0].minTime < .[1].maxTime and .[1].minTime < .[0].maxTime' "$block/meta.json" "$WORK/gen/bucket/$source/meta.json")
		[[ $overlaps == false || $sources == *$source* ]] || fail "user.thanosfs.sources of $block lacks $source: $sources"
	done
	check_equal "$(getfattr --only-values -n user.thanosfs.resolution "$block")" 0 "user.thanosfs.resolution"
	check_has "$(getfattr --only-values -n user.thanosfs.labels "$block")" cluster "user.thanosfs.labels"
	check_equal "$(getfattr -d "$block" 2>/dev/null | grep -c '^user.thanosfs')" 3 "the number of attributes"
done
! getfattr -n user.nosuch "${blocks[0]}" >/dev/null 2>&1 || fail "an attribute that isn't there was found"

# The raw bucket is there, byte for byte.
diff -r "$WORK/gen/bucket" .thanosfs/bucket || fail "the raw bucket differs"

cp -r "${blocks[@]}" "$WORK/"
for block in "${blocks[@]}"; do
	diff -r "$block" "$WORK/$block" || fail "a copy of $block differs"
done

# du counts what is there, not more than the apparent sizes by much; df is the local file system's.
(($(du -s --apparent-size -B1 "${blocks[0]}" | cut -f1) >= $(wc -c <"${blocks[0]}/index"))) || fail "du says too little"
check_equal "$(df --output=size . | tail -1)" "$(df --output=size "$WORK/mount.data" | tail -1)" "the size in df"
check_has "$(df --output=source,fstype . | tail -1)" thanosfs "df"
check_equal "$(stat -c %F "${blocks[0]}")" directory "stat of a block"
check_equal "$(stat -c %F "${blocks[0]}/index")" "regular file" "stat of an index"
check_equal "$(stat -c %h "${blocks[0]}")" 3 "the links of a block"
check_has "$(ls -la .)" .thanosfs "ls -la"
check_has "$(ls)" "${blocks[1]}" "ls"

# The control directory.
for file in status.json blocks.json; do
	jq -e . .thanosfs/$file >/dev/null || fail "$file is no JSON"
done
check_equal "$(jq -r '.. | .ulid? // empty' .thanosfs/blocks.json | sort -u | grep -c -F -f <(printf '%s\n' "${blocks[@]}"))" 2 \
	"the blocks in blocks.json"
check_has "$(cat .thanosfs/metrics)" "# TYPE thanosfs_" "metrics"
check_has "$(cat .thanosfs/config.yaml)" "FILESYSTEM" "config.yaml"
if command -v promtool >/dev/null; then
	promtool check metrics <.thanosfs/metrics || fail "promtool finds fault with the metrics"
fi
cd "$WORK"
unmount "$MOUNT_PID" "$WORK/mnt"
