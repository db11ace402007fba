#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 2,000 random queries, the same ones each time, have the same answers of `thanosfs query` as of Prometheus on the same blocks, errors included.
# `make fuzz-promql` asks others, for as long as it is told: PROMQL_SECONDS, PROMQL_SEED, PROMQL_ONLY (one query of that seed).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/query.bash"
need prometheus jq python3 curl

# One replica's blocks with their gaps and stale markers. Of these options no sample is at a whole or half second, see the program.
end=1699999200
"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a --hours 4 --end ${end}000 --instances 2 --seed 1
tsdb_of "$WORK/prom" "$WORK"/gen/bucket/*/
tsdb_of "$WORK/ours" "$WORK"/gen/bucket/*/
prometheus_start prom "$WORK/prom"

query_start query --tsdb.path="$WORK/ours"

seed=${PROMQL_SEED:-1}
options=(--queries 2000)
if [[ -n ${PROMQL_SECONDS:-} ]]; then
	seed=${PROMQL_SEED:-$(date +%s)}
	options=(--seconds "$PROMQL_SECONDS")
fi
[[ -z ${PROMQL_ONLY:-} ]] || options=(--only "$PROMQL_ONLY" -v)
status=0
"$ROOT/tests/promql/fuzz_promql.py" "$PROM_URL" "$QUERY_URL" --start $(((end - 4 * 3600) * 1000)) --end ${end}000 \
	--seed "$seed" "${options[@]}" || status=$?
((status != 2)) || fail "too few of the queries find something"
((status == 0)) || fail "answers differ"

stop "$QUERY_PID" || fail "thanosfs query ended with $? on SIGTERM"
