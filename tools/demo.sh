#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The idea in one minute: a bucket of two HA clusters whose replicas had outages, the mount of it, and Prometheus on that mount.
# ONCE=1 ends by itself; otherwise Ctrl-C does. Nothing is left behind. `make demo` builds what this needs and starts it.
# shellcheck disable=SC2317 # some of it is reached by traps only
set -Eeuo pipefail
cd "$(dirname "$0")/.."

build=build/release
work=$(mktemp -d "${TMPDIR:-/tmp}/thanosfs-demo.XXXXXX")
mnt=$work/thanos
mount_pid='' prometheus_pid=''

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
port=$(python3 - <<'END'
import socket
for port in [9090, 9091, 9092, 9093, 0]:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("127.0.0.1", port))
        print(s.getsockname()[1])
        break
    except OSError:
        pass
END
)
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

step "4. Look for yourself"
expr='count_over_time(node_load1[5m])'
printf '    %s%s/graph?g0.expr=%s&g0.tab=0&g0.range_input=6h%s\n' "$bold" "$url" "$(jq -rn --arg e "$expr" '$e|@uri')" "$plain"
printf '    %s\n' "$mnt"
if [[ ${ONCE:-} ]]; then
	exit 0
fi
printf '\n    Ctrl-C ends everything.\n'
while kill -0 "$mount_pid" 2>/dev/null && kill -0 "$prometheus_pid" 2>/dev/null; do
	sleep 0.5
done
echo "one of the two ended by itself"
exit 1
