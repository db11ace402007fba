#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: demo_table.py PROMETHEUS_URL RAW

RAW holds CLUSTER-REPLICA.txt, the dump of one gauge from each replica's own blocks. Prints, for moments at which a replica was
down and one at which none was, how many samples the last five minutes hold: in each replica, and on the mount.
"""
import collections
import datetime
import json
import pathlib
import re
import sys
import urllib.parse
import urllib.request

url, raw = sys.argv[1], pathlib.Path(sys.argv[2])
WINDOW = 300_000

# cluster -> replica -> instance -> timestamps
times = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(list)))
for dump in sorted(raw.glob("*.txt")):
    cluster, replica = dump.stem.split("-")
    for line in dump.read_text().splitlines():
        labels, value, t = line.rsplit(" ", 2)
        if value != "NaN":
            times[cluster][replica][re.search(r'instance="([^"]*)"', labels)[1]].append(int(t))


def outage(series):
    """The middle and the length of the longest silence."""
    a, b = max(zip(series, series[1:]), key=lambda pair: pair[1] - pair[0])
    return (a + b) // 2, b - a


def in_window(series, end):
    return sum(end - WINDOW < t <= end for t in series)


def on_mount(cluster, instance, end, window="5m"):
    query = f'count_over_time(node_load1{{cluster="{cluster}",instance="{instance}"}}[{window}])'
    body = urllib.parse.urlencode({"query": query, "time": f"{end / 1000:.3f}"}).encode()
    with urllib.request.urlopen(url + "/api/v1/query", body, timeout=60) as r:
        result = json.load(r)["data"]["result"]
    if len(result) > 1:
        sys.exit(f"{query} gave {len(result)} series")
    return int(float(result[0]["value"][1])) if result else 0


def clock(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%H:%M:%S UTC")


def row(cluster, when, counts, merged, what):
    global complete
    complete &= merged >= max(counts) - 2
    print(f"{cluster:9}{when:17}" + "".join(f"{n:11}" for n in counts) + f"{merged:12}   {what}".rstrip())


print(f"{'cluster':9}{'five minutes to':17}{'replica a':>11}{'replica b':>11}{'the mount':>12}")
complete = True
for cluster in sorted(times):
    replicas = times[cluster]
    # A target that both see from the beginning to the end.
    instance = min(set.intersection(*(set(r) for r in replicas.values())))
    moments = []
    for replica, instances in sorted(replicas.items()):
        middle, length = outage(instances[instance])
        # The end of five minutes that lie in the outage, as far as it is long enough.
        moments.append((middle + min(WINDOW, length) // 2, f"{replica} was down {length // 60000} min"))
    first = max(min(r[instance]) for r in replicas.values())
    last = min(max(r[instance]) for r in replicas.values())
    calm = [end for end in range(first + WINDOW, last, WINDOW)
            if all(in_window(r[instance], end) >= WINDOW // 15_000 - 1 for r in replicas.values())]
    moments.append((calm[len(calm) // 2], "both were up"))
    for end, what in sorted(moments):
        row(cluster, clock(end), [in_window(replicas[r][instance], end) for r in sorted(replicas)],
            on_mount(cluster, instance, end), what)
    row(cluster, "all six hours", [len(replicas[r][instance]) for r in sorted(replicas)],
        on_mount(cluster, instance, last + WINDOW, "1d"), "")
if not complete:
    sys.exit("a gap was left that a replica could fill")
