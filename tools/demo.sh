#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The idea in one minute: a bucket of two HA clusters whose replicas had outages, the mount of it, Prometheus on that mount, and the
# query server on it.
# ONCE=1 ends by itself; otherwise Ctrl-C does. Nothing is left behind. `make demo` builds what this needs and starts it.
# shellcheck disable=SC2317 # some of it is reached by traps only
set -Eeuo pipefail
cd "$(dirname "$0")/.."

build=build/release
work=$(mktemp -d "${TMPDIR:-/tmp}/thanosfs-demo.XXXXXX")
mnt=$work/thanos
mount_pid='' prometheus_pid='' query_pid=''

bold='' dim='' plain=''
if [[ -t 1 ]]; then
	bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi
step() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }
shown() { # a command as one would type it, and what it prints
	printf '    %s$ %s%s\n' "$dim" "$1" "$plain"
	shift
	"$@" | sed 's/^/    /'
}

# Ends a process and waits for it, 20 s at most.
end() {
	local pid=$1
	[[ $pid ]] || return 0
	kill "$pid" 2>/dev/null || return 0
	for _ in $(seq 200); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
}

leave() {
	local status=$?
	trap - EXIT ERR
	trap '' INT TERM
	set +e
	if ((status != 0)); then
		tail -n 30 "$work"/*.log 2>/dev/null
	fi
	end "$query_pid"
	end "$prometheus_pid"
	end "$mount_pid"
	if mountpoint -q "$mnt"; then
		fusermount3 -uz "$mnt"
	fi
	rm -rf --one-file-system "$work"
	exit "$status"
}
trap leave EXIT
trap 'echo "the demo failed at line $LINENO: $BASH_COMMAND"' ERR
trap 'printf "\nending ...\n"; exit 0' INT TERM

if [[ ! -w /dev/fuse ]]; then
	echo "the demo needs /dev/fuse, which is not here or not for this user" >&2
	exit 1
fi

step "1. A bucket of two HA clusters"
$build/tests/gen/genbucket "$work" --clusters eu,us --replicas a,b --hours 6 --instances 4 >"$work/genbucket.log"
blocks=("$work"/bucket/*/)
cat <<END
    Clusters eu and us, two Prometheus servers each (replica a and b), six hours, a block each two hours.
    Each server was down for a while, at another time than its twin.

END
shown "ls bucket | wc -l" printf '%s\n' "${#blocks[@]}"
shown "cat bucket.yaml" sed "s#$work/##" "$work/bucket.yaml"

step "2. Mounted: one block a window"
mkdir "$mnt"
$build/thanosfs mount --objstore.config-file="$work/bucket.yaml" --query.replica-label=replica --data-dir="$work/data" "$mnt" \
	>"$work/thanosfs.log" 2>&1 </dev/null &
mount_pid=$!
until mountpoint -q "$mnt"; do
	kill -0 "$mount_pid" 2>/dev/null || exit 1
	sleep 0.05
done
printf '    %s$ thanosfs mount --objstore.config-file=bucket.yaml --query.replica-label=replica thanos &%s\n' "$dim" "$plain"
shown "ls -l thanos" ls -l "$mnt"
block=$(cd "$mnt" && echo 0*)
block=${block%% *}
echo
shown "cat thanos/$block/meta.json" cat "$mnt/$block/meta.json"

step "3. An unmodified Prometheus on it"
# free_port PORT...: the first that nobody listens on, or any.
free_port() {
	python3 - "$@" <<'END'
import socket, sys
for port in [*map(int, sys.argv[1:]), 0]:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("127.0.0.1", port))
        print(s.getsockname()[1])
        break
    except OSError:
        pass
END
}
port=$(free_port 9090 9091 9092 9093)
url=http://127.0.0.1:$port
echo 'global: {}' >"$work/prometheus.yml"
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$mnt" --storage.tsdb.retention.time=100y \
	--storage.tsdb.min-block-duration=2h --storage.tsdb.max-block-duration=2h --web.listen-address="127.0.0.1:$port" \
	>"$work/prometheus.log" 2>&1 </dev/null &
prometheus_pid=$!
until curl -sf -o /dev/null "$url/-/ready"; do
	kill -0 "$prometheus_pid" 2>/dev/null || exit 1
	sleep 0.1
done
printf '    %s$ prometheus --storage.tsdb.path=thanos --storage.tsdb.retention.time=100y ... &%s\n\n' "$dim" "$plain"
cat <<END
    How many scrapes of one target there are, count_over_time(node_load1{cluster="...", instance="..."}[5m]):
    in each replica's own blocks (promtool tsdb dump), and for Prometheus on the mount.

END
mkdir -p "$work/raw"
for one in "${blocks[@]}"; do
	labels=$(jq -r '.thanos.labels | "\(.cluster)-\(.replica)"' "$one/meta.json")
	mkdir -p "$work/raw/$labels/wal"
	cp -r "$one" "$work/raw/$labels/"
done
for raw in "$work"/raw/*; do
	promtool tsdb dump --match='node_load1' "$raw" >"$raw.txt"
done
python3 tools/demo_table.py "$url" "$work/raw" | sed 's/^/    /'

step "4. The same without a Prometheus"
query_port=$(free_port 10902 10912 10922)
query_url=http://127.0.0.1:$query_port
$build/thanosfs query --tsdb.path="$mnt" --http-address="127.0.0.1:$query_port" >"$work/query.log" 2>&1 </dev/null &
query_pid=$!
until curl -sf -o /dev/null "$query_url/-/ready"; do
	kill -0 "$query_pid" 2>/dev/null || exit 1
	sleep 0.1
done
printf '    %s$ thanosfs query --tsdb.path=thanos --http-address=127.0.0.1:%s &%s\n\n' "$dim" "$query_port" "$plain"
last=$(jq -s 'map(.maxTime) | max / 1000 | floor - 1' "$mnt"/0*/meta.json)
expr='sum by (cluster) (count_over_time(node_load1[6h]))'
ask() { # URL: what it answers, a series a line
	$build/thanosfs tools query instant "$1" "$expr" --time="$last" | sort
}
shown "thanosfs tools query instant $query_url '$expr' --time=$last" ask "$query_url"
if [[ $(ask "$query_url") != "$(ask "$url")" ]]; then
	echo "the query server and Prometheus disagree, which says:"
	ask "$url"
	exit 1
fi
printf '\n    Prometheus says the same.\n'

step "5. Look for yourself"
expr='count_over_time(node_load1[5m])'
printf '    Prometheus    %s%s/graph?g0.expr=%s&g0.tab=0&g0.range_input=6h%s\n' "$bold" "$url" "$(jq -rn --arg e "$expr" '$e|@uri')" "$plain"
printf '    query server  %s%s%s (in Grafana: a data source of type Prometheus)\n' "$bold" "$query_url" "$plain"
printf '    the mount     %s\n' "$mnt"
if [[ ${ONCE:-} ]]; then
	exit 0
fi
printf '\n    Ctrl-C ends everything.\n'
while kill -0 "$mount_pid" 2>/dev/null && kill -0 "$prometheus_pid" 2>/dev/null && kill -0 "$query_pid" 2>/dev/null; do
	sleep 0.5
done
echo "one of the three ended by itself"
exit 1
