#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a Prometheus for raw samples of random series and times, and checks every answer, until SIGTERM.

usage: random_queries.py URL --interval MS --seed N --start MS --end MS [--threads N]
                         [--outage FILE [--heal SECONDS]] LABELS:DUMP...

LABELS:DUMP are the replicas' samples, as for dedup_oracle.py. Whatever the mount has just made of the bucket, an answer must
be complete and true: each sample is one of a replica, timestamps rise, and no gap of more than 1.5 intervals is left that a
replica could fill. The last line says how many answers there were; exit status 1 at the first that is wrong, an error or late.

While FILE is there, and for so many seconds after, the store is out: an answer may then be an error (422), though never wrong.
"""
import argparse
import bisect
import concurrent.futures
import json
import os
import random
import signal
import sys
import time
import urllib.parse
import urllib.request

from dedup_oracle import LABEL, inside, read_dump


def wrong(text):
    print(f"FAILED: {text}", flush=True)
    sys.exit(1)


class Outage:
    """When errors are allowed: the file is there, or was lately."""

    def __init__(self, path, heal):
        self.path, self.heal, self.seen = path, heal, -1e9
        self.errors = 0

    def look(self):
        if self.path and os.path.exists(self.path):
            self.seen = time.monotonic()

    def allows(self, began):
        """An error of a query that began then."""
        self.look()
        if began - self.seen > self.heal:
            return False
        self.errors += 1
        return True


def ask(url, expr, at_ms, outage):
    outage.look()
    began = time.monotonic()
    body = urllib.parse.urlencode({"query": expr, "time": f"{at_ms / 1000:.3f}"}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + "/api/v1/query", body), timeout=60) as r:
            answer = json.load(r)
    except urllib.error.HTTPError as e:
        if e.code == 422 and outage.allows(began):
            return None
        wrong(f"{expr} at {at_ms}: {e.code} {e.read()[:300]}")
    if answer["status"] != "success" or answer.get("warnings"):
        wrong(f"{expr} at {at_ms}: {answer}")
    return answer["data"]["result"]


def check(key, got, replicas, after, until, interval):
    """One series' samples in (after, until]."""
    known = [{t: float(v) for t, v in zip(*r)} for r in replicas]
    times = []
    for t, v in got:
        t, v = round(float(t) * 1000), float(v)
        if times and t <= times[-1]:
            wrong(f"{key}: {t} follows {times[-1]}")
        if not any(t in k and (k[t] == v or (v != v and k[t] != k[t])) for k in known):
            wrong(f"{key}: sample {v} at {t} is of no replica")
        times.append(t)
    slack = interval * 0.05
    for a, b in zip([after] + times, times + [until]):
        # A range selector leaves stale markers out: what the replicas have must be looked for without them.
        if b - a > 1.5 * interval + slack:
            for r in replicas:
                lively = [t for t, v in zip(*r) if v != "NaN"]
                t = inside(lively, a + interval / 2 + slack, b - interval / 2 - slack)
                if t is not None:
                    wrong(f"{key}: silent from {a} to {b}, where a replica has {t}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("url")
    p.add_argument("--interval", type=int, required=True)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--start", type=int, required=True)
    p.add_argument("--end", type=int, required=True)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--outage")
    p.add_argument("--heal", type=float, default=5)
    p.add_argument("replica", nargs="+")
    a = p.parse_args()
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    sources = {}
    for spec in a.replica:
        pairs, _, path = spec.partition(":")
        labels = dict(pair.split("=", 1) for pair in pairs.split(","))
        for key, samples in read_dump(path, labels, ["replica"]).items():
            sources.setdefault(key, []).append(samples)
    keys = sorted(sources)
    outage = Outage(a.outage, a.heal)
    spans = [s for s in (60_000, 300_000, 1_800_000, 7_200_000) if s < a.end - a.start]
    print(f"seed {a.seed}, {len(keys)} series", flush=True)

    def query_until_stopped(number):
        """Returns answers, samples, and seconds of the slowest."""
        rng = random.Random(a.seed * 1000 + number)
        answers = samples = 0
        slowest = 0.0
        while not stop:
            key = rng.choice(keys)
            span = rng.choice(spans)
            until = rng.randrange(a.start + span, a.end)
            after = until - span
            selector = "{" + ",".join(f"{k}={json.dumps(json.loads(chr(34) + v + chr(34)))}" for k, v in LABEL.findall(key)) + "}"
            begin = time.monotonic()
            result = ask(a.url, f"{selector}[{span}ms]", until, outage)
            slowest = max(slowest, time.monotonic() - begin)
            if result is None:
                continue
            exact = [s for s in result if s["metric"] == dict(LABEL.findall(key))]
            if len(exact) != len(result) and len(exact) > 1:
                wrong(f"{key}: comes {len(exact)} times")
            got = exact[0]["values"] if exact else []
            check(key, got, sources[key], after, until, a.interval)
            answers += 1
            samples += len(got)
            time.sleep(0.005)  # the machine has other things to do in this test
        return answers, samples, slowest

    with concurrent.futures.ThreadPoolExecutor(a.threads) as pool:
        done = [pool.submit(query_until_stopped, i) for i in range(a.threads)]
        while not stop and not any(d.done() for d in done):
            time.sleep(0.05)
        stop.append(1)
        results = [d.result() for d in done]
    answers, samples = sum(r[0] for r in results), sum(r[1] for r in results)
    errors = f", {outage.errors} errors" if a.outage else ""
    print(f"{answers} answers, {samples} samples{errors}, the slowest took {max(r[2] for r in results):.2f} s", flush=True)
    if not samples:
        wrong("there was nothing to check")


main()
