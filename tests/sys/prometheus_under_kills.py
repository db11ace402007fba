#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the worker of the mount that a Prometheus works on, at random times, and says what that Prometheus noticed.

usage: prometheus_under_kills.py MOUNTPOINT SUPERVISOR_PID URL PROMETHEUS_PID REFERENCE_URL --kills N --start S --end S
                                 --queries FILE [--every S]

REFERENCE_URL is a Prometheus on local copies of the mount's blocks: what it answers to queries of random times in [start, end]
is what is known before the first kill. Both servers scrape the same target every second as the job "itself": what the other one
loses too, on a machine that is busy, is not the mount's fault.

Meanwhile what the first server has mapped of the mount is taken from its memory, and the kernel's caches are dropped, every
second or so, where this is allowed: else no fault would reach a worker. An error, an answer that differs, a scrape that is late
or lost, one of Prometheus' own counters of failures that moves: exit status 1, or 3 if there is nothing wrong but scrapes. The last
line sums up.
"""
import argparse
import ctypes
import json
import os
import pathlib
import random
import re
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
from prometheus_pair import by_labels, same
from worker_kills import children

CASES = 40
ASKERS = 2
FAILURES = ("prometheus_tsdb_reloads_failures_total", "prometheus_tsdb_compactions_failed_total",
            "prometheus_tsdb_wal_corruptions_total", "prometheus_tsdb_wal_writes_failed_total",
            "prometheus_tsdb_wal_truncations_failed_total", "prometheus_tsdb_head_truncations_failed_total",
            "prometheus_tsdb_checkpoint_creations_failed_total", "prometheus_tsdb_mmap_chunk_corruptions_total",
            "prometheus_target_scrapes_sample_out_of_order_total", "prometheus_rule_evaluation_failures_total")
SYS_PROCESS_MADVISE, MADV_PAGEOUT, IOV_MAX = 440, 21, 1024


def ask(url, path, params):
    """The answer's data; ValueError for anything but success without warnings."""
    request = urllib.request.Request(f"{url}/api/v1/{path}", urllib.parse.urlencode(params).encode())
    try:
        with urllib.request.urlopen(request, timeout=120) as r:
            answer = json.load(r)
    except urllib.error.HTTPError as e:
        raise ValueError(f"{params}: {e.code} {e.read()[:300]}") from e
    if answer["status"] != "success" or answer.get("warnings"):
        raise ValueError(f"{params}: {str(answer)[:300]}")
    return by_labels(answer["data"])


def make_cases(path, start, end, rnd):
    """(path, parameters) of random queries of the file's expressions, as ask takes them."""
    lines = [line for line in pathlib.Path(path).read_text().splitlines() if line and line[0] != "#"]
    cases = []
    for _ in range(CASES):
        line = rnd.choice([line for line in lines if not line.startswith("fails: ")])
        until = rnd.randrange(start + 1800, end)
        if line.startswith("instant: "):
            cases.append(("query", {"query": line.removeprefix("instant: "), "time": until}))
        else:
            cases.append(("query_range", {"query": line, "start": until - 1700, "end": until, "step": 60}))
    return cases


class IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Evictor:
    """Takes the pages of a mount's files from a process, and then from the page cache."""

    def __init__(self, pid, mount):
        self.pid, self.mount, self.rounds = pid, mount, 0
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.pidfd = os.pidfd_open(pid)
        self.caches = pathlib.Path("/proc/sys/vm/drop_caches")

    def mapped(self):
        for line in open(f"/proc/{self.pid}/maps"):
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[5].startswith(self.mount + "/"):
                begin, end = (int(x, 16) for x in fields[0].split("-"))
                yield begin, end - begin

    def evict(self):
        parts = list(self.mapped())[:IOV_MAX]
        vector = (IoVec * len(parts))(*parts)
        done = self.libc.syscall(SYS_PROCESS_MADVISE, self.pidfd, vector, len(parts), MADV_PAGEOUT, 0)
        if done >= 0 and os.access(self.caches, os.W_OK):
            self.caches.write_text("3\n")
            self.rounds += 1

    def faults(self):
        """The process's page faults so far that had to wait for a file."""
        return int(open(f"/proc/{self.pid}/stat").read().rpartition(")")[2].split()[9])


