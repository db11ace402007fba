#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prometheus on the mount against the same Prometheus on a local copy of the merged blocks: warm, and cold but locally cached.
. "$(dirname "$0")/../sys/lib.sh"
need_fuse
need prometheus python3 curl jq

end=1699999200
tools=$ROOT/../shared/tools
if [[ -x ${MKBUCKET:=$tools/mkbucket} ]]; then
	"$MKBUCKET" "$WORK/gen" --hours 12 --end ${end}000 --instances "${INSTANCES:-40}"
	queries=${QUERIES:-$tools/queries.txt}
else
	"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 12 --end ${end}000 --instances "${INSTANCES:-40}"
	queries=${QUERIES:-$ROOT/tests/bench/queries.txt}
fi
mount_bucket mount "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica --sync-block-duration=1s

# Every slot is made, so that the mount has all of it locally from then on.
settle "$WORK/mnt"
mkdir "$WORK/copy"
for block in $(blocks_of "$WORK/mnt"); do
	cp -r "$WORK/mnt/$block" "$WORK/copy/"
done
say "$(count_blocks "$WORK/mnt") blocks, $(du -s --apparent-size -BM "$WORK/copy" | cut -f1), queries of $(basename "$queries")"

pair() { "$ROOT/tests/bench/prometheus_pair.py" "$WORK/copy" "$WORK/mnt" --queries "$queries" --time $((end - 60)) "$@"; }
pair --runs 5 | tee "$WORK/warm"
echo "| Prometheus 2.42 on the mount against a local copy of the merged blocks, warm | $(sed -n 's/geometric mean \([0-9.]*\).*/\1x/p' "$WORK/warm") | 1.05x |"
if [[ -w /proc/sys/vm/drop_caches ]]; then
	pair --runs 3 --cold | tee "$WORK/cold"
	echo "| the same, cold but locally cached | $(sed -n 's/geometric mean \([0-9.]*\).*/\1x/p' "$WORK/cold") | 1.2x |"
else
	echo "| the same, cold but locally cached | not measured: only root can drop the kernel's caches | 1.2x |"
fi
