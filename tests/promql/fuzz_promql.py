#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks two servers of Prometheus' API the same random queries, and compares the answers.

usage: fuzz_promql.py REFERENCE URL --start MS --end MS [--seed N] [--queries N | --seconds N] [--only I] [--threads N] [-v]

Query I of a seed is always the same for the same data: --seed N --only I asks a disagreement again. The queries follow a grammar
with types, so that most of them mean something; about one in ten is an error, which both must find. The last line is
'N agree, M differ'; exit status 1 when any differs, 2 when too few answers had anything in them.

The reference may be a Prometheus as old as 2.42, which does some things otherwise. What keeps these out:
- Ranges, lookback and subqueries hold their left edge there (since 3.0 they don't). So no edge may fall on a sample or on a
  subquery's step: no sample's time is whole or half seconds (looked up at the start), times asked for are at half seconds, inner
  times at whole ones, and every range of a subquery in a subquery has a remainder of its own (RAGGED_MS).
- Sums and means are compensated otherwise, so values agree to 1e-9 only. What turns a small difference into a large one (floor,
  comparisons, differences, topk ...) is asked of `exact` values alone: those that come from samples without any rounding.
- topk and bottomk choose freely among equals: their values are compared, not their labels.
- rate() and increase() look for the zero of a counter otherwise where a series is younger than the range: they are asked only of
  series that are there all the time. delta() and the rest don't look for it.
- holt_winters has another name now, and sort_by_label, mad_over_time, limitk and the like are not there.
- A comparison that filters pairs samples off before it looks for several on a side: where only the reference has an answer, and
  ours is that error, nothing is said (REFUSED).
- atan2 keeps names there. predict_linear() with @ has an answer at the first step alone. timestamp() of a selector
  with both @ and offset looks at two times at once, and finds nothing. stddev and stdvar of one NaN or Inf are 0.
- Ours doesn't compute what can't be in the answer, such as series that a binary operator finds no partner for: where only the
  reference finds an error of labels (SAME_LABELS, REFUSED) in a part of such a query, nothing is said.
- count_values by three labels mixes them up there after the first step.
- Of native histograms it knows little: only what native() makes is asked, and other queries don't select them. Quantiles and
  fractions interpolate otherwise now; most else takes a histogram for 0 there.
- Texts of errors, and annotations, are not compared.
"""
import argparse
import concurrent.futures
import http.client
import json
import math
import random
import re
import sys
import threading
import time
import urllib.parse

RAGGED_MS = 100
TOLERANCE = 1e-9
REFUSED = "multiple matches for labels"
SAME_LABELS = "vector cannot contain metrics with the same labelset"
FILTER = re.compile(r"(==|!=|<=?|>=?) (?!bool)(on|ignoring|\(|[a-z_]+[^a-z_=~\"])")
GAUGE_FUNCTIONS = ["min_over_time", "max_over_time", "last_over_time", "count_over_time", "present_over_time", "changes", "resets"]
MEAN_FUNCTIONS = ["avg_over_time", "sum_over_time"]
LOOSE_FUNCTIONS = ["stddev_over_time", "stdvar_over_time", "deriv", "delta", "idelta"]
EXACT_MATH = ["abs", "ceil", "floor", "sgn", "round"]
LOOSE_MATH = ["exp", "ln", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh",
              "acosh", "atanh", "deg", "rad"]
DATE_FUNCTIONS = ["minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"]
COMPARISONS = ["==", "!=", "<", ">", "<=", ">="]


class Server:
    """One connection a thread: most queries take less time than a handshake."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.local = threading.local()

    def ask(self, path, parameters):
        body = urllib.parse.urlencode(parameters)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        for again in (True, False):
            connection = getattr(self.local, "connection", None)
            fresh = connection is None
            if fresh:
                connection = self.local.connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
            try:
                connection.request("POST", "/api/v1/" + path, body, headers)
                return json.loads(connection.getresponse().read())
            except (http.client.HTTPException, ConnectionError):
                # An idle connection may have been closed meanwhile, a new one may not.
                connection.close()
                self.local.connection = None
                if fresh or not again:
                    raise


class Data:
    """What there is to ask for: names with their label sets, and which series are there all the time."""

    def __init__(self, server, start, end):
        self.start, self.end = start, end
        at = f"{(end - 500) / 1000:.3f}"
        answer = server.ask("query", {"query": f'{{__name__!=""}}[{end - start}ms]', "time": at})
        if answer["status"] != "success":
            sys.exit(f"the samples can't be read: {answer}")
        self.series, lasting, self.histograms = {}, {}, {}
        for s in answer["data"]["result"]:
            if "values" not in s or "histograms" in s:
                name = s["metric"]["__name__"]
                since = round(float(s["histograms"][0][0]) * 1000)
                self.histograms[name] = max(since, self.histograms.get(name, since))
                continue
            times = [round(float(t) * 1000) for t, _ in s["values"]]
            if any(t % 500 == 0 for t in times):
                sys.exit(f"{s['metric']} has a sample at a whole or half second: choose other data")
            name = s["metric"]["__name__"]
            self.series.setdefault(name, []).append({k: v for k, v in s["metric"].items() if k != "__name__"})
            key = name, s["metric"]["job"]
            lasting[key] = lasting.get(key, True) and times[0] < start + 120_000
        self.names = sorted(self.series)
        self.jobs = {}
        for name in self.names:
            for labels in self.series[name]:
                self.jobs.setdefault(labels["job"], set()).add(name)
        self.jobs = {job: sorted(names) for job, names in sorted(self.jobs.items())}
        self.counters = sorted(k for k, v in lasting.items() if v and re.search("_(total|bucket|count|sum)$", k[0]))
        self.lasting_histograms = sorted(h for h, since in self.histograms.items() if since < start + 120_000)
        self.buckets = [k for k in self.counters if k[0].endswith("_bucket")]
        self.labels = sorted({label for all in self.series.values() for labels in all for label in labels})
        if not self.buckets:
            sys.exit("there is no classic histogram to ask for")


class Expr:
    """An expression's text; `exact` says that its values come from samples without rounding."""

    def __init__(self, text, exact):
        self.text, self.exact = text, exact


class Query:
    """One random query. `depth` bounds the tree; `inner` counts the subqueries around."""

    def __init__(self, data, seed, number):
        self.data = data
        self.rng = random.Random(f"{seed}:{number}")
        self.inner = 0
        # How the answer is compared: in order where it was sorted; by values alone where equals were chosen among.
        self.ordered = self.unlabelled = False
        self.skips = False  # an operator in it may leave series out unseen
        self.is_range = self.chance(0.6)
        span = data.end - data.start
        self.begin = self.moment(data.start + span // 4, data.end)
        self.until, self.step = self.begin, 1000
        if self.is_range:
            self.step = self.pick([15, 30, 60, 61, 300, 613]) * 1000
            self.until = self.begin + self.step * self.rng.randrange(25)
            if self.chance(0.2):
                self.until += self.rng.randrange(self.step)
        self.text = self.top()

    def pick(self, choices):
        return self.rng.choice(choices)

    def chance(self, p):
        return self.rng.random() < p

    def moment(self, low, high):
        return self.rng.randrange(low // 1000, high // 1000) * 1000 + 500

    def parameters(self):
        p = {"query": self.text}
        if not self.is_range:
            return "query", p | {"time": f"{self.begin / 1000:.3f}"}
        return "query_range", p | {"start": f"{self.begin / 1000:.3f}", "end": f"{self.until / 1000:.3f}",
                                   "step": f"{self.step / 1000:.3f}"}

    # Selectors

    def matchers(self, name):
        labels = self.pick(self.data.series[name])
        out = []
        for label in self.rng.sample(sorted(labels), min(len(labels), self.pick([0, 0, 0, 1, 1, 2]))):
            value = labels[label]
            op = self.pick(["=", "=", "!=", "=~", "=~", "!~"])
            if op in ("=~", "!~"):
                cut = self.rng.randrange(len(value) + 1)
                value = self.pick([re.escape(value[:cut]) + ".*", ".*" + re.escape(value[cut:]), re.escape(value) + "|nosuch", ".+"])
            out.append(label + op + json.dumps(value))
        if self.chance(0.05):
            out.append(self.pick(['nosuch=""', 'nosuch!="x"', 'nosuch="x"', 'nosuch=~".*"']))
        return out

    def modifiers(self, offset=True, at=True):
        text = ""
        if offset and self.chance(0.12):
            text += f" offset {self.pick(['', '-'])}{self.pick(['30s', '5m', '7m30s', '1h'])}"
        if at and self.chance(0.12):
            at = self.pick(["start()", "end()", f"{self.moment(self.data.start, self.data.end) / 1000:.3f}"])
            text += f" @ {at}"
        return text

    def name(self):
        # Most of what is there belongs to few jobs: each job gets its share.
        return self.pick(self.data.jobs[self.pick(list(self.data.jobs))])

    def bare(self, name, job=None):
        if job is None and self.chance(0.04):
            # Several names: functions that drop them may find equal label sets.
            prefix = name[:self.rng.randrange(2, len(name) + 5)]
            if not any(h.startswith(prefix) for h in self.data.histograms):
                return f'{{__name__=~"{prefix}.*",job!=""}}'
        matchers = self.matchers(name) + ([f'job="{job}"'] if job else [])
        return name + ("{" + ",".join(matchers) + "}" if matchers else "")

    def selector(self, name=None):
        return Expr(self.bare(name or self.name()) + self.modifiers(), True)

    def range_text(self):
        return self.pick(["15s", "20s", "45s", "1m", "2m", "5m", "5m", "10m", "17m", "1h"])

    def matrix(self, name=None, job=None):
        return f"{self.bare(name or self.name(), job)}[{self.range_text()}]{self.modifiers()}"

    def subquery(self, depth):
        """A range over an expression, and whether its values are exact."""
        step = self.pick([10, 15, 30, 60, 97])
        span = step * self.rng.randrange(1, 20) + self.pick([0, 1, 7])
        self.inner += 1
        inside = self.vector(depth - 1)
        self.inner -= 1
        ragged = f"{RAGGED_MS}ms" if self.inner else ""
        step_text = "" if self.chance(0.1) else f"{step}s"
        return f"{self.wrapped(inside)}[{span}s{ragged}:{step_text}]{self.modifiers()}", inside.exact

    # Expressions

    def wrapped(self, expr):
        return expr.text if re.fullmatch(r"[a-z_0-9]+", expr.text) else f"({expr.text})"

    def scalar(self, depth=1):
        r = self.rng.random()
        if r < 0.75 or depth <= 0:
            return self.pick(["0", "1", "2", "0.5", "-1", "100", "1e6", "3.7", "0x10", "Inf", "NaN", "-Inf", "1024"])
        if r < 0.85:
            return "time()"
        if r < 0.95:
            return f"scalar({self.selector().text})"
        return f"({self.scalar(depth - 1)} {self.pick(['+', '-', '*', '/'])} {self.scalar(depth - 1)})"

    def plain(self):
        """A number that neither is negative nor makes one large difference of a small one."""
        return self.pick(["1", "2", "0.5", "100", "3.7"])

    def exact_vector(self, depth):
        """One whose values are exact, so that anything may be done to it."""
        for _ in range(20):
            v = self.vector(depth)
            if v.exact:
                return v
        return self.selector()

    def over_range(self, depth):
        r = self.rng.random()
        if r < 0.3:
            # A counter never falls, so its rate is as good as its samples.
            return Expr(f"{self.pick(['rate', 'rate', 'increase'])}({self.matrix(*self.pick(self.data.counters))})", False)
        if depth > 0 and r < 0.5:
            matrix, exact = self.subquery(depth)
        else:
            matrix, exact = self.matrix(), True
        f = self.pick(GAUGE_FUNCTIONS + MEAN_FUNCTIONS + (LOOSE_FUNCTIONS if exact else []) + ["irate", "quantile_over_time",
                                                                                              "predict_linear", "absent_over_time"])
        if not exact and f in ("changes", "resets", "irate", "predict_linear"):
            f = "max_over_time"
        if f == "quantile_over_time":
            return Expr(f"quantile_over_time({self.pick(['0', '0.5', '0.9', '1', '-1', '2', 'NaN'])}, {matrix})", False)
        if f == "predict_linear":
            matrix = f"{self.bare(self.name())}[{self.range_text()}]{self.modifiers(at=False)}"
            return Expr(f"predict_linear({matrix}, {self.pick(['60', '3600', '-300'])})", False)
        return Expr(f"{f}({matrix})", f == "absent_over_time" or f in GAUGE_FUNCTIONS and (exact or f in ("count_over_time", "present_over_time")))

    def grouping(self):
        r = self.rng.random()
        if r < 0.3:
            return ""
        labels = self.rng.sample(self.data.labels, self.pick([0, 1, 1, 2, 3]))
        if self.chance(0.1):
            labels.append("__name__")
        return f" {self.pick(['by', 'by', 'without'])} ({', '.join(labels)})"

    def aggregation(self, depth):
        op = self.pick(["sum", "sum", "avg", "min", "max", "count", "group", "quantile", "stddev", "stdvar", "count_values"])
        if op in ("stddev", "stdvar"):
            inside = self.selector()
        else:
            inside = self.exact_vector(depth - 1) if op == "count_values" else self.vector(depth - 1)
        parameter = {"quantile": self.pick(["0", "0.25", "0.9", "1", "-1", "2"]) + ", ",
                     "count_values": f'"{self.pick(["v", "value", "job", "instance"])}", '}.get(op, "")
        body = f"({parameter}{inside.text})"
        exact = op in ("count", "group", "count_values") or op in ("min", "max") and inside.exact
        grouping = self.grouping()
        while op == "count_values" and grouping.count(",") == 2:
            grouping = self.grouping()
        return Expr(f"{op}{body}{grouping}" if self.chance(0.5) else f"{op}{grouping} {body}", exact)

    def with_scalar(self, depth):
        op = self.pick(["+", "-", "*", "/", "%", "^"] + COMPARISONS)
        if op in ("+", "*", "/") and self.chance(0.7):
            v = self.vector(depth - 1)
            return Expr(f"{self.wrapped(v)} {op} {self.plain()}", False)
        v = self.exact_vector(depth - 1)
        left, right = self.wrapped(v), self.scalar()
        if self.chance(0.3):
            left, right = right, left
        if op in COMPARISONS:
            return Expr(f"{left} {op}{self.pick(['', ' bool'])} {right}", True)
        return Expr(f"{left} {op} {right}", False)

    def matching(self, left_many):
        r = self.rng.random()
        if r < 0.35:
            return ""
        labels = self.rng.sample(self.data.labels, self.pick([0, 1, 2, 3]))
        if self.chance(0.6):
            labels = sorted({"instance"} | set(labels[:1]))
        text = f" {self.pick(['on', 'on', 'ignoring'])} ({', '.join(labels)})"
        if left_many and self.chance(0.5):
            include = self.rng.sample(self.data.labels, self.pick([0, 0, 1]))
            text += f" {self.pick(['group_left', 'group_left', 'group_right'])} ({', '.join(include)})"
        return text

    def binary(self, depth):
        job = self.pick(list(self.data.jobs))
        self.skips = True

        def side(exact):
            if self.chance(0.5):
                return self.selector(self.pick(self.data.jobs[job]))
            return self.exact_vector(depth - 1) if exact else self.vector(depth - 1)

        op = self.pick(["+", "-", "*", "/", "%", "and", "or", "unless"] + COMPARISONS[:4])
        if op in ("and", "or", "unless"):
            left, right = side(False), side(False)
            return Expr(f"{self.wrapped(left)} {op}{self.matching(False)} {self.wrapped(right)}",
                        left.exact and (op != "or" or right.exact))
        anything = op in ("*", "/")
        left, right = side(not anything), side(not anything)
        if self.chance(0.2):
            right = left
        comparison = op in COMPARISONS
        op += " bool" if comparison and self.chance(0.4) else ""
        return Expr(f"{self.wrapped(left)} {op}{self.matching(True)} {self.wrapped(right)}", comparison)

    def call(self, depth):
        r = self.rng.random()
        if r < 0.25:
            f = self.pick(EXACT_MATH)
            return Expr(f"{f}({self.exact_vector(depth - 1).text})", True)
        if r < 0.45:
            return Expr(f"{self.pick(LOOSE_MATH)}({self.exact_vector(depth - 1).text})", False)
        if r < 0.55:
            v = self.vector(depth - 1)
            f = self.pick([f"clamp_max(%s, {self.scalar()})", f"clamp_min(%s, {self.scalar()})", "clamp(%s, 1, 1e6)", "clamp(%s, 5, 2)"])
            return Expr(f % v.text, v.exact and "time" not in f)
        if r < 0.65:
            return Expr(f"{self.pick(DATE_FUNCTIONS)}({self.pick(['', self.selector('process_start_time_seconds').text, 'vector(time())'])})", True)
        if r < 0.72:
            return Expr(f"timestamp({self.bare(self.name())}{self.modifiers(offset=self.chance(0.5), at=False) if self.chance(0.5) else self.modifiers(offset=False)})", True)
        if r < 0.8:
            return Expr(f"absent({self.vector(depth - 1).text})", True)
        if r < 0.83:
            return Expr(f"vector({self.scalar()})", False)
        v = self.vector(depth - 1)
        label = self.pick(self.data.labels)
        if r < 0.92:
            regex = self.pick([r"(.*)", r"(.)(.*)", r"([a-z]+)-?(\\d*).*", r"nosuch", r""])
            text = f'label_replace({v.text}, "{self.pick(["new", label])}", "{self.pick(["$1", "x-$1-$2", "", "fixed"])}", "{label}", "{regex}")'
        else:
            text = f'label_join({v.text}, "{self.pick(["new", label])}", "{self.pick(["-", ""])}", "{label}", "{self.pick(self.data.labels)}")'
        return Expr(text, v.exact)

    def histogram(self):
        by = self.pick(["le", "le, instance", "le, handler", "le, job, handler"])
        metric = self.pick(self.data.buckets)
        if self.chance(0.3):
            return Expr(f"histogram_quantile({self.pick(['0', '0.5', '0.99', '1', '-1', '2'])}, {self.selector(metric[0]).text})", False)
        # At 0 and 1 a rounding error decides which bucket it is.
        return Expr(f"histogram_quantile({self.pick(['0.123', '0.517', '0.9013'])}, "
                    f"sum by ({by}) (rate({self.matrix(*metric)})))", False)

    def native(self, depth):
        """A vector of native histograms, or what is known of them as numbers."""
        names = sorted(self.data.histograms)
        plain = f"{self.pick(names)}{self.modifiers()}"
        r = self.rng.random()
        if depth <= 0 or r < 0.1:
            return plain
        if r < 0.3 and self.data.lasting_histograms:
            f = self.pick(["rate", "increase", "delta"])
            return f"{f}({self.pick(self.data.lasting_histograms)}[{self.range_text()}]{self.modifiers()})"
        if r < 0.5:
            return f"sum{self.pick(['', ' by (job)', ' by (instance, job)', ' without (pod, namespace)'])} ({self.native(depth - 1)})"
        if r < 0.6:
            return f"({plain}) + ({plain})"
        if r < 0.7:
            return f"({self.native(depth - 1)}) {self.pick(['and', 'unless'])} on (instance) {self.pick(['up', 'node_load1'])}"
        if r < 0.75:
            return f"{self.pick(['count_over_time', 'present_over_time'])}({self.pick(names)}[{self.range_text()}])"
        return f"{self.pick(['histogram_count', 'histogram_sum', 'count', 'group'])}({self.native(depth - 1)})"

    def vector(self, depth):
        if depth <= 0:
            return self.selector()
        r = self.rng.random()
        if r < 0.15:
            return self.selector()
        if r < 0.40:
            return self.over_range(depth)
        if r < 0.60:
            return self.aggregation(depth)
        if r < 0.70:
            return self.with_scalar(depth)
        if r < 0.83:
            return self.binary(depth)
        if r < 0.86:
            return self.histogram()
        if r < 0.88:
            v = self.exact_vector(depth - 1)
            return Expr(f"-{self.wrapped(v)}", v.exact)
        return self.call(depth)

    def top(self):
        depth = self.pick([1, 2, 2, 3, 3, 4])
        r = self.rng.random()
        if r < 0.05:
            self.unlabelled = self.skips = True
            k = self.pick(["1", "3", "10", "0", "1000", "scalar(count(up))"])
            return f"{self.pick(['topk', 'bottomk'])}{self.grouping()} ({k}, {self.exact_vector(depth - 1).text})"
        if r < 0.08:
            self.ordered = not self.is_range
            return f"{self.pick(['sort', 'sort_desc'])}({self.exact_vector(depth - 1).text})"
        if r < 0.10:
            return self.scalar(3)
        if r < 0.12 and not self.is_range:
            return self.matrix()
        if r < 0.16 and self.data.histograms:
            return self.native(depth)
        return self.vector(depth).text


def close(x, y):
    if x == y:
        return True
    if isinstance(x, dict) or isinstance(y, dict):
        return isinstance(x, dict) and isinstance(y, dict) and x.keys() == y.keys() and all(close(x[k], y[k]) for k in x)
    if isinstance(x, list) or isinstance(y, list):
        return isinstance(x, list) and isinstance(y, list) and len(x) == len(y) and all(map(close, x, y))
    x, y = float(x), float(y)
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    return math.isclose(x, y, rel_tol=TOLERANCE, abs_tol=TOLERANCE * 1e-3)


def points_of(data, query):
    """{labels: [(time, value)]}; without labels, all values of a time in order."""
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        return {(): [tuple(result)]}
    out = {}
    for s in result:
        key = tuple(sorted(s["metric"].items()))
        if key in out:
            raise ValueError(f"{dict(key)} comes twice")
        points = s.get("values", []) + s.get("histograms", []) + [s[k] for k in ("value", "histogram") if k in s]
        out[key] = [tuple(p) for p in points]
    if query.unlabelled:
        return {(): sorted(((t, v) for points in out.values() for t, v in points), key=lambda p: (p[0], str(float(p[1]))))}
    return out


def difference(reference, ours, query):
    """None, or one line that says how the answers differ."""
    if reference["status"] != ours["status"]:
        if ours["status"] == "error" and REFUSED in ours["error"] and FILTER.search(query.text):
            return None
        if reference["status"] == "error" and query.skips and (SAME_LABELS in reference["error"] or REFUSED in reference["error"]):
            return None
        return f"{reference['status']} / {ours['status']}: {reference.get('error') or ours.get('error')}"
    if reference["status"] != "success":
        a, b = reference["errorType"], ours["errorType"]
        return None if a == b else f"error {a} / {b}: {reference['error']} / {ours['error']}"
    if reference["data"]["resultType"] != ours["data"]["resultType"]:
        return f"type {reference['data']['resultType']} / {ours['data']['resultType']}"
    want, got = points_of(reference["data"], query), points_of(ours["data"], query)
    if want.keys() != got.keys():
        missing, extra = want.keys() - got.keys(), got.keys() - want.keys()
        return f"{len(missing)} series missing, {len(extra)} too many, one is {dict(next(iter(missing or extra)))}"
    for key, points in want.items():
        if [t for t, _ in points] != [t for t, _ in got[key]]:
            return f"{dict(key)}: {len(points)} / {len(got[key])} points, or other times"
        for (t, x), (_, y) in zip(points, got[key]):
            if not close(x, y):
                return f"{dict(key)} at {t}: {x} / {y}"
    if query.ordered:
        orders = [[float(s["value"][1]) for s in a["data"]["result"]] for a in (reference, ours)]
        if any(not close(x, y) for x, y in zip(*orders)):
            return "another order"
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("reference", type=Server)
    p.add_argument("ours", type=Server)
    p.add_argument("--start", type=int, required=True)
    p.add_argument("--end", type=int, required=True)
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--queries", type=int, default=2000)
    p.add_argument("--seconds", type=float)
    p.add_argument("--only", type=int)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("-v", action="store_true", help="show every query and how many series answered")
    a = p.parse_args()
    data = Data(a.reference, a.start, a.end)
    print(f"seed {a.seed}, {sum(map(len, data.series.values()))} series", flush=True)
    deadline = time.monotonic() + a.seconds if a.seconds else math.inf
    tally = {"agree": 0, "differ": 0, "full": 0, "errors": 0}
    lock = threading.Lock()
    numbers = iter([a.only] if a.only is not None else range(sys.maxsize if a.seconds else a.queries))

    def compare(number):
        query = Query(data, a.seed, number)
        path, parameters = query.parameters()
        reference, ours = (server.ask(path, parameters) for server in (a.reference, a.ours))
        try:
            why = difference(reference, ours, query)
        except (KeyError, TypeError, ValueError) as e:
            why = f"malformed answer: {e!r}"
        result = reference.get("data", {}).get("result", [])
        with lock:
            tally["agree" if why is None else "differ"] += 1
            tally["full"] += bool(result)
            tally["errors"] += reference["status"] != "success"
            if why or a.v:
                asked = urllib.parse.urlencode({k: v for k, v in parameters.items() if k != "query"}, safe=":")
                print(f"{'DIFFERS' if why else 'agrees'}: --seed {a.seed} --only {number}: {path}?{asked}\n"
                      f"    {query.text}\n    {why or str(len(result)) + ' results'}", flush=True)

    def work():
        while time.monotonic() < deadline:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            compare(number)

    with concurrent.futures.ThreadPoolExecutor(a.threads) as pool:
        for done in [pool.submit(work) for _ in range(a.threads)]:
            done.result()
    asked = tally["agree"] + tally["differ"]
    print(f"{tally['full']} answers with series, {tally['errors']} errors that both found", flush=True)
    print(f"{tally['agree']} agree, {tally['differ']} differ", flush=True)
    if tally["differ"]:
        sys.exit(1)
    if a.only is None and tally["full"] * 2 < asked:
        sys.exit(2)


main()
