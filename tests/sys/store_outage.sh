#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# While the store is out, queries for what isn't local fail and nothing else does: no answer is wrong, Prometheus lives, the log says it
# once; and 5 s after the store's return no query fails.
# limit: 400
. "$(dirname "$0")/lib.sh"
need_fuse
need promtool prometheus jq python3 curl

# Some seconds of outages as part of every check, and as many as a minute lasts where everything is checked.
case $BUILD in
*/asan | */tsan) rounds=4 seconds=8 ;;
*) rounds=2 seconds=4 ;;
esac
heal=$((5 * PATIENCE))
end=1699992000000
"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 2 --end $end --instances 6 --block-hours 2
# One cluster through slots, the other, which has one replica only, passed through.
for block in "$WORK"/gen/bucket/*/; do
	[[ $(labels_of "$block") != cluster=us,replica=b ]] || rm -r "$block"
done
mapfile -t replicas < <(dump_bucket "$WORK/gen/bucket" "$WORK/dumps")
down=$WORK/down
printf 'global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n  - job_name: itself\n    static_configs:\n' >"$WORK/template"
printf '      - targets: ["127.0.0.1:@PORT@"]\n' >>"$WORK/template"

errors=0
for ((round = 1; round <= rounds; round++)); do
	say "round $round: nothing is in any cache, and the store goes away"
	cp "$WORK/template" "$WORK/prom.yml"
	mount_bucket "mount$round" "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica --sync-block-duration=1s \
		--read.deadline=2s --debug.faults="seed=$round,outage=$down,latency=1ms..5ms,read.error=0.02"
	log=$WORK/mount$round.log
	prometheus_start prom "$WORK/mnt"
	begin=$(date +%s)
	touch "$down"
	"$ROOT/tests/sys/random_queries.py" "$PROM_URL" --interval 15000 --seed "$round" --start $((end - 2 * 3600000)) --end $end \
		--threads 16 --outage "$down" --heal $heal "${replicas[@]}" >"$WORK/asker$round.log" 2>&1 </dev/null 3>&- &
	asker=$!
	pids+=("$asker")
	logs+=("$WORK/asker$round.log")
	wait_until 60 "the queries begin" grep -q series "$WORK/asker$round.log"
	sleep "$seconds"
	rm "$down"
	sleep $((heal + 3))
	is_running "$asker" || fail "a query went wrong"
	kill -TERM "$asker"
	wait "$asker" || fail "a query went wrong"
	said=$(tail -n 1 "$WORK/asker$round.log")
	say "$said"
	errors=$((errors + $(sed -n 's/.* \([0-9]*\) errors.*/\1/p' <<<"$said")))
	is_running "$PROM_PID" || fail "Prometheus died"

	for line in "bucket does not answer" "read answered with zeros" "source chunk can't be read" "sync failed"; do
		times=$(grep -c "msg=\"$line" "$log" || true)
		((times <= 4)) || fail "the log says '$line' $times times"
	done
	if grep -q 'msg="bucket does not answer"' "$log"; then
		wait_until 10 "the log says that the store answers again" grep -q 'msg="bucket answers again".*failed=' "$log"
	fi
	now=$(date +%s)
	longest=$(ask "up{job=\"itself\"}[$((now - begin))s]" "$now" |
		jq '[.data.result[0].values[][0]] | [.[1:], .[:-1]] | transpose | map(.[0] - .[1]) | max')
	say "scrapes were at most $longest s apart"
	stop "$PROM_PID"
	unmount "$MOUNT_PID" "$WORK/mnt"
	rm -r "${WORK:?}/mount$round.data"
done
((errors > 0)) || fail "the outages were not noticed"
! grep -i "panic\|unexpected fault\|SIGBUS" "$WORK/prom.log" || fail "Prometheus complained"
