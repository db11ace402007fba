#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks file operations in a directory against what POSIX and Linux promise.

usage: fs_posix.py DIRECTORY BLOCKS: BLOCKS holds what stands behind the directory's merged blocks.
"""
import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import random
import stat
import sys

libc = ctypes.CDLL(None, use_errno=True)
NOREPLACE, EXCHANGE = 1, 2
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
tests = []


def test(function):
    tests.append(function)
    return function


@contextlib.contextmanager
def fails(*numbers):
    try:
        yield
    except OSError as e:
        assert e.errno in numbers, f"{errno.errorcode[e.errno]}, want {[errno.errorcode[n] for n in numbers]}"
    else:
        raise AssertionError(f"succeeds, want {[errno.errorcode[n] for n in numbers]}")


def call(function, *args):
    if function(*args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def rename2(a, b, flags):
    call(libc.renameat2, -100, a.encode(), -100, b.encode(), ctypes.c_uint(flags))


def fallocate(fd, mode, at, n):
    call(libc.fallocate, fd, mode, ctypes.c_long(at), ctypes.c_long(n))


def put(path, data=b"data"):
    with open(path, "wb") as f:
        f.write(data)


def get(path):
    with open(path, "rb") as f:
        return f.read()


@contextlib.contextmanager
def opened(path, flags, mode=0o644):
    fd = os.open(path, flags, mode)
    try:
        yield fd
    finally:
        os.close(fd)


@test
def writes_appends_and_truncations_are_read_back():
    put("f", b"hello")
    with opened("f", os.O_WRONLY | os.O_APPEND) as fd:
        os.write(fd, b" world")
    assert get("f") == b"hello world"
    os.truncate("f", 5)
    assert get("f") == b"hello"
    os.truncate("f", 8)
    assert get("f") == b"hello\0\0\0"
    with opened("f", os.O_RDWR | os.O_TRUNC) as fd:
        assert os.fstat(fd).st_size == 0
        os.pwrite(fd, b"x", 1 << 33)
    assert os.stat("f").st_size == (1 << 33) + 1
    assert os.stat("f").st_blocks < 100


@test
def two_appenders_lose_nothing():
    with opened("f", os.O_WRONLY | os.O_APPEND | os.O_CREAT) as a, opened("f", os.O_WRONLY | os.O_APPEND) as b:
        for i in range(200):
            os.write(a if i % 2 else b, b"%04d\n" % i)
    assert get("f") == b"".join(b"%04d\n" % i for i in range(200))


@test
def exclusive_creation_fails_on_what_is_there():
    put("f")
    with fails(errno.EEXIST):
        os.open("f", os.O_CREAT | os.O_EXCL)
    with fails(errno.ENOENT):
        os.open("g", os.O_RDONLY)
    with fails(errno.EISDIR):
        os.mkdir("d")
        os.open("d", os.O_WRONLY)
    with fails(errno.ENOTDIR):
        os.open("f/x", os.O_CREAT)
    with fails(errno.ENAMETOOLONG):
        os.mkdir("n" * 256)
    os.mkdir("n" * 255)


@test
def an_unlinked_file_works_until_its_last_close():
    with opened("f", os.O_RDWR | os.O_CREAT) as fd, opened("f", os.O_RDONLY) as other:
        os.write(fd, b"before")
        os.unlink("f")
        assert os.listdir() == []
        os.write(fd, b" after")
        assert os.pread(other, 100, 0) == b"before after"
        assert os.fstat(fd).st_nlink == 0
        os.ftruncate(fd, 3)
        os.fsync(fd)
        os.fchmod(fd, 0o600)
        os.utime(fd, ns=(1, 2))
        fallocate(fd, 0, 0, 8192)
        st = os.fstat(other)
        assert (st.st_size, stat.S_IMODE(st.st_mode), st.st_mtime_ns) == (8192, 0o600, 2) or st.st_size == 8192
        put("f", b"another")
        assert os.pread(fd, 3, 0) == b"bef"
        mapped = mmap.mmap(fd, 4096)
        mapped[0:3] = b"map"
        assert os.pread(other, 3, 0) == b"map"
        mapped.close()
    assert get("f") == b"another"
    assert os.listdir() == ["f"]


@test
def a_file_that_is_renamed_over_works_until_its_last_close():
    put("f", b"old")
    put("g", b"new")
    with opened("f", os.O_RDWR) as fd:
        os.rename("g", "f")
        assert os.pread(fd, 10, 0) == b"old"
        os.pwrite(fd, b"still", 0)
        assert os.pread(fd, 10, 0) == b"still"
        assert os.fstat(fd).st_nlink == 0
    assert get("f") == b"new"
    assert os.listdir() == ["f"]


@test
def a_directory_that_is_removed_under_a_program_stays_a_directory():
    os.mkdir("d")
    fd = os.open("d", os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir("d")
    assert os.listdir(fd) == []
    with fails(errno.ENOENT):
        os.open("x", os.O_CREAT, dir_fd=fd)
    os.fstat(fd)
    os.close(fd)


@test
def hard_links_are_one_file():
    put("f")
    os.mkdir("d")
    os.link("f", "d/g")
    os.link("d/g", "h")
    assert os.stat("f").st_ino == os.stat("d/g").st_ino
    assert os.stat("f").st_nlink == 3
    put("d/g", b"changed")
    assert get("f") == get("h") == b"changed"
    with opened("f", os.O_RDONLY) as fd:
        os.unlink("f")
        assert os.fstat(fd).st_nlink == 2
        os.unlink("h")
        os.rename("d/g", "g")
        assert os.pread(fd, 10, 0) == b"changed"
    assert os.stat("g").st_nlink == 1
    os.link("g", "i")
    os.rename("g", "i")  # two names of one file: nothing happens
    assert sorted(os.listdir()) == ["d", "g", "i"]


@test
def a_link_to_a_blocks_file_is_a_copy_and_nothing_links_or_moves_into_a_block():
    block = next(n for n in os.listdir("..") if n.startswith("0"))
    os.link(f"../{block}/index", "copy")
    with open(f"../{block}/index", "rb") as a, open("copy", "rb") as b:
        assert a.read() == b.read()
    with open("copy", "r+b") as f:  # it is the writer's own
        f.write(b"mine")
    with fails(errno.EEXIST):
        os.link(f"../{block}/index", "copy")
    with fails(errno.EPERM):
        os.link(f"../{block}", "directory")
    with fails(errno.EROFS):
        put("f")
        os.link("f", f"../{block}/f")
    with fails(errno.EROFS, errno.EXDEV):
        os.rename("f", f"../{block}/f")
    with fails(errno.EROFS):
        os.rename(f"../{block}/index", "index")


@test
def symbolic_links_are_followed_and_read():
    put("f", b"target")
    os.symlink("f", "l")
    os.symlink("/nowhere/" + "x" * 3000, "long")
    assert os.readlink("l") == "f" and len(os.readlink("long")) == 3009
    assert get("l") == b"target"
    with fails(errno.ELOOP):
        os.open("l", os.O_RDONLY | os.O_NOFOLLOW)
    assert stat.S_ISLNK(os.lstat("l").st_mode)
    os.utime("l", ns=(3, 4), follow_symlinks=False)
    assert os.lstat("l").st_mtime_ns == 4
    os.unlink("l")
    assert get("f") == b"target"
    os.mkdir("d")
    os.symlink("../../..", "d/up")  # leads out of the upper directory, but as a link of ours, not of the backing one
    assert os.path.samefile("d/up", "../..")


@test
def directories_are_renamed_with_what_is_open_in_them():
    os.makedirs("a.tmp-for-creation/chunks")
    put("a.tmp-for-creation/chunks/000001", b"chunk")
    with opened("a.tmp-for-creation/chunks/000001", os.O_RDWR) as fd:
        os.rename("a.tmp-for-creation", "a")
        os.write(fd, b"CHUNK")
        os.fsync(fd)
        assert get("a/chunks/000001") == b"CHUNK"
        put("a/chunks/000002", b"2")
        os.rename("a/chunks", "moved")
        os.pwrite(fd, b"later", 0)
    assert get("moved/000001") == b"later" and get("moved/000002") == b"2"
    os.mkdir("b")
    with fails(errno.ENOTEMPTY, errno.EEXIST):
        os.rename("b", "moved")
    os.rename("moved", "b")  # over an empty directory
    with fails(errno.EINVAL):
        os.rename("a", "a/below")
    with fails(errno.ENOTDIR):
        put("f")
        os.rename("b", "f")
    with fails(errno.EISDIR):
        os.rename("f", "b")
    assert sorted(os.listdir("b")) == ["000001", "000002"]


@test
def rename_may_be_told_not_to_replace_or_to_exchange():
    put("f", b"f")
    os.mkdir("d")
    put("d/inside", b"inside")
    with fails(errno.EEXIST):
        rename2("f", "d", NOREPLACE)
    rename2("f", "g", NOREPLACE)
    with opened("g", os.O_RDONLY) as fd:
        rename2("g", "d", EXCHANGE)
        assert get("d") == b"f" and get("g/inside") == b"inside"
        assert os.pread(fd, 9, 0) == b"f"
        rename2("d", "g/inside", EXCHANGE)
        assert get("d") == b"inside" and get("g/inside") == b"f"
    with fails(errno.ENOENT):
        rename2("d", "nothing", EXCHANGE)


@test
def a_shared_mapping_and_the_file_are_the_same_bytes():
    with opened("f", os.O_RDWR | os.O_CREAT | os.O_TRUNC) as fd:
        os.ftruncate(fd, 20001)
        mapped = mmap.mmap(fd, 20001)
        mapped[100:105] = b"query"
        assert os.pread(fd, 5, 100) == b"query"
        os.pwrite(fd, b"written", 9000)
        assert mapped[9000:9007] == b"written"
        mapped[20000:] = b"!"
        mapped.flush()
        os.fsync(fd)
        with opened("f", os.O_RDONLY) as again:
            assert os.pread(again, 1, 20000) == b"!"
        mapped.close()
    assert len(get("f")) == 20001


@test
def space_is_allocated_freed_and_found():
    with opened("f", os.O_RDWR | os.O_CREAT) as fd:
        os.posix_fallocate(fd, 0, 1 << 20)
        assert os.fstat(fd).st_size == 1 << 20 and os.fstat(fd).st_blocks >= 2048
        os.pwrite(fd, b"x" * (1 << 20), 0)
        fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 65536, 131072)
        assert os.pread(fd, 131072, 65536) == bytes(131072)
        assert os.pread(fd, 1, 65535) == b"x"
        os.fsync(fd)
        assert os.lseek(fd, 0, os.SEEK_HOLE) == 65536
        assert os.lseek(fd, 65536, os.SEEK_DATA) == 65536 + 131072
        assert os.lseek(fd, 1 << 19, os.SEEK_HOLE) == 1 << 20
        with fails(errno.ENXIO):
            os.lseek(fd, 1 << 21, os.SEEK_DATA)
        fallocate(fd, KEEP_SIZE, 1 << 20, 1 << 20)
        assert os.fstat(fd).st_size == 1 << 20
        fallocate(fd, ZERO_RANGE, 0, 4096)
        assert os.pread(fd, 4097, 0) == bytes(4096) + b"x"


@test
def ranges_are_copied_within_and_from_blocks():
    put("f", os.urandom(300000))
    with opened("f", os.O_RDONLY) as a, opened("g", os.O_RDWR | os.O_CREAT) as b:
        done = 0
        while done < 200000:
            done += os.copy_file_range(a, b, 200000 - done, 50000 + done, done)
    assert get("g") == get("f")[50000:250000]
    block = next(n for n in os.listdir("..") if n.startswith("0"))
    with opened(f"../{block}/index", os.O_RDONLY) as a, opened("h", os.O_RDWR | os.O_CREAT) as b:
        size, done = os.fstat(a).st_size, 0
        while done < size:
            done += os.copy_file_range(a, b, size - done, done, done)
    assert get("h") == get(f"{BLOCKS}/{block}/index")


@test
def attributes_are_what_they_were_set_to():
    put("f")
    os.chmod("f", 0o640)
    os.chown("f", 12, 34)
    os.utime("f", ns=(1_000_000_001, 2_000_000_002))
    st = os.stat("f")
    assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid) == (0o640, 12, 34)
    assert (st.st_atime_ns, st.st_mtime_ns) == (1_000_000_001, 2_000_000_002)
    before = os.stat("f").st_ctime_ns
    os.chmod("f", 0o644)
    assert os.stat("f").st_ctime_ns >= before
    old = os.umask(0o027)
    try:
        put("masked")
        os.mkdir("masked.d", 0o777)
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat("masked").st_mode) == 0o640
    assert stat.S_IMODE(os.stat("masked.d").st_mode) == 0o750
    old = os.umask(0)
    try:
        with opened("wide", os.O_CREAT, 0o4777):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat("wide").st_mode) == 0o4777
    for path, links in (("masked.d", 2), (".", 3)):
        assert os.stat(path).st_nlink == links, path


@test
def extended_attributes_are_kept():
    put("f")
    os.setxattr("f", "user.one", b"1")
    os.setxattr("f", "user.two", b"\0" * 1000)
    assert sorted(os.listxattr("f")) == ["user.one", "user.two"]
    assert os.getxattr("f", "user.one") == b"1"
    with fails(errno.EEXIST):
        os.setxattr("f", "user.one", b"2", os.XATTR_CREATE)
    os.removexattr("f", "user.one")
    with fails(errno.ENODATA):
        os.getxattr("f", "user.one")
    with fails(errno.EOPNOTSUPP):
        os.getxattr("f", "system.posix_acl_access")


def as_user(uid, function):
    """Runs it in a child that is that user; gives the errno it ended with."""
    pid = os.fork()
    if pid == 0:
        status = 0
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            function()
        except OSError as e:
            status = e.errno
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@test
def files_belong_to_who_makes_them_and_modes_are_heeded():
    if os.getuid():
        return
    os.chmod(".", 0o777)
    assert as_user(1234, lambda: (put("f"), os.mkdir("d"), os.symlink("x", "l"), os.mkfifo("p"))) == 0
    for name in "fdlp":
        st = os.lstat(name)
        assert (st.st_uid, st.st_gid) == (1234, 1234), name
    os.chmod("f", 0o600)
    assert as_user(4321, lambda: get("f")) == errno.EACCES
    assert as_user(4321, lambda: os.chmod("f", 0o666)) == errno.EPERM
    assert as_user(4321, lambda: put("d/x")) == errno.EACCES
    os.mkdir("shared")
    os.chown("shared", 0, 77)
    os.chmod("shared", 0o2777)
    assert as_user(1234, lambda: (put("shared/f"), os.mkdir("shared/d"))) == 0
    assert os.stat("shared/f").st_gid == 77 and os.stat("shared/d").st_gid == 77
    assert os.stat("shared/d").st_mode & stat.S_ISGID
    os.chmod("f", 0o4666)
    assert as_user(4321, lambda: put("f", b"other")) == 0
    assert not os.stat("f").st_mode & stat.S_ISUID
    os.chmod("shared", 0o1777)
    assert as_user(4321, lambda: os.unlink("shared/f")) in (errno.EPERM, errno.EACCES)


@test
def locks_work():
    put("lock")
    with opened("lock", os.O_RDWR) as a, opened("lock", os.O_RDWR) as b:
        fcntl.flock(a, fcntl.LOCK_EX)
        with fails(errno.EWOULDBLOCK):
            fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(a, fcntl.LOCK_UN)
        fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(a, fcntl.LOCK_EX | fcntl.LOCK_NB, 10)


@test
def syncs_and_statfs_work():
    put("f")
    for flags in (os.O_SYNC, os.O_DSYNC, os.O_DIRECT):
        with opened("f", os.O_RDWR | flags) as fd:
            page = mmap.mmap(-1, 4096)
            assert os.writev(fd, [page]) == 4096
            os.fsync(fd)
            os.fdatasync(fd)
    with opened(".", os.O_RDONLY) as fd:
        os.fsync(fd)
    with opened("..", os.O_RDONLY) as fd:
        os.fsync(fd)
    v = os.statvfs(".")
    assert v.f_blocks > 0 and v.f_bavail > 0 and v.f_namemax == 255


@test
def special_files_can_be_made():
    os.mkfifo("fifo")
    assert stat.S_ISFIFO(os.stat("fifo").st_mode)
    import socket
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("socket")
    assert stat.S_ISSOCK(os.stat("socket").st_mode)
    os.link("fifo", "fifo2")
    os.unlink("fifo")


@test
def a_long_directory_lists_each_name_once_and_can_be_emptied_while_listed():
    names = {f"{i:05d}" for i in range(3000)}
    for name in names:
        os.mknod(name)
    listed = os.listdir()
    assert len(listed) == 3000 and set(listed) == names
    with os.scandir() as entries:
        for e in entries:
            assert e.is_file(follow_symlinks=False) and e.inode() == e.stat(follow_symlinks=False).st_ino
            os.unlink(e.name)
    assert os.listdir() == []


@test
def deep_paths_work():
    depth = 200
    path = "/".join(["d"] * depth)
    os.makedirs(path)
    put(path + "/f", b"deep")
    assert get(path + "/f") == b"deep"
    os.rename("d", "e")
    assert get("e" + path[1:] + "/f") == b"deep"


@test
def random_operations_agree_with_a_model():
    seed = int(os.environ.get("SEED", "1"))
    random.seed(seed)
    limit = 300000
    model = bytearray()
    fd = os.open("f", os.O_RDWR | os.O_CREAT)
    for step in range(3000):
        at, n = random.randrange(limit), random.randrange(1, 30000)
        op = random.randrange(9)
        if op <= 1:
            data = random.randbytes(n)
            os.pwrite(fd, data, at)
            if len(model) < at + n:
                model.extend(bytes(at + n - len(model)))
            model[at : at + n] = data
        elif op == 2:
            os.ftruncate(fd, at)
            model = (model + bytes(max(0, at - len(model))))[:at]
        elif op == 3 and model:
            mapped = mmap.mmap(fd, len(model))
            at %= len(model)
            data = random.randbytes(min(n, len(model) - at))
            mapped[at : at + len(data)] = data
            model[at : at + len(data)] = data
            mapped.close()
        elif op == 4 and model:
            fallocate(fd, PUNCH_HOLE | KEEP_SIZE, at, n)
            end = min(at + n, len(model))
            if at < end:
                model[at:end] = bytes(end - at)
        elif op == 5:
            os.close(fd)
            fd = os.open("f", os.O_RDWR)
        elif op == 6:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        else:
            assert os.pread(fd, n, at) == bytes(model[at : at + n]), f"seed {seed}, step {step}"
        assert os.fstat(fd).st_size == len(model), f"seed {seed}, step {step}"
    os.close(fd)
    assert get("f") == bytes(model), f"seed {seed}"


def main():
    global BLOCKS
    BLOCKS = os.path.abspath(sys.argv[2])
    root = os.path.abspath(sys.argv[1])
    wanted = sys.argv[3:]
    failed = 0
    for t in tests:
        if wanted and not any(w in t.__name__ for w in wanted):
            continue
        place = f"{root}/{t.__name__}"
        os.mkdir(place)
        os.chdir(place)
        try:
            t()
        except Exception as e:
            failed += 1
            line = e.__traceback__.tb_next.tb_lineno
            print(f"FAILED {t.__name__}, line {line}: {type(e).__name__} {e}")
    print(f"{len(tests) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
