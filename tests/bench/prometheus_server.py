# SPDX-License-Identifier: Apache-2.0
"""Servers of a bench with Prometheus' HTTP API, and what their answers are held against."""
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
    """A Prometheus on a TSDB directory."""

    name = "Prometheus"
    ready = "/-/ready"
    parameters = {}  # of each request

    def __init__(self, directory, work):
        self.directory, self.process = directory, None
        self.config = pathlib.Path(work) / "prometheus.yml"
        self.config.write_text("global: {}\n")
        self.log = open(pathlib.Path(work) / "prometheus.log", "ab")

    def command(self, address):
        return ["prometheus", f"--config.file={self.config}", f"--storage.tsdb.path={self.directory}",
                "--storage.tsdb.retention.time=100y", "--storage.tsdb.min-block-duration=2h",
                "--storage.tsdb.max-block-duration=2h", f"--web.listen-address={address}"]

    def start(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            self.command(f"127.0.0.1:{port}"), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        while True:
            try:
                urllib.request.urlopen(self.url + self.ready, timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"{self.name} on {self.directory} ended with {self.process.returncode}")
                time.sleep(0.02)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def processor_seconds(self):
        """What all its threads have used: Linux' clock of another process, as clock_getcpuclockid(3) numbers it."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def peak_mib(self):
        """The most memory that was ever resident, of mapped files too."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) / 1024

    def ask(self, expr, instant, a):
        """What it answers, None where it refuses, and the seconds it took."""
        if instant:
            path, params = "/api/v1/query", {"query": expr, "time": a.time}
        else:
            path, params = "/api/v1/query_range", {"query": expr, "start": a.time - a.range, "end": a.time, "step": a.step}
        request = urllib.request.Request(self.url + path, urllib.parse.urlencode(params | self.parameters).encode())
        begin = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=300) as r:
                body = r.read()
        except urllib.error.HTTPError as e:
            body = e.read()
        took = time.perf_counter() - begin
        answer = json.loads(body)
        if answer["status"] != "success" and answer["errorType"] not in ("bad_data", "execution"):
            sys.exit(f"{expr} on {self.directory}: {answer}")
        return answer.get("data"), took


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
