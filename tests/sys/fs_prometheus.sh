#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prometheus starts on the mount, scrapes itself, is killed, starts again and answers queries about what it had scraped.
. "$(dirname "$0")/lib.sh"
need_fuse
need prometheus curl jq
. "$ROOT/tests/sys/fs_mount.bash"

cat >"$WORK/prometheus.yml" <<'YML'
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - job_name: self
    static_configs: [{targets: ["127.0.0.1:@PORT@"]}]
YML
samples() { ask_value 'count_over_time(up{job="self"}[1h])'; }
scraped() { local n; n=$(samples) && ((${n:-0} >= $1)); }

for PASSTHROUGH in "" -P; do
	[[ -z $PASSTHROUGH ]] || say "by requests alone"
	rm -rf "$WORK/upper" "$WORK/state"
	sed -i 's/127.0.0.1:[0-9]*/127.0.0.1:@PORT@/' "$WORK/prometheus.yml"
	fs_mount
	prometheus_start prometheus "$MNT" --web.enable-admin-api
	wait_until 30 "Prometheus has scraped itself" scraped 5
	# A snapshot is made of hard links; the head's block is a directory that gets its name by rename.
	snapshot=$(curl -sf -XPOST "$PROM_URL/api/v1/admin/tsdb/snapshot" | jq -r .data.name)
	[[ -n $(find "$MNT/snapshots/$snapshot" -name index) ]] || fail "the snapshot $snapshot has no index"
	check_equal "$(find "$MNT/snapshots/$snapshot" -name '*.tmp*' | wc -l)" 0 "unfinished directories in the snapshot"

	stop "$PROM_PID" || fail "Prometheus ended with $?"
	for signal in TERM KILL; do
		prometheus_start prometheus "$MNT"
		wait_until 30 "what was scraped before is still there" scraped 6
		before=$(samples)
		stop "$PROM_PID" "$signal" || [[ $signal == KILL ]] || fail "Prometheus ended with $?"
	done

	# The mount goes too, with everything on it.
	prometheus_start prometheus "$MNT"
	wait_until 30 "samples from before are there after a kill" scraped "$before"
	stop "$PROM_PID" KILL || true
	kill_mount
	fs_mount
	prometheus_start prometheus "$MNT"
	wait_until 30 "samples from before are there after the mount was killed" scraped "$before"
	! grep -E 'level=error|panic|corrupt' "$WORK/prometheus.log" || fail "Prometheus complains"
	stop "$PROM_PID" || fail "Prometheus ended with $?"
	unmount "$MOUNT_PID" "$MNT"
done
