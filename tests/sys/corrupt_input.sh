#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A malformed meta.json, index, mark or segment costs its own block only, a corrupt chunk its own slot; each is named in the log
# and counted, and everything else is served.
. "$(dirname "$0")/lib.sh"
need_fuse
need promtool prometheus jq python3 curl

"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 6 --end 1699999200000 --instances 2 --truth
bucket=$WORK/gen/bucket
# block CLUSTER REPLICA WINDOW: the directory of a block; windows count from 0.
block() {
	local b
	for b in "$bucket"/*/; do
		if [[ -e $b/meta.json && $(labels_of "$b" 2>/dev/null) == "cluster=$1,replica=$2" ]]; then
			echo "$(jq .minTime "$b/meta.json") ${b%/}"
		fi
	done | sort -n | sed -n "$(($3 + 1))s/.* //p"
}
eu_a0=$(block eu a 0) us_a0=$(block us a 0) eu_a1=$(block eu a 1) us_b1=$(block us b 1) us_a1=$(block us a 1)
eu_a2=$(block eu a 2) eu_b2=$(block eu b 2) us_a2=$(block us a 2) eu_b0=$(block eu b 0)
# flip FILE OFFSET: other bits there; a negative offset counts from the end.
flip() {
	python3 - "$1" "$2" <<'END'
import os, sys
f = open(sys.argv[1], "r+b")
at = int(sys.argv[2])
at += os.path.getsize(sys.argv[1]) if at < 0 else 0
f.seek(at)
byte = f.read(1)[0]
f.seek(at)
f.write(bytes([byte ^ 0xff]))
END
}

echo '{"ulid": ' >"$eu_a0/meta.json"
truncate -s -100 "$us_a0/index"
flip "$eu_a1/index" $(($(stat -c %s "$eu_a1/index") / 3))
echo 'no mark at all' >"$us_b1/deletion-mark.json"
rm "$us_a1/chunks/000001"
# In the middle of a segment of each replica of one cluster, at places that are far apart.
flip "$eu_a2/chunks/000001" $(($(stat -c %s "$eu_a2/chunks/000001") / 3))
rm "$us_a2/index"
mkdir -p "$bucket/01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks" "$bucket/not-a-block" "$bucket/debug/metas"
cp "$eu_b2/chunks/000001" "$bucket/01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/"
jq '.version = 7' "$eu_b0/meta.json" >"$WORK/meta" && cp -r "$eu_b0" "$WORK/" && cp "$WORK/meta" "$eu_b0/meta.json"

mount_bucket mount "$bucket" "$WORK/mnt" --query.replica-label=replica --sync-block-duration=1s
log=$WORK/mount.log
for place in "$eu_a0" "$us_a0" "$eu_a1" "$us_a1" "$us_a2" "$eu_b0"; do
	grep -q "level=warn.*${place##*/}" "$log" || fail "the log does not name ${place##*/}"
done
grep -q "level=warn.*${us_b1##*/}.*deletion-mark.json\|level=warn.*deletion-mark.json.*${us_b1##*/}" "$log" ||
	fail "the log does not name the malformed mark"
grep -q "${eu_b0##*/}.*version" "$log" || fail "the log does not say that the version is wrong"

metrics=$(cat "$WORK/mnt/.thanosfs/metrics")
skipped() { sed -n "s/^thanosfs_blocks_skipped_total{reason=\"$1\"} //p" <<<"$metrics"; }
check_equal "$(skipped corrupt-meta)" 2 "the skipped blocks with a corrupt meta.json"
check_equal "$(skipped corrupt-index)" 1 "the skipped blocks with a corrupt index"
check_equal "$(skipped missing-segment)" 1 "the skipped blocks without a segment"
check_equal "$(skipped missing-index)" 2 "the skipped blocks whose index is missing or cut off"
check_equal "$(skipped partial)" 1 "the partial blocks"
# An upload that isn't finished is nothing to warn of, but it is listed.
for place in "$eu_a0" "$us_a0" "$eu_a1" "$us_a1" "$us_a2" 01ARZ3NDEKTSV4RRFFQ69G5FAV; do
	check_has "$(cat "$WORK/mnt/.thanosfs/status.json")" "${place##*/}" "status.json"
done

say "each is said once, not at every sync"
lines=$(grep -c "${eu_a0##*/}" "$log")
sleep 2.5
check_equal "$(grep -c "${eu_a0##*/}" "$log")" "$lines" "the lines about one corrupt block"

say "the rest is served"
check_equal "$(count_blocks "$WORK/mnt")" 3 "the number of virtual blocks"
mkdir -p "$WORK/mnt/wal"
prometheus_start prom "$WORK/mnt"
# Window 0: of eu nothing is left, of us replica b. Windows 1 and 2: one replica at least of each.
end=1699999200
check_equal "$(ask_value 'count(count by (cluster) (count_over_time(up[2h])))' $((end - 4 * 3600 - 1)))" 1 "the clusters in window 0"
check_equal "$(ask_value 'count(count by (cluster) (count_over_time(up[2h])))' $((end - 2 * 3600 - 1)))" 2 "the clusters in window 1"

say "a corrupt chunk costs nothing where another replica has the samples"
ask 'count({cluster="eu",__name__=~"node.*"})' $((end - 3600)) >/dev/null
ask 'count(last_over_time({cluster="eu",__name__=~"node.*"}[2h]))' $((end - 1)) >/dev/null
grep -q "${eu_a2##*/}" "$log" || fail "the log does not name the block of the corrupt chunk"
ask 'count(last_over_time({__name__=~".+"}[2h]))' $((end - 1)) >/dev/null

say "where no other has them, it costs the queries that need it"
stop "$PROM_PID"
unmount "$MOUNT_PID" "$WORK/mnt"
rm -r "$eu_b2"
mount_bucket alone "$bucket" "$WORK/mnt" --query.replica-label=replica
prometheus_start prom "$WORK/mnt"
answer=$(curl -s --data-urlencode 'query=count(last_over_time({cluster="eu",__name__=~".+"}[2h]))' -d time=$((end - 1)) \
	"$PROM_URL/api/v1/query")
check_equal "$(jq -r '.status, .errorType' <<<"$answer" | tr '\n' ' ')" "error execution " "the answer over the corrupt chunk"
check_has "$answer" "checksum mismatch" "the answer over the corrupt chunk"
ask 'count(last_over_time({cluster="us",__name__=~".+"}[2h]))' $((end - 1)) >/dev/null
is_running "$PROM_PID" || fail "Prometheus died"
stop "$PROM_PID"
unmount "$MOUNT_PID" "$WORK/mnt"
