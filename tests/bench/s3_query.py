#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One heavy query of a Prometheus on a bucket behind a distant S3 server.

usage: s3_query.py --work DIR --thanosfs PROGRAM --config bucket.yaml --rclone rclone.conf --remote NAME:BUCKET --copy DIR
       --overrides FILE --log FILE --time SECONDS --needed BYTES [--runs N] [--query EXPR]

Three comparisons, the sides taking turns, medians compared; prints a row of the table for each:
 first   from nothing: mount, start Prometheus, ask; against the same on `rclone mount --vfs-cache-mode off`
 merged  the mount has merged its indexes, and no chunk is cached; only the query; against Prometheus on the blocks on the
         local disk, the kernel's caches dropped
 bytes   what the mount asked of segments meanwhile (by the server's log), against --needed; and how many requests of them
         followed one another: the longest chain of requests each of which began after the one before had ended
"""
import argparse
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

from prometheus_server import Server, by_labels, same

p = argparse.ArgumentParser()
for name in ("work", "thanosfs", "config", "rclone", "remote", "copy", "overrides", "log"):
    p.add_argument("--" + name, required=True)
p.add_argument("--time", type=int, required=True)
p.add_argument("--needed", type=int, required=True)
p.add_argument("--runs", type=int, default=5)
p.add_argument("--range", type=int, default=6 * 3600)
p.add_argument("--step", type=int, default=60)
p.add_argument("--query", default="sum by (instance, cluster) (rate(node_cpu_seconds_total[5m]))")
a = p.parse_args()
work = pathlib.Path(a.work)
mnt = work / "mnt"


def drop_caches():
    subprocess.run(["sync"], check=True)
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")


def wait(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.002)


class Mount:
    """thanosfs on the bucket, with the data directory as it is."""

    def __init__(self, data):
        self.log = open(work / "thanosfs.log", "ab")
        self.process = subprocess.Popen(
            [a.thanosfs, "mount", f"--objstore.config-file={a.config}", f"--data-dir={data}", "--query.replica-label=replica",
             "--log.level=info", str(mnt)], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait("the mount", lambda: os.path.ismount(mnt) or self.process.poll() is not None)
        if not os.path.ismount(mnt):
            sys.exit((work / "thanosfs.log").read_text()[-2000:])
        self.directory = mnt

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class RcloneMount:
    """The blocks as rclone shows them, each mounted once more in a directory that Prometheus can write to."""

    def __init__(self):
        self.remote, self.directory = work / "rclone", work / "on-rclone"
        shutil.rmtree(self.directory, ignore_errors=True)
        for d in (self.remote, self.directory):
            d.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["rclone", "--config", a.rclone, "mount", a.remote, str(self.remote), "--vfs-cache-mode", "off", "--read-only",
             "--allow-other", "--dir-cache-time", "1h"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait("rclone's mount", lambda: os.path.ismount(self.remote))
        self.blocks = []
        for block in self.remote.iterdir():
            at = self.directory / block.name
            at.mkdir()
            subprocess.run(["mount", "--bind", str(block), str(at)], check=True)
            self.blocks.append(at)

    def stop(self):
        for at in self.blocks:
            subprocess.run(["umount", str(at)], check=True)
        subprocess.run(["umount", str(self.remote)], check=True)
        self.process.wait(60)


def first(make):
    """From nothing to the answer, in seconds."""
    drop_caches()
    begin = time.perf_counter()
    mount = make()
    mounted = time.perf_counter()
    server = Server(str(mount.directory), work)
    server.start()
    ready = time.perf_counter()
    answer, took = server.ask(a.query, False, a)
    total = time.perf_counter() - begin
    server.stop()
    mount.stop()
    print(f"  {make.__name__}: {total:.2f} s: mounted {mounted - begin:.2f}, Prometheus ready {ready - mounted:.2f}, query {took:.2f}",
          flush=True)
    return answer, total


def fresh(name):
    """A data directory in which only the sizes of slots are that the local mount has learned: so that answers can be compared."""
    shutil.rmtree(work / name, ignore_errors=True)
    (work / name).mkdir()
    shutil.copy(a.overrides, work / name / "slot-overrides")
    return work / name


def fresh_mount():
    return Mount(fresh("data"))


def rclone_mount():
    return RcloneMount()


def chunks_gone():
    """Of the data directory only indexes and what belongs to them stays."""
    data = work / "merged-data"
    shutil.rmtree(data / "extents", ignore_errors=True)
    for f in data.glob("merged/*/segment-*"):
        f.unlink()


def requests_between(begin, end):
    """Of segments: (start, end, bytes), in microseconds since 1970."""
    found = []
    for line in pathlib.Path(a.log).read_text().splitlines():
        words = line.split()
        if len(words) >= 7 and words[2] == "GET" and "/chunks/" in words[3] and begin <= int(words[0]) <= end:
            found.append((int(words[0]), int(words[1]), int(words[6])))
    return found


def longest_chain(requests):
    n, last = 0, 0
    for start, end, _ in sorted(requests, key=lambda r: r[1]):
        if start >= last:
            n, last = n + 1, end
    return n


def merged_mount():
    """Only the query; also what it fetched."""
    chunks_gone()
    drop_caches()
    mount = Mount(work / "merged-data")
    server = Server(str(mount.directory), work)
    server.start()
    time.sleep(1)  # what its start asked for is over
    begin = time.time_ns() // 1000
    answer, took = server.ask(a.query, False, a)
    end = time.time_ns() // 1000
    time.sleep(1)
    requests = requests_between(begin, end)
    late = requests_between(end + 1, time.time_ns() // 1000)
    server.stop()
    mount.stop()
    fetched = sum(r[2] for r in requests) + sum(r[2] for r in late)
    print(f"  merged indexes: {took:.3f} s, {len(requests)} requests (and {len(late)} after it), {fetched / 1e6:.2f} MB, "
          f"longest chain {longest_chain(requests)}", flush=True)
    return answer, took, fetched, longest_chain(requests)


def local_copy():
    server = Server(a.copy, work)
    server.start()
    drop_caches()
    answer, took = server.ask(a.query, False, a)
    server.stop()
    print(f"  local disk: {took:.3f} s", flush=True)
    return answer, took


mnt.mkdir(exist_ok=True)
want = by_labels(local_copy()[0])
ours, theirs = [], []
for _ in range(min(a.runs, 3)):
    answer, t = first(fresh_mount)
    if not same(by_labels(answer), want):
        sys.exit("the mount's answer is another than the local copy's")
    ours.append(t)
    answer, t = first(rclone_mount)
    if not answer["result"]:
        sys.exit("Prometheus finds nothing on rclone's mount")
    theirs.append(t)
print(f"| first heavy query, mount included, 15 ms a request, against Prometheus on rclone mount | "
      f"{statistics.median(ours) / statistics.median(theirs):.3f}x ({statistics.median(ours):.2f} s) | 0.25x |")

Mount(fresh("merged-data")).stop()
ours, theirs, fetched, chains = [], [], [], []
for _ in range(a.runs):
    answer, t, n, chain = merged_mount()
    if not same(by_labels(answer), want):
        sys.exit("the mount's answer is another than the local copy's")
    ours.append(t)
    fetched.append(n)
    chains.append(chain)
    theirs.append(local_copy()[1])
print(f"| the same with merged indexes, chunks cold, against Prometheus cold on local disk | "
      f"{statistics.median(ours) / statistics.median(theirs):.2f}x ({statistics.median(ours):.2f} s) | 1.0x |")
print(f"| bytes fetched for it, against the chunk bytes it needs; requests one after another | "
      f"{statistics.median(fetched) / a.needed:.2f}x ({statistics.median(fetched) / 1e6:.1f} MB), {int(statistics.median(chains))} | "
      f"1.25x, 4 |")
