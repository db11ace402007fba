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
import json
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request


class Server:
    def __init__(self, directory, work):
        self.directory, self.process = directory, None
        self.config = pathlib.Path(work) / "prometheus.yml"
        self.config.write_text("global: {}\n")

    def start(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={self.config}", f"--storage.tsdb.path={self.directory}",
             "--storage.tsdb.retention.time=100y", "--storage.tsdb.min-block-duration=2h",
             "--storage.tsdb.max-block-duration=2h", f"--web.listen-address=127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen(self.url + "/-/ready", timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"Prometheus on {self.directory} ended with {self.process.returncode}")
                time.sleep(0.02)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def ask(self, expr, instant, a):
        if instant:
            path, params = "/api/v1/query", {"query": expr, "time": a.time}
        else:
            path, params = "/api/v1/query_range", {"query": expr, "start": a.time - a.range, "end": a.time, "step": a.step}
        request = urllib.request.Request(self.url + path, urllib.parse.urlencode(params).encode())
        begin = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=300) as r:
                body = r.read()
        except urllib.error.HTTPError as e:
            body = e.read()
        answer = json.loads(body)
        if answer["status"] != "success" and answer["errorType"] != "bad_data":
            sys.exit(f"{expr} on {self.directory}: {answer}")
        return answer.get("data"), time.perf_counter() - begin


def same(x, y):
    """Equal but for the last digits, which depend on the order of additions."""
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(x[k], y[k]) for k in x)
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(same(v, w) for v, w in zip(x, y))
    if x == y:
        return True
    try:
        x, y = float(x), float(y)
    except (TypeError, ValueError):
        return False
    return abs(x - y) <= 1e-9 * max(abs(x), abs(y)) or (x != x and y != y)


def by_labels(data):
    if data["resultType"] in ("vector", "matrix"):
        return sorted(data["result"], key=lambda s: json.dumps(s["metric"], sort_keys=True))
    return data["result"]


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
