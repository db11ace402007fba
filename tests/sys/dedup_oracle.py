#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what a mount shows against the blocks it is made of, and against the truth.

usage: dedup_oracle.py --mount DUMP --truth DUMP --interval MS [--replica-label replica] LABELS:DUMP...

A DUMP is the output of `promtool tsdb dump`. LABELS:DUMP is one replica's blocks, with the external labels the bucket
gives them: cluster=eu,replica=a:DUMP. The truth has no replica label. What must hold for every series:

 - it stands once, without the replica label, and is in the truth;
 - its timestamps strictly rise, and every sample is a sample of one replica, bit for bit;
 - complete: a gap of more than 1.5 intervals is one in every replica, but for half an interval at its edges and stale markers; so
   count_over_time(x[5m]) at any minute is no less than the best replica's, but for one sample and one a switch;
 - never more than one replica's rate: in any 5 minutes, one sample an interval, and one more a switch, which only a gap
   of a replica justifies;
 - a counter falls only where the truth falls.

Prints how much was checked; exit status 1 and the first findings if something doesn't hold.
"""
import argparse
import bisect
import re
import sys

LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
COUNTER = re.compile(r'^\{__name__="[^"]*_(?:total|count|sum|bucket)"')
WINDOW = 300_000
findings = []


def finding(text):
    findings.append(text)
    if len(findings) >= 20:
        finish()


def finish():
    for text in findings:
        print(f"FAILED: {text}")
    sys.exit(1 if findings else 0)


def relabelled(text, add, drop):
    labels = dict(LABEL.findall(text))
    labels.update(add)
    for name in drop:
        labels.pop(name, None)
    return "{" + ", ".join(f'{k}="{labels[k]}"' for k in sorted(labels)) + "}"


def read_dump(path, add=None, drop=()):
    """{labels: (timestamps, values as text)}; series that come twice are findings."""
    series, current, last = {}, None, None
    with open(path) as f:
        for line in f:
            labels, value, t = line.rstrip("\n").rsplit(" ", 2)
            if labels != last:
                last = labels
                key = relabelled(labels, add, drop) if add is not None else labels
                if key in series:
                    finding(f"{path}: {key} comes twice")
                current = series.setdefault(key, ([], []))
            current[0].append(int(t))
            current[1].append(value)
    return series


def inside(times, after, before):
    """The first of `times` that lies strictly between, or None."""
    i = bisect.bisect_right(times, after)
    return times[i] if i < len(times) and times[i] < before else None


def provenance(times, values, replicas):
    """For each sample the number of the replica it is of, staying with one as long as possible."""
    lookup = [dict(zip(*r)) for r in replicas]
    out, at = [], None
    for t, v in zip(times, values):
        if at is None or lookup[at].get(t) != v:
            at = next((i for i, known in enumerate(lookup) if known.get(t) == v), None)
            if at is None:
                return None, (t, v)
        out.append(at)
    return out, None


def check_series(key, times, values, replicas, truth, interval):
    for i in range(1, len(times)):
        if times[i] <= times[i - 1]:
            return finding(f"{key}: {times[i]} follows {times[i - 1]}")
    origin, stranger = provenance(times, values, replicas)
    if origin is None:
        return finding(f"{key}: sample {stranger} is of no replica")
    switches = [0]
    for i in range(1, len(times)):
        switches.append(switches[-1] + (origin[i] != origin[i - 1]))

    # A stale marker is a sample, but none that fills a gap.
    lively = [[t for t, v in zip(*r) if v != "NaN"] for r in replicas]
    shown = [t for t, v in zip(times, values) if v != "NaN"]
    slack = interval * 0.05
    # Who follows one replica switches only at a gap of one: there and back.
    gaps = []
    for r in replicas:
        edges = [float("-inf")] + r[0] + [float("inf")]
        gaps += [(x, y) for x, y in zip(edges, edges[1:]) if y - x > 1.5 * interval - slack]
    edges = [float("-inf")] + times + [float("inf")]
    for i in range(1, len(edges)):
        if edges[i] - edges[i - 1] > 1.5 * interval + slack:
            for n, r in enumerate(lively):
                t = inside(r, edges[i - 1] + interval / 2 + slack, edges[i] - interval / 2 - slack)
                if t is not None:
                    finding(f"{key}: silent from {edges[i - 1]} to {edges[i]}, where replica {n} has {t}")
                    break

    for end in range(times[0] // 60_000 * 60_000 + WINDOW, times[-1], 60_000):
        lo, hi = bisect.bisect_right(times, end - WINDOW), bisect.bisect_right(times, end)
        best = max(bisect.bisect_right(r, end) - bisect.bisect_right(r, end - WINDOW) for r in lively)
        alive = bisect.bisect_right(shown, end) - bisect.bisect_right(shown, end - WINDOW)
        turns = switches[hi - 1] - switches[lo] if hi > lo else 0
        may_turn = 2 * sum(x < end and y > end - WINDOW for x, y in gaps)
        if alive < best - 1 - turns:
            finding(f"{key}: {alive} samples in the 5 minutes to {end}, a replica has {best}")
        if hi - lo > WINDOW // interval + 2 + min(turns, may_turn):
            finding(f"{key}: {hi - lo} samples in the 5 minutes to {end} is more than one replica's rate")

    if COUNTER.match(key):
        numbers = [float(v) for v in values]
        falls = [(truth[0][i - 1], truth[0][i]) for i in range(1, len(truth[0]))
                 if float(truth[1][i]) < float(truth[1][i - 1])]
        for i in range(1, len(times)):
            if numbers[i] < numbers[i - 1] and not any(
                    a - interval <= times[i] and times[i - 1] <= b + interval for a, b in falls):
                finding(f"{key}: falls from {values[i - 1]} to {values[i]} at {times[i]}, the truth doesn't")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--mount", required=True)
    p.add_argument("--truth", required=True)
    p.add_argument("--interval", type=int, required=True)
    p.add_argument("--replica-label", action="append")
    p.add_argument("replica", nargs="+")
    a = p.parse_args()
    drop = a.replica_label or ["replica"]
    mount, truth = read_dump(a.mount), read_dump(a.truth)
    sources = {}
    for spec in a.replica:
        pairs, _, path = spec.partition(":")
        labels = dict(pair.split("=", 1) for pair in pairs.split(","))
        for key, samples in read_dump(path, labels, drop).items():
            sources.setdefault(key, []).append(samples)

    for key in mount:
        if any(f'{name}="' in key for name in drop):
            finding(f"{key} has a replica label")
        if key not in sources:
            finding(f"{key} is in no replica")
    for key in sources:
        if key not in mount:
            finding(f"{key} is missing")
        if key not in truth:
            finding(f"{key} is not in the truth")
    samples = 0
    for key, (times, values) in mount.items():
        if key in sources and key in truth:
            check_series(key, times, values, sources[key], truth[key], a.interval)
            samples += len(times)
    print(f"{len(mount)} series, {samples} samples; the replicas have "
          f"{sum(len(r[0]) for rs in sources.values() for r in rs)}, the truth {sum(len(t) for t, _ in truth.values())}")
    if not samples:
        finding("there is nothing to check")
    finish()


if __name__ == "__main__":
    main()
