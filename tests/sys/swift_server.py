#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""OpenStack Swift with its S3 API on loopback: account, container, object and proxy server in one process.

usage: swift_server.py DIRECTORY MEMCACHED_PORT REGION

Everything lies below DIRECTORY, whose filesystem must have user extended attributes. The S3 access key is "test:tester",
the secret "testing"; Swift's own way in is /auth/v1.0 with the same. Prints the proxy's port once all four listen, and
runs until SIGTERM. Needs Debian's swift-* packages, and the system's own Python, whose they are.
"""
import os
import signal
import sys

import eventlet
import eventlet.wsgi

eventlet.monkey_patch()

from swift.common import utils  # noqa: E402
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

SERVER = """[DEFAULT]
swift_dir = {dir}
devices = {dir}/devices
mount_check = false
fallocate_reserve = 0
log_level = ERROR
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
recon_cache_path = {dir}
"""

PROXY = """[DEFAULT]
swift_dir = {dir}
log_level = ERROR
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats s3api tempauth bulk slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = {region}
check_bucket_owner = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
storage_url_scheme = http
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


def make_ring(directory, kind, port):
    """One replica on one device: a ring of the smallest sort."""
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1.0})
    builder.rebalance()
    builder.get_ring().save(os.path.join(directory, kind + ".ring.gz"))


def main():
    directory, memcached, region = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.makedirs(os.path.join(directory, "devices", "d1"), exist_ok=True)
    with open(os.path.join(directory, "swift.conf"), "w") as f:
        f.write("[swift-hash]\nswift_hash_path_suffix = test\n[storage-policy:0]\nname = one\ndefault = yes\n")
    utils.set_swift_dir(directory)

    # Bound before the rings are made, which name the ports.
    kinds = ("account", "container", "object", "proxy")
    sockets = {kind: eventlet.listen(("127.0.0.1", 0), backlog=1024) for kind in kinds}
    for kind in kinds[:3]:
        make_ring(directory, kind, sockets[kind].getsockname()[1])
    threads = []
    for kind in kinds:
        path = os.path.join(directory, kind + ".conf")
        with open(path, "w") as f:
            f.write((PROXY if kind == "proxy" else SERVER).format(dir=directory, kind=kind, memcached=memcached,
                                                                  region=region))
        app = loadapp(path, global_conf={"log_name": kind})
        threads.append(eventlet.spawn(eventlet.wsgi.server, sockets[kind], app, log_output=False, debug=False,
                                      protocol=SwiftHttpProtocol,
                                      keepalive=True, capitalize_response_headers=False,
                                      url_length_limit=16384))
    print(sockets["proxy"].getsockname()[1], flush=True)
    for thread in threads:
        thread.wait()


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
main()
