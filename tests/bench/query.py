#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`thanosfs query` against Prometheus and VictoriaMetrics on the same samples.

usage: query.py TSDB --build DIR --queries FILE --time SECONDS [--runs N] [--only NAME,...]

Whatever is compared takes turns, the first to ask changing from round to round, and medians are compared. Times are the client's,
from the request to the answer's last byte; those of processors, which say more on a busy machine, are all the server's
threads'. What is measured, each printing its rows of the table:
 list    every query of FILE (a line each, as prometheus_pair.py reads it, those that fail as well), against Prometheus, and
         the peak memory of both over it; says which answers differ
 heavy   three queries over thousands of series, against Prometheus and VictoriaMetrics
 cores   two of them on two cores and on one
 linear  one of them over 1 to 16 times as many series
 decode  by bench_rate, in one process and thread: the samples a second of one of them against those of a decoder alone
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import types
import urllib.request

from prometheus_server import Server, by_labels, same
from query_servers import QueryServer, Victoria

CPU = "sum by (instance, cluster) (rate(node_cpu_seconds_total[5m]))"
QUANTILE = "histogram_quantile(0.99, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m])))"
HEAVY = [("sum by (rate), 6 h/60 s", CPU, 6, 60), ("sum by (rate), 11 h/15 s", CPU, 11, 15),
         ("histogram_quantile, 6 h/60 s", QUANTILE, 6, 60)]
METRICS = ["node_cpu_seconds_total", "http_request_duration_seconds_bucket"]


def span(a, hours, step):
    return types.SimpleNamespace(time=a.time, range=hours * 3600, step=step)


def in_turns(servers, runs, expr, instant, when, rest=0):
    """Each one's medians, seconds of the clock and of processors, and its last answer; a run before them all doesn't count. rest: seconds before each."""
    times, used, answers = [[] for _ in servers], [[] for _ in servers], [None] * len(servers)
    for run in range(runs + 1):
        for k in range(len(servers)):
            i = (k + run) % len(servers)
            time.sleep(rest)
            before = servers[i].processor_seconds()
            answers[i], took = servers[i].ask(expr, instant, when)
            if run:
                times[i].append(took)
                used[i].append(servers[i].processor_seconds() - before)
    return [statistics.median(t) for t in times], [statistics.median(t) for t in used], answers


def started(stack, *servers):
    for s in servers:
        s.start()
        stack.append(s)
    return servers


def measure_list(a, work, stack):
    servers = started(stack, Server(a.tsdb, work), QueryServer(a.thanosfs, a.tsdb, work))
    when, ratios, used, slow, n_differ = span(a, 6, 60), [], [], [], 0
    for line in a.queries.read_text().splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        expr = line.removeprefix("fails: ")
        instant = expr.startswith("instant: ")
        expr = expr.removeprefix("instant: ")
        (ref, ours), (ref_used, ours_used), answers = in_turns(servers, a.runs, expr, instant, when)
        fails = line.startswith("fails: ")
        if fails and answers != [None, None]:
            sys.exit(f"not refused: {expr}")
        differs = not same(*(answer and by_labels(answer) for answer in answers))
        n_differ += differs
        ratios.append(ours / ref)
        used.append(ours_used / ref_used)
        if ref >= 1e-3:
            slow.append((ours / ref, line))
        print(f"{ref * 1e3:9.1f} {ours * 1e3:9.1f} ms {ours / ref:6.3f}x, of processors {used[-1]:6.3f}x "
              f"{'DIFFERS' if differs else '       '} {line}", flush=True)
    print(f"{n_differ} of {len(ratios)} answers differ")
    theirs, own = (s.peak_mib() for s in servers)
    print(f"the worst: {max(slow)[1]}")
    print(f"| queries of a list against Prometheus 2.42, the worst where it takes 1 ms or more | {max(slow)[0]:.3f}x | 0.6x |")
    means = [statistics.geometric_mean(r) for r in (ratios, used)]
    print(f"| their geometric mean; of processor time | {means[0]:.3f}x; {means[1]:.3f}x | 0.2x |")
    print(f"| peak memory over them against Prometheus | {own / theirs:.3f}x ({own:.0f} of {theirs:.0f} MiB) | 0.15x |", flush=True)


