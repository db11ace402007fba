#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Blocks that Prometheus' own code wrote, of HA pairs with outages, are deduplicated as well as those of our block writer.
# limit: 400
. "$(dirname "$0")/lib.sh"
need_fuse
need promtool jq python3 cc
MKBUCKET=${MKBUCKET:-$ROOT/../shared/tools/mkbucket}
[[ -x $MKBUCKET ]] || skip "no generator of real blocks at \$MKBUCKET"

"$MKBUCKET" "$WORK/gen" --hours 6 --end 1699999200000 --instances 2 --truth
mount_bucket mount "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica --sync-block-duration=1s
settle "$WORK/mnt"
check_dedup "$WORK/gen/bucket" "$WORK/gen/truth" "$WORK/mnt" 15000
check_equal "$(count_blocks "$WORK/mnt")" 3 "the number of virtual blocks"

# What PromQL says of it, the outages of both replicas (minutes 130-137 and 210-221 of the truth) included.
prometheus_start prom "$WORK/mnt"
end=1699999200
for expr in 'count(count_over_time(node_load1[6h])) == 4' \
	'min(min_over_time(count_over_time(node_cpu_seconds_total[5m])[5h:1m])) >= 17' \
	'max(max_over_time(count_over_time(node_cpu_seconds_total[5m])[5h:1m])) <= 23'; do
	[[ -n $(ask_value "$expr" $((end - 60))) ]] || fail "not so: $expr"
done
check_equal "$(curl -s "$PROM_URL/api/v1/labels?start=$((end - 86400))&end=$end" | jq '.data | index("replica")')" null \
	"the label replica"
stop "$PROM_PID"
unmount "$MOUNT_PID" "$WORK/mnt"
