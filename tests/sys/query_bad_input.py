#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends a query server what nobody should send, one request after another, while somebody else asks for something simple all the time,
and others hold connections: with half of a request, or a large answer that they don't read, or a byte a second of it.

Each must be answered, with a status that is expected, and cost the server no more than SECONDS of processor time: that doesn't
depend on what else the machine does. The server runs with one thread a query and fewer turns than there are slow readers, and each
query may take half a second.
"""

import argparse
import http.client
import os
import socket
import sys
import threading
import time
import urllib.parse

TIMEOUT = "500ms"


class Server:
    def __init__(self, port, pid):
        self.port, self.pid = port, pid

    def seconds(self):
        """Of processor time, all threads."""
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self):
        with open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def ask(self, path, body):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            c.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
            r = c.getresponse()
            size, start = 0, b""
            while piece := r.read(1 << 20):
                start = start or piece[:400]
                size += len(piece)
            return r.status, start.decode(errors="replace"), size
        except http.client.IncompleteRead:
            return BROKEN_OFF, "the answer broke off", 0
        except (ConnectionResetError, BrokenPipeError):
            return 413, "the connection was closed", 0
        finally:
            c.close()


def nested(before, n, inner, after):
    return before * n + inner + after * n


def instant(query, **more):
    return "/api/v1/query", urllib.parse.urlencode({"query": query, "timeout": TIMEOUT, **more})


def ranged(query, start, end, step, **more):
    form = {"query": query, "start": start, "end": end, "step": step, "timeout": TIMEOUT, **more}
    return "/api/v1/query_range", urllib.parse.urlencode(form)


BROKEN_OFF = 0  # an error that came when part of the answer had left
REFUSED = {400, 413, 422, 503, BROKEN_OFF}
ANY = REFUSED | {200}


def inputs(at):
    """(what, path and body, statuses that are right)"""
    many = '{__name__=~".+"}'
    start, end = at - 11000, at
    yield "10 MB", instant("a" * 10_000_000), {413}
    yield "a name of 2 MB", instant("a" * 2_000_000), {400}
    yield "a number of 900 kB", instant("1" * 900_000), ANY
    yield "a string of 900 kB", instant('"' + "x" * 900_000 + '"'), {200}
    yield "a label value of 900 kB", instant('up{job="' + "x" * 900_000 + '"}'), {200}
    yield "10 MB of label value", instant('up{job="' + "x" * 10_000_000 + '"}'), {413}
    for what, query in {
        "parentheses": nested("(", 100_000, "1", ")"),
        "open parentheses": "(" * 100_000,
        "signs": nested("-", 100_000, "1", ""),
        "signs of a vector": nested("-", 100_000, "up", ""),
        "functions": nested("abs(", 100_000, "up", ")"),
        "aggregations": nested("sum(", 100_000, "up", ")"),
        "powers": nested("2^", 100_000, "2", ""),
        "sums": nested("1+", 100_000, "1", ""),
        "joins": nested("up*", 50_000, "up", ""),
        "sets": nested("up or ", 50_000, "up", ""),
        "subqueries": nested("max_over_time(", 50_000, "up", "[1h:1m])"),
        "braces": "up" + "{" * 100_000,
        "brackets": "up" + "[" * 100_000,
        "quotes": '"\\' * 50_000,
        "comments": "#" * 100_000,
        "label_replace": nested("label_replace(", 10_000, "up", ',"a","b","c","d")'),
    }.items():
        yield f"nested {what}", instant(query), ANY
    for what, query in {
        "100 functions": nested("abs(", 100, many, ")"),
        "100 signs": nested("-", 100, many, ""),
        "100 label_replace": nested("label_replace(", 90, many, ',"a","$1$1","a","(.*)")'),
        "sums of everything": "+".join([many] * 90),
        "sets of everything": " or ".join([many] * 90),
        "50 subqueries": nested("max_over_time(", 50, "up", "[1h:1m])"),
    }.items():
        yield what, instant(query, time=at), ANY
        yield what + " at 11,000 steps", ranged(query, start, end, 1, limit=10), ANY
    yield "a million matchers", instant("up{" + ",".join(['a="b"'] * 1_000_000) + "}"), {400, 413}
    yield "100,000 matchers", instant("up{" + ",".join([f'a{i}=~"b.*"' for i in range(50_000)]) + "}"), ANY
    yield "a regex of 900 kB", instant('up{job=~"' + "a|" * 450_000 + 'b"}'), ANY
    yield "a regex that explodes", instant('{job=~"((a{1,100}){1,100}){1,100}"}'), ANY
    yield "(a+)+$", instant(
        'label_replace(label_replace(vector(1), "x", "' + "a" * 60000 + '!", "", ""), "y", "$1", "x", "(a+)+$")'
    ), {200}
    yield "a template of a million", instant(
        'label_replace(label_replace(vector(1), "x", "' + "a" * 60000 + '", "", ""), "y", "' + "$1" * 60000 + '", "x", "(.*)")'
    ), {422}
    yield "11,001 steps", ranged("up", start, end + 1, 1), {400}
    yield "11,000 steps of everything", ranged(many, start, end, 1, limit=10), ANY
    yield "all raw samples", instant(many + "[1y]", time=at, limit=10), ANY
    yield "a cross join", instant(f"{many} * on () {many}", time=at), {422, 503}
    yield "a cross join that is asked for", instant(f"{many} * on () group_left (instance, __name__, cpu, mode) {many}", time=at), {422, 503}
    yield "a cross join at 11,000 steps", ranged(f"{many} * on () group_left () {many}", start, end, 1), {422, 503}
    yield "a cross set", ranged(f"{many} and on () {many}", start, end, 1, limit=10), ANY
    yield "count_values", ranged(f'count_values("v", {many} * time())', start, end, 1), {422, 503}
    yield "count_values of one", ranged('count_values("v", vector(time()))', start, end, 1), ANY
    yield "quantile", ranged(f"quantile(0.5, {many})", start, end, 1), ANY
    yield "topk", ranged(f"topk(1e9, {many})", start, end, 1), ANY
    yield "limitk", ranged(f"limitk(1e9, {many})", start, end, 1, limit=10), ANY
    yield "sort", instant(f"sort({many})", time=at), ANY
    yield "sort_by_label", ranged(f'sort_by_label({many}, "instance")', start, end, 1, limit=10), ANY
    for function in ("sum", "avg", "stddev", "min", "quantile", "count", "last", "present"):
        arg = "0.5, " if function == "quantile" else ""
        yield f"{function} over a year of ms", instant(f"{function}_over_time({arg}up[1y:1ms])", time=at), REFUSED
        yield f"{function} over 2 h of ms", ranged(f"{function}_over_time({arg}up[2h:1ms])", at - 1000, at, 1), ANY
    yield "deriv over 2 h of ms", ranged("deriv(up[2h:1ms])", at - 1000, at, 1), ANY
    yield "rate over 2 h of ms", ranged("rate(up[2h:1ms])", at - 1000, at, 1), ANY
    yield "powers over 2 h of ms", instant("sum_over_time((up ^ 1.1 ^ up ^ 1.3)[2h:1ms])", time=at), ANY
    yield "subqueries of subqueries", instant("max_over_time(max_over_time(up[1h:10ms])[1h:10ms])", time=at), ANY
    yield "a subquery of everything", instant(f"max_over_time({many}[2h:1s])", time=at), ANY
    for time_ in ("NaN", "Inf", "-Inf", "1e300", "-1e300", "x", "9223372036854775807"):
        yield f"at {time_}", instant("up", time=time_), {400}
    yield "from the first time", ranged("up", -9223309901257974, 9223309901257974, 1), {400}
    yield "to the last time", ranged("up", at, 9223309901257974, "1y"), ANY
    for step in ("NaN", "0", "-1", "1e-9", "1ns", "Inf"):
        yield f"a step of {step}", ranged("up", at, at, step), {400}
    yield "far offsets", instant("rate(up[1000y] offset -1000y) + up @ 9e15 + up @ -9e15 offset 200y", time=at), ANY
    yield "a series' labels", ("/api/v1/series", urllib.parse.urlencode([("match[]", many)] * 1000)), ANY
    yield "bytes that are none of UTF-8", ("/api/v1/query", b"query=%ff%fe%00"), {400}
    yield "a form without end", ("/api/v1/query", b"&" * 1_000_000), {400}
    yield "a form of many", ("/api/v1/query", b"a=b&" * 200_000 + b"query=1"), ANY


class Holders(threading.Thread):
    """Connections of which nothing comes, and slow readers, more than there are turns."""

    def __init__(self, port, at):
        super().__init__(daemon=True)
        self.sockets, self.is_over = [], False
        path, body = ranged('{__name__=~".+"}', at - 11000, at, 1, timeout="5m")
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        for i in range(60):
            self.send(port, b"GET /api/v1/que" if i % 2 else (head + "Content-Length: 100\r\n\r\nquery=").encode())
        self.half_sent = len(self.sockets)
        for i in range(8):
            self.send(port, (head + f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        # Each has had its turn when its answer begins.
        for s in self.sockets[self.half_sent :]:
            s.recv(1)

    def send(self, port, what):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(600)
        s.connect(("127.0.0.1", port))
        s.sendall(what)
        self.sockets.append(s)

    def run(self):
        while not self.is_over:
            time.sleep(1)
            for s in self.sockets[self.half_sent :: 2]:
                try:
                    s.recv(1)
                except OSError:
                    pass


def is_answered_meanwhile(server, at):
    """Whether simple questions are answered while a long query runs, whose client then leaves."""
    path, body = ranged('sum(quantile_over_time(0.5, node_cpu_seconds_total[30m:1s]))', at - 10000, at, 1, timeout="1h")
    c = http.client.HTTPConnection("127.0.0.1", server.port)
    c.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
    answered = [server.ask("/api/v1/query", "query=1%2B1")[0] for _ in range(20)]
    c.sock.setblocking(False)
    try:
        early = c.sock.recv(100)
    except BlockingIOError:
        early = b""
    c.close()
    return not early and set(answered) == {200}


class Bystander(threading.Thread):
    """Asks for something simple all the time."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.answers, self.wrong, self.is_over = server, 0, [], False

    def run(self):
        while not self.is_over:
            status, text, _ = self.server.ask("/api/v1/query", "query=1%2B1")
            if status != 200:
                self.wrong.append((status, text))
            self.answers += 1
            time.sleep(0.02)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--pid", type=int, required=True)
    p.add_argument("--at", type=int, required=True, help="when there are samples, unix seconds")
    p.add_argument("--seconds", type=float, required=True, help="of processor time that a request may take")
    p.add_argument("--bytes", type=int, required=True, help="that the server may take")
    p.add_argument("--verbose", action="store_true")
    a = p.parse_args()
    server = Server(a.port, a.pid)
    holders = Holders(a.port, a.at)
    holders.start()
    bystander = Bystander(server)
    bystander.start()
    failures, n = 0, 0
    if not is_answered_meanwhile(server, a.at):
        failures += 1
        print("FAILED: others aren't answered while a long query runs")
    for what, (path, body), right in inputs(a.at):
        before, peak = server.seconds(), server.peak_bytes()
        began = time.monotonic()
        status, text, size = server.ask(path, body)
        took, wall = server.seconds() - before, time.monotonic() - began
        n += 1
        grown = server.peak_bytes() - peak
        if a.verbose:
            print(f"{what}: {status}, {took:.2f} s, wall {wall:.2f} s, +{grown >> 20} MB, {size} bytes, {text[:160]!r}")
        if status not in right:
            failures += 1
            print(f"FAILED: {what}: status {status}: {text}")
        if took > a.seconds:
            failures += 1
            print(f"FAILED: {what} took {took:.2f} s of processor time: {status} {text}")
    bystander.is_over = holders.is_over = True
    bystander.join()
    if bystander.wrong or not bystander.answers:
        failures += 1
        print(f"FAILED: somebody else was answered {bystander.wrong[:1]}")
    peak = server.peak_bytes()
    if peak > a.bytes:
        failures += 1
        print(f"FAILED: the server took {peak >> 20} MB")
    print(f"{n} inputs, {bystander.answers} others answered, {peak >> 20} MB at most")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
