#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uses files whose reads and writes don't reach the mount, and checks what of them the mount must still know.

usage: passthrough.py MOUNTPOINT INDEX_FILE INDEX_ON_MOUNT SUPERVISOR_PID
"""
import fcntl
import mmap
import multiprocessing
import os
import random
import signal
import stat
import sys
import time

from worker_kills import children

mountpoint, index_file, index, supervisor = sys.argv[1:5]
os.chdir(mountpoint)
NOBODY = 65534


def kill_worker():
    worker = children(int(supervisor))[0]
    os.kill(worker, signal.SIGKILL)
    while children(int(supervisor))[:1] == [worker]:
        time.sleep(0.01)
    os.stat(".")


def as_nobody(function):
    pid = os.fork()
    if pid == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        function()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def mode_of(fd):
    time.sleep(1.1)  # attributes are kept for a second
    return stat.S_IMODE(os.fstat(fd).st_mode)


def sizes_and_times_follow_a_write_at_once():
    a = os.open("sizes", os.O_RDWR | os.O_CREAT)
    b = os.open("sizes", os.O_RDONLY)
    for n in range(1, 200):
        os.write(a, b"x" * n)
        st = os.stat("sizes")
        assert st.st_size == n * (n + 1) // 2 == os.lseek(b, 0, os.SEEK_END)
    old = os.stat("sizes").st_mtime_ns
    time.sleep(0.02)
    os.pwrite(a, b"y", 0)
    assert os.fstat(b).st_mtime_ns > old
    os.ftruncate(a, 5)
    assert os.pread(b, 100, 0) == b"yxxxx" and os.fstat(b).st_size == 5
    os.posix_fallocate(a, 0, 10)
    assert os.pread(b, 100, 0) == b"yxxxx\0\0\0\0\0"
    os.truncate("sizes", 3)
    os.fsync(a)
    assert os.pread(b, 100, 0) == b"yxx"
    os.close(a)
    os.close(b)
    os.unlink("sizes")


def appending_can_be_switched_on_later():
    a = os.open("appended", os.O_RDWR | os.O_CREAT)
    os.write(a, b"one")
    os.lseek(a, 0, os.SEEK_SET)
    fcntl.fcntl(a, fcntl.F_SETFL, os.O_APPEND)
    b = os.open("appended", os.O_WRONLY | os.O_APPEND | os.O_DSYNC)
    os.write(a, b"two")
    os.write(b, b"three")
    os.write(a, b"four")
    assert os.pread(a, 100, 0) == b"onetwothreefour"
    os.close(a)
    os.close(b)
    os.unlink("appended")


def a_write_takes_off_set_id_bits():
    fd = os.open("bits", os.O_RDWR | os.O_CREAT, 0o666)
    os.fchmod(fd, 0o6777)
    as_nobody(lambda: os.write(fd, b"x"))
    assert mode_of(fd) == 0o777, oct(mode_of(fd))
    os.fchmod(fd, 0o6777)
    os.close(fd)
    fd = os.open("bits", os.O_RDWR)
    as_nobody(lambda: os.write(fd, b"y"))
    assert mode_of(fd) == 0o777, oct(mode_of(fd))
    os.close(fd)
    os.unlink("bits")


def opens_past_the_cache_mix_with_others():
    with open("direct", "wb") as f:
        f.write(b"d" * 8192)
    plain = os.open("direct", os.O_RDONLY)
    try:
        direct = os.open("direct", os.O_RDONLY | os.O_DIRECT)
    except OSError:
        direct = -1  # the disk can't
    if direct >= 0:
        os.close(plain)
        plain = os.open("direct", os.O_RDWR)
        os.pwrite(plain, b"new", 0)
        page = mmap.mmap(-1, 4096)
        assert os.preadv(direct, [page], 0) == 4096 and page[:4] == b"newd"
        os.close(direct)
    os.close(plain)
    direct = os.open("direct", os.O_RDWR | os.O_DIRECT)
    plain = os.open("direct", os.O_RDWR)
    os.pwrite(plain, b"again", 0)
    assert os.pread(plain, 6, 0)[:5] == b"again"
    os.close(direct)
    os.close(plain)
    with open("direct", "r+b", buffering=0) as f:  # written past what was cached of it then
        f.write(b"final")
    direct = os.open("direct", os.O_RDONLY | os.O_DIRECT)
    plain = os.open("direct", os.O_RDONLY)
    assert os.pread(plain, 5, 0) == b"final"
    os.close(direct)
    os.close(plain)
    os.unlink("direct")


def mappings_outlive_names_descriptors_and_workers():
    want = open(index_file, "rb").read()
    fd = os.open(index, os.O_RDONLY)
    mapped_index = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
    os.close(fd)
    fd = os.open("mapped", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 1 << 20)
    mapped = mmap.mmap(fd, 1 << 20)
    mapped[0:3] = b"abc"
    assert os.pread(fd, 3, 0) == b"abc"
    os.unlink("mapped")
    kill_worker()
    os.pwrite(fd, b"d", 3)
    assert mapped[0:4] == b"abcd" and os.fstat(fd).st_nlink == 0
    os.close(fd)
    mapped[1 << 19 : (1 << 19) + 4] = b"late"
    kill_worker()
    assert mapped[1 << 19 : (1 << 19) + 4] == b"late"
    assert mapped_index[:] == want
    mapped.close()
    mapped_index.close()


def an_open_file_needs_no_worker():
    fd = os.open("alone", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"x")  # whether the file has capabilities that a write takes away is asked once
    worker = children(int(supervisor))[0]
    os.kill(worker, signal.SIGSTOP)
    try:
        for i in range(100):
            os.pwrite(fd, b"%04d" % i, 4 * i)
            assert os.pread(fd, 4, 4 * i) == b"%04d" % i
    finally:
        os.kill(worker, signal.SIGCONT)
    os.close(fd)
    os.unlink("alone")


def use_files(seed, until):
    rnd = random.Random(seed)
    done = 0
    while time.monotonic() < until:
        name = f"load-{rnd.randrange(6)}"
        text = b"%08d" % rnd.randrange(10**8)
        try:
            fds = [os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND * rnd.randrange(2)) for _ in range(1 + rnd.randrange(3))]
        except FileNotFoundError:
            continue  # another's unlink came between the look-up and the open
        if rnd.randrange(2):
            own = f"own-{seed}"
            fds.append(os.open(own, os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            os.write(fds[-1], text)
            os.unlink(own)
            assert os.pread(fds[-1], 8, 0) == text
        os.write(fds[0], text)
        os.pread(fds[0], 8, 0)
        if rnd.randrange(4) == 0:
            try:
                os.unlink(name)
            except FileNotFoundError:
                pass
        for fd in fds:
            os.close(fd)
        done += 1
    assert done > 10
    os._exit(0)


def opens_and_closes_survive_kills():
    until = time.monotonic() + float(os.environ.get("SECONDS_OF_LOAD", 6))
    users = []
    for seed in range(4):
        users.append(multiprocessing.Process(target=use_files, args=(seed, until)))
        users[-1].start()
    rnd = random.Random(1)
    kills = 0
    while time.monotonic() < until:
        time.sleep(0.21 + rnd.random() * 0.1)
        for pid in children(int(supervisor))[:1]:
            os.kill(pid, signal.SIGKILL)
            kills += 1
    for u in users:
        u.join()
        assert u.exitcode == 0
    print(f"{kills} kills")
    for i in range(6):
        if os.path.exists(f"load-{i}"):
            os.unlink(f"load-{i}")


for test in (
    sizes_and_times_follow_a_write_at_once,
    appending_can_be_switched_on_later,
    a_write_takes_off_set_id_bits,
    opens_past_the_cache_mix_with_others,
    mappings_outlive_names_descriptors_and_workers,
    an_open_file_needs_no_worker,
    opens_and_closes_survive_kills,
):
    print(test.__name__, flush=True)
    test()
