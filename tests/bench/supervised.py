#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same work on two mounts of one bucket, in turns.

usage: supervised.py WITH WITHOUT --made PATH --passed PATH [--runs N]

WITH and WITHOUT are the mount points, with a supervisor and without; PATH is a segment below both. Each kind of work is done on
the one and on the other --runs times, each going first every other time, and medians are compared. A line a kind of work, its
ratio first; the last line is 'geometric mean N, worst N'.
"""
import argparse
import mmap
import os
import random
import shutil
import statistics
import time

PAGE = 4096


def read_all(path):
    buffer = bytearray(1 << 20)
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    n, begin = 0, time.perf_counter()
    while got := os.readv(fd, [buffer]):
        n += got
    took = time.perf_counter() - begin
    os.close(fd)
    return n / took / 1e6


def fault_pages(path, count=3000):
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    rnd = random.Random(1)
    with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as m:
        m.madvise(mmap.MADV_RANDOM)
        pages = rnd.sample(range(len(m) // PAGE), min(count, len(m) // PAGE))
        begin = time.perf_counter()
        for page in pages:
            m[page * PAGE]
        took = time.perf_counter() - begin
    os.close(fd)
    return len(pages) / took


def look_up(mount, count=3000):
    """Names that are not there: the kernel keeps no answer of those, so that each is a request."""
    stat = os.stat
    begin = time.perf_counter()
    for i in range(count):
        try:
            stat(f"{mount}/names/{i}")
        except FileNotFoundError:
            pass
    return count / (time.perf_counter() - begin)


def create(mount, count=500):
    home = f"{mount}/created"
    os.mkdir(home)
    begin = time.perf_counter()
    for i in range(count):
        fd = os.open(f"{home}/{i}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(fd, b"x" * 100)
        os.close(fd)
    took = time.perf_counter() - begin
    shutil.rmtree(home)
    return count / took


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("mount", nargs=2)
    p.add_argument("--made", required=True)
    p.add_argument("--passed", required=True)
    p.add_argument("--runs", type=int, default=15)
    a = p.parse_args()
    for mount in a.mount:
        os.makedirs(f"{mount}/names", exist_ok=True)
    kinds = [
        ("sequential reads of a made segment", "MB/s", lambda m: read_all(f"{m}/{a.made}")),
        ("sequential reads of a passed segment", "MB/s", lambda m: read_all(f"{m}/{a.passed}")),
        ("4 KiB random page faults of a made segment", "a second", lambda m: fault_pages(f"{m}/{a.made}")),
        ("4 KiB random page faults of a passed segment", "a second", lambda m: fault_pages(f"{m}/{a.passed}")),
        ("stats of names that are not there", "a second", look_up),
        ("small files made", "a second", create),
    ]
    found = [[[], []] for _ in kinds]
    for run in range(a.runs + 1):
        for (_, _, work), results in zip(kinds, found):
            for side in (0, 1) if run % 2 else (1, 0):
                value = work(a.mount[side])
                if run:  # the first one warms up
                    results[side].append(value)
    ratios = []
    for (name, unit, _), (with_, without) in zip(kinds, found):
        x, y = statistics.median(with_), statistics.median(without)
        ratios.append(x / y)
        print(f"{x / y:.3f}  {name}: {x:.0f} {unit} with a supervisor, {y:.0f} without", flush=True)
    print(f"geometric mean {statistics.geometric_mean(ratios):.3f}, worst {min(ratios):.3f}")


if __name__ == "__main__":
    main()
