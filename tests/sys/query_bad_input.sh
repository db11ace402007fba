#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever a query server is asked, it refuses or ends it soon and within the memory that a query may take, and goes on serving others.
. "$(dirname "$0")/lib.sh"
need python3 curl

END=1699999200
LIMIT_MB=256
"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a --hours 6 --end ${END}000 --instances 20 >/dev/null
port=$(free_port)
logs+=("$WORK/query.log")
"$THANOSFS" query --tsdb.path="$WORK/gen/bucket" --http-address="127.0.0.1:$port" --query.threads=1 --query.max-concurrency=3 \
	--query.memory-limit=${LIMIT_MB}MB --enable-feature=promql-experimental-functions >>"$WORK/query.log" 2>&1 </dev/null 3>&- &
query=$!
pids+=("$query")
wait_until 60 "thanosfs query is ready" curl -fsS -o /dev/null "http://127.0.0.1:$port/-/ready"

# A second; what isn't optimised, or has a sanitizer, is given more.
seconds=1
[[ $BUILD == */release ]] || seconds=$((2 * PATIENCE))

# What the server takes besides: its blocks' mappings, what slow readers keep it from giving away, and what the allocator keeps. A
# sanitizer keeps a lot more.
"$ROOT/tests/sys/query_bad_input.py" --port "$port" --pid "$query" --at $((END - 9200)) --seconds "$seconds" \
	--bytes $(((LIMIT_MB + 350) * PATIENCE << 20)) >"$WORK/said" || fail "$(cat "$WORK/said")"
say "$(tail -n 1 "$WORK/said")"
stop "$query" || fail "thanosfs query ended with $? on SIGTERM"
