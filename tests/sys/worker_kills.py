#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the worker of a supervised mount again and again under load, and says what the load noticed.

usage: worker_kills.py MOUNTPOINT SUPERVISOR_PID SECONDS EVERY_MS BLOCK_FILE=TRUTH...

EVERY_MS is the time between kills; with 0 there are none, for whoever disturbs the mount in another way. Each BLOCK_FILE is a path below the mount point, TRUTH a file with the same bytes. The load: readers through mmap and pread, which
drop the page cache as they go; listings; and writers of the upper directory, each of which checks what it wrote. Every exception and
every wrong byte is an error. After each kill a look-up of a name that nobody has asked for is timed: it needs an answer of the next
worker. The last line: kills, operations, errors, how many of them were wrong bytes, and that time's percentiles in ms. Exit status 1
where there were errors.
"""
import mmap
import multiprocessing
import os
import random
import signal
import sys
import time

PAGE = 4096


class Wrong(Exception):
    """Not an error, which is bad enough, but bytes or names that aren't those that are there."""


def children(pid):
    """Processes that were started by pid, the oldest first."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append((int(fields[19]), int(name)))
    return [pid for _, pid in sorted(found)]


def read_pages(path, truth, rnd, _):
    fd = os.open(path, os.O_RDONLY)
    try:
        for _ in range(50):
            at = rnd.randrange(len(truth))
            n = rnd.randrange(1, 300000)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            got = os.pread(fd, n, at)
            if got != truth[at : at + n]:
                raise Wrong(f"{path}: wrong bytes at {at}")
        return 50
    finally:
        os.close(fd)


def read_mapped(path, truth, rnd, _):
    fd = os.open(path, os.O_RDONLY)
    with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as m:
        for _ in range(50):
            m.madvise(mmap.MADV_DONTNEED)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            at = rnd.randrange(len(truth))
            if m[at : at + PAGE] != truth[at : at + PAGE]:
                raise Wrong(f"{path}: wrong mapped bytes at {at}")
    os.close(fd)
    return 50


def list_all(path, truth, rnd, home):
    mount = home[: home.rindex("/")]
    names = sorted(os.listdir(mount))
    block = path[len(mount) + 1 :].split("/")[0]
    if block not in names or ".thanosfs" not in os.listdir(mount) + [".thanosfs"]:
        raise Wrong(f"the root lists {names}")
    if os.stat(path).st_size != len(truth):
        raise Wrong(f"{path} has the wrong size")
    if os.path.basename(path) not in os.listdir(os.path.dirname(path)):
        raise Wrong(f"{path} is not listed")
    return 3


def write_files(_path, _truth, rnd, home):
    """As Prometheus makes a block: a directory under another name, renamed when it is complete."""
    name = f"{home}/{rnd.randrange(1 << 60)}"
    os.mkdir(name + ".tmp")
    data = rnd.randbytes(rnd.randrange(1, 200000))
    fd = os.open(f"{name}.tmp/data", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    for at in range(0, len(data), 32768):
        if os.write(fd, data[at : at + 32768]) != len(data[at : at + 32768]):
            raise Wrong("a short write")
    os.fsync(fd)
    os.rename(name + ".tmp", name)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    if os.pread(fd, len(data) + 1, 0) != data:
        raise Wrong(f"{name}: not what was written")
    os.unlink(name + "/data")
    if os.pread(fd, len(data) + 1, 0) != data:
        raise Wrong(f"{name}: not what was written, once unlinked")
    os.close(fd)
    os.rmdir(name)
    return 8 + len(data) // 32768


def append(_path, _truth, rnd, home):
    name = f"{home}/log{rnd.randrange(1 << 60)}"
    want = b""
    for i in range(40):
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        line = b"%d %d\n" % (i, rnd.randrange(1 << 60))
        os.write(fd, line)
        want += line
        os.close(fd)
    with open(name, "rb") as f:
        if f.read() != want:
            raise Wrong(f"{name}: lines are missing or doubled")
    os.unlink(name)
    return 123


def run(kind, path, truth, home, end, seed, out):
    rnd = random.Random(seed)
    os.makedirs(home, exist_ok=True)
    operations, errors, wrong = 0, [], 0
    while time.monotonic() < end and len(errors) < 10:
        try:
            operations += kind(path, truth, rnd, home)
        except Exception as e:  # all of them are what this is about
            errors.append(f"{kind.__name__}: {e!r}")
            wrong += isinstance(e, Wrong)
    out.put((operations, errors, wrong))


def main():
    mount, supervisor, seconds, every_ms = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    files = [spec.split("=") for spec in sys.argv[5:]]
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"seed {seed}")
    out = multiprocessing.Queue()
    begin = time.monotonic()
    end = begin + seconds
    kinds = [read_pages, read_pages, read_mapped, list_all, write_files, write_files, append]
    procs = []
    for i, kind in enumerate(kinds):
        path, truth = files[i % len(files)]
        with open(truth, "rb") as f:
            args = (kind, f"{mount}/{path}", f.read(), f"{mount}/load{i}", end, seed + i, out)
        procs.append(multiprocessing.Process(target=run, args=args))
        procs[-1].start()
    times, kills, errors = [], 0, []
    os.makedirs(f"{mount}/probe", exist_ok=True)
    while time.monotonic() < end:
        time.sleep(every_ms / 1000 or 0.1)
        if not every_ms or not (workers := children(supervisor)):
            continue
        os.kill(workers[0], signal.SIGKILL)
        at = time.monotonic()
        kills += 1
        try:
            os.stat(f"{mount}/probe/{kills}")
            errors.append("a file that is not there is there")
        except FileNotFoundError:
            times.append((time.monotonic() - at) * 1000)
        except OSError as e:
            errors.append(repr(e))
    operations = wrong = 0
    for _ in procs:
        n, bad, worse = out.get(timeout=120)
        operations += n
        errors += bad
        wrong += worse
    for p in procs:
        p.join()
    for e in errors[:20]:
        print(f"error: {e}")
    times.sort()
    said = f"{kills} kills, {operations} operations, {len(errors)} errors, {wrong} of wrong bytes"
    if times:
        at = lambda q: times[min(len(times) - 1, int(len(times) * q))]
        said += f"; kill to first reply: p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, longest {times[-1]:.1f} ms"
    print(said)
    sys.exit(1 if errors or not operations else 0)


if __name__ == "__main__":
    main()
