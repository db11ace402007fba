# SPDX-License-Identifier: Apache-2.0
"""The servers that Prometheus is measured against: the query server, and VictoriaMetrics with some of the same samples."""
import pathlib
import subprocess
import sys
import urllib.request

from prometheus_server import Server


class QueryServer(Server):
    name = "thanosfs query"

    def __init__(self, program, directory, work, cores=None):
        super().__init__(directory, work)
        self.program, self.cores = program, cores

    def command(self, address):
        cores = self.cores
        bound = ["taskset", "--cpu-list", ",".join(map(str, cores))] if cores else []
        return bound + [self.program, "query", f"--tsdb.path={self.directory}", f"--http-address={address}",
                        f"--query.threads={len(cores) if cores else 0}", "--log.level=warn"]


class Victoria(Server):
    """Its cache of answers is off: it would answer the second time a query is asked. Those of its storage are on."""

    name = "VictoriaMetrics"
    ready = "/health"
    parameters = {"nocache": "1"}

    def __init__(self, work):
        super().__init__(pathlib.Path(work) / "victoria", work)

    def command(self, address):
        return ["victoria-metrics", f"-httpListenAddr={address}", f"-storageDataPath={self.directory}",
                "-retentionPeriod=100y", "-search.disableCache", "-search.latencyOffset=0s",
                "-search.maxQueryDuration=300s"]

    def load(self, tsdb, metrics):
        """Gives it all samples of these metrics, and has it put them in order."""
        match = '{__name__=~"%s"}' % "|".join(metrics)
        (pathlib.Path(tsdb) / "wal").mkdir(exist_ok=True)  # promtool wants one
        dump = subprocess.Popen(["promtool", "tsdb", "dump", f"--match={match}", str(tsdb)], stdout=subprocess.PIPE)
        # The name before the braces, as the text format has it.
        lines = subprocess.Popen(["sed", r's/^{__name__="\([^"]*\)", /\1{/'], stdin=dump.stdout, stdout=subprocess.PIPE)
        subprocess.run(["curl", "-sSf", "-X", "POST", "-T", "-", f"{self.url}/api/v1/import/prometheus"],
                       stdin=lines.stdout, check=True)
        if dump.wait() or lines.wait():
            sys.exit("the samples could not be dumped")
        for path in ("force_flush", "force_merge"):
            urllib.request.urlopen(f"{self.url}/internal/{path}", timeout=600).close()
