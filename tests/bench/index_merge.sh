#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The merge of the indexes of two replicas, a million series each, index file written.
. "$(dirname "$0")/../sys/lib.sh"

TMPDIR=$WORK "$BUILD/tests/bench/bench_index_merge" "${SERIES:-1000000}" 5 | tee "$WORK/out"
speed=$(sed -n 's/^\([0-9.]*\) M input series.*/\1/p' "$WORK/out" | sort -n | sed -n 3p)
rss=$(sed -n 's/.*peak rss \([0-9.]*\) MiB.*/\1/p' "$WORK/out" | sort -n | tail -1)
echo "| index merge, two replicas of 1 M series each, index file written | $speed M input series/s, $rss MiB | 3 M/s on one core, under 256 MiB |"
