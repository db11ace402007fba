#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Slots made: two replicas decoded, deduplicated, encoded.
. "$(dirname "$0")/../sys/lib.sh"

"$BUILD/tests/bench/bench_slots" | tee "$WORK/out"
rate() { sed -n "s/^$1 *\([0-9.]*\) M input.*/\1/p" "$WORK/out"; }
echo "| slots made: two replicas decoded, deduplicated, encoded | $(rate "the base has a gap") M input samples/s | 50 M/s a core |"
echo "| the same where the base replica has no gap | $(rate "the base has none") M input samples/s | |"
