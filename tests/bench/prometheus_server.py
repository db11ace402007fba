# SPDX-License-Identifier: Apache-2.0
"""A Prometheus of a bench, on a TSDB directory, and what its answers are held against."""
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


class Server:
    def __init__(self, directory, work):
        self.directory, self.process = directory, None
        self.config = pathlib.Path(work) / "prometheus.yml"
        self.config.write_text("global: {}\n")
        self.log = open(pathlib.Path(work) / "prometheus.log", "ab")

    def start(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={self.config}", f"--storage.tsdb.path={self.directory}",
             "--storage.tsdb.retention.time=100y", "--storage.tsdb.min-block-duration=2h",
             "--storage.tsdb.max-block-duration=2h", f"--web.listen-address=127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
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