def measure_heavy(a, work, stack):
    victoria = Victoria(work)
    servers = started(stack, Server(a.tsdb, work), victoria, QueryServer(a.thanosfs, a.tsdb, work))
    victoria.load(a.tsdb, METRICS)
    for what, expr, hours, step in HEAVY:
        (theirs, victorias, own), used, answers = in_turns(servers, a.runs, expr, False, span(a, hours, step))
        points = [sum(len(s["values"]) for s in answer["result"]) for answer in answers]
        if not same(by_labels(answers[0]), by_labels(answers[2])) or points[0] != points[1]:
            sys.exit(f"the answers differ: {expr}, points {points}")
        print(f"{theirs * 1e3:9.1f} {victorias * 1e3:9.1f} {own * 1e3:9.1f} ms, of processors",
              *(f"{t * 1e3:9.1f}" for t in used), f"ms  {what}")
        print(f"| {what}, against Prometheus 2.42, VictoriaMetrics 1.79 | {own / theirs:.3f}x, {own / victorias:.2f}x ({own * 1e3:.0f} ms) "
              "| 0.07x, 0.45x |", flush=True)


def measure_cores(a, work, stack):
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        print("| one query on two cores against one | not measured: there is one core | 1.8x |")
        return
    servers = started(stack, *(QueryServer(a.thanosfs, a.tsdb, work, c) for c in (cores[:1], cores)))
    for what, expr, hours, step in HEAVY:
        # What the other one clears away once its answer has left takes one of the two cores.
        (one, two), *_ = in_turns(servers, a.runs, expr, False, span(a, hours, step), rest=0.03)
        print(f"| {what}, on two cores against one | {one / two:.2f}x ({one * 1e3:.0f}, {two * 1e3:.0f} ms) | 1.8x |", flush=True)


def measure_linear(a, work, stack):
    (server,) = started(stack, QueryServer(a.thanosfs, a.tsdb, work))
    with urllib.request.urlopen(f"{server.url}/api/v1/label/instance/values?match[]=node_cpu_seconds_total") as r:
        instances = json.load(r)["data"]
    when, factors, times = span(a, 11, 60), [16, 8, 4, 2, 1], {}
    queries = {}
    for k in factors:
        some = "|".join(map(re.escape, instances[: len(instances) * k // 16]))
        # An instance's name as a string of PromQL: what re.escape wrote once more.
        some = some.replace("\\", "\\\\")
        queries[k] = f'sum by (instance, cluster) (rate(node_cpu_seconds_total{{instance=~"{some}"}}[5m]))'
    for run in range(a.runs + 1):
        for k in factors if run % 2 else factors[::-1]:
            took = server.ask(queries[k], False, when)[1]
            if run:
                times.setdefault(k, []).append(took)
    median = {k: statistics.median(t) for k, t in times.items()}
    print("  " + ", ".join(f"{k}x: {median[k] * 1e3:.1f} ms" for k in sorted(median)))
    worst = max(median[k] / k / median[1] for k in factors)
    print(f"| time a sample of 1 to 16 times as many samples against the time a sample of 1, the most | {worst:.2f}x | 1.1x |", flush=True)


def measure_decode(a, work, stack):
    bench = [a.build / "tests/bench/bench_rate", a.tsdb, "node_cpu_seconds_total", CPU]
    out = subprocess.run(bench, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(out, end="")
    ratio = re.search(r"^ratio (.*)", out, re.M)[1]
    print(f"| samples decoded a second within sum by (rate), 12 h/60 s, against a bare XOR decode loop | {ratio}x | 0.65x |", flush=True)


PARTS = {"list": measure_list, "heavy": measure_heavy, "cores": measure_cores, "linear": measure_linear, "decode": measure_decode}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("tsdb")
    p.add_argument("--build", type=pathlib.Path, required=True)
    p.add_argument("--queries", type=pathlib.Path, required=True)
    p.add_argument("--time", type=int, required=True)
    p.add_argument("--runs", type=int, default=7)
    p.add_argument("--only", type=lambda s: s.split(","), default=list(PARTS))
    a = p.parse_args()
    a.thanosfs = a.build / "thanosfs"
    for part in a.only:
        with tempfile.TemporaryDirectory() as work:
            stack = []
            try:
                PARTS[part](a, work, stack)
            finally:
                for s in stack:
                    s.stop()


if __name__ == "__main__":
    main()
