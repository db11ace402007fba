#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# promtool lists, analyses and dumps the mount like any TSDB directory; a bucket of one replica dumps as its blocks do, line for
# line, with the external labels added.
. "$(dirname "$0")/lib.sh"
need_fuse
need promtool jq python3

"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a --hours 6 --end 1699999200000 --instances 2
mount_bucket mount "$WORK/gen/bucket" "$WORK/mnt"
mkdir -p "$WORK/mnt/wal"

promtool tsdb list "$WORK/mnt" >"$WORK/list"
check_equal "$(grep -c '^01' "$WORK/list" || true)" 3 "the number of blocks that promtool lists"
for block in $(blocks_of "$WORK/mnt"); do
	check_has "$(cat "$WORK/list")" "$block" "promtool tsdb list"
	check_has "$(promtool tsdb analyze "$WORK/mnt" "$block" 2>&1)" "Series: $(jq .stats.numSeries "$WORK/mnt/$block/meta.json")" \
		"promtool tsdb analyze of $block"
done

IFS=: read -r labels dump < <(dump_bucket "$WORK/gen/bucket" "$WORK/dumps")
check_equal "$labels" "cluster=eu,replica=a" "the external labels"
promtool tsdb dump "$WORK/mnt" >"$WORK/dumps/mount.txt"

# The external labels go to their place among the series' own (and over those of the same name); then the order is that of label sets.
cat >"$WORK/add_labels.py" <<'END'
import re, sys
add = dict(pair.split("=") for pair in sys.argv[1].split(","))
label = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
series = {}
for line in sys.stdin:
    text, rest = line.rstrip("\n").split("} ", 1)
    labels = {**dict(label.findall(text)), **add}
    series.setdefault(tuple(sorted(labels.items())), []).append(rest)
for labels in sorted(series):
    text = ", ".join(f'{k}="{v}"' for k, v in labels)
    for rest in series[labels]:
        print(f"{{{text}}} {rest}")
END
python3 "$WORK/add_labels.py" "$labels" <"$dump" >"$WORK/dumps/want.txt"
cmp "$WORK/dumps/want.txt" "$WORK/dumps/mount.txt" ||
	fail "the dumps differ: $(diff "$WORK/dumps/want.txt" "$WORK/dumps/mount.txt" | head -6)"
say "$(wc -l <"$WORK/dumps/mount.txt") lines are the same"
(($(wc -l <"$WORK/dumps/mount.txt") > 100000)) || fail "that is too little to compare"
unmount "$MOUNT_PID" "$WORK/mnt"
