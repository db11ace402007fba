#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random operations on a mount's own files, each checked against a model: every byte, every attribute, every errno.

usage: upper_model.py MOUNTPOINT SECONDS [SUPERVISOR_PID EVERY_MS]

Eight processes, each in a directory of its own, of which it knows all: names, links, open files with and without a name, mappings,
extended attributes. With the last two arguments the worker of a supervised mount is killed at random moments, EVERY_MS apart on
average. SEED repeats a run's operations. The last line: kills, operations, errors; exit status 1 where there were errors.
"""
import ctypes
import errno
import mmap
import multiprocessing
import os
import random
import signal
import stat
import sys
import time

from worker_kills import children

PROCESSES = 8
SERVES_MS = 210  # what a worker must have served for, or the supervisor lets the next one wait
NOREPLACE, EXCHANGE = 1, 2
libc = ctypes.CDLL(None, use_errno=True)


class Node:
    def __init__(self, kind):
        self.kind = kind  # "file", "dir", "link"
        self.data = bytearray()
        self.entries = {}
        self.target = ""
        self.xattrs = {}
        self.names = 0
        self.mode = 0o644 if kind == "file" else 0o755


class Wrong(Exception):
    pass


def renameat2(old, new, flags):
    if libc.renameat2(-100, old.encode(), -100, new.encode(), flags) < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


class Player:
    def __init__(self, home, seed):
        self.home, self.rnd = home, random.Random(seed)
        self.root = Node("dir")
        self.root.names = 1
        self.open = []  # (fd, node, appends)
        self.history = []
        os.mkdir(home)

    # What the model knows.

    def dirs(self, node=None, path=()):
        node = node or self.root
        yield path, node
        for name, child in node.entries.items():
            if child.kind == "dir":
                yield from self.dirs(child, path + (name,))

    def pick(self):
        """A directory, a name in it, and what the name stands for or None."""
        path, parent = self.rnd.choice(list(self.dirs()))
        if parent.entries and self.rnd.random() < 0.7:
            name = self.rnd.choice(list(parent.entries))
        else:
            name = f"n{self.rnd.randrange(12)}"
        return path, parent, name, parent.entries.get(name)

    def path(self, path, name):
        return "/".join((self.home, *path, name))

    def pick_open(self, kind="file"):
        of_kind = [o for o in self.open if o[1].kind == kind]
        return self.rnd.choice(of_kind) if of_kind else None

    def expect(self, want, call, *args, **kw):
        """Calls, and holds the outcome against the errno that the model names; 0: success."""
        self.history.append((getattr(call, "__name__", "?"), [a for a in args if not isinstance(a, (bytes, bytearray))], want))
        del self.history[:-30]
        try:
            result, got = call(*args, **kw), 0
        except OSError as e:
            result, got = None, e.errno
        if got != want:
            name = lambda e: errno.errorcode.get(e, "success")
            raise Wrong(f"{call.__name__}{args[:2]} gave {name(got)}, want {name(want)}")
        return result

    def same(self, got, want, what):
        if got != want:
            at = ""
            if isinstance(want, (bytes, bytearray)):
                n = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
                at = f" of {len(want)} at {n}"
                got, want = bytes(got[n : n + 16]), bytes(want[n : n + 16])
            raise Wrong(f"{what}: {got!r}, want {want!r}{at}")

    # What a program does.

    def create(self):
        path, parent, name, there = self.pick()
        excl, trunc, append = (self.rnd.random() < 0.3 for _ in range(3))
        flags = os.O_RDWR | os.O_CREAT | (os.O_EXCL if excl else 0) | (os.O_TRUNC if trunc else 0)
        flags |= (os.O_APPEND if append else 0) | os.O_NOFOLLOW
        want = 0
        if there:
            want = errno.EEXIST if excl else {"dir": errno.EISDIR, "link": errno.ELOOP}.get(there.kind, 0)
        fd = self.expect(want, os.open, self.path(path, name), flags, 0o644)
        if fd is None:
            return
        node = there or Node("file")
        if not there:
            parent.entries[name] = node
            node.names = 1
        elif trunc:
            del node.data[:]
        self.open.append((fd, node, append))

    def write(self):
        if not (o := self.pick_open()):
            return
        fd, node, append = o
        data = self.rnd.randbytes(self.rnd.choice([1, 10, 4096, 5000, 70000]))
        if append:
            self.same(self.expect(0, os.write, fd, data), len(data), "written")
            node.data += data
        else:
            at = self.rnd.randrange(len(node.data) + 5000)
            self.same(self.expect(0, os.pwrite, fd, data, at), len(data), "written")
            node.data.extend(bytes(max(0, at - len(node.data))))
            node.data[at : at + len(data)] = data
        if len(node.data) > 1 << 20:
            self.expect(0, os.ftruncate, fd, 0)
            del node.data[:]

    def read(self):
        if not (o := self.pick_open()):
            return
        fd, node, _ = o
        if self.rnd.random() < 0.5:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        at = self.rnd.randrange(len(node.data) + 100)
        n = self.rnd.randrange(1, 100000)
        self.same(self.expect(0, os.pread, fd, n, at), node.data[at : at + n], "read")

    def map(self):
        o = self.pick_open()
        if not o or not o[1].data:
            return
        fd, node, _ = o
        with mmap.mmap(fd, len(node.data), mmap.MAP_SHARED) as m:
            for _ in range(3):
                at = self.rnd.randrange(len(node.data))
                data = self.rnd.randbytes(min(3000, len(node.data) - at))
                m[at : at + len(data)] = data
                node.data[at : at + len(data)] = data
            if self.rnd.random() < 0.7:
                m.flush()
                m.madvise(mmap.MADV_DONTNEED)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            self.same(m[:], node.data, "mapped")

    def truncate(self):
        if not (o := self.pick_open()):
            return
        size = self.rnd.randrange(len(o[1].data) + 3000)
        self.expect(0, os.ftruncate, o[0], size)
        del o[1].data[size:]
        o[1].data.extend(bytes(size - len(o[1].data)))

    def fallocate(self):
        if not (o := self.pick_open()):
            return
        at, n = self.rnd.randrange(10000), self.rnd.randrange(1, 10000)
        self.expect(0, os.posix_fallocate, o[0], at, n)
        o[1].data.extend(bytes(max(0, at + n - len(o[1].data))))

    def sync(self):
        if o := self.pick_open(self.rnd.choice(["file", "dir"])):
            self.expect(0, self.rnd.choice([os.fsync, os.fdatasync]), o[0])

    def close(self):
        if self.open:
            fd, _, _ = self.open.pop(self.rnd.randrange(len(self.open)))
            self.expect(0, os.close, fd)

    def mkdir(self):
        path, parent, name, there = self.pick()
        if len(path) > 3:
            return
        self.expect(errno.EEXIST if there else 0, os.mkdir, self.path(path, name), 0o755)
        if not there:
            parent.entries[name] = Node("dir")
            parent.entries[name].names = 1

    def symlink(self):
        path, parent, name, there = self.pick()
        target = f"t{self.rnd.randrange(1000)}"
        self.expect(errno.EEXIST if there else 0, os.symlink, target, self.path(path, name))
        if not there:
            parent.entries[name] = node = Node("link")
            node.target, node.names = target, 1

    def readlink(self):
        path, _, name, there = self.pick()
        want = 0 if there and there.kind == "link" else errno.EINVAL if there else errno.ENOENT
        got = self.expect(want, os.readlink, self.path(path, name))
        if want == 0:
            self.same(got, there.target, "target")

    def link(self):
        path, _, name, node = self.pick()
        to, parent, new, there = self.pick()
        want = 0
        if not node:
            want = errno.ENOENT
        elif there:
            want = errno.EEXIST
        elif node.kind == "dir":
            want = errno.EPERM
        self.expect(want, os.link, self.path(path, name), self.path(to, new), follow_symlinks=False)
        if want == 0:
            parent.entries[new] = node
            node.names += 1

    def unlink(self):
        path, parent, name, there = self.pick()
        want = errno.ENOENT if not there else errno.EISDIR if there.kind == "dir" else 0
        self.expect(want, os.unlink, self.path(path, name))
        if want == 0:
            del parent.entries[name]
            there.names -= 1

    def rmdir(self):
        path, parent, name, there = self.pick()
        want = errno.ENOENT if not there else errno.ENOTDIR if there.kind != "dir" else errno.ENOTEMPTY if there.entries else 0
        self.expect(want, os.rmdir, self.path(path, name))
        if want == 0:
            del parent.entries[name]
            there.names = 0

    def rename(self):
        path, parent, name, node = self.pick()
        to, new_parent, new, there = self.pick()
        flags = self.rnd.choice([0, 0, 0, NOREPLACE, EXCHANGE])
        if node and node.kind == "dir" and (to[: len(path) + 1] == path + (name,)):
            return  # a directory into itself: the kernel answers, not the mount
        if there and there.kind == "dir" and path[: len(to) + 1] == to + (new,):
            return
        if not node:
            want = errno.ENOENT
        elif flags == NOREPLACE:
            want = errno.EEXIST if there else 0
        elif flags == EXCHANGE:
            want = 0 if there else errno.ENOENT
        elif not there or there is node:
            want = 0
        elif node.kind == "dir":
            want = errno.ENOTDIR if there.kind != "dir" else errno.ENOTEMPTY if there.entries else 0
        else:
            want = errno.EISDIR if there.kind == "dir" else 0
        self.expect(want, renameat2, self.path(path, name), self.path(to, new), flags)
        if want or there is node:
            return
        new_parent.entries[new] = node
        if flags == EXCHANGE:
            parent.entries[name] = there
            return
        del parent.entries[name]
        if there:
            there.names -= 1

    def open_dir(self):
        path, node = self.rnd.choice(list(self.dirs()))
        self.open.append((self.expect(0, os.open, self.path(path, ""), os.O_RDONLY | os.O_DIRECTORY), node, False))

    def list(self):
        if self.rnd.random() < 0.5 and (o := self.pick_open("dir")):
            self.same(sorted(self.expect(0, os.listdir, o[0])), sorted(o[1].entries), "listing of an open directory")
        else:
            path, node = self.rnd.choice(list(self.dirs()))
            self.same(sorted(self.expect(0, os.listdir, self.path(path, ""))), sorted(node.entries), "listing")

    def check_stat(self, st, node):
        kind = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}[stat.S_IFMT(st.st_mode)]
        self.same(kind, node.kind, "type")
        if node.kind == "file":
            self.same((st.st_size, st.st_nlink, st.st_mode & 0o7777), (len(node.data), node.names, node.mode), "size, links, mode")

    def stat(self):
        if self.open and self.rnd.random() < 0.5:
            fd, node, _ = self.rnd.choice(self.open)
            self.check_stat(self.expect(0, os.fstat, fd), node)
        else:
            path, _, name, there = self.pick()
            st = self.expect(0 if there else errno.ENOENT, os.lstat, self.path(path, name))
            if there:
                self.check_stat(st, there)

    def chmod(self):
        if o := self.pick_open():
            o[1].mode = self.rnd.choice([0o600, 0o644, 0o755, 0o666])
            self.expect(0, os.fchmod, o[0], o[1].mode)

    def xattr(self):
        if not (o := self.pick_open(self.rnd.choice(["file", "dir"]))):
            return
        fd, node, _ = o
        name = f"user.x{self.rnd.randrange(3)}"
        there = name in node.xattrs
        how = self.rnd.randrange(4)
        value = self.rnd.randbytes(self.rnd.randrange(1, 100))
        if how == 0:
            self.expect(errno.EEXIST if there else 0, os.setxattr, fd, name, value, os.XATTR_CREATE)
        elif how == 1:
            self.expect(0 if there else errno.ENODATA, os.setxattr, fd, name, value, os.XATTR_REPLACE)
        elif how == 2:
            self.expect(0 if there else errno.ENODATA, os.removexattr, fd, name)
            node.xattrs.pop(name, None)
        else:
            got = self.expect(0 if there else errno.ENODATA, os.getxattr, fd, name)
            self.same(got, node.xattrs.get(name), name)
        if how == (1 if there else 0):
            node.xattrs[name] = value
        self.same(sorted(n for n in os.listxattr(fd) if n.startswith("user.")), sorted(node.xattrs), "attributes")

    def check_all(self, top, node=None):
        """Everything below, as `top` shows it."""
        node = node or self.root
        self.same(sorted(os.listdir(top)), sorted(node.entries), f"{top} lists")
        for name, child in node.entries.items():
            at = f"{top}/{name}"
            self.check_stat(os.lstat(at), child)
            if child.kind == "dir":
                self.check_all(at, child)
            elif child.kind == "link":
                self.same(os.readlink(at), child.target, at)
            else:
                with open(at, "rb") as f:
                    self.same(f.read(), child.data, at)

    def play(self, end):
        weighted = [
            (self.create, 8), (self.write, 12), (self.read, 8), (self.map, 5), (self.truncate, 3), (self.fallocate, 2),
            (self.sync, 2), (self.close, 6), (self.mkdir, 4), (self.symlink, 2), (self.readlink, 1), (self.link, 4),
            (self.unlink, 6), (self.rmdir, 3), (self.rename, 8), (self.open_dir, 2), (self.list, 2), (self.stat, 4),
            (self.chmod, 1), (self.xattr, 4),
        ]
        kinds, weights = zip(*weighted)
        n = 0
        while time.monotonic() < end:
            self.rnd.choices(kinds, weights)[0]()
            n += 1
            if len(self.open) > 40:
                self.close()
        for fd, node, _ in self.open:
            if node.kind == "file":
                self.same(os.pread(fd, len(node.data) + 1, 0), node.data, "an open file in the end")
            self.check_stat(os.fstat(fd), node)
            os.close(fd)
        self.check_all(self.home)
        return n


def run(home, seed, end, out):
    player = Player(home, seed)
    try:
        out.put((player.play(end), None))
    except Exception as e:  # a wrong answer, or one that the model has no idea of
        out.put((0, f"{os.path.basename(home)}: {e!r}, after " + "; ".join(map(str, player.history[-8:]))))


def main():
    mount, seconds = sys.argv[1], float(sys.argv[2])
    supervisor, every_ms = (int(sys.argv[3]), float(sys.argv[4])) if len(sys.argv) > 3 else (0, 0)
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"seed {seed}")
    rnd, out = random.Random(seed), multiprocessing.Queue()
    end = time.monotonic() + seconds
    procs = [
        multiprocessing.Process(target=run, args=(f"{mount}/player{seed}-{i}", seed * PROCESSES + i, end, out))
        for i in range(PROCESSES)
    ]
    for p in procs:
        p.start()
    kills = 0
    while time.monotonic() < end and any(p.is_alive() for p in procs):
        os.path.exists(f"{mount}/nothing{kills}")  # that is known when the next worker serves
        time.sleep(rnd.uniform(SERVES_MS, max(SERVES_MS, 2 * every_ms - SERVES_MS)) / 1000 if supervisor else 0.1)
        if supervisor and (workers := children(supervisor)):
            try:
                os.kill(workers[0], signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
    results = [out.get() for _ in procs]
    for p in procs:
        p.join()
    errors = [e for _, e in results if e]
    for e in errors:
        print(e)
    print(f"{kills} kills, {sum(n for n, _ in results)} operations, {len(errors)} errors")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
