#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One heavy query over a bucket behind an S3 server that takes 15 ms for each request; see s3_query.py.
. "$(dirname "$0")/../sys/lib.sh"
. "$(dirname "$0")/../sys/s3.bash"
need_fuse
need prometheus python3 rclone mount
[[ -w /proc/sys/vm/drop_caches ]] || skip "only root can drop the kernel's caches"

end=1699999200
if [[ -x ${MKBUCKET:=$ROOT/../shared/tools/mkbucket} ]]; then
	"$MKBUCKET" "$WORK/gen" --hours 12 --end ${end}000 --instances "${INSTANCES:-40}"
else
	"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 12 --end ${end}000 --instances "${INSTANCES:-40}"
fi

# What the query needs is counted in the merged blocks.
mount_bucket local "$WORK/gen/bucket" "$WORK/local" --query.replica-label=replica --sync-block-duration=1s
settle "$WORK/local"
mkdir "$WORK/copy"
for block in $(blocks_of "$WORK/local"); do
	cp -r "$WORK/local/$block" "$WORK/copy/"
done
unmount "$MOUNT_PID" "$WORK/local"
time=$((end - 3600))
needed=$("$BUILD/tests/bench/bench_chunk_bytes" node_cpu_seconds_total $((time - 6 * 3600 - 300))000 ${time}000 "$WORK"/copy/0*)
from_bucket=$("$BUILD/tests/bench/bench_chunk_bytes" node_cpu_seconds_total $((time - 6 * 3600 - 300))000 ${time}000 "$WORK"/gen/bucket/0*)
say "the query's metric has $from_bucket in the bucket, all replicas together; merged it is $needed"

ln -s "$WORK/gen/bucket" "$WORK/far.objects"
start_s3serve far --latency=15ms
logs+=("$WORK/thanosfs.log" "$WORK/prometheus.log")
write_s3_config "$WORK/s3.yaml"
cat >"$WORK/rclone.conf" <<END
[far]
type = s3
provider = Other
endpoint = http://$S3_ENDPOINT
region = $S3_REGION
force_path_style = true
access_key_id = $S3_ACCESS_KEY
secret_access_key = $S3_SECRET_KEY
END
mounts+=("$WORK/mnt" "$WORK/rclone")
for block in "$WORK"/gen/bucket/0*; do
	mounts+=("$WORK/on-rclone/${block##*/}")
done
"$ROOT/tests/bench/s3_query.py" --work "$WORK" --thanosfs "$THANOSFS" --config "$WORK/s3.yaml" --rclone "$WORK/rclone.conf" \
	--remote "far:$S3_BUCKET" --copy "$WORK/copy" --overrides "$WORK/local.data/slot-overrides" --log "$WORK/far.requests" --time "$time" --needed "${from_bucket%% *}" --runs "${RUNS:-5}"
