#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Prometheus on a mount doesn't notice that the worker is killed again and again, be the bucket a directory or on S3: every answer is
# right, no scrape is lost, no failure is logged, and its WAL, replayed from a copy of the upper directory, has the same samples.
# alone
# limit: 600
. "$(dirname "$0")/lib.sh"
need_fuse
need promtool prometheus jq python3 curl
. "$ROOT/tests/sys/s3.bash"

# So many for each kind of bucket; a minute of them, and of the other, with THANOSFS_LONG set.
kills=${KILLS:-$([[ -n ${THANOSFS_LONG:-} ]] && echo 200 || echo 40)}
every=$(awk "BEGIN { print 0.3 * ($PATIENCE > 1 ? 4 : 1) }")
end=1699999200
"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 4 --end ${end}000 --instances 6 --block-hours 2
# One cluster through slots, the other, which has one replica only, passed through.
for block in "$WORK"/gen/bucket/*/; do
	[[ $(labels_of "$block") != cluster=us,replica=b ]] || rm -r "$block"
done
mapfile -t replicas < <(dump_bucket "$WORK/gen/bucket" "$WORK/dumps")

# Until the block files are complete, each is as it will be: Prometheus is asked for the whole range only afterwards.
mount_bucket source "$WORK/gen/bucket" "$WORK/source" --query.replica-label=replica
mapfile -t blocks < <(blocks_of "$WORK/source")
tsdb_of "$WORK/local" "${blocks[@]/#/$WORK/source/}"
unmount "$MOUNT_PID" "$WORK/source"

start_s3serve store
cp -r "$WORK"/gen/bucket/* "$S3_DIR/"
write_s3_config "$WORK/s3.yaml" "bucket_lookup_type: path"

printf 'global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n  - job_name: itself\n    static_configs:\n' >"$WORK/template"
printf '      - targets: ["%s"]\n' "127.0.0.1:@PORT@" >>"$WORK/template"
cp "$WORK/template" "$WORK/reference.yml"
prometheus_start reference "$WORK/local"
reference=$PROM_URL
target=${PROM_URL#http://}

samples_of() { promtool tsdb dump --match='{job="itself"}' "$1" | sort; }

kill_workers() { # MOUNTPOINT
	"$ROOT/tests/sys/prometheus_under_kills.py" "$1" "$MOUNT_PID" "$PROM_URL" "$PROM_PID" "$reference" --kills "$kills" \
		--every "$every" --start $((end - 4 * 3600)) --end $end --queries "$ROOT/tests/bench/queries.txt"
}

under_kills() { # NAME, mounted on $WORK/NAME
	local name=$1 at=$WORK/$1 asker
	sed "s/127.0.0.1:@PORT@/$target/" "$WORK/template" >"$WORK/prom-$name.yml"
	prometheus_start "prom-$name" "$at"
	"$ROOT/tests/sys/random_queries.py" "$PROM_URL" --interval 15000 --seed 1 --start $((end - 4 * 3600))000 --end ${end}000 \
		"${replicas[@]}" >"$WORK/asker-$name.log" 2>&1 </dev/null 3>&- &
	asker=$!
	pids+=("$asker")
	logs+=("$WORK/asker-$name.log")
	local status=0
	kill_workers "$at" || status=$?
	# A scrape has a second's time, which a busy machine may not have: that may happen once.
	if ((status == 3)); then
		say "scrapes were lost: once more"
		status=0
		kill_workers "$at" || status=$?
	fi
	((status == 0)) || fail "$name: Prometheus noticed"
	is_running "$asker" || fail "a query for samples went wrong"
	kill -TERM "$asker"
	wait "$asker" || fail "a query for samples went wrong"
	tail -n 1 "$WORK/asker-$name.log"
	is_running "$PROM_PID" || fail "Prometheus died"
	stop "$PROM_PID" || fail "Prometheus ended with $?"
	! grep -iE 'level=error|panic|fault|corrupt|input/output|level=warn.*(wal|tsdb)' "$WORK/prom-$name.log" || fail "Prometheus complained"

	say "$name: its WAL, replayed from a copy"
	cp -a "$WORK/$name.data/upper" "$WORK/$name.replayed"
	samples_of "$at" >"$WORK/$name.samples"
	printf 'global: {}\n' >"$WORK/again-$name.yml"
	prometheus_start "again-$name" "$WORK/$name.replayed"
	stop "$PROM_PID" || fail "Prometheus on the copy ended with $?"
	! grep -iE 'level=error|corrupt|repair' "$WORK/again-$name.log" || fail "the WAL is damaged"
	samples_of "$WORK/$name.replayed" | cmp - "$WORK/$name.samples" || fail "other samples than on the mount"
	say "$(wc -l <"$WORK/$name.samples") samples"
	[[ -s $WORK/$name.samples ]] || fail "nothing was scraped"
	! grep 'level=error' "$WORK/$name.log" || fail "thanosfs complained"
	unmount "$MOUNT_PID" "$at"
}

say "a directory, $kills kills"
mount_bucket directory "$WORK/gen/bucket" "$WORK/directory" --query.replica-label=replica
under_kills directory

say "S3, $kills kills"
mount_start s3 "$WORK/s3" --objstore.config-file="$WORK/s3.yaml" --data-dir="$WORK/s3.data" --query.replica-label=replica
wait_ready "$WORK/s3"
under_kills s3
