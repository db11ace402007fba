#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The query server against Prometheus and VictoriaMetrics on the same samples: 20,000 series, 12 h. TSDB=DIR keeps the blocks there,
# or takes those that are; PARTS=list,heavy measures some of it; see query.py.
. "$(dirname "$0")/../sys/lib.sh"
need prometheus promtool victoria-metrics python3 curl taskset

end=1699999200
tools=$ROOT/../shared/tools
tsdb=${TSDB:-$WORK/copy}
queries=$ROOT/tests/bench/queries.txt
[[ ! -e $tools/queries.txt ]] || queries=$tools/queries.txt

if [[ -z $(blocks_of "$tsdb" 2>/dev/null) ]]; then
	need_fuse
	if [[ -x ${MKBUCKET:=$tools/mkbucket} ]]; then
		"$MKBUCKET" "$WORK/gen" --hours 12 --end ${end}000 --instances "${INSTANCES:-80}"
	else
		"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 12 --end ${end}000 --instances "${INSTANCES:-40}"
	fi
	mount_bucket mount "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica --sync-block-duration=1s
	settle "$WORK/mnt"
	mkdir -p "$tsdb"
	for block in $(blocks_of "$WORK/mnt"); do
		cp -r "$WORK/mnt/$block" "$tsdb/"
	done
	unmount "$MOUNT_PID" "$WORK/mnt"
fi
say "$(count_blocks "$tsdb") blocks, $(du -s --apparent-size -BM "$tsdb" | cut -f1), load $(cut -d' ' -f1 /proc/loadavg)"

"$ROOT/tests/bench/query.py" "$tsdb" --build "$BUILD" --queries "$queries" --time $((end - 60)) --runs "${RUNS:-7}" \
	${PARTS:+--only "$PARTS"}
