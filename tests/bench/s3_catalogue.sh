#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The catalogue of 10,000 blocks behind an S3 server that takes 20 ms for each request, from nothing, against what the requests
# alone would take: the pages of a listing one after the other, then meta.json of each block, 128 at once.
. "$(dirname "$0")/../sys/lib.sh"
. "$(dirname "$0")/../sys/s3.bash"

blocks=${BLOCKS:-10000}
"$BUILD/tests/bench/bench_catalogue" make "$WORK/far.objects" "$blocks"
start_s3serve far --latency=20ms
write_s3_config "$WORK/s3.yaml"
for _ in 1 2 3; do
	: >"$WORK/far.requests"
	"$BUILD/tests/bench/bench_catalogue" sync "$WORK/s3.yaml" 1 | tee "$WORK/said"
	sed -n 's/^first.*together \([0-9.]*\) ms.*/\1/p' "$WORK/said" >>"$WORK/times"
done
pages=$(($(awk '$3 == "GET" && $4 ~ /^\?/' "$WORK/far.requests" | wc -l) / 2)) # of one of the two syncs
took=$(sort -n "$WORK/times" | sed -n 2p)
floor=$(awk -v p="$pages" -v b="$blocks" 'BEGIN { print p * 20 + b / 128 * 20 }')
echo "| cold catalogue of $blocks blocks over S3, 20 ms a request, against $pages pages x 20 ms + $blocks/128 x 20 ms | $(awk -v t="$took" -v f="$floor" 'BEGIN { printf "%.2fx (%.2f s)", t / f, t / 1000 }') | 1.5x |"
