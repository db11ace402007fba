# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests share in which a store goes away under a Prometheus that is asked all the while; source it after lib.sh.
need_fuse
need promtool prometheus jq python3 curl

outage_heal=$((5 * PATIENCE)) # seconds after the store's return until no query fails
outage_errors=0               # of all queries so far
outage_end=1699992000000

# outage_bucket: makes $WORK/gen/bucket: one cluster goes through slots, the other, which has one replica only, is passed through.
outage_bucket() {
	local block
	"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 2 --end $outage_end --instances 6 --block-hours 2
	for block in "$WORK"/gen/bucket/*/; do
		[[ $(labels_of "$block") != cluster=us,replica=b ]] || rm -r "$block"
	done
	mapfile -t outage_replicas < <(dump_bucket "$WORK/gen/bucket" "$WORK/dumps")
	printf 'global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n  - job_name: itself\n    static_configs:\n' >"$WORK/template"
	printf '      - targets: ["127.0.0.1:@PORT@"]\n' >>"$WORK/template"
}

# outage_round NUMBER SECONDS GO COME: with the mount at $WORK/mnt, nothing of which is in a cache, and its log mountNUMBER.log. GO is
# the command that takes the store away, before the first query, and COME the one that brings it back. Ends the mount.
outage_round() {
	local round=$1 seconds=$2 go=$3 come=$4 log=$WORK/mount$1.log begin asker said line times now longest
	cp "$WORK/template" "$WORK/prom.yml"
	prometheus_start prom "$WORK/mnt"
	begin=$(date +%s)
	touch "$WORK/down"
	"$go"
	"$ROOT/tests/sys/random_queries.py" "$PROM_URL" --interval 15000 --seed "$round" --start $((outage_end - 2 * 3600000)) \
		--end $outage_end --threads 16 --outage "$WORK/down" --heal $outage_heal "${outage_replicas[@]}" \
		>"$WORK/asker$round.log" 2>&1 </dev/null 3>&- &
	asker=$!
	pids+=("$asker")
	logs+=("$WORK/asker$round.log")
	wait_until 60 "the queries begin" grep -q series "$WORK/asker$round.log"
	sleep "$seconds"
	"$come"
	rm "$WORK/down"
	sleep $((outage_heal + 3))
	is_running "$asker" || fail "a query went wrong"
	kill -TERM "$asker"
	wait "$asker" || fail "a query went wrong"
	said=$(tail -n 1 "$WORK/asker$round.log")
	say "$said"
	outage_errors=$((outage_errors + $(sed -n 's/.* \([0-9]*\) errors.*/\1/p' <<<"$said")))
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
}

outage_ends() {
	say "$outage_errors errors"
	grep -q 'msg="bucket does not answer"' "$WORK"/mount*.log || fail "the outages were not noticed"
	! grep -i "panic\|unexpected fault\|SIGBUS" "$WORK/prom.log" || fail "Prometheus complained"
}
