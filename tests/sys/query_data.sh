#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A running thanosfs query sees blocks that come and go, in a directory and on a mount. Files that become shorter, bytes that are wrong
# and a mount that dies cost the queries that need them an error that names block and series, and nobody else anything; afterwards
# answers are right again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/query.bash"
need_fuse
need prometheus curl jq python3

END=1699999200
AT=$END
"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a,b --hours 6 --end ${END}000 --instances 1 >/dev/null
# The blocks of one replica in the order of their times.
of_replica() {
	local block
	for block in "$WORK"/gen/bucket/*/; do
		[[ $(labels_of "$block") != "cluster=eu,replica=$1" ]] || echo "$(jq .minTime "$block/meta.json") ${block%/}"
	done | sort -n | cut -d' ' -f2
}
mapfile -t blocks < <(of_replica a)
mapfile -t twins < <(of_replica b)
check_equal "${#blocks[@]} ${#twins[@]}" "3 3" "the numbers of blocks"
names=("${blocks[@]##*/}")

# count [UNIX_SECONDS]: how many samples there are, of all series; fails where the server can't tell.
count() {
	[[ $(query_of '{__name__!=""}[7h]' "${1:-$AT}") == 200 ]] &&
		jq '[.data.result[] | (.values // [] | length) + (.histograms // [] | length)] | add' "$WORK/body"
}
counts() { [[ $(count) == "$1" ]]; }
# Reads them all, and has a short answer.
EVERY='sum_over_time(count({__name__!=""})[7h:1m])'
lives() {
	is_running "$QUERY_PID" || fail "thanosfs query ended"
	check_equal "$(query_of '1 + 1')" 200 "the status of a query that needs no block"
}
# fails EXPR WORDS...: the query fails as Prometheus' do, by an error with all the words.
fails() {
	local expr=$1 word status
	shift
	status=$(query_of "$expr" "$AT")
	check_equal "$status $(jq -r '.status + " " + .errorType' "$WORK/body")" "422 error execution" "what becomes of $expr"
	for word in "$@"; do
		check_has "$(jq -r .error "$WORK/body")" "$word" "the error of $expr"
	done
}

# As Prometheus counts them: of the first N blocks by asking at the end of the last of them.
tsdb_of "$WORK/prom" "${blocks[@]}"
prometheus_start prom "$WORK/prom"
for n in 1 2 3; do
	want[n]=$(QUERY_URL=$PROM_URL count "$(jq '.maxTime / 1000 - 0.001' "${blocks[n - 1]}/meta.json")")
done
stop "$PROM_PID" || true

say "blocks come and go in a directory"
tsdb_of "$WORK/tsdb" "${blocks[0]}"
query_start query --tsdb.path="$WORK/tsdb"
check_equal "$(count)" "${want[1]}" "the samples of one block"
for n in 1 2; do
	cp -r "${blocks[n]}" "$WORK/tsdb/${names[n]}.tmp"
	mv "$WORK/tsdb/${names[n]}.tmp" "$WORK/tsdb/${names[n]}"
	wait_until 10 "block $((n + 1)) is seen" counts "${want[n + 1]}"
done
mv "$WORK/tsdb/${names[2]}" "$WORK/away"
wait_until 10 "the third block has gone" counts "${want[2]}"
mv "$WORK/away" "$WORK/tsdb/${names[2]}"
wait_until 10 "the third block is back" counts "${want[3]}"

say "files that become shorter under it"
segment=$WORK/tsdb/${names[1]}/chunks/000001
index=$WORK/tsdb/${names[1]}/index
cp "$segment" "$WORK/segment"
cp "$index" "$WORK/index"
first="count_over_time(node_load1[1h] @ $((END - 5 * 3600)))" # of the first block
check_equal "$(query_of "$first")" 200 "the status of a query of the first block"
cp "$WORK/body" "$WORK/first"
first_is_right() {
	check_equal "$(query_of "$first" "$AT")" 200 "the status of a query of another block"
	check_equal "$(jq -c '.data.result[].value[1]' "$WORK/body")" "$(jq -c '.data.result[].value[1]' "$WORK/first")" "its answer"
}
truncate -s 0 "$segment"
fails "$EVERY" "block ${names[1]}" "(series {"
fails 'count_over_time(node_load1[7h])' "block ${names[1]}" '(series {__name__="node_load1"'
first_is_right
lives
cat "$WORK/segment" >"$segment"
wait_until 10 "the segment is whole again" counts "${want[3]}"
truncate -s 4096 "$index"
fails "$EVERY" "${names[1]}"
first_is_right
lives
cp "$WORK/index" "$index.new"
mv "$index.new" "$index" # another file: what was mapped stays short
wait_until 10 "the index is whole again" counts "${want[3]}"

say "a byte that is wrong fails the one series that it belongs to"
offset=$(($(stat -c %s "$segment") / 2))
byte=$(od -An -tu1 -j $offset -N1 "$segment")
# shellcheck disable=SC2059
printf "\\x$(printf %02x $((byte ^ 0xff)))" | dd of="$segment" bs=1 seek=$offset conv=notrunc status=none
fails "$EVERY" "block ${names[1]}" "checksum mismatch" "(series {"
failed=$(jq -r .error "$WORK/body" | sed 's/.*(series \(.*\))$/\1/')
prometheus_start prometheus "$WORK/tsdb"
cat >"$WORK/each.py" <<'END'
"""Asks for each series by itself; prints each that fails, its status, and Prometheus' own."""
import json, sys, urllib.error, urllib.parse, urllib.request
ours, theirs, at = sys.argv[1:]
def get(url, path, **args):
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(args)}") as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)
def selector(labels):
    name = labels.pop("__name__")
    return "{" + ", ".join(f"{k}={json.dumps(v)}" for k, v in {"__name__": name, **dict(sorted(labels.items()))}.items()) + "}"