def counters(url):
    with urllib.request.urlopen(url + "/metrics", timeout=60) as r:
        text = r.read().decode()
    found = dict(re.findall(r"^(\w+) (\S+)$", text, re.M))
    return {name: float(found[name]) for name in FAILURES if name in found}


def scrapes(url, begin, end):
    """Of the time from begin to end: the scrapes, those that were lost, those that failed, and the longest pause in seconds."""
    result = ask(url, "query", {"query": f'up{{job="itself"}}[{end - begin}s]', "time": end})
    values = result[0]["values"]
    pauses = [b[0] - a[0] for a, b in zip(values, values[1:])]
    lost = round(values[-1][0] - values[0][0]) + 1 - len(values)
    return len(values), lost, sum(v != "1" for _, v in values), max(pauses)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("mount"), p.add_argument("supervisor", type=int), p.add_argument("url")
    p.add_argument("prometheus", type=int), p.add_argument("reference")
    p.add_argument("--kills", type=int, required=True)
    p.add_argument("--every", type=float, default=0.3)
    p.add_argument("--start", type=int, required=True)
    p.add_argument("--end", type=int, required=True)
    p.add_argument("--queries", required=True)
    a = p.parse_args()
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    rnd = random.Random(seed)
    print(f"seed {seed}", flush=True)

    cases = make_cases(a.queries, a.start, a.end, rnd)
    known = [ask(a.reference, *case) for case in cases]
    if not any(known):
        sys.exit("nothing is known to ask for")
    stop, errors, answers = threading.Event(), [], [0] * ASKERS
    evictor = Evictor(a.prometheus, a.mount)

    def ask_again_and_again(number):
        own = random.Random(seed + 1 + number)
        while not stop.is_set():
            i = own.randrange(len(cases))
            try:
                got = ask(a.url, *cases[i])
                if not same(got, known[i]):
                    errors.append(f"{cases[i]}: another answer than without kills: {str(got)[:300]}")
            except (OSError, ValueError) as e:
                errors.append(f"{cases[i]}: {e}")
            answers[number] += 1
            stop.wait(0.02)

    def evict_again_and_again():
        while not stop.wait(1):
            evictor.evict()

    # A server begins to scrape some seconds after it has started.
    while not all(ask(url, "query", {"query": 'up{job="itself"}'}) for url in (a.url, a.reference)):
        time.sleep(0.1)
    begin, faults_before, failures_before = int(time.time()), evictor.faults(), counters(a.url)
    threads = [threading.Thread(target=ask_again_and_again, args=(i,)) for i in range(ASKERS)]
    threads.append(threading.Thread(target=evict_again_and_again))
    for thread in threads:
        thread.start()
    kills = 0
    while kills < a.kills and len(errors) < 10:
        time.sleep(rnd.uniform(0.2, 1.8) * a.every)
        if workers := children(a.supervisor):
            os.kill(workers[0], signal.SIGKILL)
            kills += 1
    stop.set()
    for thread in threads:
        thread.join()

    # What is scraped in this second may not be there yet.
    time.sleep(2)
    end = int(time.time()) - 1
    n, lost, failed, pause = scrapes(a.url, begin, end)
    _, others_lost, others_failed, others_pause = scrapes(a.reference, begin, end)
    late = []
    if n < end - begin - 1 - lost or lost > 2 * others_lost or failed > 2 * others_failed:
        late.append(f"{n} scrapes in {end - begin} s, {lost} lost, {failed} failed, "
                    f"where the other server lost {others_lost}, and {others_failed} failed")
    moved = {name: v for name, v in counters(a.url).items() if v != failures_before.get(name, 0)}
    if moved:
        errors.append(f"counters of failures moved: {moved}")
    faults = evictor.faults() - faults_before
    if evictor.rounds and not faults:
        errors.append("no page fault of Prometheus' reached the mount")
    for error in late + errors[:10]:
        print(f"error: {error}")
    print(f"{kills} kills, {sum(answers)} answers, {faults} major faults, {n} scrapes in {end - begin} s, {lost} lost "
          f"(the other server: {others_lost}), at most {pause:.3f} s apart ({others_pause:.3f} s), {len(errors) + len(late)} errors")
    sys.exit(1 if errors else 3 if late else 0)


if __name__ == "__main__":
    main()
