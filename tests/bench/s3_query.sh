#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One heavy query over a bucket behind an S3 server that takes 15 ms for each request; see s3_query.py.
. "$(dirname "$0")/../sys/lib.sh"
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
say "the query needs $needed"

"$BUILD/tests/gen/s3serve" --dir="$WORK/gen/bucket" --bucket=metrics --access-key=bench --secret-key=bench-secret --latency=15ms \
	--log="$WORK/requests.log" >"$WORK/port" 2>"$WORK/s3serve.log" &
pids+=("$!")
logs+=("$WORK/s3serve.log" "$WORK/thanosfs.log")
wait_until 10 "the S3 server listens" test -s "$WORK/port"
port=$(head -n 1 "$WORK/port")
cat >"$WORK/s3.yaml" <<END
type: S3
config:
  bucket: metrics
  endpoint: 127.0.0.1:$port
  region: us-east-1
  insecure: true
  bucket_lookup_type: path
  access_key: bench
  secret_key: bench-secret
END
cat >"$WORK/rclone.conf" <<END
[far]
type = s3
provider = Other
endpoint = http://127.0.0.1:$port
region = us-east-1
force_path_style = true
access_key_id = bench
secret_access_key = bench-secret
END
mounts+=("$WORK/mnt" "$WORK/rclone" "$WORK/overlay")
"$ROOT/tests/bench/s3_query.py" --work "$WORK" --thanosfs "$THANOSFS" --config "$WORK/s3.yaml" --rclone "$WORK/rclone.conf" \
	--remote far:metrics --copy "$WORK/copy" --log "$WORK/requests.log" --time "$time" --needed "${needed%% *}" --runs "${RUNS:-5}"
