#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Native histograms, integer and float, are deduplicated as whole samples: each is one of a replica, and no gap is left that a
# replica could fill.
. "$(dirname "$0")/lib.sh"
need_fuse
need prometheus jq python3 curl

end=1699999200
"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a,b --hours 6 --end ${end}000 --instances 2 --histograms
mount_bucket mount "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica

for replica in a b; do
	blocks=()
	for block in "$WORK"/gen/bucket/*/; do
		[[ $(labels_of "$block") != "cluster=eu,replica=$replica" ]] || blocks+=("${block%/}")
	done
	tsdb_of "$WORK/db-$replica" "${blocks[@]}"
	prometheus_start "prom-$replica" "$WORK/db-$replica"
	eval "url_$replica=$PROM_URL"
done
prometheus_start prom "$WORK/mnt"

cat >"$WORK/compare.py" <<'END'
import json, sys, urllib.parse, urllib.request
end, interval = int(sys.argv[1]), 15

def raw(url, name):
    body = urllib.parse.urlencode({"query": name + "[6h]", "time": end - 0.001}).encode()
    with urllib.request.urlopen(url + "/api/v1/query", body) as r:
        result = json.load(r)["data"]["result"]
    out = {}
    for s in result:
        labels = {k: v for k, v in s["metric"].items() if k not in ("cluster", "replica")}
        key = tuple(sorted(labels.items()))
        if key in out or "replica" in s["metric"]:
            sys.exit(f"{s['metric']} comes twice, or with a replica label")
        out[key] = {float(t): v for t, v in s["histograms"]}
    return out

for name in ("http_request_latency_seconds", "rpc_latency_seconds"):
    a, b, mount = (raw(url, name) for url in sys.argv[2:])
    if not mount or mount.keys() != a.keys() | b.keys():
        sys.exit(f"{name}: {len(mount)} series, the replicas have {len(a.keys() | b.keys())}")
    samples = 0
    for key, got in mount.items():
        replicas = [r.get(key, {}) for r in (a, b)]
        for t, v in got.items():
            if not any(r.get(t) == v for r in replicas):
                sys.exit(f"{name} {key}: the sample at {t} is of no replica")
        edges = [float("-inf"), *sorted(got), float("inf")]
        for before, after in zip(edges, edges[1:]):
            if after - before > 1.5 * interval + 1:
                for r in replicas:
                    if any(before + interval / 2 + 1 < t < after - interval / 2 - 1 for t in r):
                        sys.exit(f"{name} {key}: silent from {before} to {after}, where a replica is not")
        if len(got) > max(map(len, replicas)) * 1.1 + 4:
            sys.exit(f"{name} {key}: {len(got)} samples are more than one replica's rate")
        samples += len(got)
    print(f"{name}: {len(mount)} series, {samples} samples")
END
# shellcheck disable=SC2154 # set by name above
python3 "$WORK/compare.py" "$end" "$url_a" "$url_b" "$PROM_URL" || fail "native histograms differ"

# PromQL works on them.
[[ -n $(ask_value 'histogram_quantile(0.9, sum(rate(rpc_latency_seconds[5m])))' $((end - 60))) ]] || fail "no quantile"
