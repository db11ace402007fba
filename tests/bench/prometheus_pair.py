#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same Prometheus on two TSDB directories, asked the same queries in turn.

usage: prometheus_pair.py REFERENCE DIRECTORY --queries FILE --time SECONDS [--range S] [--step S] [--runs N] [--cold]

FILE has a PromQL expression a line; 'instant: EXPR' is asked at --time, any other over the --range before it; 'fails: EXPR'
and comments are left out. Each query is asked --runs times, the two servers taking turns, and medians are compared. With
--cold both servers are started anew and the kernel's caches dropped before every single request (for root). Answers must be
equal. The last line is 'geometric mean N of DIRECTORY against REFERENCE'.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

from prometheus_server import Server, by_labels, same


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("reference"), p.add_argument("directory")
    p.add_argument("--queries", type=pathlib.Path, required=True)
    p.add_argument("--time", type=float, required=True)
    p.add_argument("--range", type=float, default=6 * 3600)
    p.add_argument("--step", type=float, default=60)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--cold", action="store_true")
    a = p.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as work:
        servers = [Server(d, work) for d in (a.reference, a.directory)]
        try:
            if not a.cold:
                for s in servers:
                    s.start()
            for line in a.queries.read_text().splitlines():
                line = line.strip()
                if not line or line.startswith(("#", "fails: ")):
                    continue
                instant = line.startswith("instant: ")
                expr = line.removeprefix("instant: ")
                times, answers = ([], []), [None, None]
                for run in range(a.runs + (not a.cold)):
                    for i in (0, 1) if run % 2 else (1, 0):
                        if a.cold:
                            subprocess.run(["sync"], check=True)
                            pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
                            servers[i].start()
                        answers[i], took = servers[i].ask(expr, instant, a)
                        if a.cold:
                            servers[i].stop()
                        if a.cold or run:  # the first warms up
                            times[i].append(took)
                if answers == [None, None]:
                    continue  # refused by the parser: nothing to measure
                if None in answers or not same(*map(by_labels, answers)):
                    sys.exit(f"the answers differ: {expr}")
                ref, ours = map(statistics.median, times)
                ratios.append(ours / ref)
                print(f"{ref * 1e3:9.1f} {ours * 1e3:9.1f} ms {ours / ref:6.2f}x  {line}", flush=True)
        finally:
            for s in servers:
                s.stop()
    print(f"geometric mean {statistics.geometric_mean(ratios):.3f} of {a.directory} against {a.reference}")


if __name__ == "__main__":
    main()
