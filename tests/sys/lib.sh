# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What system tests share; source it first. A test gets a directory of its own in $WORK, starts servers through the functions
# below, and leaves by reaching its end, by `fail`, or by `skip`: a trap then stops by pid whatever it started, unmounts, shows
# the logs if it failed, and removes $WORK. `make` sets $BUILD to the variant under test.
set -Eeuo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$ROOT/build/release}
THANOSFS=$BUILD/thanosfs
GENBUCKET=$BUILD/tests/gen/genbucket
export ROOT BUILD THANOSFS GENBUCKET
WORK=$(mktemp -d "${TMPDIR:-/tmp}/thanosfs-sys.XXXXXX")
# A sanitizer's build takes several times as long for everything.
case $BUILD in
*/asan | */tsan) PATIENCE=6 ;;
*) PATIENCE=1 ;;
esac
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:exitcode=99}
export TSAN_OPTIONS=${TSAN_OPTIONS:-exitcode=99}

pids=()	  # processes to stop, the last first
mounts=() # mount points to leave, the last first
logs=()	  # what to show when the test fails

# What a test says reaches its output from within redirections and substitutions too.
exec 3>&1
say() { echo "$*"; }

fail() {
	echo "FAILED: $*" >&3
	exit 1
}

# Only for what lies outside the project.
skip() {
	echo "SKIPPED: $*" >&3
	exit 77
}

need() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

need_fuse() {
	[[ -r /dev/fuse && -w /dev/fuse ]] || skip "/dev/fuse is not there, or not for this user"
	((EUID == 0)) || need fusermount3
	need mountpoint
	[[ -x $THANOSFS ]] || fail "$THANOSFS is not built"
}

check_equal() { # GOT WANT WHAT
	[[ $1 == "$2" ]] || fail "$3 is '$1', want '$2'"
}

check_has() { # TEXT PART WHAT
	[[ $1 == *"$2"* ]] || fail "$3 lacks '$2': $1"
}

# wait_until SECONDS WHAT COMMAND...: tries every 50 ms until the command succeeds.
wait_until() {
	local seconds=$(($1 * PATIENCE)) what=$2 deadline
	shift 2
	deadline=$((SECONDS + seconds + 1))
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || fail "not within $seconds s: $what"
		sleep 0.05
	done
}

# Below those that the kernel gives to whoever connects: one of these could be taken before its server listens.
free_port() {
	python3 -c '
import random, socket
while True:
    try:
        s = socket.socket()
        s.bind(("127.0.0.1", random.randrange(10000, 32000)))
        break
    except OSError:
        pass
print(s.getsockname()[1])'
}

is_running() { [[ -d /proc/$1 && $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) != Z ]]; }
is_gone() { ! is_running "$1"; }
# A number that was this test's process may be another's by now.
is_child() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -r _ stat _ <<<"${stat##*) }"
	[[ $stat == "$$" ]] && is_running "$1"
}
is_no_child() { ! is_child "$1"; }
is_mounted() { mountpoint -q "$1"; }
is_ready() { is_mounted "$1" && [[ -e $1/.thanosfs/status.json ]]; }

# stop PID [SIGNAL]: ends a process of this test and gives its exit status.
stop() {
	local pid=$1 status=0
	if is_child "$pid"; then
		kill "-${2:-TERM}" "$pid" 2>/dev/null || true
		wait_until 30 "process $pid ends on SIG${2:-TERM}" is_no_child "$pid"
	fi
	wait "$pid" || status=$?
	return "$status"
}