status, all_series = get(ours, "series", **{"match[]": '{__name__!=""}'})
right = 0
for labels in all_series["data"]:
    one = selector(labels)
    # A series with fewer labels is told from one with more only by the answer: by() keeps them apart.
    query = f"count_over_time({one}[7h])"
    status, answer = get(ours, "query", query=query, time=at)
    if status == 200:
        right += 1
    else:
        status_there, answer_there = get(theirs, "query", query=query, time=at)
        print(one, status, answer["errorType"], status_there, answer_there["errorType"])
print(right, "right of", len(all_series["data"]))
END
python3 "$WORK/each.py" "$QUERY_URL" "$PROM_URL" "$AT" >"$WORK/each"
series=$(curl "${CURL[@]}" "$QUERY_URL/api/v1/series" --data-urlencode 'match[]={__name__!=""}' | jq '.data | length')
check_equal "$(cat "$WORK/each")" "$failed 422 execution 422 execution
$((series - 1)) right of $series" "what fails of all series"
stop "$PROM_PID" || true
lives
cp "$WORK/segment" "$segment.new"
mv "$segment.new" "$segment"
wait_until 10 "the segment is right again" counts "${want[3]}"
stop "$QUERY_PID" || fail "thanosfs query ended with $? on SIGTERM"

say "blocks come and go on a mount"
mkdir "$WORK/bucket"
upload "${blocks[0]}" "$WORK/bucket"
flags=(--query.replica-label=replica --sync-block-duration=1s)
mount_bucket mount "$WORK/bucket" "$WORK/mnt" "${flags[@]}"
query_start on_mount --tsdb.path="$WORK/mnt"
check_equal "$(count)" "${want[1]}" "the samples of one block"
upload "${blocks[1]}" "$WORK/bucket"
wait_until 30 "the second block is seen" counts "${want[2]}"
upload "${twins[1]}" "$WORK/bucket" # fills what the first replica lacks
more() { (($(count) > want[2])); }
wait_until 30 "the second replica is seen" more
for block in "${blocks[1]}" "${twins[1]}"; do
	mark_deleted "$WORK/bucket" "${block##*/}" 72
done
wait_until 30 "the second block has gone" counts "${want[1]}"
upload "${blocks[2]}" "$WORK/bucket"
rm "$WORK/bucket/${names[1]}/deletion-mark.json"
wait_until 30 "all blocks are seen" counts "${want[3]}"
stop "$QUERY_PID" || fail "thanosfs query ended with $? on SIGTERM"

say "a mount that dies"
# Killed as a whole, and made again at the same place, with the same blocks.
kill_mount() {
	local workers
	workers=$(ps -o pid= --ppid "$MOUNT_PID")
	stop "$MOUNT_PID" KILL || true
	# shellcheck disable=SC2086
	kill -KILL $workers 2>/dev/null || true
	wait_until 10 "the mount isn't served any more" not_served
}
not_served() { ! ls "$WORK/mnt"; }
again() {
	fusermount3 -uz "$WORK/mnt" 2>/dev/null || umount -l "$WORK/mnt"
	mount_bucket "$1" "$WORK/bucket" "$WORK/mnt" "${flags[@]}"
}
one='count_over_time(up[7h])'
query_start dying --tsdb.path="$WORK/mnt"
check_equal "$(query_of "$one" "$AT")" 200 "the status before"
kill_mount
# What is in memory is still right; from the next look at the directory on it is known that the mount is gone.
fails_of_mount() {
	[[ $(query_of "$EVERY" "$AT") == 422 && $(jq -r .error "$WORK/body") == *"$WORK/mnt"* ]]
}
wait_until 10 "queries fail" fails_of_mount
fails "$EVERY" "listing $WORK/mnt: Transport endpoint is not connected"
lives
again mount2
wait_until 10 "answers are right after the mount is back" counts "${want[3]}"
stop "$QUERY_PID" || fail "thanosfs query ended with $? on SIGTERM"
unmount "$MOUNT_PID" "$WORK/mnt"
# The same without a look in between: what it holds open is of the dead mount, hardly read, under names that are there.
mount_bucket mount3 "$WORK/bucket" "$WORK/mnt" "${flags[@]}"
query_start on_mount3 --tsdb.path="$WORK/mnt"
check_equal "$(query_of "$one" "$AT")" 200 "the status before"
kill_mount
again mount4
wait_until 10 "answers are right after another mount" counts "${want[3]}"
lives
# A mount that is gone in order is an empty directory.
unmount "$MOUNT_PID" "$WORK/mnt"
nothing() { [[ $(query_of "$EVERY" "$AT") == 200 && $(jq '.data.result | length' "$WORK/body") == 0 ]]; }
wait_until 10 "the directory is empty" nothing
stop "$QUERY_PID" || fail "thanosfs query ended with $? on SIGTERM"
