#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The catalogue of 10,000 blocks behind an S3 server that takes 20 ms for each request, from nothing, against what the requests
# alone would take: the pages of a listing one after the other, then meta.json of each block, 128 at once.
. "$(dirname "$0")/../sys/lib.sh"

blocks=${BLOCKS:-10000}
"$BUILD/tests/bench/bench_catalogue" make "$WORK/bucket" "$blocks"
"$BUILD/tests/gen/s3serve" --dir="$WORK/bucket" --bucket=metrics --access-key=bench --secret-key=bench-secret --latency=20ms \
	--log="$WORK/requests.log" >"$WORK/port" 2>"$WORK/s3serve.log" &
pids+=("$!")
logs+=("$WORK/s3serve.log")
wait_until 10 "the S3 server listens" test -s "$WORK/port"
cat >"$WORK/s3.yaml" <<END
type: S3
config:
  bucket: metrics
  endpoint: 127.0.0.1:$(head -n 1 "$WORK/port")
  region: us-east-1
  insecure: true
  bucket_lookup_type: path
  access_key: bench
  secret_key: bench-secret
END
for _ in 1 2 3; do
	: >"$WORK/requests.log"
	"$BUILD/tests/bench/bench_catalogue" sync "$WORK/s3.yaml" 1 | tee "$WORK/said"
	sed -n 's/^first.*together \([0-9.]*\) ms.*/\1/p' "$WORK/said" >>"$WORK/times"
done
pages=$(($(awk '$3 == "GET" && $4 ~ /^\?/' "$WORK/requests.log" | wc -l) / 2)) # of one of the two syncs
took=$(sort -n "$WORK/times" | sed -n 2p)
floor=$(awk -v p="$pages" -v b="$blocks" 'BEGIN { print p * 20 + b / 128 * 20 }')
echo "| cold catalogue of $blocks blocks over S3, 20 ms a request, against $pages pages x 20 ms + $blocks/128 x 20 ms | $(awk -v t="$took" -v f="$floor" 'BEGIN { printf "%.2fx (%.2f s)", t / f, t / 1000 }') | 1.5x |"
