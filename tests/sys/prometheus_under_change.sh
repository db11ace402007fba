#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Prometheus on the mount scrapes itself every second and answers random queries, all of them right, while a block is added, a
# group is compacted, a mark is written and the mount is made again; it never dies and loses no scrape.
# limit: 600
. "$(dirname "$0")/lib.sh"
need_fuse
need promtool prometheus jq python3 curl

end=1699992000000
gen() { "$GENBUCKET" "$WORK/$1" --clusters eu --replicas a,b --hours 4 --end $end --instances 2 --block-hours "$2"; }
gen small 2
gen big 4
by_time() { for b in "$1"/*/; do echo "$(jq .minTime "$b/meta.json") ${b%/}"; done | sort -n | cut -d' ' -f2; }
mapfile -t small < <(by_time "$WORK/small/bucket")
mapfile -t big < <(by_time "$WORK/big/bucket")
mapfile -t replicas < <(dump_bucket "$WORK/small/bucket" "$WORK/dumps")

mkdir "$WORK/bucket"
upload "${small[0]}" "$WORK/bucket"
upload "${small[1]}" "$WORK/bucket"
remount() {
	mount_bucket mount "$WORK/bucket" "$WORK/mnt" --query.replica-label=replica --sync-block-duration=1s
}
remount
cat >"$WORK/prom.yml" <<'END'
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: itself
    static_configs:
      - targets: ["127.0.0.1:@PORT@"]
END
cp "$WORK/prom.yml" "$WORK/template.yml"
prometheus_start prom "$WORK/mnt"

# From the first window, which is there all the time.
ask_at_random() { # SEED FROM UNTIL
	"$ROOT/tests/sys/random_queries.py" "$PROM_URL" --interval 15000 --seed "$1" --start "$2" --end "$3" "${replicas[@]}" \
		>"$WORK/random-$1" 2>&1 </dev/null &
	RANDOM_PID=$!
	pids+=("$RANDOM_PID")
	logs+=("$WORK/random-$1")
}
all_right() {
	is_running "$RANDOM_PID" || fail "a query went wrong"
	kill -TERM "$RANDOM_PID"
	wait "$RANDOM_PID" || fail "a query went wrong"
	tail -1 "$1"
}
loads() { [[ $(curl -s "$PROM_URL/metrics" | sed -n 's/^prometheus_tsdb_blocks_loaded //p') == "$1" ]]; }
newest_is() { curl -s "$PROM_URL/api/v1/query" -d 'query=count(count_over_time(up{cluster="eu"}[4h]))' -d time=$((end / 1000 - 1)) |
	jq -e '.data.result[0].value[1]' >/dev/null; }
started=$(date +%s)
ask_at_random 1 $((end - 4 * 3600000)) $((end - 2 * 3600000))

say "a block is added"
upload "${small[2]}" "$WORK/bucket"
upload "${small[3]}" "$WORK/bucket"
wait_until 90 "Prometheus loads the new window" loads 2
wait_until 30 "the new window answers" newest_is

say "a group is compacted"
mapfile -t replaced < <(blocks_of "$WORK/mnt")
maps_none_of() {
	local block
	for block in "$@"; do
		! grep -q "/$block/" "/proc/$PROM_PID/maps" || return 1
	done
}
maps_none_of "${replaced[@]}" && fail "Prometheus maps no block"
for block in "${big[@]}"; do
	sources=()
	for source in "${small[@]}"; do
		[[ $(labels_of "$source") != "$(labels_of "$block")" ]] || sources+=("${source##*/}")
	done
	jq --tab '.compaction = {level: 2, sources: $ARGS.positional} | .thanos.source = "compactor"' "$block/meta.json" \
		--args "${sources[@]}" >"$WORK/meta.json"
	mv "$WORK/meta.json" "$block/meta.json"
	upload "$block" "$WORK/bucket"
done
for block in "${small[@]}"; do
	mark_deleted "$WORK/bucket" "${block##*/}" 1
done
wait_until 90 "Prometheus loads the compacted window" loads 1
wait_until 90 "Prometheus lets go of the blocks before it" maps_none_of "${replaced[@]}"
check_equal "$(grep -c 'reloading blocks failed' "$WORK/prom.log" || true)" 0 "the number of reloads that failed"
wait_until 30 "the window answers" newest_is
for block in "${small[@]}"; do
	rm -r "${WORK:?}/bucket/${block##*/}"
done

say "a mark is written"
marked=${big[1]##*/}
other=$(blocks_of "$WORK/mnt")
# One replica less: what only it has may go from the answers, so from here on the other one alone is the measure.
all_right "$WORK/random-1"
mark_deleted "$WORK/bucket" "$marked" 30
kept=$(labels_of "${big[0]}")
all_replicas=("${replicas[@]}")
replicas=()
for replica in "${all_replicas[@]}"; do
	[[ $replica != "$kept":* ]] || replicas+=("$replica")
done
check_equal "${#replicas[@]}" 1 "the replicas that are left"
renamed() { [[ $(blocks_of "$WORK/mnt") != "$other" ]]; }
wait_until 30 "the listing follows the mark" renamed
now_named=$(blocks_of "$WORK/mnt")
reloaded() { loads 1 && grep -q "$now_named" <(ls -l "/proc/$PROM_PID/fd"); }
wait_until 90 "Prometheus loads what is left" reloaded
ask_at_random 2 $((end - 4 * 3600000)) $end
sleep 5
all_right "$WORK/random-2"

say "no scrape is lost"
is_running "$PROM_PID" || fail "Prometheus died"
now=$(date +%s)
span=$((now - started))
scraped=$(ask_value "count_over_time(up{job=\"itself\"}[${span}s])" "$now")
check_equal "$(ask_value "min_over_time(up{job=\"itself\"}[${span}s])" "$now")" 1 "the least of up"
# A busy machine may delay one; a mount that stands still delays many.
longest=$(ask "up{job=\"itself\"}[${span}s]" "$now" |
	jq '[.data.result[0].values[][0]] | [.[1:], .[:-1]] | transpose | map(.[0] - .[1]) | max')
jq -ne "$longest <= 2.1 * $PATIENCE" >/dev/null || fail "no scrape for $longest s"
say "$scraped scrapes in $span s, at most $longest s apart"
((scraped >= (span - 8) * 95 / 100 / PATIENCE)) || fail "$scraped scrapes in $span s"
for counter in prometheus_tsdb_reloads_failures_total prometheus_tsdb_compactions_failed_total prometheus_tsdb_wal_corruptions_total \
	prometheus_tsdb_head_truncations_failed_total; do
	check_equal "$(curl -s "$PROM_URL/metrics" | sed -n "s/^$counter //p")" 0 "$counter"
done

say "the mount is made again"
stop "$PROM_PID"
unmount "$MOUNT_PID" "$WORK/mnt"
check_equal "$(ls -A "$WORK/mnt")" "" "what is left under the mount"
remount
cp "$WORK/template.yml" "$WORK/prom.yml"
prometheus_start prom "$WORK/mnt"
ask_at_random 3 $((end - 4 * 3600000)) $end
again=$(ask_value "count_over_time(up{job=\"itself\"}[${span}s])" "$now")
check_equal "$again" "$scraped" "the scrapes after a remount"
sleep 5
all_right "$WORK/random-3"
! grep -i "panic\|unexpected fault\|corruption" "$WORK/prom.log" || fail "Prometheus complained"
stop "$PROM_PID"
unmount "$MOUNT_PID" "$WORK/mnt"
