#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keys are nobody's to read: neither the log at level debug, whatever the store answers, nor metrics, nor control files, nor any
# process's arguments show one, however it was given: in a file, by the environment, or inline, where it outlives workers and upgrades.
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/sys/s3.bash"
need_fuse
need curl openssl strings

secret='canary/secret+0123456789' token='canary-token-0123456789==' sse_key=canary-encryption-key-0123456789
printf %s "$sse_key" >"$WORK/sse.key"
check_equal "$(stat -c %s "$WORK/sse.key")" 32 "the length of the key"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
	-days 2 -keyout "$WORK/tls.key" -out "$WORK/tls.pem" 2>/dev/null
S3SERVE_SECRET=$secret start_s3serve own --session-token="$token" --tls-cert="$WORK/tls.pem" --tls-key="$WORK/tls.key"
S3_SCHEME=https
"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a,b --hours 2 --end 1699999200000 --instances 1 >/dev/null
mkdir -p "$S3_DIR"
for block in "$WORK"/gen/bucket/*/; do
	upload "${block%/}" "$S3_DIR"
done

# Everything but the encryption key, which Thanos wants in a file: so it is given for what S3 keeps it from, and reads that lack it.
config() { # SECRET TOKEN
	S3_SECRET_KEY=$1 S3_SESSION_TOKEN=$2
	write_s3_config "$WORK/bucket.yaml" "http_config: {tls_config: {ca_file: $WORK/tls.pem}, response_header_timeout: 1s}
trace: {enable: true}
sse_config: {type: SSE-C, encryption_key: $WORK/sse.key}"
}
rules() { # RULES, over HTTPS
	printf '%s\n' "$1" >"$S3_FAULTS.new"
	mv "$S3_FAULTS.new" "$S3_FAULTS"
}
descendants() {
	local child
	echo "$1"
	for child in $(pgrep -P "$1" || true); do
		descendants "$child"
	done
}
md5=$(printf %s "$sse_key" | base64)
check_hidden() { # WHAT FILE...
	local canary
	for canary in canary "$secret" "$token" "$sse_key" "$md5"; do
		! grep -aqF -e "$canary" "${@:2}" || fail "$1 has a secret: $(grep -aF -e "$canary" "${@:2}" | head -c 300)"
	done
}
check_processes() {
	local pid n=0
	for pid in $(descendants "$MOUNT_PID"); do
		check_hidden "the arguments of a process" "/proc/$pid/cmdline"
		n=$((n + 1))
	done
	((n >= 2)) || fail "there are only $n processes"
}
check_all() {
	check_hidden "the log" "$log"
	check_processes
	curl -sf "http://127.0.0.1:$http/metrics" >"$WORK/metrics"
	for file in "$WORK/mnt/.thanosfs"/*; do
		[[ ! -f $file ]] || check_hidden "$file" "$file"
	done
	check_hidden "what is served by HTTP" "$WORK/metrics"
	check_has "$(cat "$WORK/mnt/.thanosfs/config.yaml")" "$S3_BUCKET" "config.yaml"
}
has_worker() { pgrep -P "$MOUNT_PID" -f '^thanosfs-worker'; }
listings() { grep -c ' GET ?list.* 200 ' "$WORK/own.requests" || true; }
lists_again() {
	local before
	before=$(listings)
	# shellcheck disable=SC2317 # called by name
	has_listed() { (($(listings) > before)); }
	wait_until 20 "the bucket is listed with the same keys" has_listed
}
serves() { [[ $(count_blocks "$WORK/mnt") == 1 ]]; }

export CANARY_SECRET='' CANARY_TOKEN=''
for way in file environment inline; do
	say "$way"
	config "$secret" "$token"
	[[ $way != environment ]] || {
		config "\${CANARY_SECRET}" "\${CANARY_TOKEN}"
		CANARY_SECRET=$secret CANARY_TOKEN=$token
	}
	how=(--objstore.config-file="$WORK/bucket.yaml")
	[[ $way != inline ]] || how=(--objstore.config="$(cat "$WORK/bucket.yaml")")
	http=$(free_port)
	mount_start "$way" "$WORK/mnt" "${how[@]}" --data-dir="$WORK/$way.data" --query.replica-label=replica --log.level=debug \
		--sync-block-duration=1s --read.deadline=1s --http-address="127.0.0.1:$http"
	log=$WORK/$way.log
	wait_until 10 "there is a worker" has_worker
	check_processes
	CANARY_SECRET='' CANARY_TOKEN=''
	wait_ready "$WORK/mnt"
	serves || fail "the block is not there"
	for rule in do=html do=endless "do=length by=10" "do=truncate bytes=50" "do=corrupt bytes=9" do=reset \
		"do=redirect code=301 region=eu-1 location=http://elsewhere/" do=expired do=denied \
		"do=status code=403 error=SignatureDoesNotMatch" "do=status code=503" "do=stall" outage=closed; do
		rules "$rule"
		cat "$WORK"/mnt/*/chunks/* >/dev/null
		sleep 0.6
	done
	check_all
	rules ""
	[[ $way == inline ]] || { unmount "$MOUNT_PID" "$WORK/mnt" && continue; }

	say "a worker dies, and the mount is upgraded"
	for worker in $(pgrep -P "$MOUNT_PID"); do
		kill -KILL "$worker"
	done
	wait_until 20 "another worker serves" serves
	lists_again
	check_all
	"$THANOSFS" mount --upgrade "$WORK/mnt" || fail "the upgrade failed"
	serves || fail "the block is gone"
	for worker in $(pgrep -P "$MOUNT_PID"); do
		kill -KILL "$worker"
	done
	wait_until 20 "another worker serves after the upgrade" serves
	lists_again
	check_all
	for pid in $(descendants "$MOUNT_PID"); do
		check_hidden "the environment of a process" "/proc/$pid/environ"
	done
	unmount "$MOUNT_PID" "$WORK/mnt"
	check_hidden "the log" "$log"
done
