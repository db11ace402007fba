#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# While an S3 server is gone, queries for what isn't local fail and nothing else does: no answer is wrong, Prometheus lives, the log
# says it once; and 5 s after the server's return no query fails.
# limit: 600
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/sys/s3.bash"
. "$ROOT/tests/sys/outage.bash"

seconds=$([[ -n ${THANOSFS_LONG:-} ]] && echo 60 || echo 10)
outage_bucket
start_s3serve own --latency=2ms
mkdir -p "$S3_DIR"
cp -r "$WORK/gen/bucket/." "$S3_DIR/"
write_s3_config "$WORK/bucket.yaml"

go() { s3_outage closed; }
come() { s3_outage none; }
say "the server goes away for $seconds s"
mount_start mount1 "$WORK/mnt" --objstore.config-file="$WORK/bucket.yaml" --data-dir="$WORK/mount1.data" \
	--query.replica-label=replica --sync-block-duration=1s --read.deadline=2s
wait_ready "$WORK/mnt"
outage_round 1 "$seconds" go come
outage_ends