cleanup() {
	local status=$? i
	trap - EXIT ERR
	trap '' PIPE TERM INT
	set +e
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		is_child "${pids[i]}" || continue
		kill "${pids[i]}" 2>/dev/null
		for _ in $(seq $((100 * PATIENCE))); do
			is_child "${pids[i]}" || continue 2
			sleep 0.1
		done
		kill -KILL "${pids[i]}" 2>/dev/null
	done
	for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do
		if grep -q " ${mounts[i]} " /proc/self/mounts; then
			fusermount3 -uz "${mounts[i]}" 2>/dev/null || umount -l "${mounts[i]}"
		fi
	done
	if ((status != 0 && status != 77)); then
		for log in "${logs[@]}"; do
			echo "== the end of ${log##*/}"
			tail -n 60 "$log"
		done
	fi
	rm -rf --one-file-system "$WORK"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 143' TERM INT
trap 'echo "FAILED: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND" >&3' ERR

# mount_start NAME MOUNTPOINT FLAGS...: mounts in the background; $MOUNT_PID is the process, its log $WORK/NAME.log.
mount_start() {
	local name=$1 at=$2
	shift 2
	mkdir -p "$at"
	logs+=("$WORK/$name.log")
	# A shell without job control would start it with SIGINT ignored.
	env --default-signal=INT "$THANOSFS" mount "$@" "$at" >>"$WORK/$name.log" 2>&1 </dev/null 3>&- &
	MOUNT_PID=$!
	pids+=("$MOUNT_PID")
	mounts+=("$at")
}

# mount_bucket NAME BUCKET MOUNTPOINT [FLAGS...]: the bucket is a directory; ready when this returns. Data in $WORK/NAME.data.
mount_bucket() {
	local name=$1 bucket=$2 at=$3
	shift 3
	printf 'type: FILESYSTEM\nconfig:\n  directory: "%s"\n' "$bucket" >"$WORK/$name.yaml"
	mount_start "$name" "$at" --objstore.config-file="$WORK/$name.yaml" --data-dir="$WORK/$name.data" "$@"
	wait_ready "$at"
}

wait_ready() { # MOUNTPOINT, of the last mount_start
	local deadline=$((SECONDS + 120 * PATIENCE))
	until is_ready "$1"; do
		is_running "$MOUNT_PID" || fail "thanosfs ended instead of mounting"
		((SECONDS < deadline)) || fail "not mounted within $((120 * PATIENCE)) s"
		sleep 0.05
	done
}

# unmount PID MOUNTPOINT: SIGTERM, and it must leave nothing mounted and end with 0.
unmount() {
	local status=0
	stop "$1" || status=$?
	((status == 0)) || fail "thanosfs ended with $status on SIGTERM"
	! is_mounted "$2" || fail "$2 is still mounted"
}

# prometheus_start NAME DIRECTORY [FLAGS...]: on a free loopback port; sets PROM_PID, PROM_URL; ready when this returns. The
# configuration is $WORK/NAME.yml if the test has written one, else empty.
prometheus_start() {
	local name=$1 dir=$2 port
	shift 2
	port=$(free_port)
	PROM_URL=http://127.0.0.1:$port
	[[ -e $WORK/$name.yml ]] || echo 'global: {scrape_interval: 1s}' >"$WORK/$name.yml"
	sed -i "s/@PORT@/$port/" "$WORK/$name.yml"
	logs+=("$WORK/$name.log")
	prometheus --config.file="$WORK/$name.yml" --storage.tsdb.path="$dir" --storage.tsdb.retention.time=100y \
		--storage.tsdb.min-block-duration=2h --storage.tsdb.max-block-duration=2h \
		--web.listen-address="127.0.0.1:$port" "$@" >>"$WORK/$name.log" 2>&1 </dev/null 3>&- &
	PROM_PID=$!
	pids+=("$PROM_PID")
	local deadline=$((SECONDS + 60 * PATIENCE))
	until curl -sf -m 5 -o /dev/null "$PROM_URL/-/ready"; do
		is_running "$PROM_PID" || fail "Prometheus ended at start"
		((SECONDS < deadline)) || fail "Prometheus is not ready after $((60 * PATIENCE)) s"
		sleep 0.05
	done
}

# ask EXPR [UNIX_SECONDS]: the JSON of an instant query; fails on anything but success, warnings included.
ask() {
	local answer
	answer=$(curl -s -m $((60 * PATIENCE)) --data-urlencode "query=$1" ${2:+--data-urlencode "time=$2"} "$PROM_URL/api/v1/query")
	[[ $(jq -r '.status, (.warnings // [] | length)' <<<"$answer" | tr '\n' ' ') == "success 0 " ]] ||
		fail "query '$1' gave: ${answer:0:400}"
	echo "$answer"
}

# ask_value EXPR [UNIX_SECONDS]: the value of an instant query of one sample; empty where there is none.
ask_value() { ask "$@" | jq -r '.data.result[0].value[1] // empty'; }

# The virtual blocks of a mount, one ULID a line.
blocks_of() { find "$1" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended -regex '.*/[0-9A-HJKMNP-TV-Z]{26}' -printf '%f\n' | sort; }

count_blocks() { blocks_of "$1" | wc -l; }

# tsdb_of DIRECTORY BLOCK...: makes a TSDB directory of copies of blocks; promtool doesn't follow links to directories.
tsdb_of() {
	local dir=$1 block
	shift
	mkdir -p "$dir/wal"
	for block in "$@"; do
		cp -r "$block" "$dir/${block##*/}"
	done
}

# upload BLOCK BUCKET: as an uploader does it, chunks and index first, meta.json last.
upload() {
	local to=$2/${1##*/}
	mkdir -p "$to"
	cp -r "$1/chunks" "$1/index" "$to/"
	cp "$1/meta.json" "$2/.upload" && mv "$2/.upload" "$to/meta.json"
}

# mark_deleted BUCKET ULID HOURS_AGO
mark_deleted() {
	printf '{"id":"%s","version":1,"deletion_time":%d}' "$2" $(($(date +%s) - $3 * 3600)) >"$1/$2/deletion-mark.json"
}

# labels_of BLOCK: its external labels, one word: cluster=eu,replica=a
labels_of() { jq -r '.thanos.labels | to_entries | map("\(.key)=\(.value)") | join(",")' "$1/meta.json"; }

# dump_bucket BUCKET DIRECTORY: dumps each replica's blocks to DIRECTORY/N.txt and prints LABELS:DUMP a line, the labels being
# the external labels of its blocks: cluster=eu,replica=a:DIRECTORY/0.txt
dump_bucket() {
	local bucket=$1 dir=$2 labels block n=0
	mkdir -p "$dir"
	for block in "$bucket"/*/; do
		labels_of "$block"
	done | sort -u >"$dir/labels"
	while read -r labels; do
		mkdir -p "$dir/$n/wal"
		for block in "$bucket"/*/; do
			[[ $(labels_of "$block") != "$labels" ]] || cp -r "$block" "$dir/$n/"
		done
		promtool tsdb dump "$dir/$n" >"$dir/$n.txt"
		rm -rf "${dir:?}/$n"
		echo "$labels:$dir/$n.txt"
		n=$((n + 1))
	done <"$dir/labels"
}

# settle MOUNTPOINT: reads all there is until no chunk turns out larger than planned. One that does makes its block be merged
# again, under another name, after a minute in which there was no other.
settle() {
	local at=$1 before names block
	overflows() { sed -n 's/^thanosfs_slots_overflowed_total //p' "$at/.thanosfs/metrics"; }
	# shellcheck disable=SC2317 # called by name
	renamed() { [[ $(blocks_of "$at") != "$names" ]]; }
	for _ in 1 2 3; do
		before=$(overflows)
		names=$(blocks_of "$at")
		for block in $names; do
			cat "$at/$block"/chunks/* >/dev/null
		done
		sleep 1.2 # what the metrics file says may be a second old
		[[ $(overflows) != "$before" ]] || return 0
		wait_until 100 "blocks with chunks that were too small are merged again" renamed
	done
	fail "the blocks are merged again and again"
}

# check_dedup BUCKET TRUTH MOUNTPOINT INTERVAL_MS: what must hold for every series of the mount; see dedup_oracle.py.
check_dedup() {
	local replicas
	mkdir -p "$2/wal" "$3/wal" # promtool wants them
	mapfile -t replicas < <(dump_bucket "$1" "$WORK/dumps")
	promtool tsdb dump "$2" >"$WORK/dumps/truth.txt"
	promtool tsdb dump "$3" >"$WORK/dumps/mount.txt"
	"$ROOT/tests/sys/dedup_oracle.py" --mount "$WORK/dumps/mount.txt" --truth "$WORK/dumps/truth.txt" --interval "$4" \
		"${replicas[@]}"
}
